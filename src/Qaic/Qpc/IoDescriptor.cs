namespace Qaic.Qpc;

/// <summary>The I/O descriptor (aicapi.IoDesc): the buffers that a program's execution objects take.</summary>
/// <remarks>Mutable, not thread-safe. Fields that are not understood survive reading and writing, at every level.</remarks>
public sealed class IoDescriptor
{
    // Beside "default": the set's name, and the transform of an input and of an output that it is about. In the order of the descriptor.
    private static readonly (string Set, TransformKind Input, TransformKind Output)[] s_stages =
    [
        ("quantize", TransformKind.Quantize, TransformKind.Dequantize),
        ("transpose", TransformKind.Transpose, TransformKind.Transpose),
        ("d32convert", TransformKind.ToD32, TransformKind.FromD32),
        ("convert", TransformKind.Convert, TransformKind.Convert),
        ("dma", TransformKind.CopyDmaBuffer, TransformKind.CopyDmaBuffer),
    ];

    private UnknownFields _unknown;

    /// <summary>The alternatives: "default" (what the user sees), "quantize", "transpose", "d32convert", "convert", "dma" (what the device sees).</summary>
    public List<IoSet> Sets { get; } = [];

    /// <summary>The set in force; the default one unless another was chosen.</summary>
    public IoSet SelectedSet { get; set; } = new();

    /// <summary>Name of the program; current runtimes leave it empty.</summary>
    public string ProgramName { get; set; } = "";

    /// <summary>DMA buffers of an execution object.</summary>
    public List<IoDmaBuffer> DmaBuffers { get; } = [];

    /// <summary>Runtime constants; current runtimes have none.</summary>
    public List<RuntimeConstants> RuntimeConstants { get; } = [];

    /// <summary>One set per input: up to which stage the user has prepared it. Not used by current runtimes.</summary>
    public List<IoSet> PreProcessSkipStages { get; } = [];

    /// <summary>One set per output: from which stage on the user processes it. Not used by current runtimes.</summary>
    public List<IoSet> PostProcessSkipStages { get; } = [];

    /// <summary>Combinations of shapes that the network accepts; empty if the shapes are fixed.</summary>
    public List<ShapeSet> AllowedShapes { get; } = [];

    /// <summary>Derives the descriptor from a network's, as the runtime does.</summary>
    /// <remarks>The type of an output is the user's side. (The runtime's buffer mappings, not used here, report the device's type with the user's size.)</remarks>
    /// <exception cref="QpcFormatException">A size cannot be expressed, a type is unknown, or a transform that needs one before it comes first.</exception>
    public static IoDescriptor FromNetwork(NetworkDescriptor network)
    {
        ArgumentNullException.ThrowIfNull(network);
        var io = new IoDescriptor();
        IoSet user = Derive(network, "default", []);
        io.Sets.Add(user);
        foreach ((string name, TransformKind input, TransformKind output) in s_stages)
        {
            if (network.Inputs.Any(b => b.Transforms.Exists(t => t.Kind == input)) || network.Outputs.Any(b => b.Transforms.Exists(t => t.Kind == output)))
            {
                io.Sets.Add(Derive(network, name, [input, output]));
            }
        }

        io.SelectedSet = Derive(network, user.Name, []);
        for (int i = 0; i < network.DmaBuffers.Count; i++)
        {
            io.DmaBuffers.Add(new IoDmaBuffer { Index = (uint)i, Size = network.DmaBuffers[i].Size, Direction = network.DmaBuffers[i].Direction });
        }

        io.AllowedShapes.AddRange(network.AllowedShapes.Select(s => s.Copy()));
        return io;
    }

    /// <summary>Reads the wire format.</summary>
    /// <exception cref="QpcFormatException">The bytes are no I/O descriptor.</exception>
    public static IoDescriptor Parse(ReadOnlySpan<byte> bytes)
    {
        var io = new IoDescriptor();
        var reader = new WireReader(bytes, "I/O descriptor");
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: io.Sets.Add(IoSet.Read(new IoSet(), reader.Message())); break;
                case 2: io.SelectedSet = IoSet.Read(io.SelectedSet, reader.Message()); break;
                case 3: io.ProgramName = reader.String(); break;
                case 4: io.DmaBuffers.Add(IoDmaBuffer.Read(reader.Message())); break;
                case 5: io.RuntimeConstants.Add(Qpc.RuntimeConstants.Read(reader.Message())); break;
                case 6: io.PreProcessSkipStages.Add(IoSet.Read(new IoSet(), reader.Message())); break;
                case 7: io.PostProcessSkipStages.Add(IoSet.Read(new IoSet(), reader.Message())); break;
                case 8: io.AllowedShapes.Add(ShapeSet.Read(reader.Message())); break;
                default: reader.Preserve(ref io._unknown); break;
            }
        }

        return io;
    }

    /// <summary>Writes the wire format.</summary>
    public byte[] ToBytes()
    {
        var writer = new WireWriter();
        Sets.ForEach(s => writer.Message(1, s.Write));
        writer.Message(2, SelectedSet.Write);
        writer.String(3, ProgramName);
        DmaBuffers.ForEach(b => writer.Message(4, b.Write));
        RuntimeConstants.ForEach(c => writer.Message(5, c.Write));
        PreProcessSkipStages.ForEach(s => writer.Message(6, s.Write));
        PostProcessSkipStages.ForEach(s => writer.Message(7, s.Write));
        AllowedShapes.ForEach(s => writer.Message(8, s.Write));
        writer.Raw(_unknown.Bytes);
        return writer.ToArray();
    }

    /// <summary>The transforms of an input and of an output that a set is about; null for "default", which leaves nothing to the host, and for names that no set has.</summary>
    internal static (TransformKind Input, TransformKind Output)? StageOf(string set) =>
        Array.Find(s_stages, s => s.Set == set) is { Set: not null } stage ? (stage.Input, stage.Output) : null;

    // kinds: none for the user's view; else the input's and the output's transform that the set is about.
    private static IoSet Derive(NetworkDescriptor network, string name, TransformKind[] kinds)
    {
        var set = new IoSet { Name = name };
        foreach (NetworkBinding input in network.Inputs)
        {
            int step = kinds.Length == 0 ? -1 : input.Transforms.FindIndex(t => t.Kind == kinds[0]);
            set.Bindings.Add(step < 0
                ? Describe(set, input, DmaDirection.In, input.Initial, isValid: kinds.Length == 0)
                : Describe(set, input, DmaDirection.In, input.Transforms[step], network));
        }

        foreach (NetworkBinding output in network.Outputs)
        {
            int step = kinds.Length == 0 ? -1 : output.Transforms.FindIndex(t => t.Kind == kinds[1]);
            if (step < 0)
            {
                set.Bindings.Add(Describe(set, output, DmaDirection.Out, output.Transformed, isValid: kinds.Length == 0));
                continue;
            }

            // An output is described as it is before the step; a copy describes itself. (The open runtime reads the element before the first here.)
            int described = kinds[1] == TransformKind.CopyDmaBuffer ? step : step - 1;
            set.Bindings.Add(described >= 0
                ? Describe(set, output, DmaDirection.Out, output.Transforms[described], network)
                : throw new QpcFormatException($"Output '{output.Name}' begins with the transform {output.Transforms[step].Kind}, so nothing says what the device emits", 0));
        }

        return set;
    }

    private static IoBinding Describe(IoSet set, NetworkBinding source, DmaDirection direction, TensorDescriptor tensor, bool isValid) =>
        Describe(set, source, direction, tensor.Type, tensor.Scale, tensor.Offset, tensor.Dims, isValid);

    private static IoBinding Describe(IoSet set, NetworkBinding source, DmaDirection direction, Transform step, NetworkDescriptor network)
    {
        IoBinding binding = Describe(set, source, direction, step.Type, step.Scale, step.Offset, step.Dims, isValid: true);
        if (step.CopyDmaBuffer is { } copy)
        {
            if (copy.BufferNumber >= network.DmaBuffers.Count)
            {
                throw new QpcFormatException($"Binding '{source.Name}' lies in DMA buffer {copy.BufferNumber}; the network has {network.DmaBuffers.Count}", 0);
            }

            binding.DmaBufferInfos.Add(new DmaBufferInfo
            {
                BufferIndex = copy.BufferNumber,
                Size = network.DmaBuffers[(int)copy.BufferNumber].Size,
                BufferOffset = copy.Offset,
            });
        }

        return binding;
    }

    private static IoBinding Describe(IoSet set, NetworkBinding source, DmaDirection direction, ElementType type, float scale, int offset, List<int> dims, bool isValid)
    {
        var binding = new IoBinding
        {
            Name = source.Name,
            Index = (uint)set.Bindings.Count,
            Type = type,
            Direction = direction,
            QuantScale = scale,
            QuantOffset = offset,
            Size = (uint)BufferSize.Of(type, dims, source.Name),
            IsPartialBufferAllowed = source.IsPartialAllowed,
            IsValid = isValid,
        };
        binding.Dims.AddRange(dims);
        return binding;
    }
}

/// <summary>One way to see a program's buffers.</summary>
public sealed class IoSet
{
    private UnknownFields _unknown;

    /// <summary>Name of the set.</summary>
    public string Name { get; set; } = "";

    /// <summary>One binding per buffer: inputs, then outputs.</summary>
    public List<IoBinding> Bindings { get; } = [];

    internal static IoSet Read(IoSet set, WireReader reader)
    {
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: set.Name = reader.String(); break;
                case 2: set.Bindings.Add(IoBinding.Read(reader.Message())); break;
                default: reader.Preserve(ref set._unknown); break;
            }
        }

        return set;
    }

    internal void Write(WireWriter writer)
    {
        writer.String(1, Name);
        Bindings.ForEach(b => writer.Message(2, b.Write));
        writer.Raw(_unknown.Bytes);
    }
}

/// <summary>A DMA buffer in an <see cref="IoDescriptor"/>.</summary>
public sealed class IoDmaBuffer
{
    private UnknownFields _unknown;

    /// <summary>Buffer number.</summary>
    public uint Index { get; set; }

    /// <summary>Bytes.</summary>
    public uint Size { get; set; }

    /// <summary>Direction.</summary>
    public DmaDirection Direction { get; set; }

    internal static IoDmaBuffer Read(WireReader reader)
    {
        var buffer = new IoDmaBuffer();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: buffer.Index = reader.UInt32(); break;
                case 2: buffer.Size = reader.UInt32(); break;
                case 3: buffer.Direction = (DmaDirection)reader.Int32(); break;
                default: reader.Preserve(ref buffer._unknown); break;
            }
        }

        return buffer;
    }

    internal void Write(WireWriter writer)
    {
        writer.UInt32(1, Index);
        writer.UInt32(2, Size);
        writer.Int32(3, (int)Direction);
        writer.Raw(_unknown.Bytes);
    }
}

/// <summary>Constants that the user supplies when the program is loaded.</summary>
public sealed class RuntimeConstants
{
    private UnknownFields _unknown;

    /// <summary>Name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Bytes.</summary>
    public uint Size { get; set; }

    /// <summary>Byte offset.</summary>
    public uint Offset { get; set; }

    internal static RuntimeConstants Read(WireReader reader)
    {
        var constants = new RuntimeConstants();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: constants.Name = reader.String(); break;
                case 2: constants.Size = reader.UInt32(); break;
                case 3: constants.Offset = reader.UInt32(); break;
                default: reader.Preserve(ref constants._unknown); break;
            }
        }

        return constants;
    }

    internal void Write(WireWriter writer)
    {
        writer.String(1, Name);
        writer.UInt32(2, Size);
        writer.UInt32(3, Offset);
        writer.Raw(_unknown.Bytes);
    }
}
