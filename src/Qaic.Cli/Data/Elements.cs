using System.Globalization;
using Qaic.Runtime;

namespace Qaic.Cli.Data;

/// <summary>Elements of tensors as numbers.</summary>
internal static class Elements
{
    /// <summary>An element as text that reads back as the same number; codes of quantized types with a scale as the number they stand for.</summary>
    public static string Text(Tensor tensor, int index, TensorSpec spec) => tensor.ElementType switch
    {
        ElementType.Float32 => tensor.AsSpan<float>()[index].ToString("r", CultureInfo.InvariantCulture),
        ElementType.Int64 => tensor.AsSpan<long>()[index].ToString(CultureInfo.InvariantCulture),
        _ => Value(tensor, index, spec).ToString("r", CultureInfo.InvariantCulture),
    };

    /// <summary>An element as a number; codes of quantized types with a scale as the number they stand for.</summary>
    public static double Value(Tensor tensor, int index, TensorSpec spec)
    {
        if (ElementConversion.IsConvertible(spec))
        {
            Span<float> value = stackalloc float[1];
            int size = tensor.ElementType.SizeInBytes();
            ElementConversion.ToSingle(tensor.Bytes.Slice(index * size, size), spec, value);
            return value[0];
        }

        return tensor.ElementType.ClrType() switch
        {
            var t when t == typeof(sbyte) => tensor.AsSpan<sbyte>()[index],
            var t when t == typeof(byte) => tensor.AsSpan<byte>()[index],
            var t when t == typeof(short) => tensor.AsSpan<short>()[index],
            var t when t == typeof(int) => tensor.AsSpan<int>()[index],
            _ => tensor.AsSpan<long>()[index],
        };
    }
}
