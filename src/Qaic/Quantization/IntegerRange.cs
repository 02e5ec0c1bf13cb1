namespace Qaic.Quantization;

/// <summary>The integers of a quantized type.</summary>
/// <param name="Lowest">Smallest integer.</param>
/// <param name="Highest">Largest integer.</param>
internal readonly record struct IntegerRange(int Lowest, int Highest)
{
    /// <summary>Activations and weights.</summary>
    public static IntegerRange Int8 { get; } = new(sbyte.MinValue, sbyte.MaxValue);

    /// <summary>Biases. Two bits less than the type has, so that a sum of products with a bias cannot overflow.</summary>
    public static IntegerRange Int32 { get; } = new(int.MinValue >> 2, int.MaxValue >> 2);

    /// <summary>The nearest integer of the range: <c>clip(roundHalfEven(value / scale + offset))</c> in float32 arithmetic; NaN is the offset, which stands for 0.</summary>
    public int Quantize(float value, float scale, int offset)
    {
        float code = MathF.Round((value / scale) + offset, MidpointRounding.ToEven);

        // Compared as double: the ends of the 32 bit range are not all float32 numbers.
        return float.IsNaN(code) ? offset : (int)Math.Clamp((double)code, Lowest, Highest);
    }
}
