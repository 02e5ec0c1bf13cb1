namespace Qaic.Qpc;

/// <summary>aicapi.IoDesc: the buffers a program's execution objects take.</summary>
public sealed class IoDescriptor
{
    public List<IoSet> Sets { get; } = [];

    /// <summary>The set in force: a copy of "default" unless another was chosen.</summary>
    public IoSet SelectedSet { get; set; } = new();

    /// <summary>Derives the descriptor as the runtime does (reference: qpc-format section 4).</summary>
    public static IoDescriptor FromNetwork(NetworkDescriptor network) => throw new NotImplementedException();

    public static IoDescriptor Parse(ReadOnlySpan<byte> bytes) => throw new NotImplementedException();

    public byte[] ToBytes() => throw new NotImplementedException();
}

public sealed class IoSet
{
    public string Name { get; set; } = "";
    public List<IoBinding> Bindings { get; } = [];
}

public sealed class IoBinding
{
    public string Name { get; set; } = "";
    public uint Index { get; set; }
    public ElementType Type { get; set; }
    public DmaDirection Direction { get; set; }
    public float QuantScale { get; set; }
    public int QuantOffset { get; set; }
    public List<int> Dims { get; } = [];
    public uint Size { get; set; }
    public bool IsPartialBufferAllowed { get; set; }
    public bool IsValid { get; set; }

    /// <summary>The binding as a tensor of the host.</summary>
    public TensorSpec ToTensorSpec() => throw new NotImplementedException();
}
