namespace Qaic.Quantization;

/// <summary>How real numbers become 8 bit integers: <c>real = Scale × (q − Offset)</c>, q in [-128, 127]; the form of the vendor's tools and of Glow.</summary>
/// <param name="Scale">Distance of two neighbouring numbers; above 0.</param>
/// <param name="Offset">The integer that stands for 0; -128 to 127. An unsigned storage (uint8) has zero point <c>Offset + 128</c>.</param>
public readonly record struct QuantizationParameters(float Scale, int Offset)
{
    /// <summary>Smallest and largest integer.</summary>
    public const int MinQuantized = -128, MaxQuantized = 127;

    /// <summary>Smallest number that can be said.</summary>
    public float Minimum => Scale * (MinQuantized - Offset);

    /// <summary>Largest number that can be said.</summary>
    public float Maximum => Scale * (MaxQuantized - Offset);

    /// <summary>The nearest integer: <c>clip(roundHalfEven(value / Scale + Offset))</c> in float32 arithmetic. NaN becomes <see cref="Offset"/>, which stands for 0.</summary>
    public sbyte Quantize(float value) => (sbyte)IntegerRange.Int8.Quantize(value, Scale, Offset);

    /// <summary>The number that an integer stands for.</summary>
    public float Dequantize(int value) => Scale * (value - Offset);
}
