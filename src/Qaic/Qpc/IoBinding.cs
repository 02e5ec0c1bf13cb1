namespace Qaic.Qpc;

/// <summary>One buffer of an execution object.</summary>
public sealed class IoBinding
{
    private UnknownFields _unknown;

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

    /// <summary>Places in DMA buffers; none if the description is of another stage.</summary>
    public List<DmaBufferInfo> DmaBufferInfos { get; } = [];

    /// <summary>Whether a smaller buffer is accepted.</summary>
    public bool IsPartialBufferAllowed { get; set; }

    /// <summary>Whether the binding takes part in the stage that its set is about.</summary>
    public bool IsValid { get; set; }

    /// <summary>The binding as a tensor of the host.</summary>
    /// <remarks>A dimension of 0 becomes 1: the runtime leaves zeros out when it sizes the buffer, and the tensor has to fill the buffer.</remarks>
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
                case 4: binding.Direction = (DmaDirection)reader.Int32(); break;
                case 5: binding.QuantScale = reader.Float(); break;
                case 6: binding.QuantOffset = reader.Int32(); break;
                case 7: reader.Int32s(binding.Dims); break;
                case 8: binding.Size = reader.UInt32(); break;
                case 9: binding.DmaBufferInfos.Add(DmaBufferInfo.Read(reader.Message())); break;
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
        writer.Int32(4, (int)Direction);
        writer.Float(5, QuantScale);
        writer.Int32(6, QuantOffset);
        writer.Int32s(7, Dims);
        writer.UInt32(8, Size);
        DmaBufferInfos.ForEach(i => writer.Message(9, i.Write));
        writer.Boolean(10, IsPartialBufferAllowed);
        writer.Boolean(20, IsValid);
        writer.Raw(_unknown.Bytes);
    }
}

/// <summary>Where a binding lies in the DMA buffers.</summary>
public sealed class DmaBufferInfo
{
    private UnknownFields _unknown;

    /// <summary>Buffer number.</summary>
    public uint BufferIndex { get; set; }

    /// <summary>Bytes of the DMA buffer.</summary>
    public uint Size { get; set; }

    /// <summary>Byte offset in the binding; always 0 so far.</summary>
    public uint BindingOffset { get; set; }

    /// <summary>Byte offset in the DMA buffer.</summary>
    public uint BufferOffset { get; set; }

    internal static DmaBufferInfo Read(WireReader reader)
    {
        var info = new DmaBufferInfo();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: info.BufferIndex = reader.UInt32(); break;
                case 2: info.Size = reader.UInt32(); break;
                case 3: info.BindingOffset = reader.UInt32(); break;
                case 4: info.BufferOffset = reader.UInt32(); break;
                default: reader.Preserve(ref info._unknown); break;
            }
        }

        return info;
    }

    internal void Write(WireWriter writer)
    {
        writer.UInt32(1, BufferIndex);
        writer.UInt32(2, Size);
        writer.UInt32(3, BindingOffset);
        writer.UInt32(4, BufferOffset);
        writer.Raw(_unknown.Bytes);
    }
}
