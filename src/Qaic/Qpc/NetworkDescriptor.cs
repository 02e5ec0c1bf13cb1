namespace Qaic.Qpc;

/// <summary>The network descriptor (<c>networkdesc.bin</c>): what the host has to know of a compiled network.</summary>
/// <remarks>Mutable, not thread-safe. Fields that are not understood survive reading and writing, at every level.</remarks>
public sealed class NetworkDescriptor
{
    /// <summary>Name of the segment in the QPC.</summary>
    public const string SegmentName = "networkdesc.bin";

    // Large enough for every DMA slice that the simulated card or a vector unit wants aligned.
    private const uint DmaAlignment = 64;

    private UnknownFields _unknown;

    /// <summary>Format version; 9 in current compilers. The runtime does not insist on it.</summary>
    public uint MajorVersion { get; set; } = 9;

    /// <summary>Format version, minor.</summary>
    public uint MinorVersion { get; set; }

    /// <summary>Name of the network.</summary>
    public string NetworkName { get; set; } = "";

    /// <summary>Inputs, in the order of the buffers.</summary>
    public List<NetworkBinding> Inputs { get; } = [];

    /// <summary>Outputs, in the order of the buffers that follow the inputs'.</summary>
    public List<NetworkBinding> Outputs { get; } = [];

    /// <summary>DMA buffers; the position is the buffer number.</summary>
    public List<DmaBuffer> DmaBuffers { get; } = [];

    /// <summary>AI cores the network was compiled for.</summary>
    public uint NumCores { get; set; }

    /// <summary>Threads per core.</summary>
    public uint NumThreads { get; set; }

    /// <summary>Vector threads per core.</summary>
    public uint NumHvxThreads { get; set; }

    /// <summary>Thread groups.</summary>
    public List<uint> ThreadGroups { get; } = [];

    /// <summary>Thread groups that issue at a time.</summary>
    public uint ThreadGroupIssueCount { get; set; }

    /// <summary>Where the device puts statistics, as it came; null if the network was compiled without them. The runtime asks only whether it is there.</summary>
    public byte[]? Stats { get; set; }

    /// <summary>Names of the thread groups.</summary>
    public List<string> ThreadGroupNames { get; } = [];

    /// <summary>What to check by CRC, as it came; null if nothing.</summary>
    public byte[]? CrcInfo { get; set; }

    /// <summary>Cluster offsets.</summary>
    public List<uint> ClusterOffsets { get; } = [];

    /// <summary>Rows per inference, as the compiler recorded them; statistics are normalised by it.</summary>
    public int BatchSize { get; set; }

    /// <summary>Combinations of shapes that the network accepts; each lists one shape per binding, inputs first. Empty if the shapes are fixed.</summary>
    public List<ShapeSet> AllowedShapes { get; } = [];

    /// <summary>Reads the wire format.</summary>
    /// <exception cref="QpcFormatException">The bytes are no network descriptor.</exception>
    public static NetworkDescriptor Parse(ReadOnlySpan<byte> bytes)
    {
        var network = new NetworkDescriptor { MajorVersion = 0 };
        var reader = new WireReader(bytes, "Network descriptor");
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: network.MajorVersion = reader.UInt32(); break;
                case 2: network.MinorVersion = reader.UInt32(); break;
                case 3: network.NetworkName = reader.String(); break;
                case 4: network.Inputs.Add(NetworkBinding.Read(reader.Message())); break;
                case 5: network.Outputs.Add(NetworkBinding.Read(reader.Message())); break;
                case 6: network.DmaBuffers.Add(DmaBuffer.Read(reader.Message())); break;
                case 7: network.NumCores = reader.UInt32(); break;
                case 8: network.NumThreads = reader.UInt32(); break;
                case 9: network.NumHvxThreads = reader.UInt32(); break;
                case 10: reader.UInt32s(network.ThreadGroups); break;
                case 11: network.ThreadGroupIssueCount = reader.UInt32(); break;
                case 12: network.Stats = reader.Opaque(network.Stats); break;
                case 13: network.ThreadGroupNames.Add(reader.String()); break;
                case 14: network.BatchSize = reader.Int32(); break;
                case 16: network.CrcInfo = reader.Opaque(network.CrcInfo); break;
                case 17: reader.UInt32s(network.ClusterOffsets); break;
                case 18: network.AllowedShapes.Add(ShapeSet.Read(reader.Message())); break;
                default: reader.Preserve(ref network._unknown); break;
            }
        }

        return network;
    }

    /// <summary>Writes the wire format.</summary>
    public byte[] ToBytes()
    {
        var writer = new WireWriter();
        writer.UInt32(1, MajorVersion);
        writer.UInt32(2, MinorVersion);
        writer.String(3, NetworkName);
        Inputs.ForEach(b => writer.Message(4, b.Write));
        Outputs.ForEach(b => writer.Message(5, b.Write));
        DmaBuffers.ForEach(b => writer.Message(6, b.Write));
        writer.UInt32(7, NumCores);
        writer.UInt32(8, NumThreads);
        writer.UInt32(9, NumHvxThreads);
        writer.UInt32s(10, ThreadGroups);
        writer.UInt32(11, ThreadGroupIssueCount);
        writer.Opaque(12, Stats);
        writer.Strings(13, ThreadGroupNames);
        writer.Int32(14, BatchSize);
        writer.Opaque(16, CrcInfo);
        writer.UInt32s(17, ClusterOffsets);
        AllowedShapes.ForEach(s => writer.Message(18, s.Write));
        writer.Raw(_unknown.Bytes);
        return writer.ToArray();
    }

    /// <summary>Gives every binding a 64-byte aligned place in one input and one output DMA buffer, and makes that copy its only transform.</summary>
    /// <remarks>A partial input gets a place for its full size, not the header slot that the vendor's compiler gives it.</remarks>
    /// <exception cref="InvalidOperationException">The user's side of a binding differs from the device's, so it needs more than a copy.</exception>
    /// <exception cref="QpcFormatException">The tensors of one direction need more than 4 GiB, which the format cannot express.</exception>
    public void AssignDmaBuffers()
    {
        DmaBuffers.Clear();
        AssignDmaBuffer(Inputs, DmaDirection.In);
        AssignDmaBuffer(Outputs, DmaDirection.Out);
    }

    private void AssignDmaBuffer(List<NetworkBinding> bindings, DmaDirection direction)
    {
        ulong end = 0;
        foreach (NetworkBinding binding in bindings)
        {
            TensorDescriptor tensor = binding.Initial;
            if (tensor.Type != binding.Transformed.Type || tensor.Layout != binding.Transformed.Layout || !tensor.Dims.SequenceEqual(binding.Transformed.Dims))
            {
                throw new InvalidOperationException(
                    $"Binding '{binding.Name}' is {Describe(tensor)} before and {Describe(binding.Transformed)} after its transforms; a copy to or from a DMA buffer changes neither. Give both sides the same type and dimensions.");
            }

            ulong offset = (end + DmaAlignment - 1) & ~(ulong)(DmaAlignment - 1);
            var copy = new Transform
            {
                Kind = TransformKind.CopyDmaBuffer,
                Type = tensor.Type,
                Scale = tensor.Scale == 0 ? 1 : tensor.Scale,
                Offset = tensor.Offset,
                Layout = tensor.Layout,
                CopyDmaBuffer = new DmaCopy { Direction = direction, Offset = Narrow(offset), BufferNumber = (uint)DmaBuffers.Count },
            };
            copy.Dims.AddRange(tensor.Dims);
            binding.Transforms.Clear();
            binding.Transforms.Add(copy);
            end = offset + (ulong)BufferSize.Of(tensor.Type, tensor.Dims, binding.Name);
        }

        if (bindings.Count > 0)
        {
            DmaBuffers.Add(new DmaBuffer { Size = Narrow(end), Direction = direction });
        }
    }

    private static string Describe(TensorDescriptor tensor) => $"{tensor.Type}[{string.Join(", ", tensor.Dims)}]";

    private static uint Narrow(ulong value) =>
        value <= uint.MaxValue ? (uint)value : throw new QpcFormatException($"The tensors of one direction need {value} bytes; a DMA buffer ends at 4 GiB", 0);
}

/// <summary>Whether data goes to the device or comes from it.</summary>
public enum DmaDirection
{
    /// <summary>From the host to the device.</summary>
    In = 0,

    /// <summary>From the device to the host.</summary>
    Out = 1,
}

/// <summary>A DMA buffer of an execution object.</summary>
public sealed class DmaBuffer
{
    private UnknownFields _unknown;

    /// <summary>Bytes.</summary>
    public uint Size { get; set; }

    /// <summary>Direction.</summary>
    public DmaDirection Direction { get; set; }

    internal static DmaBuffer Read(WireReader reader)
    {
        var buffer = new DmaBuffer();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: buffer.Size = reader.UInt32(); break;
                case 2: buffer.Direction = (DmaDirection)reader.Int32(); break;
                default: reader.Preserve(ref buffer._unknown); break;
            }
        }

        return buffer;
    }

    internal void Write(WireWriter writer)
    {
        writer.UInt32(1, Size);
        writer.Int32(2, (int)Direction);
        writer.Raw(_unknown.Bytes);
    }
}
