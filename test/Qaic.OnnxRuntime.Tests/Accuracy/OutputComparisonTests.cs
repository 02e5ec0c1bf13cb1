using Qaic.Compilation;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

[TestClass]
public sealed class OutputComparisonTests
{
    [TestMethod]
    public void Rows_agree_when_the_largest_value_is_at_the_same_place()
    {
        ModelAccuracy accuracy = Compare([1, 2, 3, 9, 8, 7], [0, 0, 1, 1, 2, 0], width: 3, labels: [2, 1]);
        Assert.AreEqual(0.5, accuracy.Agreement, "the second row has another largest value");
        Assert.AreEqual(1.0, accuracy.Top1, "and is right by that");
        Assert.AreEqual(0.5, accuracy.ReferenceTop1);
        Assert.AreEqual(-50, accuracy.PointsLost, 1e-9, "which is a gain");
        Assert.AreEqual(2, accuracy.Rows);
    }

    [TestMethod]
    public void The_classes_of_a_map_lie_along_its_first_axis()
    {
        // Two classes, one line of three pixels: 1, 0, 1 by the reference, 1, 1, 1 by the other.
        float[] reference = [1, 5, 1, 2, 4, 2], actual = [1, 3, 1, 2, 4, 2];
        OutputRows Map(float[] values) => new("map", values, [2, 1, 3], 1);

        ModelAccuracy accuracy = OutputComparison.Compare([Map(reference)], [Map(actual)], new AccuracyData([], []) { Labels = [1, 0, 1] });

        Assert.AreEqual(2 / 3.0, accuracy.Agreement, 1e-9);
        Assert.AreEqual(1, accuracy.ReferenceTop1);
    }

    [TestMethod]
    public void Half_outputs_are_read_for_any_number_of_rows()
    {
        var spec = new TensorSpec("y", ElementType.Float16, [4, 2]);
        CollectionAssert.AreEqual(new float[] { 1, 2, 3, 4, 5, 6 }, StackedSamples.ToSingles(Tensor.Create<Half>([(Half)1, (Half)2, (Half)3, (Half)4, (Half)5, (Half)6], 3, 2), spec));
    }

    [TestMethod]
    public void Without_labels_every_answer_that_changes_is_a_loss() =>
        Assert.AreEqual(50, Compare([1, 2, 3, 9, 8, 7], [0, 0, 1, 1, 2, 0], width: 3).PointsLost, 1e-9);

    [TestMethod]
    public void Sqnr_is_the_power_of_the_signal_over_that_of_the_differences()
    {
        // 3² + 4² = 25 against 0.5² = 0.25: a factor of 100.
        OutputAccuracy output = Compare([3, 4], [3, 4.5f], width: 2).Outputs.Single();
        Assert.AreEqual(20, output.SqnrDb, 1e-9);
        Assert.AreEqual(0.5, output.LargestError, 1e-9);
    }

    [TestMethod]
    public void Equal_outputs_have_no_noise_even_where_they_are_infinite()
    {
        Assert.AreEqual(double.PositiveInfinity, Compare([0, 0], [0, 0], width: 2).SqnrDb);
        Assert.AreEqual(20, Compare([3, 4, float.NegativeInfinity], [3, 4.5f, float.NegativeInfinity], width: 3).SqnrDb, 1e-9);
    }

    [TestMethod]
    public void An_overflow_drowns_the_signal()
    {
        OutputAccuracy output = Compare([3, 4], [3, float.PositiveInfinity], width: 2).Outputs.Single();
        Assert.AreEqual(double.NegativeInfinity, output.SqnrDb);
        Assert.AreEqual(double.PositiveInfinity, output.LargestError);
    }

    [TestMethod]
    public void A_single_column_is_a_logit() =>
        Assert.AreEqual(0.75, Compare([-1, 2, 3, -0.1f], [-2, 0.1f, -1, -5], width: 1).Agreement, "class 1 above 0");

    [TestMethod]
    public void A_single_column_between_0_and_1_is_a_probability() =>
        Assert.AreEqual(0.5, Compare([0.1f, 0.6f, 0.9f, 0.4f], [0.2f, 0.4f, 0.8f, 0.7f], width: 1).Agreement, "class 1 above 0.5");

    [TestMethod]
    public void An_integer_output_is_the_class_itself()
    {
        // All are above 0: as logits they would agree.
        ModelAccuracy accuracy = OutputComparison.Compare([Labels(3, 1, 2, -1)], [Labels(3, 2, 2, -1)], ScriptedBench.Data(1, 1, [3, 2, 2, 1]));
        Assert.AreEqual(0.75, accuracy.Agreement, "-1 is a class as well");
        Assert.AreEqual(0.75, accuracy.Top1);
        Assert.AreEqual(0.5, accuracy.ReferenceTop1);
    }

    [TestMethod]
    public void Every_element_of_an_integer_output_is_a_class()
    {
        OutputRows left = Labels(0, 5, 1, 2) with { RowShape = [2], Rows = 2 }, right = left with { Values = [0, 5, 0, 2] };
        Assert.AreEqual(0.75, OutputComparison.Compare([left], [right], ScriptedBench.Data(1, 1)).Agreement);
    }

    [TestMethod]
    public void The_sqnr_is_that_of_the_first_output_that_holds_real_numbers()
    {
        ModelAccuracy accuracy = OutputComparison.Compare([Labels(3, 1), Rows([3, 4], 1)], [Labels(3, 2), Rows([3, 4.5f], 1)], ScriptedBench.Data(1, 1));
        Assert.AreEqual(20, accuracy.SqnrDb, 1e-9);
        Assert.IsTrue(accuracy.Outputs[0].IsWhole && !accuracy.Outputs[1].IsWhole);
    }

    [TestMethod]
    public void Labels_of_a_network_reach_the_comparison_as_classes()
    {
        using var directory = TemporaryDirectory.Create();
        string path = Graphs.Save(
            Graphs.Model(
                [Graphs.Node("ArgMax", ["x"], ["label"], NodeAttributes.Int("axis", 1), NodeAttributes.Int("keepdims", 0)), Graphs.Node("Identity", ["x"], ["scores"])],
                [Graphs.Value("x", Graphs.Float, 1, 3)], [Graphs.Value("label", Graphs.Int64, 1), Graphs.Value("scores", Graphs.Float, 1, 3)]),
            directory.Path);
        var row = new Dictionary<string, Tensor> { ["x"] = Tensor.Create([1f, 2, 3]) };
        VariantRun run = new SimulatedBench(path).Run(QaicOptions.Default, null, null, [row, row], default);
        Assert.IsTrue(run.Outputs[0].IsWhole);
        CollectionAssert.AreEqual(new float[] { 2, 2 }, run.Outputs[0].Values);
        Assert.IsFalse(run.Outputs[1].IsWhole);
    }

    [TestMethod]
    public void A_row_with_NaN_agrees_with_nothing() =>
        Assert.AreEqual(0.5, Compare([float.NaN, 1, 1, 2], [float.NaN, 1, 1, 2], width: 2).Agreement);

    [TestMethod]
    public void The_metric_sees_all_rows_of_every_output_by_name()
    {
        AccuracyData data = ScriptedBench.Data(1, 1) with { Metric = outputs => outputs["y"].AsSpan<float>()[^1] * outputs["y"].Shape[0] };
        ModelAccuracy accuracy = OutputComparison.Compare([Rows([1, 2, 3, 4], 2)], [Rows([1, 2, 3, 5], 2)], data);
        Assert.AreEqual(8.0, accuracy.ReferenceMetric);
        Assert.AreEqual(10.0, accuracy.Metric);
    }

    [TestMethod]
    public void Labels_of_another_number_than_the_rows_are_refused()
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => Compare([1, 2, 3, 4], [1, 2, 3, 4], width: 2, labels: [1, 1, 1]));
        StringAssert.Contains(e.Message, "3 labels");
        StringAssert.Contains(e.Message, "2 classes");
    }

    private static ModelAccuracy Compare(float[] reference, float[] actual, int width, int[]? labels = null) =>
        OutputComparison.Compare([Rows(reference, width)], [Rows(actual, width)], ScriptedBench.Data(1, 1, labels));

    private static OutputRows Labels(params float[] values) => new("label", values, [], values.Length) { IsWhole = true };

    private static OutputRows Rows(float[] values, int width) => new("y", values, [width], values.Length / width);
}
