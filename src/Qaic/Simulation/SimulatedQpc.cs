using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Simulation;

/// <summary>Where one binding lives on the device.</summary>
/// <param name="Spec">Name, type and shape on the device: those of the user's buffer unless they are converted on the way.</param>
/// <param name="IsInput">Whether the host writes it.</param>
/// <param name="Bytes">Size on the device.</param>
/// <param name="Dma">Number of the DMA buffer; -1 if the compiler optimised the binding away: it is then not transferred.</param>
/// <param name="Offset">Offset in the DMA buffer.</param>
internal sealed record DeviceBinding(TensorSpec Spec, bool IsInput, long Bytes, int Dma, long Offset);

/// <summary>A QPC object: an open container and what the runtime takes from it.</summary>
internal sealed unsafe class SimulatedQpc : SimulatedObject
{
    private readonly NativeArena _arena = new();
    private readonly Lock _sync = new();
    private readonly void* _copy;
    private readonly List<IoSet> _sets;
    private QAicQpcInfo* _info;

    private SimulatedQpc(QpcFile file, void* copy)
        : base(ObjectKind.Qpc, null, null)
    {
        File = file;
        _copy = copy;
        long constants = ReadConstantsSize(Segment("constantsdesc.bin"));
        long elf = Segment("network.elf").Length;
        Network = file.ReadNetworkDescriptor();
        IoDescriptor io = IoDescriptor.FromNetwork(Network);
        IoDescriptorBytes = io.ToBytes();
        _sets = io.Sets;
        Bindings = [.. io.SelectedSet.Bindings.Select((binding, index) => Place(binding, index))];
        ShapeSets = io.AllowedShapes.Count == 0
            ? [[.. Bindings.Select(b => b.Spec)]]
            : [.. io.AllowedShapes.Select(set => set.ToTensorSpecs(io.SelectedSet.Bindings).ToArray())];
        WholeShapes = Array.FindIndex(ShapeSets, set => set.Zip(Bindings).All(p => p.First.Shape.AsSpan().SequenceEqual(p.Second.Spec.Shape.AsSpan())));
        ConstantsDemand = new ResourceDemand(DramBytes: constants);
        ElfDemand = new ResourceDemand(DramBytes: elf);
    }

    public QpcFile File { get; }

    public NetworkDescriptor Network { get; }

    /// <summary>AI cores that one activation occupies.</summary>
    public int Cores => (int)Math.Clamp(Network.NumCores, 1, int.MaxValue);

    public byte[] IoDescriptorBytes { get; }

    public DeviceBinding[] Bindings { get; }

    /// <summary>The combinations of shapes that the network was compiled for; one if its shapes are fixed. Each in the order of <see cref="Bindings"/>.</summary>
    public TensorSpec[][] ShapeSets { get; }

    /// <summary>Why execution objects cannot be made; null if they can.</summary>
    public SimulatedFailure? Unsupported { get; private set; }

    /// <summary>The set of shapes that whole buffers have, each the largest of its binding; negative if they are not a set.</summary>
    public int WholeShapes { get; }

    public ResourceDemand ConstantsDemand { get; }

    public ResourceDemand ElfDemand { get; }

    /// <summary>Opens <c>programqpc.bin</c> or the directory that holds it.</summary>
    public static SimulatedQpc Open(byte* path)
    {
        string text = Marshal.PtrToStringUTF8((nint)path) ?? "";
        QpcFile file = QpcFile.Open(text);
        return Make(file, null);
    }

    /// <summary>Opens a container in memory.</summary>
    public static SimulatedQpc Open(byte* bytes, nuint size, bool makeCopy)
    {
        if (size > long.MaxValue)
        {
            throw SimulatedFailure.Invalid($"A QPC of {size} bytes cannot be in memory.");
        }

        void* copy = null;
        if (makeCopy)
        {
            copy = NativeMemory.Alloc(Math.Max(size, 1));
            NativeMemory.Copy(bytes, copy, size);
            bytes = (byte*)copy;
        }

        QpcFile file;
        try
        {
            file = QpcFile.FromMemory(bytes, (long)size);
        }
        catch
        {
            NativeMemory.Free(copy);
            throw;
        }

        return Make(file, copy);
    }

    /// <summary>How the host sees the buffers in an I/O set.</summary>
    /// <param name="selected">The set that a client selected; null: "default".</param>
    /// <exception cref="SimulatedFailure">There is no such set, it is not the one that was handed out, or the card does not do what it leaves to the runtime (Inval).</exception>
    public HostView View(IoSet? selected)
    {
        string name = selected?.Name ?? "default";
        IoSet set = _sets.Find(s => s.Name == name)
            ?? throw SimulatedFailure.Invalid($"The I/O descriptor selects the set '{name}'; the program has {string.Join(", ", _sets.Select(s => $"'{s.Name}'"))}.");
        if (selected is not null && !selected.Bindings.Select(b => (b.Name, b.Type, b.Size)).SequenceEqual(set.Bindings.Select(b => (b.Name, b.Type, b.Size))))
        {
            throw SimulatedFailure.Invalid($"The bindings of the selected I/O set '{name}' are not the program's. Select a set by copying it from the descriptor that qaicProgramGetIoDescriptor gives.");
        }

        HostView view = HostView.Of(Network, set, Bindings);
        return (ShapeSets.Length == 1 && WholeShapes == 0) || !view.IsConverting
            ? view
            : throw SimulatedFailure.Invalid($"The network has {ShapeSets.Length} sets of shapes, and its elements are converted on the way; the simulated card does not do both. Select the I/O set 'dma' and convert them yourself.");
    }

    /// <summary>qaicQpcGetInfo: made at the first call, in memory that lives as long as this object.</summary>
    public QAicQpcInfo* GetInfo()
    {
        lock (_sync)
        {
            if (_info == null)
            {
                _info = BuildInfo();
            }

            return _info;
        }
    }

    /// <summary>The bindings as the runtime's C struct.</summary>
    public QAicIoBufferInfo BuildBufferInfo(NativeArena arena)
    {
        List<IoBinding> user = _sets[0].Bindings;
        QAicBufferMappings* mappings = arena.Allocate<QAicBufferMappings>(user.Count);
        for (int i = 0; i < user.Count; i++)
        {
            mappings[i] = new QAicBufferMappings
            {
                BufferName = arena.Text(user[i].Name),
                Index = (uint)i,
                IoType = (uint)(user[i].Direction == DmaDirection.In ? QAicBufferIoType.Input : QAicBufferIoType.Output),
                Size = user[i].Size,
                IsPartialBufferAllowed = user[i].IsPartialBufferAllowed ? (byte)1 : (byte)0,
                DataType = (uint)user[i].Type,
            };
        }

        return new QAicIoBufferInfo { NumBufferMappings = (uint)user.Count, BufferMappings = mappings };
    }

    /// <inheritdoc/>
    public override void Dispose() => Free(File, _copy, _arena);

    private static SimulatedQpc Make(QpcFile file, void* copy)
    {
        try
        {
            return new SimulatedQpc(file, copy);
        }
        catch
        {
            Free(file, copy, null);
            throw;
        }
    }

    private static void Free(QpcFile file, void* copy, NativeArena? arena)
    {
        file.Dispose();
        NativeMemory.Free(copy);
        arena?.Free();
    }

    private QpcSegment Segment(string name) =>
        File.TryGetSegment(name, out QpcSegment? segment)
            ? segment
            : throw new QpcFormatException($"The container has no segment {name}, which every program needs", 0);

    // AICConstantDescriptor: static size, dynamic size, both u64, then 8 bytes of flags.
    private static long ReadConstantsSize(QpcSegment descriptor)
    {
        if (descriptor.Length < 24)
        {
            throw new QpcFormatException($"Segment constantsdesc.bin has {descriptor.Length} bytes instead of 24", descriptor.FileOffset);
        }

        ReadOnlySpan<byte> bytes = descriptor.Slice(0, 16);
        ulong total = unchecked(BinaryPrimitives.ReadUInt64LittleEndian(bytes) + BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
        return total <= 1L << 50
            ? (long)total
            : throw new QpcFormatException($"Segment constantsdesc.bin claims {total} bytes of constants", descriptor.FileOffset);
    }

    private DeviceBinding Place(IoBinding io, int index)
    {
        bool isInput = index < Network.Inputs.Count;
        NetworkBinding binding = isInput ? Network.Inputs[index] : Network.Outputs[index - Network.Inputs.Count];
        TensorSpec spec = io.ToTensorSpec();
        DmaCopy? copy = null;
        try
        {
            spec = HostView.DeviceSpec(binding, isInput, spec, out copy);
        }
        catch (SimulatedFailure refused)
        {
            Unsupported ??= refused;
        }

        long bytes = spec.ByteLength;
        if (copy is null)
        {
            return new DeviceBinding(spec, isInput, bytes, -1, 0);
        }

        if (copy.BufferNumber >= Network.DmaBuffers.Count || copy.Offset + bytes > Network.DmaBuffers[(int)copy.BufferNumber].Size)
        {
            throw new QpcFormatException(
                $"The network descriptor places '{binding.Name}' ({bytes} bytes) at {copy.Offset} of DMA buffer {copy.BufferNumber}, which is not there or too small", 0);
        }

        return new DeviceBinding(spec, isInput, bytes, (int)copy.BufferNumber, copy.Offset);
    }

    private QAicQpcInfo* BuildInfo()
    {
        QAicQpcProgramInfo* program = _arena.Allocate<QAicQpcProgramInfo>(1);
        Name(program->Name, Network.NetworkName);
        program->NumCores = Network.NumCores;
        program->BatchSize = Network.BatchSize;
        program->IoBufferInfo = BuildBufferInfo(_arena);

        QAicBufferMappings* dma = _arena.Allocate<QAicBufferMappings>(Network.DmaBuffers.Count);
        for (int i = 0; i < Network.DmaBuffers.Count; i++)
        {
            dma[i] = new QAicBufferMappings
            {
                BufferName = _arena.Text("noname"),
                Index = (uint)i,
                IoType = (uint)(Network.DmaBuffers[i].Direction == DmaDirection.In ? QAicBufferIoType.Input : QAicBufferIoType.Output),
                Size = Network.DmaBuffers[i].Size,
                DataType = (uint)ElementType.UInt8,
            };
        }

        program->IoBufferInfoDma = new QAicIoBufferInfo { NumBufferMappings = (uint)Network.DmaBuffers.Count, BufferMappings = dma };

        QAicQpcConstantsInfo* constants = _arena.Allocate<QAicQpcConstantsInfo>(2);
        Name(constants[0].Name, "constants.bin");
        constants[0].Size = (uint)Math.Min(ConstantsDemand.DramBytes, uint.MaxValue);
        Name(constants[1].Name, "constantsdesc.bin");
        constants[1].Index = 1;
        constants[1].Size = 24;

        QAicQpcInfo* info = _arena.Allocate<QAicQpcInfo>(1);
        *info = new QAicQpcInfo { NumPrograms = 1, ProgramInfo = program, NumConstants = 2, ConstantsInfo = constants };
        return info;
    }

    // Cut at 63 bytes, between characters, like every name[64] of the API.
    private static void Name(byte* destination, string text) =>
        Encoding.UTF8.GetEncoder().Convert(text, new Span<byte>(destination, 63), flush: true, out _, out _, out _);
}
