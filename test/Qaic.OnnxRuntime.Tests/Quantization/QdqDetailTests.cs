using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;
using Qaic.TestSupport;
using static Qaic.OnnxRuntime.Tests.Onnx.Graphs;
using static Qaic.OnnxRuntime.Tests.Quantization.QdqGraphs;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Encodings under all names of a tensor, biases, ranges and records where they are easily wrong.</summary>
[TestClass]
public sealed class QdqDetailTests
{
    private static readonly QuantizationParameters s_some = new(0.0625f, 0);

    [TestMethod, DataRow(false), DataRow(true)]
    public void A_float_bias_that_is_large_for_its_weights_gives_the_right_numbers(bool isConvolution)
    {
        TensorProto bias = Graphs.Weights("b", [3], [100, -50, 65.6f]);
        float[] tiny = [.. Enumerable.Range(0, 36).Select(i => MathF.Sin(i) * 1e-7f)];
        ModelProto model = isConvolution
            ? Model([Node("Conv", ["x", "w", "b"], ["y"]), Node("Relu", ["y"], ["r"]), Node("MaxPool", ["r"], ["p"], Ints("kernel_shape", 1, 1))], [Value("x", Float, 2, 12, 2, 2)], [Value("p", Float, 2, 3, 2, 2)], Graphs.Weights("w", [3, 12, 1, 1], tiny), bias)
            : Model([Node("Gemm", ["x", "w", "b"], ["y"])], [Value("x", Float, 4, 12)], [Value("y", Float, 4, 3)], Graphs.Weights("w", [12, 3], tiny), bias);

        QdqGraphs graphs = Quantize(model, precision: new NodePrecision([], [], EnableFp32Bias: true));

        _ = graphs.Check(leastSqnr: 40);
        Assert.AreEqual("Int32", graphs.Record.BiasPrecision, "what ONNX Runtime's kernel makes of it");
        Assert.AreEqual("Fp32", Quantize(model, new QaicOptions { SimulateFakeQuantization = true }, new NodePrecision([], [], EnableFp32Bias: true)).Record.BiasPrecision);
    }

    [TestMethod, DataRow(false), DataRow(true)]
    public void Biases_of_nodes_in_FP16_stay_float_when_asked(bool keeps)
    {
        QdqGraphs graphs = Quantize(TwoLayers(), precision: new NodePrecision(["h"], [], EnableFp32Bias: keeps));
        Assert.AreEqual(keeps, graphs.Graph.Model.Graph.Initializer.Any(t => t.Name == "c" && t.DataType == Float));
    }

    [TestMethod, DataRow(4), DataRow(16)]
    public void Weights_of_other_widths_are_refused_by_name(int bits)
    {
        CompilationException e = Assert.ThrowsExactly<CompilationException>(
            () => Quantize(TwoLayers(), encodings: new([Encoding("x")], [new TensorEncoding("w", bits, true, [new(0.1f, 0)])])));
        StringAssert.Contains(e.Message, $"{bits} bits for the weight 'w'");
    }

    [TestMethod]
    public void What_is_encoded_as_float_stays_float()
    {
        var encodings = new QuantizationEncodings([Encoding("x"), new TensorEncoding("r", 16, true, []) { IsFloat = true }], [new TensorEncoding("w", 16, true, []) { IsFloat = true }]);
        QdqGraphs graphs = Quantize(TwoLayers(), encodings: encodings);
        Assert.IsEmpty(graphs.Record.QuantizedNodes);
        Assert.IsFalse(graphs.Record.Tensors.Any(t => t.Name is "w" or "r"));
    }

    [TestMethod]
    public void Encodings_are_found_under_the_names_of_tensors_that_preparing_took_away()
    {
        ModelProto model = Model(
            [
                Node("Identity", ["x"], ["alias"]), Node("Constant", [], ["stored"], new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = Weights("", 5, 3) }),
                Node("Identity", ["stored"], ["w"]), Node("Gemm", ["alias", "w"], ["y"]),
            ],
            [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3)]);
        QdqGraphs graphs = Quantize(model, encodings: new([new TensorEncoding("alias", 8, false, [new(0.05f, 3)])], [Encoding("w")]));
        Assert.AreEqual((0.05f, s_some.Scale), (graphs.Scale("x"), graphs.Scale("stored")));
    }

    [TestMethod]
    public void Encodings_per_channel_take_opset_13()
    {
        ModelProto model = TwoLayers();
        model.OpsetImport[0].Version = 12;
        QuantizationEncodings encodings = new([Encoding("x"), Encoding("r")], [new TensorEncoding("w", 8, true, [.. Enumerable.Repeat(s_some, 7)])]);
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Quantize(model, new QaicOptions(), encodings: encodings));
        StringAssert.Contains(e.Message, "'w'");
        StringAssert.Contains(e.Message, "opset 13");
    }

    [TestMethod, DataRow("w", float.NaN, "weight"), DataRow("c", float.PositiveInfinity, "bias")]
    public void A_constant_that_is_no_number_is_refused_by_name(string name, float value, string what)
    {
        ModelProto model = TwoLayers();
        TensorProto tensor = model.Graph.Initializer.Single(t => t.Name == name);
        byte[] bytes = tensor.RawData.ToByteArray();
        BitConverter.TryWriteBytes(bytes.AsSpan(12), value);
        OnnxModel good = Parse(model);
        FloatGraph graph = FloatGraph.Prepare(good);
        QuantizationProfile profile = Profiles.Make(graph, new Dictionary<string, Npy> { ["x"] = new(ElementType.Float32, [8, 5], new byte[160]) });
        good.Graph.Initializer.Single(t => t.Name == name).RawData = Google.Protobuf.ByteString.CopyFrom(bytes);

        CompilationException e = Assert.ThrowsExactly<CompilationException>(
            () => QdqRewriter.Apply(graph, profile, null, NodePrecision.None, QaicOptions.Default, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance));

        StringAssert.StartsWith(e.Message, $"Value 3 of the {what} '{name}' of 'test' is");
    }

    [TestMethod]
    public void Normalisation_behind_a_layer_whose_bias_is_a_single_number_is_folded()
    {
        FloatGraph graph = FloatGraph.Prepare(Parse(Model(
            [Node("Gemm", ["x", "w", "c"], ["g"]), Node("BatchNormalization", ["g", "s", "t", "m", "v"], ["y"], NodeAttributes.Float("epsilon", 0))], [Value("x", Float, 2, 2)], [Value("y", Float, 2, 1)],
            Graphs.Weights("w", [2, 1], [1, 2]), Graphs.Weights("c", [], [3]), Graphs.Weights("s", [1], [2]), Graphs.Weights("t", [1], [1]), Graphs.Weights("m", [1], [1]), Graphs.Weights("v", [1], [4]))));
        NodeProto only = graph.Model.Graph.Node.Single();
        CollectionAssert.AreEqual(new[] { 1f, 2 }, graph.Values(only.Input[1]));
        CollectionAssert.AreEqual(new[] { 3f }, graph.Values(only.Input[2]));
    }

    [TestMethod]
    public void Float_noise_below_0_does_not_move_the_histogram()
    {
        // Bins of 1 from -2 to 6 become bins of 0.75 from 0 on.
        TensorStatistics seen = ActivationRanges.WithoutNegative(new TensorStatistics("t", -2, 6, [5, 7, 0, 0, 100, 0, 0, 12]));
        Assert.AreEqual((0f, 6f, 124.0), (seen.Minimum, seen.Maximum, seen.Total));
        CollectionAssert.AreEqual(new double[] { 12, 0, 25, 75, 0, 0, 3, 9 }, seen.Counts.ToArray());

        // Nearly the same bins: nothing moves.
        double[] counts = [100, 50, 20, 3];
        CollectionAssert.AreEqual(counts, ActivationRanges.WithoutNegative(new TensorStatistics("t", -1e-6f, 4, counts)).Counts.ToArray());
        CollectionAssert.AreEqual(new double[] { 6, 0, 0 }, ActivationRanges.WithoutNegative(new TensorStatistics("t", -3, -1, [1, 2, 3])).Counts.ToArray());
    }

    [TestMethod]
    public void Operators_that_the_options_name_in_vain_are_warned_of()
    {
        var log = new MessageList();
        Quantize(TwoLayers(), new QaicOptions { ExecuteNodesInFp16 = ["Relu", "Gem"], KeepOriginalPrecisionForNodes = ["Softmax"] }, logger: log);
        string[] warnings = [.. log.Messages.Where(m => m.StartsWith("Warning", StringComparison.Ordinal))];
        Assert.HasCount(3, warnings);
        StringAssert.Contains(warnings.Single(w => w.Contains("Relu", StringComparison.Ordinal)), "nodes before it");
        StringAssert.Contains(warnings.Single(w => w.Contains("Gem,", StringComparison.Ordinal)), "did you mean Gemm?");
        StringAssert.Contains(warnings.Single(w => w.Contains("Softmax", StringComparison.Ordinal)), "is not in test");

        log.Messages.Clear();
        Quantize(TwoLayers(), new QaicOptions { ExecuteNodesInFp16 = ["Gemm"] }, logger: log);
        StringAssert.StartsWith(log.Messages.Single(m => m.StartsWith("Warning", StringComparison.Ordinal)), "Warning Nothing of test is quantized");
        log.Messages.Clear();
        Fp16Rewriter.Apply(Parse(TwoLayers()), new QaicOptions { KeepOriginalPrecisionForNodes = ["Gem"] }, log);
        StringAssert.Contains(log.Messages.Single(m => m.StartsWith("Warning", StringComparison.Ordinal)), "did you mean Gemm?");
    }

    [TestMethod]
    public void A_name_in_both_precisions_is_refused_in_every_network()
    {
        var both = new NodePrecision(["h"], ["h"]);
        StringAssert.Contains(Assert.ThrowsExactly<CompilationException>(() => Quantize(TwoLayers(), precision: both)).Message, "'h' into FP16 and into FP32");
        StringAssert.Contains(
            Assert.ThrowsExactly<CompilationException>(() => Fp16Rewriter.Apply(Parse(TwoLayers()), QaicOptions.Default, both, new MessageList())).Message, "'h' into FP16 and into FP32");
    }

    [TestMethod]
    public void A_tensor_of_one_number_is_not_calibrated()
    {
        FloatGraph graph = FloatGraph.Prepare(Parse(Model([Node("MatMul", ["x", "w"], ["h"]), Node("MatMul", ["h", "v"], ["y"])], [Value("x", Float, 1, 5)], [Value("y", Float, 1, 3)], Weights("w", 5, 1), Weights("v", 1, 3))));
        double[] counts = [.. Enumerable.Range(0, 512).Select(i => i == 511 ? 1.0 : i < 8 ? 100 : 0)];
        QuantizationProfile profile = new(QuantizationProfile.OwnToolsVersion, graph.Hash, graph.Activations.Select(a => new TensorStatistics(a.ProfileName, 0, 10, counts)));

        PrecisionRecord record = QdqRewriter.Apply(
            graph, profile, null, NodePrecision.None, new QaicOptions { QuantizationCalibration = QuantizationCalibration.Percentile, PercentileCalibrationValue = 99 }, new MessageList());

        float Scale(string tensor) => record.Tensors.Single(t => t.Name == tensor).Scales.Single();
        Assert.AreEqual(10 / 255f, Scale("h"), 1e-6f);
        Assert.IsLessThan(1 / 255f, Scale("x"));
    }

    [TestMethod]
    public void A_calibration_that_cuts_off_most_of_a_tensor_is_warned_of()
    {
        Assert.HasCount(1, Warnings(QuantizationCalibration.Mse).Where(w => w.Contains("'x'", StringComparison.Ordinal) && w.Contains("Mse", StringComparison.Ordinal)).ToArray());
        Assert.IsEmpty(Warnings(QuantizationCalibration.None));

        static string[] Warnings(QuantizationCalibration calibration)
        {
            // Values from 1 to 2 alone, not quite evenly.
            FloatGraph graph = FloatGraph.Prepare(Parse(TwoLayers()));
            QuantizationProfile profile = new("2026-11-24", graph.Hash, graph.Activations.Select(a => new TensorStatistics(a.ProfileName, 1, 2, [.. Enumerable.Range(0, 512).Select(i => 10.0 + (i * 7 % 5))])));
            var log = new MessageList();
            QdqRewriter.Apply(graph, profile, null, NodePrecision.None, new QaicOptions { QuantizationCalibration = calibration }, log);
            return [.. log.Messages.Where(m => m.StartsWith("Warning", StringComparison.Ordinal))];
        }
    }

    [TestMethod]
    public void Nodes_that_compute_in_float_on_rounded_numbers_are_not_recorded_as_integers()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("ConvTranspose", ["x", "w"], ["t"]), Conv("t", "v", "c"), Node("Relu", ["c"], ["r"]), Node("GlobalAveragePool", ["r"], ["y"])],
            [Value("x", Float, 2, 4, 3, 3)], [Value("y", Float, 2, 4, 1, 1)], Weights("w", 4, 4, 2, 2), Weights("v", 4, 4, 3, 3)));
        var optimized = OptimizedGraph.Of(graphs.Graph.Model);
        Assert.AreEqual((1, 1, 1), (optimized["QLinearConv"], optimized["ConvTranspose"], optimized["GlobalAveragePool"]), optimized.ToString());
        CollectionAssert.AreEqual(new[] { "c", "r" }, graphs.Record.QuantizedNodes.ToArray());
        CollectionAssert.AreEqual(new[] { "t", "y" }, graphs.Record.RoundedNodes.ToArray());
        Assert.IsEmpty(graphs.Record.Fp32Nodes);
    }

    private static AttributeProto Ints(string name, params long[] values) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Ints, Ints = { values } };

    private static TensorEncoding Encoding(string tensor) => new(tensor, 8, true, [s_some]);

    private static ModelProto TwoLayers() => Model(
        [Node("Gemm", ["x", "w", "c"], ["h"]), Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v"], ["y"])],
        [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3)], Weights("w", 5, 7), Weights("c", 7), Weights("v", 7, 3));
}
