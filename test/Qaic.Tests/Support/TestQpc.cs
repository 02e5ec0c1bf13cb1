using System.Buffers.Binary;
using Qaic.Qpc;

namespace Qaic.Tests.Support;

/// <summary>Writes small containers: inputs x0…, outputs y0…, all float.</summary>
internal sealed record TestQpc
{
    public int Tensors { get; init; } = 1;

    public int Elements { get; init; } = 4;

    public int Cores { get; init; } = 1;

    public bool IsPartialAllowed { get; init; }

    /// <summary>Bytes of constants that the descriptor claims.</summary>
    public long ConstantsBytes { get; init; }

    /// <summary>Distance of the tensors in their DMA buffer; 64 is what the embedded compiler does.</summary>
    public int Alignment { get; init; } = 64;

    /// <summary>Segment to leave out.</summary>
    public string? Without { get; init; }

    /// <summary>Further segment to put in, empty.</summary>
    public string? With { get; init; }

    /// <summary>Last change of the descriptor before it is written.</summary>
    public Action<NetworkDescriptor>? Edit { get; init; }

    /// <summary>A set of shapes: the dimensions of each tensor, inputs first.</summary>
    public static ShapeSet Allow(params int[][] shapes)
    {
        var set = new ShapeSet();
        foreach (int[] dims in shapes)
        {
            var shape = new TensorShape();
            shape.Dims.AddRange(dims);
            set.Shapes.Add(shape);
        }

        return set;
    }

    public string Write(string directory)
    {
        string path = Path.Combine(directory, $"{Guid.NewGuid():n}.bin");
        QpcWriter writer = new();
        byte[] constants = new byte[24];
        BinaryPrimitives.WriteInt64LittleEndian(constants, ConstantsBytes);
        foreach ((string name, byte[] data) in new[] { ("constantsdesc.bin", constants), ("network.elf", "ELF"u8.ToArray()), ("networkdesc.bin", Descriptor().ToBytes()) })
        {
            if (name != Without)
            {
                writer.Add(name, data);
            }
        }

        if (With is not null)
        {
            writer.Add(With, Array.Empty<byte>());
        }

        writer.Write(path);
        return path;
    }

    private NetworkDescriptor Descriptor()
    {
        NetworkDescriptor network = new() { NetworkName = "doubling", NumCores = (uint)Cores, BatchSize = 1 };
        for (int i = 0; i < Tensors; i++)
        {
            network.Inputs.Add(Binding($"x{i}", DmaDirection.In, 0, i));
            network.Outputs.Add(Binding($"y{i}", DmaDirection.Out, 1, i));
        }

        uint size = (uint)(Tensors * Stride);
        network.DmaBuffers.Add(new DmaBuffer { Size = size, Direction = DmaDirection.In });
        network.DmaBuffers.Add(new DmaBuffer { Size = size, Direction = DmaDirection.Out });
        Edit?.Invoke(network);
        return network;
    }

    private int Stride => (Elements * 4 + Alignment - 1) / Alignment * Alignment;

    private NetworkBinding Binding(string name, DmaDirection direction, uint buffer, int position)
    {
        NetworkBinding binding = new() { Name = name, IsPartialAllowed = IsPartialAllowed, Align = (uint)Alignment };
        binding.Initial.Dims.Add(Elements);
        binding.Transformed.Dims.Add(Elements);
        Transform copy = new() { Kind = TransformKind.CopyDmaBuffer, CopyDmaBuffer = new DmaCopy { Direction = direction, BufferNumber = buffer, Offset = (uint)(position * Stride) } };
        copy.Dims.Add(Elements);
        binding.Transforms.Add(copy);
        return binding;
    }
}
