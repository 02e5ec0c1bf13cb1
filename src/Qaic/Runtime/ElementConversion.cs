using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Qaic.Runtime;

/// <summary>Converts real numbers between <see cref="float"/> and the types of the card's buffers.</summary>
/// <remarks>
/// <para>Thread-safe, vectorised, allocates nothing. Sources and destinations must not overlap.</para>
/// <para>Rounding is to the nearest, ties to even. A quantized code q stands for scale × (q - offset), and x becomes clamp(round(x / scale + offset)) in float32 arithmetic, which is Glow's rule;
/// what is out of range saturates, infinities too. NaN becomes the code of 0, the offset. Float16 and bfloat16 do not saturate: what is too large becomes infinity, as IEEE 754 has it, and NaN stays NaN.</para>
/// </remarks>
public static partial class ElementConversion
{
    /// <summary>Whether <see cref="float"/> can be converted to and from the elements of <paramref name="spec"/>: float32, float16, bfloat16, and quantized 8-bit types with a scale.</summary>
    /// <remarks>Integers that are no codes of real numbers are not converted; neither are quantized types of 16 and 32 bits.</remarks>
    public static bool IsConvertible(TensorSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.ElementType switch
        {
            ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16 => true,
            ElementType.Int8Q => IsScale(spec.Scale) && spec.Offset is >= sbyte.MinValue and <= sbyte.MaxValue,
            ElementType.UInt8Q => IsScale(spec.Scale) && spec.Offset is >= byte.MinValue and <= byte.MaxValue,
            _ => false,
        };
    }

    /// <summary>Writes numbers as elements of a tensor.</summary>
    /// <param name="values">The numbers; any part of the tensor's.</param>
    /// <param name="spec">The tensor: type, scale and offset.</param>
    /// <param name="buffer">Receives the elements' bytes; exactly as many elements.</param>
    /// <exception cref="ArgumentException">The tensor's type is not convertible, or the lengths differ.</exception>
    public static void FromSingle(ReadOnlySpan<float> values, TensorSpec spec, Span<byte> buffer)
    {
        CheckConvertible(spec);
        CheckLength(values.Length, buffer.Length, spec);
        switch (spec.ElementType)
        {
            case ElementType.Float32: values.CopyTo(MemoryMarshal.Cast<byte, float>(buffer)); break;
            case ElementType.Float16: ToHalf(values, MemoryMarshal.Cast<byte, Half>(buffer)); break;
            case ElementType.BFloat16: ToBFloat16(values, MemoryMarshal.Cast<byte, ushort>(buffer)); break;
            case ElementType.Int8Q: Quantize(values, spec.Scale, spec.Offset, MemoryMarshal.Cast<byte, sbyte>(buffer)); break;
            default: Quantize(values, spec.Scale, spec.Offset, buffer); break;
        }
    }

    /// <summary>Reads numbers from elements of a tensor.</summary>
    /// <param name="buffer">The elements' bytes; any part of the tensor's.</param>
    /// <param name="spec">The tensor: type, scale and offset.</param>
    /// <param name="values">Receives the numbers; exactly as many elements.</param>
    /// <exception cref="ArgumentException">The tensor's type is not convertible, or the lengths differ.</exception>
    public static void ToSingle(ReadOnlySpan<byte> buffer, TensorSpec spec, Span<float> values)
    {
        CheckConvertible(spec);
        CheckLength(values.Length, buffer.Length, spec);
        switch (spec.ElementType)
        {
            case ElementType.Float32: MemoryMarshal.Cast<byte, float>(buffer).CopyTo(values); break;
            case ElementType.Float16: ToSingle(MemoryMarshal.Cast<byte, Half>(buffer), values); break;
            case ElementType.BFloat16: BFloat16ToSingle(MemoryMarshal.Cast<byte, ushort>(buffer), values); break;
            case ElementType.Int8Q: Dequantize(MemoryMarshal.Cast<byte, sbyte>(buffer), spec.Scale, spec.Offset, values); break;
            default: Dequantize(buffer, spec.Scale, spec.Offset, values); break;
        }
    }

    /// <summary>To float16: round to nearest, ties to even; infinity above 65504 and a half step.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void ToHalf(ReadOnlySpan<float> values, Span<Half> halves)
    {
        CheckLength(values.Length, halves.Length);
        TensorPrimitives.ConvertToHalf(values, halves);
    }

    /// <summary>From float16; exact.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void ToSingle(ReadOnlySpan<Half> halves, Span<float> values)
    {
        CheckLength(halves.Length, values.Length);
        TensorPrimitives.ConvertToSingle(halves, values);
    }

    /// <summary>To the bits of bfloat16: round to nearest, ties to even. NaN keeps its sign and becomes quiet.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void ToBFloat16(ReadOnlySpan<float> values, Span<ushort> bits)
    {
        CheckLength(values.Length, bits.Length);
        BFloat16Core(values, bits);
    }

    /// <summary>From the bits of bfloat16; exact.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void BFloat16ToSingle(ReadOnlySpan<ushort> bits, Span<float> values)
    {
        CheckLength(bits.Length, values.Length);
        SingleCore(bits, values);
    }

    /// <summary>To unsigned 8-bit codes.</summary>
    /// <param name="values">The numbers.</param>
    /// <param name="scale">Distance of two codes; above 0 and finite.</param>
    /// <param name="offset">Code of 0: 0 to 255.</param>
    /// <param name="codes">Receives the codes.</param>
    /// <exception cref="ArgumentException">The lengths differ, or scale or offset is out of range.</exception>
    public static void Quantize(ReadOnlySpan<float> values, float scale, int offset, Span<byte> codes)
    {
        Check(values.Length, codes.Length, scale, offset, byte.MinValue, byte.MaxValue);
        QuantizeCore(values, scale, offset, byte.MinValue, byte.MaxValue, codes);
    }

    /// <summary>To signed 8-bit codes.</summary>
    /// <param name="values">The numbers.</param>
    /// <param name="scale">Distance of two codes; above 0 and finite.</param>
    /// <param name="offset">Code of 0: -128 to 127.</param>
    /// <param name="codes">Receives the codes.</param>
    /// <exception cref="ArgumentException">The lengths differ, or scale or offset is out of range.</exception>
    public static void Quantize(ReadOnlySpan<float> values, float scale, int offset, Span<sbyte> codes)
    {
        Check(values.Length, codes.Length, scale, offset, sbyte.MinValue, sbyte.MaxValue);
        QuantizeCore(values, scale, offset, sbyte.MinValue, sbyte.MaxValue, MemoryMarshal.AsBytes(codes));
    }

    /// <summary>From unsigned 8-bit codes.</summary>
    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, float, int, Span{byte})"/>
    public static void Dequantize(ReadOnlySpan<byte> codes, float scale, int offset, Span<float> values)
    {
        Check(codes.Length, values.Length, scale, offset, byte.MinValue, byte.MaxValue);
        DequantizeCore(codes, flip: 0, scale, offset, values);
    }

    /// <summary>From signed 8-bit codes.</summary>
    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, float, int, Span{sbyte})"/>
    public static void Dequantize(ReadOnlySpan<sbyte> codes, float scale, int offset, Span<float> values)
    {
        Check(codes.Length, values.Length, scale, offset, sbyte.MinValue, sbyte.MaxValue);

        // A signed code with its top bit flipped is an unsigned one that is 128 larger, and so is its offset.
        DequantizeCore(MemoryMarshal.AsBytes(codes), flip: 0x80, scale, offset + 0x80, values);
    }

    private static bool IsScale(float scale) => scale > 0 && float.IsFinite(scale);

    private static void CheckConvertible(TensorSpec spec)
    {
        if (!IsConvertible(spec))
        {
            string codes = spec.ElementType is ElementType.Int8Q or ElementType.UInt8Q ? $" with scale {spec.Scale} and offset {spec.Offset}" : "";
            throw new ArgumentException(
                $"Tensor '{spec}'{codes} cannot be converted from or to float. Float32, Float16 and BFloat16 can, and Int8Q and UInt8Q with a scale above 0 and an offset among their codes.", nameof(spec));
        }
    }

    private static void CheckLength(int elements, int bytes, TensorSpec spec)
    {
        int size = spec.ElementType.SizeInBytes();
        if ((long)elements * size != bytes)
        {
            throw new ArgumentException($"{elements} elements of '{spec}' are {(long)elements * size} bytes; the buffer has {bytes}.");
        }
    }

    private static void CheckLength(int source, int destination)
    {
        if (source != destination)
        {
            throw new ArgumentException($"The source has {source} elements and the destination {destination}; they must be as many.");
        }
    }

    private static void Check(int source, int destination, float scale, int offset, int lowest, int highest)
    {
        CheckLength(source, destination);
        if (!IsScale(scale))
        {
            ThrowScale(scale);
        }

        if (offset < lowest || offset > highest)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"The offset is the code of 0, so it must be {lowest} to {highest}.");
        }
    }

    [DoesNotReturn]
    private static void ThrowScale(float scale) => throw new ArgumentOutOfRangeException(nameof(scale), scale, "The scale must be above 0 and finite.");
}
