namespace Qaic.Qpc;

/// <summary>One input or output of a network: what the user sees, what the device sees, and the steps between.</summary>
/// <remarks>For an input, <see cref="Initial"/> is the user's side and <see cref="Transformed"/> the device's; for an output it is the other way round.</remarks>
public sealed class NetworkBinding
{
    private UnknownFields _unknown;

    /// <summary>The tensor's name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Before the transforms.</summary>
    public TensorDescriptor Initial { get; set; } = new();

    /// <summary>After the transforms.</summary>
    public TensorDescriptor Transformed { get; set; } = new();

    /// <summary>Steps between the two, in the order of the data's way. Each describes its result.</summary>
    public List<Transform> Transforms { get; } = [];

    /// <summary>Whether fewer elements than the shape says are accepted.</summary>
    public bool IsPartialAllowed { get; set; }

    /// <summary>Alignment in bytes of a partial tensor in its DMA buffer.</summary>
    public uint Align { get; set; }

    internal static NetworkBinding Read(WireReader reader)
    {
        var binding = new NetworkBinding();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: binding.Name = reader.String(); break;
                case 2: binding.Initial.Merge(reader.Message()); break;
                case 3: binding.Transformed.Merge(reader.Message()); break;
                case 4: binding.Transforms.Add(Transform.Read(reader.Message())); break;
                case 5: binding.IsPartialAllowed = reader.Boolean(); break;
                case 6: binding.Align = reader.UInt32(); break;
                default: reader.Preserve(ref binding._unknown); break;
            }
        }

        return binding;
    }

    internal void Write(WireWriter writer)
    {
        writer.String(1, Name);
        writer.Message(2, Initial.Write);
        writer.Message(3, Transformed.Write);
        Transforms.ForEach(t => writer.Message(4, t.Write));
        writer.Boolean(5, IsPartialAllowed);
        writer.UInt32(6, Align);
        writer.Raw(_unknown.Bytes);
    }
}

/// <summary>How a tensor lies in memory. The tiled layouts (1 to 10) are the device's own; the host only passes them on.</summary>
public enum TensorLayout
{
    /// <summary>Row-major.</summary>
    FlatNXYD = 0,
}

/// <summary>Type, quantization, shape and layout of one side of a binding.</summary>
public sealed class TensorDescriptor
{
    private UnknownFields _unknown;

    /// <summary>Element type.</summary>
    public ElementType Type { get; set; }

    /// <summary>Quantization scale.</summary>
    public float Scale { get; set; }

    /// <summary>Quantization offset (zero point).</summary>
    public int Offset { get; set; }

    /// <summary>Dimensions, outermost first; none for a scalar.</summary>
    public List<int> Dims { get; } = [];

    /// <summary>Layout.</summary>
    public TensorLayout Layout { get; set; }

    internal void Merge(WireReader reader)
    {
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: Type = (ElementType)reader.Int32(); break;
                case 2: Scale = reader.Float(); break;
                case 3: Offset = reader.Int32(); break;
                case 4: reader.Int32s(Dims); break;
                case 5: Layout = (TensorLayout)reader.Int32(); break;
                default: reader.Preserve(ref _unknown); break;
            }
        }
    }

    internal void Write(WireWriter writer)
    {
        writer.Int32(1, (int)Type);
        writer.Float(2, Scale);
        writer.Int32(3, Offset);
        writer.Int32s(4, Dims);
        writer.Int32(5, (int)Layout);
        writer.Raw(_unknown.Bytes);
    }
}

/// <summary>What a transform does.</summary>
public enum TransformKind
{
    /// <summary>Changes the element type.</summary>
    Convert = 0,

    /// <summary>Into a tiled layout.</summary>
    ToD32 = 1,

    /// <summary>Out of a tiled layout.</summary>
    FromD32 = 2,

    /// <summary>From quantized to floating point.</summary>
    Dequantize = 3,

    /// <summary>Permutes the dimensions.</summary>
    Transpose = 4,

    /// <summary>From floating point to quantized.</summary>
    Quantize = 5,

    /// <summary>Copies into or out of a DMA buffer.</summary>
    CopyDmaBuffer = 6,
}

/// <summary>One step between the user's buffer and the device's. Type, quantization, dimensions and layout are those of its result.</summary>
public sealed class Transform
{
    private UnknownFields _unknown;

    /// <summary>What it does.</summary>
    public TransformKind Kind { get; set; }

    /// <summary>Element type of the result.</summary>
    public ElementType Type { get; set; }

    /// <summary>Quantization scale of the result.</summary>
    public float Scale { get; set; }

    /// <summary>Quantization offset of the result.</summary>
    public int Offset { get; set; }

    /// <summary>Dimensions of the result.</summary>
    public List<int> Dims { get; } = [];

    /// <summary>Layout of the result.</summary>
    public TensorLayout Layout { get; set; }

    /// <summary>Permutation of a <see cref="TransformKind.Transpose"/>: result dimension i is source dimension Shuffle[i].</summary>
    public List<int> Shuffle { get; } = [];

    /// <summary>Parameters of a <see cref="TransformKind.ToD32"/>, as they came; null for other kinds. They are between the compiler and the vendor's runtime.</summary>
    public byte[]? ConvertToD32 { get; set; }

    /// <summary>Place of a <see cref="TransformKind.CopyDmaBuffer"/>; null for other kinds.</summary>
    public DmaCopy? CopyDmaBuffer { get; set; }

    internal static Transform Read(WireReader reader)
    {
        var transform = new Transform();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: transform.Kind = (TransformKind)reader.Int32(); break;
                case 2: transform.Type = (ElementType)reader.Int32(); break;
                case 3: transform.Scale = reader.Float(); break;
                case 4: transform.Offset = reader.Int32(); break;
                case 5: reader.Int32s(transform.Dims); break;
                case 6: transform.Layout = (TensorLayout)reader.Int32(); break;
                case 7: reader.Int32s(transform.Shuffle); break;
                case 8: transform.ConvertToD32 = reader.Opaque(transform.ConvertToD32); break;
                case 9: (transform.CopyDmaBuffer ??= new()).Merge(reader.Message()); break;
                default: reader.Preserve(ref transform._unknown); break;
            }
        }

        return transform;
    }

    internal void Write(WireWriter writer)
    {
        writer.Int32(1, (int)Kind);
        writer.Int32(2, (int)Type);
        writer.Float(3, Scale);
        writer.Int32(4, Offset);
        writer.Int32s(5, Dims);
        writer.Int32(6, (int)Layout);
        writer.Int32s(7, Shuffle);
        writer.Opaque(8, ConvertToD32);
        if (CopyDmaBuffer is { } copy)
        {
            writer.Message(9, copy.Write);
        }

        writer.Raw(_unknown.Bytes);
    }
}

/// <summary>Place of a tensor in a DMA buffer.</summary>
public sealed class DmaCopy
{
    private UnknownFields _unknown;

    /// <summary>Direction.</summary>
    public DmaDirection Direction { get; set; }

    /// <summary>Byte offset in the buffer; for a partial tensor, of its 8-byte header.</summary>
    public uint Offset { get; set; }

    /// <summary>Position in <see cref="NetworkDescriptor.DmaBuffers"/>.</summary>
    public uint BufferNumber { get; set; }

    internal void Merge(WireReader reader)
    {
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: Direction = (DmaDirection)reader.Int32(); break;
                case 2: Offset = reader.UInt32(); break;
                case 3: BufferNumber = reader.UInt32(); break;
                default: reader.Preserve(ref _unknown); break;
            }
        }
    }

    internal void Write(WireWriter writer)
    {
        writer.Int32(1, (int)Direction);
        writer.UInt32(2, Offset);
        writer.UInt32(3, BufferNumber);
        writer.Raw(_unknown.Bytes);
    }
}
