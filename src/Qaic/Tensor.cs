using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Qaic.Runtime;

namespace Qaic;

/// <summary>A dense tensor in managed memory: element type, shape and data in row-major order.</summary>
/// <remarks>Immutable shape; the data is the caller's array where one was given, and is not copied. Not thread-safe for writing.</remarks>
public sealed class Tensor
{
    private readonly Array _data;

    private Tensor(Array data, ElementType elementType, ImmutableArray<int> shape)
    {
        _data = data;
        ElementType = elementType;
        Shape = shape;
    }

    /// <summary>Type of the elements.</summary>
    public ElementType ElementType { get; }

    /// <summary>Dimensions, outermost first; empty for a scalar.</summary>
    public ImmutableArray<int> Shape { get; }

    /// <summary>Number of elements.</summary>
    public int Length => _data.Length;

    /// <summary>Wraps <paramref name="data"/> without copying it.</summary>
    /// <param name="data">Elements in row-major order: float, Half, sbyte, byte, bool, short, int, long, or ushort for bfloat16 bits.</param>
    /// <param name="shape">Dimensions; none means one dimension of the array's length.</param>
    /// <exception cref="ArgumentException">The shape's product is not the array's length, a dimension is negative, or the card has no such type.</exception>
    public static Tensor Create<T>(T[] data, params ReadOnlySpan<int> shape) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(data);
        ImmutableArray<int> dims = shape.IsEmpty ? [data.Length] : [.. shape];
        return new Tensor(data, ElementTypes.Of<T>(), Checked(data.Length, dims));
    }

    /// <summary>Makes a scalar: one element, no dimensions.</summary>
    /// <exception cref="ArgumentException">The card has no such type.</exception>
    public static Tensor Scalar<T>(T value) where T : unmanaged => new(new[] { value }, ElementTypes.Of<T>(), []);

    /// <summary>Makes a tensor of zeros with the type and shape of <paramref name="spec"/>.</summary>
    public static Tensor Zeros(TensorSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        int length = checked((int)spec.ElementCount);
        Array data = spec.ElementType.ClrType() switch
        {
            Type t when t == typeof(float) => new float[length],
            Type t when t == typeof(Half) => new Half[length],
            Type t when t == typeof(sbyte) => new sbyte[length],
            Type t when t == typeof(byte) => new byte[length],
            Type t when t == typeof(short) => new short[length],
            Type t when t == typeof(int) => new int[length],
            Type t when t == typeof(ushort) => new ushort[length],
            _ => new long[length],
        };
        return new Tensor(data, spec.ElementType, spec.Shape);
    }

    /// <summary>The elements, in place.</summary>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not the .NET type of <see cref="ElementType"/>.</exception>
    public Span<T> AsSpan<T>() where T : unmanaged =>
        ElementType.Holds<T>()
            ? MemoryMarshal.Cast<byte, T>(Bytes)
            : throw new ArgumentException($"The tensor holds {ElementType} ({ElementType.ClrType().Name}), not {typeof(T).Name}.", nameof(T));

    /// <summary>A copy of the elements.</summary>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not the .NET type of <see cref="ElementType"/>.</exception>
    public T[] ToArray<T>() where T : unmanaged => AsSpan<T>().ToArray();

    /// <summary>The real numbers that the elements stand for, as a new tensor of <see cref="ElementType.Float32"/>; this tensor itself if it is that already.</summary>
    /// <param name="spec">The output or input that the tensor belongs to, which knows scale and offset: <c>outputs["y"].ToFloat32(session.Outputs[0])</c>.</param>
    /// <exception cref="ArgumentException">The type cannot be converted (<see cref="ElementConversion.IsConvertible"/>), or type or shape are not those of <paramref name="spec"/>.</exception>
    public Tensor ToFloat32(TensorSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (ElementType.ClrType() != spec.ElementType.ClrType() || !Shape.AsSpan().SequenceEqual(spec.Shape.AsSpan()))
        {
            throw new ArgumentException($"The tensor is {this}, not '{spec}'.", nameof(spec));
        }

        if (ElementType == ElementType.Float32)
        {
            return this;
        }

        float[] values = new float[Length];
        ElementConversion.ToSingle(Bytes, spec, values);
        return new Tensor(values, ElementType.Float32, Shape);
    }

    /// <summary>The elements' bytes, in place, little endian.</summary>
    public Span<byte> Bytes =>
        MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(_data), checked(_data.Length * ElementType.SizeInBytes()));

    /// <summary>For messages: <c>Float32[32, 10]</c>.</summary>
    public override string ToString() => $"{ElementType}[{string.Join(", ", Shape)}]";

    private static ImmutableArray<int> Checked(int length, ImmutableArray<int> shape)
    {
        long product = 1;
        foreach (int dim in shape)
        {
            product = product > int.MaxValue
                ? throw new ArgumentException($"A tensor of shape [{string.Join(", ", shape)}] has more elements than an array can hold.", nameof(shape))
                : dim < 0
                ? throw new ArgumentException($"Dimension {dim} in [{string.Join(", ", shape)}] is negative.", nameof(shape))
                : checked(product * dim);
        }

        return product == length
            ? shape
            : throw new ArgumentException($"A tensor of shape [{string.Join(", ", shape)}] has {product} elements; the array has {length}.", nameof(shape));
    }
}
