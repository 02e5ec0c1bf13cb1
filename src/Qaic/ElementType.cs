using System.Diagnostics.CodeAnalysis;

namespace Qaic;

/// <summary>Element types of a network's input and output buffers.</summary>
/// <remarks>
/// Values are those of the vendor's buffer data type (C enum and protobuf share the numbering). 0 to 8 are certain; 9 to 11 come from newer
/// SDKs and are inferred. The card has no boolean, string, unsigned 16/32/64-bit or double buffers.
/// </remarks>
public enum ElementType
{
    /// <summary>32-bit IEEE 754 (<see cref="float"/>).</summary>
    Float32 = 0,

    /// <summary>16-bit IEEE 754 (<see cref="Half"/>).</summary>
    Float16 = 1,

    /// <summary>Signed 8-bit, quantized with a scale and an offset (<see cref="sbyte"/>).</summary>
    Int8Q = 2,

    /// <summary>Unsigned 8-bit, quantized with a scale and an offset (<see cref="byte"/>).</summary>
    UInt8Q = 3,

    /// <summary>Signed 16-bit, quantized with a scale and an offset (<see cref="short"/>).</summary>
    Int16Q = 4,

    /// <summary>Signed 32-bit, quantized with a scale and an offset (<see cref="int"/>).</summary>
    Int32Q = 5,

    /// <summary>Signed 32-bit integer (<see cref="int"/>).</summary>
    Int32 = 6,

    /// <summary>Signed 64-bit integer (<see cref="long"/>).</summary>
    Int64 = 7,

    /// <summary>Signed 8-bit integer (<see cref="sbyte"/>).</summary>
    Int8 = 8,

    /// <summary>Unsigned 8-bit integer (<see cref="byte"/>). Boolean tensors travel as 0 and 1 in this type.</summary>
    UInt8 = 9,

    /// <summary>Complex number of two 32-bit floats, 8 bytes; named by newer SDKs only.</summary>
    Complex64 = 10,

    /// <summary>16-bit brain float; its bits are carried in <see cref="ushort"/>.</summary>
    BFloat16 = 11,
}

/// <summary>Facts about element types, in one table.</summary>
public static class ElementTypes
{
    /// <summary>Bytes of one element.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a known buffer data type.</exception>
    public static int SizeInBytes(this ElementType type) => type switch
    {
        ElementType.Float32 or ElementType.Int32Q or ElementType.Int32 => 4,
        ElementType.Float16 or ElementType.Int16Q or ElementType.BFloat16 => 2,
        ElementType.Int8Q or ElementType.UInt8Q or ElementType.Int8 or ElementType.UInt8 => 1,
        ElementType.Int64 or ElementType.Complex64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "No such buffer data type; known are 0 (Float32) to 11 (BFloat16)."),
    };

    /// <summary>The .NET type whose array holds elements of <paramref name="type"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a known buffer data type.</exception>
    public static Type ClrType(this ElementType type) => type switch
    {
        ElementType.Float32 => typeof(float),
        ElementType.Float16 => typeof(Half),
        ElementType.Int8Q or ElementType.Int8 => typeof(sbyte),
        ElementType.UInt8Q or ElementType.UInt8 => typeof(byte),
        ElementType.Int16Q => typeof(short),
        ElementType.Int32Q or ElementType.Int32 => typeof(int),
        ElementType.Int64 or ElementType.Complex64 => typeof(long),
        ElementType.BFloat16 => typeof(ushort),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "No such buffer data type; known are 0 (Float32) to 11 (BFloat16)."),
    };

    /// <summary>Whether <typeparamref name="T"/> may view elements of <paramref name="type"/>: its own .NET type, or <see cref="bool"/> for <see cref="ElementType.UInt8"/>.</summary>
    public static bool Holds<T>(this ElementType type) where T : unmanaged =>
        type.ClrType() == typeof(T) || (typeof(T) == typeof(bool) && type == ElementType.UInt8);

    /// <summary>The element type a tensor made from <typeparamref name="T"/> has.</summary>
    /// <exception cref="ArgumentException">No buffer data type carries <typeparamref name="T"/>.</exception>
    public static ElementType Of<T>() where T : unmanaged =>
        TryOf(typeof(T), out ElementType type)
            ? type
            : throw new ArgumentException(
                $"The card has no buffers of {typeof(T).Name}. Use float, Half, sbyte, byte, bool, short, int, long, or ushort for bfloat16 bits.", nameof(T));

    private static bool TryOf(Type clr, [NotNullWhen(true)] out ElementType type)
    {
        ElementType? found =
            clr == typeof(float) ? ElementType.Float32 :
            clr == typeof(Half) ? ElementType.Float16 :
            clr == typeof(sbyte) ? ElementType.Int8 :
            clr == typeof(byte) || clr == typeof(bool) ? ElementType.UInt8 :
            clr == typeof(short) ? ElementType.Int16Q :
            clr == typeof(int) ? ElementType.Int32 :
            clr == typeof(long) ? ElementType.Int64 :
            clr == typeof(ushort) ? ElementType.BFloat16 : null;
        type = found.GetValueOrDefault();
        return found is not null;
    }
}
