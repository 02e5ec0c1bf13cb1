namespace Qaic.Qpc;

/// <summary>networkDescriptor of <c>networkdesc.bin</c>: what the host has to know of a compiled network.</summary>
public sealed class NetworkDescriptor
{
    public uint MajorVersion { get; set; } = 9;
    public uint MinorVersion { get; set; }
    public string NetworkName { get; set; } = "";
    public List<NetworkBinding> Inputs { get; } = [];
    public List<NetworkBinding> Outputs { get; } = [];
    public List<DmaBuffer> DmaBuffers { get; } = [];
    public uint NumCores { get; set; }
    public int BatchSize { get; set; }

    public static NetworkDescriptor Parse(ReadOnlySpan<byte> bytes) => throw new NotImplementedException();

    public byte[] ToBytes() => throw new NotImplementedException();
}

/// <summary>IOBinding.</summary>
public sealed class NetworkBinding
{
    public string Name { get; set; } = "";
    public TensorDescriptor Initial { get; set; } = new();
    public TensorDescriptor Transformed { get; set; } = new();
    public List<Transform> Transforms { get; } = [];
    public bool IsPartialAllowed { get; set; }
    public uint Align { get; set; }
}

/// <summary>IODescriptor.</summary>
public sealed class TensorDescriptor
{
    public ElementType Type { get; set; }
    public float Scale { get; set; }
    public int Offset { get; set; }
    public List<int> Dims { get; } = [];
    public TensorLayout Layout { get; set; }
}

public enum TensorLayout { FlatNXYD = 0 }

public enum TransformKind { Convert = 0, ToD32 = 1, FromD32 = 2, Dequantize = 3, Transpose = 4, Quantize = 5, CopyDmaBuffer = 6 }

/// <summary>One step between the user's buffer and the device's.</summary>
public sealed class Transform
{
    public TransformKind Kind { get; set; }
    public ElementType Type { get; set; }
    public float Scale { get; set; }
    public int Offset { get; set; }
    public List<int> Dims { get; } = [];
    public DmaCopy? CopyDmaBuffer { get; set; }
}

public enum DmaDirection { In = 0, Out = 1 }

/// <summary>copy_dma_buffer.</summary>
public sealed class DmaCopy
{
    public DmaDirection Direction { get; set; }
    public uint Offset { get; set; }
    public uint BufferNumber { get; set; }
}

/// <summary>One DMA buffer; its position in the list is its number.</summary>
public sealed class DmaBuffer
{
    public uint Size { get; set; }
    public DmaDirection Direction { get; set; }
}
