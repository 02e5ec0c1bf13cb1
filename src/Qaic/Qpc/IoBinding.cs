namespace Qaic.Qpc;

/// <summary>One buffer of an execution object.</summary>
public sealed class IoBinding
{
    private byte[] _unknown = [];

    /// <summary>The tensor's name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Position in the array of buffers.</summary>
    public uint Index { get; set; }

    /// <summary>Element type.</summary>
    public ElementType Type { get; set; }

    /// <summary>Direction.</summary>
    public DmaDirection Direction { get; set; }

    /// <summary>Quantization scale; 0 if there is none.</summary>
    public float QuantScale { get; set; }

    /// <summary>Quantization offset (zero point).</summary>
    public int QuantOffset { get; set; }

    /// <summary>Dimensions, outermost first; none for a scalar.</summary>
    public List<int> Dims { get; } = [];

    /// <summary>Bytes of the buffer.</summary>
    public uint Size { get; set; }

    /// <summary>Place in a DMA buffer; null if the description is of another stage.</summary>
    public DmaBufferInfo? DmaBufferInfo { get; set; }

    /// <summary>Whether a smaller buffer is accepted.</summary>
    public bool IsPartialBufferAllowed { get; set; }

    /// <summary>Whether the binding takes part in the stage that its set is about.</summary>
    public bool IsValid { get; set; }

    /// <summary>The binding as a tensor of the host. A dimension of 0 holds one element, as the runtime sizes its buffer, and becomes 1.</summary>
    /// <exception cref="QpcFormatException">The type is unknown, or type and dimensions do not make the size.</exception>
    public TensorSpec ToTensorSpec()
    {
        long bytes = BufferSize.Of(Type, Dims, Name);
        return bytes == Size
            ? new TensorSpec(Name, Type, [.. Dims.Select(d => Math.Max(d, 1))]) { Scale = QuantScale, Offset = QuantOffset, IsPartialAllowed = IsPartialBufferAllowed }
            : throw new QpcFormatException($"Binding '{Name}' of {Type}[{string.Join(", ", Dims)}] has {bytes} bytes, but its descriptor says {Size}", 0);
    }

    internal static IoBinding Read(WireReader reader)
    {
        var binding = new IoBinding();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: binding.Name = reader.String(); break;
                case 2: binding.Index = reader.UInt32(); break;
                case 3: binding.Type = (ElementType)reader.Int32(); break;
                case 4: binding.Direction = (DmaDirection)reader.UInt32(); break;
                case 5: binding.QuantScale = reader.Float(); break;
                case 6: binding.QuantOffset = reader.Int32(); break;
                case 7: reader.Int32s(binding.Dims); break;
                case 8: binding.Size = reader.UInt32(); break;
                case 9: (binding.DmaBufferInfo ??= new()).Merge(reader.Message()); break;
                case 10: binding.IsPartialBufferAllowed = reader.Boolean(); break;
                case 20: binding.IsValid = reader.Boolean(); break;
                default: reader.Preserve(ref binding._unknown); break;
            }
        }

        return binding;
    }

    internal void Write(WireWriter writer)
    {
        writer.String(1, Name);
        writer.UInt32(2, Index);
        writer.Int32(3, (int)Type);
        writer.UInt32(4, (uint)Direction);
        writer.Float(5, QuantScale);
        writer.Int32(6, QuantOffset);
        writer.Int32s(7, Dims);
        writer.UInt32(8, Size);
        if (DmaBufferInfo is { } info)
        {
            writer.Message(9, info.Write);
        }

        writer.Boolean(10, IsPartialBufferAllowed);
        writer.Boolean(20, IsValid);
        writer.Raw(_unknown);
    }
}

/// <summary>Where a binding lies in the DMA buffers.</summary>
public sealed class DmaBufferInfo
{
    private byte[] _unknown = [];

    /// <summary>Buffer number.</summary>
    public uint BufferIndex { get; set; }

    /// <summary>Bytes of the DMA buffer.</summary>
    public uint Size { get; set; }

    /// <summary>Byte offset in the binding; always 0 so far.</summary>
    public uint BindingOffset { get; set; }

    /// <summary>Byte offset in the DMA buffer.</summary>
    public uint BufferOffset { get; set; }

    internal void Merge(WireReader reader)
    {
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: BufferIndex = reader.UInt32(); break;
                case 2: Size = reader.UInt32(); break;
                case 3: BindingOffset = reader.UInt32(); break;
                case 4: BufferOffset = reader.UInt32(); break;
                default: reader.Preserve(ref _unknown); break;
            }
        }
    }

    internal void Write(WireWriter writer)
    {
        writer.UInt32(1, BufferIndex);
        writer.UInt32(2, Size);
        writer.UInt32(3, BindingOffset);
        writer.UInt32(4, BufferOffset);
        writer.Raw(_unknown);
    }
}
