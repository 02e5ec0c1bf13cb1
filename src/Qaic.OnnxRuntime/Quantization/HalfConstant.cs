using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>A float constant rounded to FP16, and what FP16 could not hold of it.</summary>
/// <remarks>Rounded to nearest, ties to even. Values beyond 65504 become infinite, as IEEE 754 has it: were they clipped here, a network would work in simulation that fails on a card.</remarks>
/// <param name="Values">The rounded values.</param>
/// <param name="Underflows">Values other than 0 below the smallest number of FP16, 2⁻²⁴ or about 6e-8; they become 0 or that number.</param>
/// <param name="Overflows">Finite values that become infinite.</param>
/// <param name="Smallest">The smallest magnitude among the underflows.</param>
/// <param name="Largest">The largest magnitude among the overflows.</param>
internal sealed record HalfConstant(Half[] Values, int Underflows, int Overflows, float Smallest, float Largest)
{
    /// <summary>ONNX's number of half precision.</summary>
    public const int Float16 = 10;

    // 2^-24, the smallest subnormal number.
    private const float SmallestHalf = 5.9604645e-8f;

    /// <summary>Rounds values.</summary>
    public static HalfConstant Round(ReadOnlySpan<float> values)
    {
        var halves = new Half[values.Length];
        TensorPrimitives.ConvertToHalf(values, halves);
        (int underflows, int overflows, float smallest, float largest) = (0, 0, float.PositiveInfinity, 0);
        for (int i = 0; i < halves.Length; i++)
        {
            float magnitude = MathF.Abs(values[i]);
            if (magnitude is > 0 and < SmallestHalf)
            {
                underflows++;
                smallest = MathF.Min(smallest, magnitude);
            }
            else if (Half.IsInfinity(halves[i]) && float.IsFinite(magnitude))
            {
                overflows++;
                largest = MathF.Max(largest, magnitude);
            }
        }

        return new HalfConstant(halves, underflows, overflows, smallest, largest);
    }

    /// <summary>The elements of a float tensor, wherever they are. Valid as long as the model and its external data.</summary>
    /// <exception cref="CompilationException">The data does not fit the shape, or its file cannot be used.</exception>
    public static unsafe ReadOnlySpan<float> Elements(OnnxModel model, TensorProto tensor)
    {
        long count = InitializerData.Count(model, tensor);
        if (count > Array.MaxLength)
        {
            throw new CompilationException($"Constant '{tensor.Name}' of '{model.Source}' has {count} elements; one tensor of FP16 ends at {Array.MaxLength}. Split it.");
        }

        if (tensor.DataLocation == TensorProto.Types.DataLocation.External)
        {
            return new ReadOnlySpan<float>((void*)model.ExternalData.Map(tensor, count * sizeof(float)).Address, (int)count);
        }

        ReadOnlySpan<float> values = tensor.HasRawData ? MemoryMarshal.Cast<byte, float>(tensor.RawData.Span) : tensor.FloatData.ToArray();
        int bytes = tensor.HasRawData ? tensor.RawData.Length : values.Length * sizeof(float);
        return bytes == count * sizeof(float) ? values : throw new CompilationException(
            $"Constant '{tensor.Name}' of '{model.Source}' is float[{string.Join(", ", tensor.Dims)}] and needs {count * sizeof(float)} bytes, but has {bytes}. The model is damaged.");
    }

    /// <summary>The constant as a tensor of FP16.</summary>
    public TensorProto ToTensor(string name, IEnumerable<long> dims) => new()
    {
        Name = name,
        DataType = Float16,
        Dims = { dims },
        RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<Half>(Values)),
    };

    /// <summary>The constant's bytes as a tensor of float that holds the rounded values.</summary>
    public ByteString ToFloats()
    {
        float[] values = new float[Values.Length];
        TensorPrimitives.ConvertToSingle(Values, values);
        return ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values));
    }
}
