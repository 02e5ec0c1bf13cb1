using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Onnx;
using static Qaic.OnnxRuntime.Tests.Onnx.Graphs;
using static Qaic.OnnxRuntime.Tests.Quantization.QdqGraphs;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class QdqGraphTests
{
    private static readonly ValueInfoProto s_image = Value("x", Float, 2, 4, 6, 6);

    [TestMethod]
    public void A_residual_block_runs_on_integers_and_its_shared_tensor_is_quantized_once()
    {
        QdqGraphs graphs = Quantize(Classifier(
            "s", 4,
            [Conv("x", "w1", "c1", "b1"), Node("Relu", ["c1"], ["t"]), Conv("t", "w2", "u", "b2"), Node("Add", ["t", "u"], ["a"]), Node("Relu", ["a"], ["s"])],
            Weights("w1", 4, 4, 3, 3), Weights("b1", 4), Weights("w2", 4, 4, 3, 3), Weights("b2", 4)));
        AssertOperators(graphs.Check(), ("QLinearConv", 2), ("QLinearAdd", 1), ("QLinearGlobalAveragePool", 1), ("QGemm", 1), ("Relu", 0), ("Conv", 0), ("FusedConv", 0));
        Assert.AreEqual(1, graphs.Quantizers("t"));
        Assert.AreEqual(0, graphs.Quantizers("c1") + graphs.Quantizers("a") + graphs.Quantizers("y"), "nothing between a layer and its activation function, and no result that only leaves");
        CollectionAssert.AreEqual(new[] { "c1", "t", "u", "a", "s", "pool", "flat", "y" }, graphs.Record.QuantizedNodes.ToArray());
        Assert.IsEmpty(graphs.Record.Fp32Nodes);
        Assert.AreEqual("INT8", graphs.Record.Precision);
    }

    [TestMethod]
    public void Concatenated_convolutions_run_on_integers()
    {
        QdqGraphs graphs = Quantize(Classifier(
            "s", 7, [Conv("x", "w1", "c1"), Conv("x", "w2", "c2"), Node("Relu", ["c2"], ["r"]), Node("Concat", ["c1", "r"], ["s"], NodeAttributes.Int("axis", 1))], Weights("w1", 3, 4, 3, 3), Weights("w2", 4, 4, 3, 3)));
        AssertOperators(graphs.Check(), ("QLinearConv", 2), ("QLinearConcat", 1), ("QGemm", 1), ("FusedConv", 0));
    }

    [TestMethod]
    public void What_moves_data_keeps_the_parameters_of_what_it_moves()
    {
        QdqGraphs graphs = Quantize(Model(
            [
                Conv("x", "w", "c", "b"), Node("Relu", ["c"], ["r"]), Node("MaxPool", ["r"], ["p"], Ints("kernel_shape", 2, 2), Ints("strides", 2, 2)), Node("Flatten", ["p"], ["f"]),
                Node("Gemm", ["f", "g"], ["y"]),
            ],
            [s_image], [Value("y", Float, 2, 3)], Weights("w", 4, 4, 3, 3), Weights("b", 4), Weights("g", 36, 3)));
        OptimizedGraph optimized = graphs.Check();
        AssertOperators(optimized, ("QLinearConv", 1), ("QGemm", 1), ("QuantizeLinear", 1), ("Conv", 0));
        Assert.IsTrue(graphs.Scale("r") == graphs.Scale("p") && graphs.Scale("p") == graphs.Scale("f"));
    }

    [TestMethod]
    public void Cutting_off_at_6_costs_nothing()
    {
        QdqGraphs graphs = Quantize(Classifier(
            "r", 4, [Conv("x", "w", "c", "b"), Node("Clip", ["c", "zero", "six"], ["r"])], Weights("w", 4, 4, 3, 3), Weights("b", 4), Graphs.Weights("zero", [], [0]), Graphs.Weights("six", [], [6])));
        AssertOperators(graphs.Check(), ("QLinearConv", 1), ("Clip", 0), ("FusedConv", 0));
        Assert.AreEqual(6f / 255, graphs.Scale("r"), 1e-7f);
    }

    [TestMethod]
    public void Where_the_schema_has_negative_numbers_the_activation_function_is_computed_on_integers()
    {
        QdqGraphs graphs = Quantize(
            Classifier("r", 4, [Conv("x", "w", "c", "b"), Node("Relu", ["c"], ["r"])], Weights("w", 4, 4, 3, 3), Weights("b", 4)),
            new QaicOptions { EnableChannelwise = true, EnableRowwise = true, QuantizationSchema = QuantizationSchema.Symmetric });
        AssertOperators(graphs.Check(), ("QLinearConv", 1), ("Relu", 1), ("FusedConv", 0), ("Conv", 0));
        Assert.AreEqual(0, graphs.Record.Tensors.Single(t => t.Name == "r").Offsets.Single());
    }

    [TestMethod, DataRow(0, true), DataRow(1, true), DataRow(0, false), DataRow(1, false)]
    public void Fully_connected_layers_take_their_weights_either_way(int transB, bool perRow)
    {
        QdqGraphs graphs = Quantize(
            Model(
                [Node("Gemm", ["x", "w", "c"], ["h"], NodeAttributes.Int("transB", transB)), Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v"], ["y"])],
                [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3)], transB != 0 ? Weights("w", 7, 5) : Weights("w", 5, 7), Weights("c", 1, 7), Weights("v", 7, 3)),
            new QaicOptions { EnableRowwise = perRow });
        AssertOperators(graphs.Check(), ("QGemm", 2), ("Gemm", 0));
        Assert.HasCount(perRow ? 7 : 1, graphs.Record.Tensors.Single(t => t.Name == "w").Scales);
        Assert.HasCount(perRow ? 7 : 1, graphs.Record.Tensors.Single(t => t.Name == "c").Scales);
    }

    [TestMethod, DataRow(false), DataRow(true)]
    public void Products_with_a_bias_behind_them_run_on_integers(bool isThreeDimensional)
    {
        object[] shape = isThreeDimensional ? [2, 4] : [8];
        QdqGraphs graphs = Quantize(Model(
            [Node("MatMul", ["x", "w"], ["m"]), Node("Add", ["b", "m"], ["h"]), Node("MatMul", ["h", "v"], ["n"]), Node("Add", ["n", "c"], ["y"])],
            [Value("x", Float, [.. shape, 5])], [Value("y", Float, [.. shape, 3])], Weights("w", 5, 7), Weights("b", 7), Weights("v", 7, 3), Weights("c", 3)));
        AssertOperators(graphs.Check(), ("QGemm", 2), ("MatMul", 0), ("Gemm", 0), ("Add", 0));
        CollectionAssert.IsSubsetOf(new[] { "m", "n" }, graphs.Record.QuantizedNodes.ToArray());
    }

    [TestMethod]
    public void Products_of_two_computed_tensors_run_on_integers()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("MatMul", ["x", "w"], ["a"]), Node("Transpose", ["x"], ["t"], Ints("perm", 0, 2, 1)), Node("MatMul", ["a", "t"], ["y"])],
            [Value("x", Float, 2, 4, 5)], [Value("y", Float, 2, 4, 4)], Weights("w", 5, 5)));
        OptimizedGraph optimized = graphs.Check();
        Assert.AreEqual(2, optimized["QLinearMatMul"] + optimized["MatMulIntegerToFloat"], optimized.ToString());
    }

    [TestMethod]
    public void Depthwise_convolutions_have_a_scale_per_channel()
    {
        QdqGraphs graphs = Quantize(Classifier("c", 4, [Conv("x", "w", "c", "b", group: 4)], Weights("w", 4, 1, 3, 3), Weights("b", 4)));
        AssertOperators(graphs.Check(), ("QLinearConv", 1), ("Conv", 0));
        Assert.HasCount(4, graphs.Record.Tensors.Single(t => t.Name == "w").Scales);
        Assert.HasCount(4, graphs.Record.Tensors.Single(t => t.Name == "b").Scales.Distinct());
    }

    [TestMethod, DataRow(1), DataRow(2)]
    public void Transposed_convolutions_are_rounded_though_no_integer_kernel_exists(int groups)
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("ConvTranspose", ["x", "w", "b"], ["y"], NodeAttributes.Int("group", groups))], [s_image], [Value("y", Float, 2, 2 * groups, 8, 8)], Weights("w", 4, 2, 3, 3), Weights("b", 2 * groups)));
        AssertOperators(graphs.Check(), ("ConvTranspose", 1), ("DequantizeLinear", 1));
        Assert.AreEqual("y", graphs.Record.RoundedNodes.Single());
        Assert.IsEmpty(graphs.Record.QuantizedNodes);
        Assert.HasCount(groups == 1 ? 2 : 1, graphs.Record.Tensors.Single(t => t.Name == "w").Scales);
    }

    [TestMethod]
    public void Shared_weights_are_quantized_once_and_stay_float_for_others()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("MatMul", ["x", "w"], ["a"]), Node("MatMul", ["x", "w"], ["y"]), Node("MatMul", ["a", "w"], ["z"]), Node("Neg", ["w"], ["n"])],
            [Value("x", Float, 8, 5)], [Value("y", Float, 8, 5), Value("z", Float, 8, 5), Value("n", Float, 5, 5), Value("w", Float, 5, 5)], Weights("w", 5, 5)));
        _ = graphs.Check();
        Assert.HasCount(1, graphs.Record.Tensors.Where(t => t.Name == "w"));
        Assert.HasCount(1, graphs.Graph.Model.Graph.Initializer.Where(t => t.Name == "w"), "the output and Neg take the float one");
        using OrtSession session = Profiles.Session(graphs.Graph.Model);
        CollectionAssert.AreEqual(Weights("w", 5, 5).RawData.ToByteArray(), Runs.Once(session, graphs.Inputs)["w"].Bytes);
    }

    [TestMethod]
    public void A_result_that_others_read_too_leaves_the_graph_as_its_integers_say()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("Gemm", ["x", "w"], ["h"]), Node("Gemm", ["h", "v"], ["y"])], [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3), Value("h", Float, 8, 7)], Weights("w", 5, 7), Weights("v", 7, 3)));
        AssertOperators(graphs.Check(), ("QGemm", 2), ("Gemm", 0));
        CollectionAssert.AreEqual(new[] { "h", "y" }, graphs.Record.QuantizedNodes.ToArray());
        using OrtSession session = Profiles.Session(graphs.Graph.Model);
        float scale = graphs.Scale("h");
        Assert.IsTrue(Runs.Once(session, graphs.Inputs)["h"].ToSingles().All(v => Math.Abs((v / scale) - MathF.Round(v / scale)) < 1e-3f));
    }

    [TestMethod]
    public void A_tensor_may_be_added_to_itself()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("Gemm", ["x", "w"], ["h"]), Node("Add", ["h", "h"], ["a"]), Node("Gemm", ["a", "v"], ["y"])], [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3)], Weights("w", 5, 7), Weights("v", 7, 3)));
        AssertOperators(graphs.Check(), ("QGemm", 2), ("QLinearAdd", 1));
        Assert.AreEqual(1, graphs.Quantizers("h"));
    }

    [TestMethod]
    public void Constants_of_plain_arithmetic_stay_float()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("Mul", ["x", "half"], ["s"]), Node("Gemm", ["s", "w"], ["h"]), Node("Add", ["h", "shift"], ["y"])],
            [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3)], Weights("w", 5, 3), Graphs.Weights("half", [], [0.5f]), Weights("shift", 1, 3)));
        AssertOperators(graphs.Check(), ("QGemm", 1), ("Mul", 1));
        CollectionAssert.AreEqual(new[] { "s", "y" }, graphs.Record.Fp32Nodes.ToArray());
        Assert.IsFalse(graphs.Record.Tensors.Any(t => t.Name is "half" or "shift"));
    }

    [TestMethod]
    public void A_mask_added_to_scores_does_not_coarsen_them()
    {
        QdqGraphs graphs = Quantize(Model(
            [
                Node("MatMul", ["x", "w"], ["scores"]), Node("Mul", ["m", "large"], ["mask"]), Node("Add", ["scores", "mask"], ["a"]), Node("Softmax", ["a"], ["p"]), Node("MatMul", ["p", "v"], ["y"]),
            ],
            [Value("x", Float, 4, 5), Value("m", Float, 1, 6)], [Value("y", Float, 4, 3)], Weights("w", 5, 6), Weights("v", 6, 3), Graphs.Weights("large", [], [-1e4f])));
        Assert.AreEqual(0, graphs.Quantizers("mask") + graphs.Quantizers("a"));
        Assert.AreEqual(1f / 255, graphs.Scale("p"), "the range of a probability is known");
    }

    [TestMethod]
    public void Branches_read_the_quantized_tensor()
    {
        var branch = new GraphProto { Name = "b", Node = { Node("Neg", ["h"], ["t"]) }, Output = { Value("t", Float, 8, 7) } };
        NodeProto choice = Node("If", ["yes"], ["z"], Subgraph("then_branch", branch), Subgraph("else_branch", branch.Clone()));
        choice.Attribute[1].G.Node[0].Output[0] = choice.Attribute[1].G.Output[0].Name = "e";
        QdqGraphs graphs = Quantize(Model(
            [Node("Gemm", ["x", "w"], ["h"]), Node("Gemm", ["h", "v"], ["y"]), choice],
            [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3), Value("z", Float, 8, 7)], Weights("w", 5, 7), Weights("v", 7, 3), new TensorProto { Name = "yes", DataType = 9, Int32Data = { 1 } }));
        AssertOperators(graphs.Check(), ("QGemm", 2));
    }

    // Any features, then pool, flatten and a fully connected layer.
    private static ModelProto Classifier(string features, int channels, NodeProto[] nodes, params TensorProto[] initializers) => Model(
        [.. nodes, Node("GlobalAveragePool", [features], ["pool"]), Node("Flatten", ["pool"], ["flat"]), Node("Gemm", ["flat", "fc"], ["y"])],
        [s_image], [Value("y", Float, 2, 5)], [.. initializers, Weights("fc", channels, 5)]);

    private static AttributeProto Ints(string name, params long[] values) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Ints, Ints = { values } };

    private static AttributeProto Subgraph(string name, GraphProto graph) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Graph, G = graph };

    private static void AssertOperators(OptimizedGraph graph, params (string Operator, int Count)[] expected)
    {
        foreach ((string type, int count) in expected)
        {
            Assert.AreEqual(count, graph[type], $"{type} in: {graph}");
        }
    }
}
