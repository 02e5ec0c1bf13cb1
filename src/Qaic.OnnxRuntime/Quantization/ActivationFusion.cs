using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Finds the nodes that a card computes together with the Relu or Clip behind them.</summary>
internal static class ActivationFusion
{
    private static readonly HashSet<string> s_heads =
        ["Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "Sum", "BatchNormalization", "AveragePool", "GlobalAveragePool"];

    /// <summary>Per tensor between a node and its activation function, the tensor behind that.</summary>
    public static Dictionary<string, string> Find(OnnxModel model)
    {
        var flow = new Dataflow(model.Graph);
        var fused = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (NodeProto node in model.Graph.Node.Where(n => n.Domain is "" or "ai.onnx"))
        {
            if (s_heads.Contains(node.OpType) && flow.SoleConsumer(node.Output[0]) is { } next && next.Input[0] == node.Output[0] && IsNotNegative(model, flow, next))
            {
                fused[node.Output[0]] = next.Output[0];
            }
        }

        return fused;
    }

    /// <summary>Whether the node is Relu, or a Clip from 0 on.</summary>
    public static bool IsNotNegative(OnnxModel model, Dataflow flow, NodeProto node) =>
        node.Is("Relu") || (node.Is("Clip") && Bounds(model, flow, node) is { Minimum: 0 });

    /// <summary>What a Clip limits to; null if that is not constant.</summary>
    public static (float Minimum, float Maximum)? Bounds(OnnxModel model, Dataflow flow, NodeProto clip) =>
        Bound(model, flow, clip, 1, "min", float.NegativeInfinity) is { } minimum && Bound(model, flow, clip, 2, "max", float.PositiveInfinity) is { } maximum ? (minimum, maximum) : null;

    // Attributes until opset 10, inputs from 11 on.
    private static float? Bound(OnnxModel model, Dataflow flow, NodeProto clip, int index, string attribute, float none)
    {
        string input = clip.InputAt(index);
        return input.Length == 0 ? clip.Float(attribute, none)
            : flow.Initializer(input) is { DataType: TensorInfo.Float or 10 } constant && InitializerData.Singles(model, constant) is [var value] ? value
            : null;
    }
}
