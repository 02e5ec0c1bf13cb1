using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Qpc;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>The content of <c>constants.bin</c>: the main graph's weights, raw, each at a multiple of 64 bytes, gaps zero.</summary>
/// <remarks>
/// The bytes stay where they are, in the parsed model or in mapped files, until they are written. Small tensors remain in the model: shape
/// inference reads their values and cannot follow references. So do weights of subgraphs, which ONNX Runtime does not look for elsewhere.
/// </remarks>
internal sealed class WeightSegment : IDisposable
{
    /// <summary>Name of the segment in the QPC, and the location that the model's tensors refer to.</summary>
    public const string SegmentName = "constants.bin";

    /// <summary>Name of the segment that describes it.</summary>
    public const string DescriptorName = "constantsdesc.bin";

    /// <summary>Tensors of fewer bytes stay in the model. ONNX Runtime draws the line between shapes and weights at the same place.</summary>
    public const int SmallestWeight = 128;

    private const int Alignment = 64;
    private const int ChunkSize = 1 << 20;
    private readonly List<Weight> _weights = [];

    private WeightSegment()
    {
    }

    /// <summary>Bytes of the segment.</summary>
    public long Length { get; private set; }

    /// <summary>The weights in the order of the segment.</summary>
    public IReadOnlyList<Weight> Weights => _weights;

    /// <summary>Moves the weights out of a model, which refers to them afterwards; small ones that were in other files move into it.</summary>
    /// <exception cref="CompilationException">A weight's data does not fit its type and shape, or its file cannot be used.</exception>
    public static WeightSegment Extract(OnnxModel model)
    {
        var segment = new WeightSegment();
        try
        {
            DropUnused(model);

            // By identity: protobuf messages compare by content.
            var moved = new HashSet<TensorProto>(ReferenceEqualityComparer.Instance);
            foreach (TensorProto tensor in model.Graph.Initializer)
            {
                if (ByteLength(model, tensor) is { } length && length >= SmallestWeight && Raw(model, tensor, length) is { } data)
                {
                    segment.Add(tensor, data, length);
                    moved.Add(tensor);
                }
            }

            foreach (TensorProto tensor in model.AllTensors())
            {
                if (tensor.DataLocation == TensorProto.Types.DataLocation.External && !moved.Contains(tensor))
                {
                    InitializerData.Inline(model, tensor);
                }
            }

            return segment;
        }
        catch
        {
            segment.Dispose();
            throw;
        }
    }

    // ONNX Runtime forgets initializers that nothing reads before it asks for their data, and fails on what it is then given.
    private static void DropUnused(OnnxModel model)
    {
        var flow = new Dataflow(model.Graph);
        HashSet<string> unused = [.. model.Graph.Initializer.Select(t => t.Name).Where(t => !flow.IsUsed(t))];
        if (unused.Count == 0)
        {
            return;
        }

        TensorProto[] used = [.. model.Graph.Initializer.Where(t => !unused.Contains(t.Name))];
        model.Graph.Initializer.Clear();
        model.Graph.Initializer.AddRange(used);

        // Up to version 3 of the format initializers are inputs as well.
        ValueInfoProto[] inputs = [.. model.Graph.Input.Where(i => !unused.Contains(i.Name))];
        model.Graph.Input.Clear();
        model.Graph.Input.AddRange(inputs);
    }

    /// <summary>The weights where they are now, so that the model can be tried before the segment is written.</summary>
    public IReadOnlyList<MemoryWeight> InMemory() => [.. _weights.Select(w => new MemoryWeight(w.Tensor.Name, w.Tensor.DataType, [.. w.Tensor.Dims], w.Address, w.Length))];

    /// <summary>The weights of a model in a segment that was written for it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="address">First byte of the segment.</param>
    /// <param name="length">Bytes of the segment.</param>
    /// <exception cref="QpcFormatException">A weight is not inside the segment.</exception>
    public static IReadOnlyList<MemoryWeight> Find(OnnxModel model, nint address, long length)
    {
        var weights = new List<MemoryWeight>();
        foreach (TensorProto tensor in model.Graph.Initializer.Where(t => t.DataLocation == TensorProto.Types.DataLocation.External))
        {
            long? bytes = ByteLength(model, tensor);
            weights.Add(
                Entry(tensor, "location") == SegmentName && long.TryParse(Entry(tensor, "offset"), NumberStyles.None, CultureInfo.InvariantCulture, out long offset)
                && bytes is { } size && offset <= length && size <= length - offset
                    ? new MemoryWeight(tensor.Name, tensor.DataType, [.. tensor.Dims], (nint)(address + offset), size)
                    : throw new QpcFormatException($"The network's weight '{tensor.Name}' is not inside segment {SegmentName}", 0));
        }

        return weights;
    }

    /// <summary>Writes the segment.</summary>
    public unsafe void WriteTo(Stream stream)
    {
        ReadOnlySpan<byte> zeros = stackalloc byte[Alignment];
        long position = 0;
        foreach (Weight weight in _weights)
        {
            stream.Write(zeros[..(int)(weight.Offset - position)]);
            for (long done = 0; done < weight.Length; done += ChunkSize)
            {
                stream.Write(new ReadOnlySpan<byte>((byte*)weight.Address + done, (int)Math.Min(ChunkSize, weight.Length - done)));
            }

            position = weight.Offset + weight.Length;
        }
    }

    /// <summary>CRC-32C of the segment.</summary>
    public uint Checksum()
    {
        using var stream = new ChecksumStream();
        WriteTo(stream);
        return stream.Value;
    }

    /// <summary>The constants' descriptor: sizes of the static and dynamic part, and no ECC.</summary>
    public byte[] Descriptor()
    {
        byte[] descriptor = new byte[24];
        BinaryPrimitives.WriteInt64LittleEndian(descriptor, Length);
        return descriptor;
    }

    public void Dispose()
    {
        foreach (Weight weight in _weights)
        {
            weight.Pin.Dispose();
        }

        _weights.Clear();
    }

    // Bytes of the tensor's elements in raw form; null for types that have none.
    private static long? ByteLength(OnnxModel model, TensorProto tensor)
    {
        int size = OnnxTypes.RawSize(tensor.DataType);
        if (size == 0)
        {
            return null;
        }

        try
        {
            return tensor.Dims.Aggregate((long)size, (bytes, dim) => dim >= 0 ? checked(bytes * dim) : throw new OverflowException());
        }
        catch (OverflowException e)
        {
            throw new CompilationException($"Initializer '{tensor.Name}' of '{model.Source}' has the impossible shape [{string.Join(", ", tensor.Dims)}].", e);
        }
    }

    // Where the elements are, in raw form; null if the form they are in is left to ONNX Runtime.
    private static MemoryOrAddress? Raw(OnnxModel model, TensorProto tensor, long length)
    {
        if (tensor.DataLocation == TensorProto.Types.DataLocation.External)
        {
            return new MemoryOrAddress(default, model.ExternalData.Map(tensor, length).Address);
        }

        ReadOnlyMemory<byte>? memory = tensor.HasRawData ? tensor.RawData.Memory : Typed(tensor);
        return memory is not { } data ? null
            : data.Length == length ? new MemoryOrAddress(data, 0)
            : throw new CompilationException($"Initializer '{tensor.Name}' of '{model.Source}' is {OnnxTypes.Name(tensor.DataType)}[{string.Join(", ", tensor.Dims)}] and needs {length} bytes, but has {data.Length}. The model is damaged.");
    }

    private static ReadOnlyMemory<byte>? Typed(TensorProto tensor) => (tensor.DataType, OnnxTypes.RawSize(tensor.DataType)) switch
    {
        (1 or 14, _) => Bytes([.. tensor.FloatData], 4, static (at, value) => BinaryPrimitives.WriteSingleLittleEndian(at, value)),
        (11 or 15, _) => Bytes([.. tensor.DoubleData], 8, static (at, value) => BinaryPrimitives.WriteDoubleLittleEndian(at, value)),
        (7, _) => Bytes([.. tensor.Int64Data], 8, static (at, value) => BinaryPrimitives.WriteInt64LittleEndian(at, value)),
        (13, _) => Bytes([.. tensor.Uint64Data], 8, static (at, value) => BinaryPrimitives.WriteUInt64LittleEndian(at, value)),
        (12, _) => Bytes([.. tensor.Uint64Data], 4, static (at, value) => BinaryPrimitives.WriteUInt32LittleEndian(at, unchecked((uint)value))),
        (_, 1) => Bytes([.. tensor.Int32Data], 1, static (at, value) => at[0] = unchecked((byte)value)),
        (_, 2) => Bytes([.. tensor.Int32Data], 2, static (at, value) => BinaryPrimitives.WriteUInt16LittleEndian(at, unchecked((ushort)value))),
        (6, _) => Bytes([.. tensor.Int32Data], 4, static (at, value) => BinaryPrimitives.WriteInt32LittleEndian(at, value)),
        _ => null,
    };

    private delegate void Put<T>(Span<byte> at, T value);

    private static ReadOnlyMemory<byte> Bytes<T>(T[] values, int size, Put<T> put)
    {
        byte[] bytes = new byte[checked(values.Length * size)];
        for (int i = 0; i < values.Length; i++)
        {
            put(bytes.AsSpan(i * size, size), values[i]);
        }

        return bytes;
    }

    private unsafe void Add(TensorProto tensor, MemoryOrAddress data, long length)
    {
        long offset = (Length + Alignment - 1) & ~(long)(Alignment - 1);
        MemoryHandle pin = data.Address == 0 ? data.Memory.Pin() : default;
        _weights.Add(new Weight(tensor, data.Address == 0 ? (nint)pin.Pointer : data.Address, offset, length, pin));
        Length = offset + length;

        tensor.ClearRawData();
        tensor.FloatData.Clear();
        tensor.Int32Data.Clear();
        tensor.Int64Data.Clear();
        tensor.DoubleData.Clear();
        tensor.Uint64Data.Clear();
        tensor.ExternalData.Clear();
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        foreach ((string key, string value) in new[] { ("location", SegmentName), ("offset", Number(offset)), ("length", Number(length)) })
        {
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        }
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string? Entry(TensorProto tensor, string key) => tensor.ExternalData.LastOrDefault(e => e.Key == key)?.Value;

    /// <summary>One tensor: where its bytes are now, and where they go.</summary>
    internal sealed record Weight(TensorProto Tensor, nint Address, long Offset, long Length, MemoryHandle Pin);

    private readonly record struct MemoryOrAddress(ReadOnlyMemory<byte> Memory, nint Address);
}
