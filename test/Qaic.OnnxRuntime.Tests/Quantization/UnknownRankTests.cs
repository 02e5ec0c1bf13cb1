using Microsoft.Extensions.Logging.Abstractions;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;
using static Qaic.OnnxRuntime.Tests.Onnx.Graphs;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Tensors of which not even the number of dimensions is known before a model runs.</summary>
[TestClass]
public sealed class UnknownRankTests
{
    [TestMethod]
    public void Results_of_branches_with_different_ranks_are_profiled()
    {
        var flat = new GraphProto { Name = "t", Node = { Node("ReduceMax", ["x"], ["t"], NodeAttributes.Int("keepdims", 0)) }, Output = { Shapeless("t", Float) } };
        var whole = new GraphProto { Name = "e", Node = { Node("Neg", ["x"], ["e"]) }, Output = { Shapeless("e", Float) } };
        NodeProto choice = Node("If", ["isPositive"], ["z"], Branch("then_branch", flat), Branch("else_branch", whole));
        FloatGraph graph = ObservedModels.Prepare(Model(
            [Node("ReduceSum", ["x"], ["sum"], NodeAttributes.Int("keepdims", 0)), Node("Greater", ["sum", "zero"], ["isPositive"]), choice],
            [Value("x", Float, 2, 3)], [Shapeless("z", Float)], Graphs.Weights("zero", [], [0])));

        QuantizationProfile profile = ActivationObserver.Observe(
            graph, [Sample(1, 2, 3, 4, 5, 6), Sample(-1, -2, -3, -4, -5, -6)], QaicOptions.Default, NullLogger.Instance, null, CancellationToken.None);

        TensorStatistics seen = profile.Find(graph.Activations.Single(a => a.Tensor == "z").ProfileName)!, sum = profile.Find(graph.Activations.Single(a => a.Tensor == "sum").ProfileName)!;
        Assert.AreEqual((1f, 6f, 7.0), (seen.Minimum, seen.Maximum, seen.Counts.ToArray().Sum()), "one value of the first sample, six of the second");
        Assert.AreEqual((-21f, 21f), (sum.Minimum, sum.Maximum), "a scalar");
    }

    private static Dictionary<string, Tensor> Sample(params float[] values) => new() { ["x"] = Tensor.Create(values, 2, 3) };

    private static AttributeProto Branch(string name, GraphProto graph) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Graph, G = graph };
}
