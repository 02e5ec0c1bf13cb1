using System.Collections.Immutable;

namespace Qaic;

/// <summary>Name, element type and shape of one input or output of a compiled network.</summary>
/// <param name="Name">The tensor's name in the ONNX model.</param>
/// <param name="ElementType">Type of the elements in the host's buffer.</param>
/// <param name="Shape">Dimensions, outermost first; all fixed at compile time. Empty for a scalar.</param>
public sealed record TensorSpec(string Name, ElementType ElementType, ImmutableArray<int> Shape)
{
    /// <summary>Quantization scale of a quantized type; 0 when the type is not quantized.</summary>
    public float Scale { get; init; }

    /// <summary>Quantization offset (zero point) of a quantized type.</summary>
    public int Offset { get; init; }

    /// <summary>Whether the device accepts fewer elements than <see cref="Shape"/> says.</summary>
    public bool IsPartialAllowed { get; init; }

    /// <summary>Whether the model's tensor is boolean: the buffer is <see cref="ElementType.UInt8"/> with 0 and 1. Known for networks of the embedded compiler only.</summary>
    public bool IsBoolean { get; init; }

    /// <summary>Number of elements: the product of <see cref="Shape"/>; 1 for a scalar.</summary>
    public long ElementCount
    {
        get
        {
            long count = 1;
            foreach (int dim in Shape)
            {
                count = checked(count * dim);
            }

            return count;
        }
    }

    /// <summary>Bytes of the host's buffer.</summary>
    public long ByteLength => checked(ElementCount * ElementType.SizeInBytes());

    /// <inheritdoc/>
    public bool Equals(TensorSpec? other) =>
        other is not null && Name == other.Name && ElementType == other.ElementType && Shape.AsSpan().SequenceEqual(other.Shape.AsSpan())
        && Scale.Equals(other.Scale) && Offset == other.Offset && IsPartialAllowed == other.IsPartialAllowed && IsBoolean == other.IsBoolean;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, ElementType, Shape.Length, ElementCount);

    /// <summary>For messages: <c>image Float32[32, 1, 8, 8]</c>.</summary>
    public override string ToString() => $"{Name} {ElementType}[{string.Join(", ", Shape)}]";
}
