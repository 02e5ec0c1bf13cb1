using System.Runtime.InteropServices;
using Google.Protobuf;
using Qaic.Compilation;
using Crc32 = Qaic.OnnxRuntime.Compilation.Checksum;

namespace Qaic.OnnxRuntime.Onnx;

/// <summary>The elements of a model's constants, wherever the file keeps them: raw, typed, or in another file.</summary>
internal static class InitializerData
{
    private const int Float = 1, Float16 = 10;

    /// <summary>The values of a float or float16 tensor.</summary>
    /// <exception cref="CompilationException">It has another type, or its data does not fit its shape.</exception>
    public static float[] Singles(OnnxModel model, TensorProto tensor)
    {
        long count = Count(model, tensor);
        if (count > Array.MaxLength)
        {
            throw new CompilationException($"Initializer '{tensor.Name}' of '{model.Source}' has {count} elements, more than can be quantized.");
        }

        // Memory comes last: a shape is quickly claimed.
        bool isTyped = tensor is { HasRawData: false, DataLocation: TensorProto.Types.DataLocation.Default };
        switch (tensor.DataType)
        {
            case Float when isTyped:
                Check(model, tensor, tensor.FloatData.Count, count);
                return [.. tensor.FloatData];
            case Float:
                return MemoryMarshal.Cast<byte, float>(Raw(model, tensor, count * sizeof(float))).ToArray();
            case Float16 when isTyped:
                Check(model, tensor, tensor.Int32Data.Count, count);
                return [.. tensor.Int32Data.Select(bits => (float)BitConverter.UInt16BitsToHalf(unchecked((ushort)bits)))];
            case Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(Raw(model, tensor, count * 2));
                float[] values = new float[halves.Length];
                for (int i = 0; i < values.Length; i++)
                {
                    values[i] = (float)halves[i];
                }

                return values;
            default:
                throw new CompilationException($"Initializer '{tensor.Name}' of '{model.Source}' is {OnnxTypes.Name(tensor.DataType)}, not float.");
        }
    }

    /// <summary>A checksum of the elements.</summary>
    public static uint Checksum(OnnxModel model, TensorProto tensor)
    {
        if (tensor.HasRawData)
        {
            return Crc32.Append(0, tensor.RawData.Span);
        }

        if (tensor.DataLocation == TensorProto.Types.DataLocation.External && OnnxTypes.RawSize(tensor.DataType) is > 0 and var size)
        {
            return External(model, tensor, Count(model, tensor) * size, static (address, length) => Crc(address, length));
        }

        return tensor.DataType switch
        {
            Float => Crc32.Append(0, MemoryMarshal.AsBytes<float>([.. tensor.FloatData])),
            7 => Crc32.Append(0, MemoryMarshal.AsBytes<long>([.. tensor.Int64Data])),
            11 => Crc32.Append(0, MemoryMarshal.AsBytes<double>([.. tensor.DoubleData])),
            _ => Crc32.Append(0, tensor.ToByteArray()),
        };
    }

    /// <summary>Number of elements.</summary>
    public static long Count(OnnxModel model, TensorProto tensor)
    {
        try
        {
            return tensor.Dims.Aggregate(1L, (product, dim) => dim >= 0 ? checked(product * dim) : throw new OverflowException());
        }
        catch (OverflowException e)
        {
            throw new CompilationException($"Initializer '{tensor.Name}' of '{model.Source}' has the impossible shape [{string.Join(", ", tensor.Dims)}].", e);
        }
    }

    /// <summary>The tensor, or if its data is in another file a copy that carries it itself.</summary>
    public static TensorProto Inlined(OnnxModel model, TensorProto tensor)
    {
        if (tensor.DataLocation != TensorProto.Types.DataLocation.External)
        {
            return tensor;
        }

        TensorProto copy = tensor.Clone();
        Inline(model, copy);
        return copy;
    }

    /// <summary>Brings data that is in another file into the tensor.</summary>
    /// <exception cref="CompilationException">It is too long for that, of a type without a raw form, or its file cannot be used.</exception>
    public static unsafe void Inline(OnnxModel model, TensorProto tensor)
    {
        if (tensor.DataLocation != TensorProto.Types.DataLocation.External)
        {
            return;
        }

        int size = OnnxTypes.RawSize(tensor.DataType);
        if (size == 0)
        {
            throw new CompilationException(
                $"Initializer '{tensor.Name}' of '{model.Source}' is in another file, but {OnnxTypes.Name(tensor.DataType)} has no raw form that says where it ends. Save the tensor inside the model.");
        }

        long count = Count(model, tensor);
        if (count > Array.MaxLength / size)
        {
            throw new CompilationException($"Tensor '{tensor.Name}' of '{model.Source}' has {(decimal)count * size} bytes in another file, more than a model can carry itself. Make it an initializer of the main graph, or split it.");
        }

        (nint address, _) = model.ExternalData.Map(tensor, count * size);
        tensor.RawData = ByteString.CopyFrom(new ReadOnlySpan<byte>((byte*)address, (int)count * size));
        tensor.ExternalData.Clear();
        tensor.ClearDataLocation();
    }

    /// <summary>A float tensor.</summary>
    public static TensorProto Create(string name, IEnumerable<long> dims, float[] values) =>
        new() { Name = name, DataType = Float, Dims = { dims }, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)) };

    private static unsafe ReadOnlySpan<byte> Raw(OnnxModel model, TensorProto tensor, long length)
    {
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External)
        {
            return length <= int.MaxValue
                ? new ReadOnlySpan<byte>((void*)model.ExternalData.Map(tensor, length).Address, (int)length)
                : throw new CompilationException($"Initializer '{tensor.Name}' of '{model.Source}' has {length} bytes; more than 2 GiB in one tensor cannot be quantized.");
        }

        Check(model, tensor, tensor.RawData.Length, length);
        return tensor.RawData.Span;
    }

    private static uint External(OnnxModel model, TensorProto tensor, long length, Func<nint, long, uint> read) =>
        length == 0 ? 0 : read(model.ExternalData.Map(tensor, length).Address, length);

    private static unsafe uint Crc(nint address, long length)
    {
        const int Chunk = 1 << 30;
        uint crc = 0;
        for (long done = 0; done < length; done += Chunk)
        {
            crc = Crc32.Append(crc, new ReadOnlySpan<byte>((byte*)address + done, (int)Math.Min(Chunk, length - done)));
        }

        return crc;
    }

    private static void Check(OnnxModel model, TensorProto tensor, long has, long needs)
    {
        if (has != needs)
        {
            throw new CompilationException($"Initializer '{tensor.Name}' of '{model.Source}' is {OnnxTypes.Name(tensor.DataType)}[{string.Join(", ", tensor.Dims)}], but its data does not have that length ({has}, not {needs}). The model is damaged.");
        }
    }
}
