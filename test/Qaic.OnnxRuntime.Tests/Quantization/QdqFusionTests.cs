using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;
using static Qaic.OnnxRuntime.Tests.Onnx.Graphs;
using static Qaic.OnnxRuntime.Tests.Quantization.QdqGraphs;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>What would be slower in integers than in float, because a kernel does not take it as it stands: weights must not be dequantized in every inference.</summary>
[TestClass]
public sealed class QdqFusionTests
{
    private static readonly ValueInfoProto s_image = Value("x", Float, 2, 4, 6, 6);
    private static readonly ValueInfoProto s_rows = Value("x", Float, 8, 5);
    private static readonly ValueInfoProto s_result = Value("y", Float, 8, 7);

    [TestMethod, DataRow(2f, 1f), DataRow(1f, 0.5f), DataRow(0.25f, 3f), DataRow(2f, 0f), DataRow(1f, -1f)]
    public void Factors_of_a_product_go_into_its_constants(float alpha, float beta)
    {
        foreach (QaicOptions options in new[] { new QaicOptions(), new QaicOptions { EnableRowwise = true, QuantizationSchemaConstants = QuantizationSchema.Symmetric } })
        {
            QdqGraphs graphs = Quantize(
                Model(
                    [Node("Gemm", ["x", "w", "c"], ["h"], NodeAttributes.Float("alpha", alpha), NodeAttributes.Float("beta", beta)), Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v", "c"], ["y"], NodeAttributes.Float("alpha", alpha))],
                    [s_rows], [s_result], Weights("w", 5, 7), Weights("v", 7, 7), Weights("c", 7)),
                options);
            AssertInteger(graphs, ("QGemm", 2));
            CollectionAssert.AreEqual(new[] { "h", "r", "y" }, graphs.Record.QuantizedNodes.ToArray());
            Assert.IsFalse(graphs.Graph.Model.Graph.Node.Any(n => n.Attribute.Any(a => a.Name is "alpha" or "beta")));
            Assert.AreEqual(Weights("w", 5, 7).RawData.Length / sizeof(float), graphs.Graph.Model.Graph.Initializer.Single(i => i.Name == "w_quantized").RawData.Length);
            Assert.IsTrue(graphs.Record.Tensors.Single(t => t.Name == "w").Scales.Max() <= 4f / 127, "the scale is that of the weight in the model");
        }
    }

    [TestMethod]
    public void A_negative_factor_is_computed_in_float_on_rounded_numbers()
    {
        QdqGraphs graphs = Quantize(Model([Node("Gemm", ["x", "w", "c"], ["y"], NodeAttributes.Float("alpha", -2))], [s_rows], [s_result], Weights("w", 5, 7), Weights("c", 7)));
        OptimizedGraph optimized = graphs.Check();
        Assert.AreEqual((1, 1), (optimized["Gemm"], optimized["DequantizeLinear"]), optimized.ToString());
        Assert.AreEqual("y", graphs.Record.RoundedNodes.Single());
    }

    [TestMethod, DataRow(new int[0]), DataRow(new[] { 1 }), DataRow(new[] { 1, 1 }), DataRow(new[] { 1, 7 }), DataRow(new[] { 7 })]
    public void A_bias_of_any_shape_for_all_rows_is_an_integer_one(int[] shape)
    {
        foreach (bool isGemm in new[] { true, false })
        {
            NodeProto[] product = isGemm ? [Node("Gemm", ["x", "w", "c"], ["h"])] : [Node("MatMul", ["x", "w"], ["m"]), Node("Add", ["m", "c"], ["h"])];
            QdqGraphs graphs = Quantize(
                Model([.. product, Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v", "c"], ["y"])], [s_rows], [s_result], Weights("w", 5, 7), Weights("v", 7, 7), AnyWeights("c", shape)), new QaicOptions());
            AssertInteger(graphs, ("QGemm", 2), ("Add", 0));
            Assert.Contains(isGemm ? "h" : "m", graphs.Record.QuantizedNodes);
            Assert.IsTrue(graphs.Record.Tensors.Any(t => t.Kind == "bias"));
        }
    }

    [TestMethod, DataRow(new[] { 8, 1 }), DataRow(new[] { 8, 7 })]
    public void A_bias_that_differs_from_row_to_row_is_added_behind_the_integer_kernel(int[] shape)
    {
        foreach (bool isGemm in new[] { true, false })
        {
            NodeProto[] product = isGemm ? [Node("Gemm", ["x", "w", "c"], ["h"], NodeAttributes.Float("beta", 2))] : [Node("MatMul", ["x", "w"], ["m"]), Node("Add", ["m", "c"], ["h"])];
            QdqGraphs graphs = Quantize(
                Model([.. product, Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v"], ["y"])], [s_rows], [s_result], Weights("w", 5, 7), Weights("v", 7, 7), AnyWeights("c", shape)), new QaicOptions());
            AssertInteger(graphs, ("QGemm", 2), ("Add", 1));
            CollectionAssert.AreEqual(new[] { isGemm ? "h" : "m", "y" }, graphs.Record.QuantizedNodes.ToArray());
        }
    }

    [TestMethod]
    public void A_computed_bias_is_added_behind_the_integer_kernel()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("Sigmoid", ["b"], ["c"]), Node("Gemm", ["x", "w", "c"], ["h"], NodeAttributes.Float("beta", 0.5f)), Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v"], ["y"])],
            [s_rows, Value("b", Float, 7)], [s_result], Weights("w", 5, 7), Weights("v", 7, 7)));
        AssertInteger(graphs, ("QGemm", 2), ("Add", 1));
        AssertListedOnce(graphs, "c", "h", "r", "y");
    }

    [TestMethod]
    public void A_float_bias_is_added_in_float_behind_the_integer_kernel()
    {
        QdqGraphs graphs = Quantize(
            Model([Node("Gemm", ["x", "w", "c"], ["h"]), Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v", "c"], ["y"])], [s_rows], [s_result], Weights("w", 5, 7), Weights("v", 7, 7), Weights("c", 7)),
            precision: new NodePrecision([], [], EnableFp32Bias: true));
        AssertInteger(graphs, ("QGemm", 2), ("Add", 2));
        AssertListedOnce(graphs, "h", "r", "y");
    }

    [TestMethod, DataRow(false), DataRow(true)]
    public void A_transformers_feed_forward_layer_runs_on_integers(bool hasFloatBias)
    {
        QdqGraphs graphs = Quantize(
            Model(
                [
                    Node("MatMul", ["x", "w"], ["m"]), Node("Add", ["m", "c"], ["a"]), Node("Relu", ["a"], ["ar"]), Node("MatMul", ["ar", "v"], ["n"]), Node("Add", ["n", "d"], ["y"]),
                ],
                [Value("x", Float, 2, 4, 5)], [Value("y", Float, 2, 4, 3)], Weights("w", 5, 7), Weights("c", 7), Weights("v", 7, 3), Weights("d", 3)),
            precision: new NodePrecision([], [], hasFloatBias));
        AssertInteger(graphs, ("QGemm", 2), ("QuantizeLinear", hasFloatBias ? 2 : 1));
        AssertListedOnce(graphs, "m", "a", "ar", "n", "y");
        Assert.AreEqual("x ar", string.Join(' ', graphs.Record.Tensors.Where(t => t.Kind == "activation").Select(t => t.Name)), "tensors of the model only");
    }

    [TestMethod]
    public void A_last_convolution_gives_integers_in_the_profiles_range()
    {
        QdqGraphs graphs = Quantize(Model(
            [Conv("x", "w", "c"), Node("Relu", ["c"], ["r"]), Conv("r", "v", "y", "b")], [s_image], [Value("y", Float, 2, 3, 6, 6)], Weights("w", 4, 4, 3, 3), Weights("v", 3, 4, 3, 3), Weights("b", 3)));
        AssertInteger(graphs, ("QLinearConv", 2), ("DequantizeLinear", 1));
        CollectionAssert.AreEqual(new[] { "c", "r", "y" }, graphs.Record.QuantizedNodes.ToArray());
    }

    [TestMethod]
    public void A_last_layer_gives_integers_where_it_has_an_activation_function()
    {
        QdqGraphs graphs = Quantize(Model([Node("Gemm", ["x", "w", "c"], ["h"]), Node("Relu", ["h"], ["y"])], [s_rows], [s_result], Weights("w", 5, 7), Weights("c", 7)));
        AssertInteger(graphs, ("QGemm", 1), ("DequantizeLinear", 1), ("Relu", 0));
    }

    [TestMethod]
    public void A_product_with_the_constant_on_the_left_is_computed_in_float_on_rounded_numbers()
    {
        QdqGraphs graphs = Quantize(Model([Node("MatMul", ["w", "x"], ["y"])], [Value("x", Float, 5, 7)], [Value("y", Float, 8, 7)], Weights("w", 8, 5)));
        OptimizedGraph optimized = graphs.Check();
        Assert.AreEqual((1, 1, 1), (optimized["MatMul"], optimized["DequantizeLinear"], optimized["QuantizeLinear"]), optimized.ToString());
        Assert.AreEqual("y", graphs.Record.RoundedNodes.Single());
        float scale = graphs.Scale("w");
        TensorProto rounded = graphs.Graph.Model.Graph.Initializer.Single(i => i.Name == "w_rounded");
        Assert.IsTrue(InitializerData.Singles(graphs.Graph.Model, rounded).All(v => Math.Abs((v / scale) - MathF.Round(v / scale)) < 1e-3f));
    }

    [TestMethod]
    public void Products_of_computed_matrices_with_factors_and_bias_run_on_integers()
    {
        QdqGraphs graphs = Quantize(Model(
            [Node("Gemm", ["x", "z", "c"], ["y"], NodeAttributes.Float("alpha", 0.5f), NodeAttributes.Float("beta", 2f))], [s_rows, Value("z", Float, 5, 7)], [s_result], Weights("c", 7)));
        AssertInteger(graphs, ("QGemm", 1), ("Add", 1));
    }

    [TestMethod]
    public void Pools_that_give_float_compute_in_float()
    {
        QdqGraphs graphs = Quantize(Model([Conv("x", "w", "c"), Node("GlobalAveragePool", ["c"], ["y"])], [s_image], [Value("y", Float, 2, 4, 1, 1)], Weights("w", 4, 4, 3, 3)));
        AssertInteger(graphs, ("QLinearConv", 1), ("GlobalAveragePool", 1));
        Assert.AreEqual("y", graphs.Record.RoundedNodes.Single());
    }

    // No DequantizeLinear of constants is left, and no float kernel of a product.
    private static void AssertInteger(QdqGraphs graphs, params (string Operator, int Count)[] expected)
    {
        OptimizedGraph optimized = graphs.Check();
        foreach ((string type, int count) in expected.Concat([("Gemm", 0), ("FusedGemm", 0), ("MatMul", 0), ("Conv", 0), ("FusedConv", 0)]))
        {
            Assert.AreEqual(count, optimized[type], $"{type} in: {optimized}");
        }

        HashSet<string> read = [.. graphs.Graph.Model.Graph.Node.SelectMany(n => n.Input)];
        Assert.IsEmpty(graphs.Graph.Model.Graph.Initializer.Select(i => i.Name).Where(n => !read.Contains(n)), "constants that nothing reads");
        HashSet<string> constants = [.. optimized.Model.Graph.Initializer.Select(i => i.Name)];
        Assert.IsFalse(optimized.Model.Graph.Node.Any(n => n.OpType == "DequantizeLinear" && constants.Contains(n.Input[0])), $"dequantized in every inference: {optimized}");
    }

    private static void AssertListedOnce(QdqGraphs graphs, params string[] names) =>
        CollectionAssert.AreEquivalent(names, graphs.Record.QuantizedNodes.Concat(graphs.Record.RoundedNodes).Concat(graphs.Record.Fp16Nodes).Concat(graphs.Record.Fp32Nodes).ToArray());

    private static TensorProto AnyWeights(string name, int[] dims) => dims.Length == 0 ? Graphs.Weights(name, [], [0.7f]) : Weights(name, dims);
}
