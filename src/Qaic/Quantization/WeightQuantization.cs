namespace Qaic.Quantization;

/// <summary>A constant tensor in integers.</summary>
/// <param name="Values">The integers, in the order of the tensor's elements.</param>
/// <param name="Parameters">One for the whole tensor, or one per slice along the axis.</param>
public sealed record QuantizedConstant(sbyte[] Values, QuantizationParameters[] Parameters);

/// <summary>Quantizes weights and biases by Glow's rules.</summary>
public static class WeightQuantization
{
    /// <summary>Parameters of a weight: one for all (<paramref name="axis"/> null) or one per slice along an axis.</summary>
    /// <remarks>Per slice, <see cref="QuantizationSchema.Asymmetric"/> becomes symmetric: the target has no offsets per channel.</remarks>
    public static QuantizationParameters[] Choose(ReadOnlySpan<float> values, ReadOnlySpan<int> shape, int? axis, QuantizationSchema schema) =>
        throw new NotImplementedException($"{values.Length}{shape.Length}{axis}{schema}");

    /// <summary>Raises the scales of weights so that a bias fits into <paramref name="precision"/> at <c>inputScale × weightScale</c> exactly.</summary>
    /// <param name="weights">Parameters of the weights, one or one per channel; changed in place.</param>
    /// <param name="bias">The bias, one value per channel.</param>
    /// <param name="inputScale">Scale of the layer's input.</param>
    /// <param name="precision">Type of the bias.</param>
    public static void FitBias(Span<QuantizationParameters> weights, ReadOnlySpan<float> bias, float inputScale, BiasPrecision precision) =>
        throw new NotImplementedException($"{weights.Length}{bias.Length}{inputScale}{precision}");

    /// <summary>Quantizes a weight with parameters from <see cref="Choose"/>.</summary>
    public static QuantizedConstant Quantize(ReadOnlySpan<float> values, ReadOnlySpan<int> shape, int? axis, QuantizationParameters[] parameters) =>
        throw new NotImplementedException($"{values.Length}{shape.Length}{axis}{parameters}");

    /// <summary>A bias in 32 bit integers at <c>inputScale × weightScale</c> (float32 product), offset 0. With <see cref="BiasPrecision.Int8"/> it is rounded to 8 bit at its own scale first.</summary>
    public static int[] QuantizeBias(ReadOnlySpan<float> bias, ReadOnlySpan<QuantizationParameters> weights, float inputScale, BiasPrecision precision) =>
        throw new NotImplementedException($"{bias.Length}{weights.Length}{inputScale}{precision}");
}
