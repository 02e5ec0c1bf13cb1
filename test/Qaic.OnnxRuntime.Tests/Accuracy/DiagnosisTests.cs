using Qaic.Compilation;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

[TestClass]
public sealed class DiagnosisTests
{
    [TestMethod]
    public void Channels_of_very_different_ranges_get_the_advice_to_scale_each()
    {
        AccuracyFinding finding = Find(FindingKind.UnevenChannels, Weight("Conv", [1f / 127], 1, 0.5f, 0.02f, 0.01f))!;
        StringAssert.Contains(finding.Text, "Conv weight 'w' reach from 0.01 to 1 (1 : 100)");
        StringAssert.Contains(finding.Text, "2 of 4 use fewer than 16 of its 127 steps");
        StringAssert.Contains(finding.Advice, "EnableChannelwise (enable_channelwise)");
    }

    [TestMethod]
    public void Of_a_matrix_product_the_advice_is_rowwise()
    {
        AccuracyFinding finding = Find(FindingKind.UnevenChannels, Weight("Gemm", [1f / 127], 1, 0.5f, 0.02f, 0.01f))!;
        StringAssert.Contains(finding.Advice, "EnableRowwise (enable_rowwise)");
    }

    [TestMethod]
    public void Even_channels_channels_with_scales_of_their_own_and_empty_ones_are_no_finding()
    {
        Assert.IsNull(Find(FindingKind.UnevenChannels, Weight("Conv", [1f / 127], 1, 0.5f, 0.8f, 0.3f)));
        Assert.IsNull(Find(FindingKind.UnevenChannels, Weight("Conv", [1f / 127, 0.5f / 127, 0.02f / 127, 0.01f / 127], 1, 0.5f, 0.02f, 0.01f)));
        Assert.IsNull(Find(FindingKind.UnevenChannels, Weight("Conv", [1f / 127], 1, 0.5f, 0, 0)));
    }

    [TestMethod]
    public void The_worst_channel_is_measured()
    {
        (TensorAccuracy accuracy, WeightStudy? study) = TensorStudy.Of(new PrecisionRecord { Tensors = [s_weight([1f / 127])] }, null, [s_values("Conv", [1, 0.5f, 0.02f, 0.001f])]).Single();
        Assert.AreEqual(0, accuracy.WorstChannelSqnrDb, 1e-6, "0.001 is less than half a step, so all of it is lost");
        Assert.IsGreaterThan(40, accuracy.SqnrDb, "which the large channels hide");
        CollectionAssert.AreEqual(new[] { 1, 0.5, 0.02f, 0.001f }, study!.Largest);
        Assert.AreEqual(8.0, accuracy.Histogram!.Total);
    }

    [TestMethod]
    public void Of_the_values_of_weights_no_more_than_one_has_to_be_in_memory()
    {
        // The next weight takes the place of the one before.
        float[] memory = new float[4];
        IEnumerable<ModelWeight> Weights()
        {
            foreach (string name in new[] { "v", "w" })
            {
                Array.Fill(memory, name == "v" ? 1 : 0.5f);
                yield return new ModelWeight(name, memory, [2, 2], "Conv", 0);
            }
        }

        var record = new PrecisionRecord { Tensors = [s_weight([1f / 127]), s_weight([1f / 127]) with { Name = "v" }] };
        var studied = TensorStudy.Of(record, null, Weights());
        CollectionAssert.AreEqual(new[] { 1f, 1f }, studied.Single(t => t.Accuracy.Name == "v").Accuracy.ChannelMaxima);
        CollectionAssert.AreEqual(new[] { 0.5f, 0.5f }, studied.Single(t => t.Accuracy.Name == "w").Accuracy.ChannelMaxima);
    }

    [TestMethod]
    public void A_few_far_values_are_found_in_the_histogram()
    {
        // A hundred thousand values up to 3, and two at 600.
        double[] counts = new double[512];
        (counts[0], counts[1], counts[2], counts[511]) = (60_000, 30_000, 10_000, 2);
        AccuracyFinding finding = Find(FindingKind.Outliers, Activation("relu", 0, 600, 600f / 255, -128, counts))!;
        CollectionAssert.AreEqual(new[] { "relu" }, finding.Tensors);
        StringAssert.Contains(finding.Text, "99.99 % lie within 0 and 3.516, it reaches from 0 to 600 (170.7 times as wide)");
        StringAssert.Contains(finding.Text, "They share 1 of 256 numbers; without the far ones the scale could be 0.01379 instead of 2.353");
        StringAssert.Contains(finding.Advice, "QuantizationCalibration Percentile");
    }

    [TestMethod]
    public void Far_values_hide_what_else_could_be_said_of_their_tensor()
    {
        double[] counts = new double[512];
        (counts[0], counts[1], counts[511]) = (90_000, 10_000, 2);
        List<(TensorAccuracy, WeightStudy?)> image = Activation("image", -2, 600, 600f / 127, 0, counts);
        InputColumns[] columns = [new("image", [-2, -2, -2], [600, 2.5f, 2.5f])];
        Assert.IsNotNull(Find(FindingKind.Outliers, image, columns));
        Assert.IsNull(Find(FindingKind.UnevenColumns, image, columns), "two channels are normal, the third has the far values");
        Assert.IsNull(Find(FindingKind.LopsidedRange, image, columns));
    }

    [TestMethod]
    public void Values_that_fill_their_range_are_no_outliers() =>
        Assert.IsNull(Find(FindingKind.Outliers, Activation("relu", 0, 6, 6f / 255, -128, [.. Enumerable.Repeat(100.0, 512)])));

    [TestMethod]
    public void Raw_columns_get_the_advice_to_keep_their_reader_in_FP16()
    {
        var input = new InputColumns("features", [0, 0, 5, 0], [4000, 0.1f, 5, 0.02f]);
        ModelNode[] nodes = [new("centred", "Sub", ["features", "mean"], "centred"), new("y", "Gemm", ["centred", "w"], "y")];
        AccuracyFinding finding = Find(FindingKind.UnevenColumns, Activation("features", 0, 4000, 4000f / 255, -128, [1, 1]), [input], nodes)!;
        StringAssert.Contains(finding.Text, "span 0.02 to 4000");
        StringAssert.Contains(finding.Text, "2 of 4 move by fewer than 4 steps, 2 by less than one");
        StringAssert.Contains(finding.Advice, "node_precision_info_file): 'centred'");
        CollectionAssert.AreEqual(new[] { "features", "centred" }, finding.Tensors);
    }

    [TestMethod]
    public void Raw_columns_that_are_moved_first_name_what_moves_them_and_what_computes_with_them()
    {
        var input = new InputColumns("features", [0, 0, 5, 0], [4000, 0.1f, 5, 0.02f]);
        ModelNode[] nodes =
        [
            new("size", "Shape", ["features"], "size"), new("flat", "Flatten", ["features"], "flat"),
            new("left", "Split", ["flat"], "left") { Outputs = ["left", "right"] }, new("y", "Gemm", ["right", "w"], "y"), new("z", "Gemm", ["y", "v"], "z"),
        ];
        AccuracyFinding finding = Find(FindingKind.UnevenColumns, Activation("features", 0, 4000, 4000f / 255, -128, [1, 1]), [input], nodes)!;
        CollectionAssert.AreEqual(new[] { "features", "flat", "left", "y" }, finding.Tensors);
        StringAssert.Contains(finding.Advice, "node_precision_info_file): 'flat', 'left', 'y'; or scale");
        Assert.AreEqual("Scale the columns before the network.", Find(FindingKind.UnevenColumns, Activation("features", 0, 4000, 4000f / 255, -128, [1, 1]), [input], [])!.Advice);
    }

    [TestMethod]
    public void The_advice_for_raw_columns_behind_a_Flatten_cures_the_network()
    {
        using var directory = TemporaryDirectory.Create();
        string path = Graphs.Save(
            Graphs.Model(
                [Graphs.Node("Flatten", ["x"], ["flat"]), Graphs.Node("Gemm", ["flat", "w"], ["y"])],
                [Graphs.Value("x", Graphs.Float, 4, 1, 3)], [Graphs.Value("y", Graphs.Float, 4, 2)],
                Graphs.Weights("w", [3, 2], [0.001f, -0.001f, 40, -40, 10, 20])),
            directory.Path);
        AccuracyData data = new(Rows(0), Rows(7));
        var int8 = new QaicOptions { ConvertToQuantize = true };
        VariantAccuracy before = AccuracyReport.Evaluate(path, data, [new("INT8", int8)]).Variants[0];
        AccuracyFinding finding = before.Findings.Single(f => f.Kind == FindingKind.UnevenColumns);
        string list = Path.Combine(directory.Path, "precision.yaml");
        new NodePrecision([], [.. finding.Tensors.Skip(1)]).Save(list);
        VariantAccuracy after = AccuracyReport.Evaluate(path, data, [new("mixed", int8 with { NodePrecisionInfoFile = list })]).Variants[0];
        Assert.IsLessThan(10, before.Accuracy.SqnrDb);
        Assert.IsGreaterThan(50, after.Accuracy.SqnrDb);
        Assert.IsFalse(after.Findings.Any(f => f.Kind == FindingKind.UnevenColumns));

        static List<IReadOnlyDictionary<string, Tensor>> Rows(int first) =>
            [.. Enumerable.Range(first, 16).Select(i => (IReadOnlyDictionary<string, Tensor>)new Dictionary<string, Tensor> { ["x"] = Tensor.Create([i * 997f % 4000, i * 7 % 10 * 0.01f, i * 3 % 8 * 0.01f], 1, 3) })];
    }

    [TestMethod]
    public void Columns_alike_are_no_finding() =>
        Assert.IsNull(Find(FindingKind.UnevenColumns, Activation("features", -3, 3, 3f / 127, 0, [1, 1]), [new InputColumns("features", [-3, -2], [3, 2.5f])]));

    [TestMethod]
    public void Columns_of_tables_are_their_last_dimension_and_those_of_pictures_their_first()
    {
        InputColumns table = InputColumns.Of([Sample([1, 20], 2), Sample([3, 10], 2)]).Single();
        CollectionAssert.AreEqual(new float[] { 1, 10 }, table.Minima);
        CollectionAssert.AreEqual(new float[] { 3, 20 }, table.Maxima);
        InputColumns picture = InputColumns.Of([Sample([1, 2, 3, 40, 50, 60], 2, 1, 3)]).Single();
        CollectionAssert.AreEqual(new float[] { 3, 60 }, picture.Maxima);
    }

    [TestMethod]
    public void A_small_negative_end_that_costs_a_bit_is_found()
    {
        AccuracyFinding finding = Find(FindingKind.LopsidedRange, Activation("swish", -0.28f, 6, 6f / 127, 0, [1, 1]))!;
        StringAssert.Contains(finding.Text, "between -0.28 and 6");
        StringAssert.Contains(finding.Text, "134 of 256 numbers");
        StringAssert.Contains(finding.Advice, "quantization_schema_activations");
        Assert.IsNull(Find(FindingKind.LopsidedRange, Activation("tanh", -1, 1, 1f / 127, 0, [1, 1])));
    }

    [TestMethod]
    public void Much_clipping_is_found_with_its_share()
    {
        AccuracyFinding finding = Find(FindingKind.Clipping, Activation("a", 0, 10, 8f / 255, -128, [.. Enumerable.Repeat(1.0, 100)]))!;
        StringAssert.Contains(finding.Text, "19.8 % of the values of 'a' lie outside of 0 to 8");
    }

    [TestMethod]
    public void Lost_accuracy_comes_first_and_points_at_its_cause()
    {
        (TensorAccuracy, WeightStudy?)[] tensors = [.. Weight("Conv", [1f / 127], 1, 0.5f, 0.02f, 0.01f)];
        ModelAccuracy bad = s_good with { Agreement = 0.77, Top1 = 0.774, ReferenceTop1 = 0.993, Outputs = [new("y", 3.5, 1)] };
        var findings = Diagnosis.Of(bad, new PrecisionRecord { Precision = "INT8" }, tensors, [], []);
        Assert.AreEqual(FindingKind.AccuracyLost, findings[0].Kind);
        StringAssert.StartsWith(findings[0].Text, "Top-1 is 77.4 %, float32 has 99.3 %: 21.9 points are lost. 23.0 % of the answers on 100 rows are others than in float32");
        StringAssert.Contains(findings[0].Advice, "enable_channelwise");
        Assert.IsEmpty(Diagnosis.Of(s_good, new PrecisionRecord { Precision = "INT8" }, [], [], []), "nothing is lost");
    }

    private static readonly ModelAccuracy s_good = new() { Rows = 100, Agreement = 1, Outputs = [new("y", 40, 0.01)] };

    // Two values per channel, the largest and its half with the other sign.
    private static readonly Func<string, float[], ModelWeight> s_values = (op, largest) => new("w", [.. largest.SelectMany(m => new[] { m, -m / 2 })], [largest.Length, 2], op, 0);

    private static readonly Func<float[], QuantizedTensor> s_weight = scales => new("w", null, "weight", scales, [.. scales.Select(_ => 0)], -1, 1);

    private static List<(TensorAccuracy, WeightStudy?)> Weight(string op, float[] scales, params float[] largest) =>
        TensorStudy.Of(new PrecisionRecord { Tensors = [s_weight(scales)] }, null, [s_values(op, largest)]);

    private static List<(TensorAccuracy, WeightStudy?)> Activation(string name, float minimum, float maximum, float scale, int offset, double[] counts)
    {
        var profile = new QuantizationProfile(QuantizationProfile.OwnToolsVersion, 1, [new TensorStatistics(name + ":0", minimum, maximum, counts)]);
        return TensorStudy.Of(new PrecisionRecord { Tensors = [new QuantizedTensor(name, name + ":0", "activation", [scale], [offset], minimum, maximum)] }, profile, []);
    }

    private static AccuracyFinding? Find(FindingKind kind, List<(TensorAccuracy, WeightStudy?)> tensors, InputColumns[]? inputs = null, ModelNode[]? nodes = null) =>
        Diagnosis.Of(s_good, new PrecisionRecord { Precision = "INT8" }, tensors, inputs ?? [], nodes ?? []).SingleOrDefault(f => f.Kind == kind);

    private static Dictionary<string, Tensor> Sample(float[] values, params int[] shape) => new() { ["x"] = Tensor.Create(values, shape) };
}
