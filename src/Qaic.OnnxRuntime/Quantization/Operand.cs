using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>What operators do with their inputs, as far as precision is concerned.</summary>
internal static class Operand
{
    private static readonly HashSet<string> s_layers = new(StringComparer.Ordinal)
    {
        "Conv", "ConvTranspose", "DeformConv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "BatchNormalization", "InstanceNormalization",
        "LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization", "GroupNormalization", "RMSNormalization", "LSTM", "GRU", "RNN", "PRelu",
    };

    private static readonly HashSet<string> s_selectors = new(StringComparer.Ordinal)
    {
        "Abs", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "GlobalMaxPool", "Identity", "Max", "MaxPool", "Min", "Neg", "ReduceMax", "ReduceMin",
        "Relu", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where",
    };

    /// <summary>Whether the values of an input go into the results. Sizes, bounds and scales of integers do not: rounding them would change shapes or meaning, not precision.</summary>
    public static bool IsComputedWith(NodeProto node, int index) => node.OpType switch
    {
        "Clip" or "Dropout" or "Pad" or "Resize" or "Upsample" or "QuantizeLinear" or "DynamicQuantizeLinear" => index == 0,
        "NonMaxSuppression" => index < 2,
        "OneHot" or "Range" => false,
        _ => !IsIntegerOperator(node),
    };

    /// <summary>Whether an input holds a layer's weights or bias, which is so of one element too.</summary>
    public static bool IsLayerParameter(NodeProto node, int index) => index > 0 && s_layers.Contains(node.OpType);

    /// <summary>Whether an input is a layer's bias.</summary>
    public static bool IsBias(NodeProto node, int index) => index == 2 && node.OpType is "Conv" or "ConvTranspose" or "FusedConv" or "Gemm" or "FusedGemm";

    /// <summary>Whether all results are, but for the sign, values of the inputs, so that nothing is rounded.</summary>
    public static bool IsSelector(NodeProto node) => node.Domain.Length == 0 && s_selectors.Contains(node.OpType);

    /// <summary>Whether an operator works on quantized numbers, or leads to them or away from them.</summary>
    public static bool IsIntegerOperator(NodeProto node) =>
        node.OpType.Contains("Quant", StringComparison.OrdinalIgnoreCase) || node.OpType.Contains("Integer", StringComparison.Ordinal) || node.OpType.StartsWith("QLinear", StringComparison.Ordinal)
        || (node.Domain.Length > 0 && (node.OpType.Contains("NBits", StringComparison.Ordinal) || node.OpType is "MatMulBnb4" or "QGemm" or "QAttention" or "QEmbedLayerNormalization" or "QMoE"));
}
