using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Qpc;

namespace Qaic.OnnxRuntime;

/// <summary>What the embedded compiler puts into a QPC for the engine: an ONNX model, its weights, and checksums of both.</summary>
/// <param name="Model">The ONNX model; its large initializers refer to the weights.</param>
/// <param name="Weights">The weights, in the QPC's memory.</param>
/// <param name="Settings">How the network is computed.</param>
internal sealed record NetworkImage(byte[] Model, IReadOnlyList<MemoryWeight> Weights, NetworkSettings Settings)
{
    /// <summary>Name of the model's section in <c>network.elf</c>.</summary>
    public const string ModelSection = "onnx";

    /// <summary>Name of the section with the checksums: CRC-32C of the model and of the weights, and the weights' length as 64 bits.</summary>
    public const string ChecksumSection = "onnx.crc32c";

    private const int ChecksumSize = 16;
    private const int ChunkSize = 1 << 26;

    /// <summary>Content of <see cref="ChecksumSection"/>.</summary>
    public static byte[] Checksums(ReadOnlySpan<byte> model, uint weightsChecksum, long weightsLength)
    {
        byte[] section = new byte[ChecksumSize];
        BinaryPrimitives.WriteUInt32LittleEndian(section, Checksum.Append(0, model));
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(4), weightsChecksum);
        BinaryPrimitives.WriteInt64LittleEndian(section.AsSpan(8), weightsLength);
        return section;
    }

    /// <summary>Finds the model in a QPC. ONNX Runtime is not made for damaged models, so nothing reaches it whose checksum is wrong.</summary>
    /// <exception cref="NotSupportedException">The QPC holds no ONNX model.</exception>
    /// <exception cref="QpcFormatException">The model or its weights are damaged.</exception>
    public static NetworkImage Read(QpcFile qpc)
    {
        if (!qpc.TryGetSegment(NetworkElf.SegmentName, out QpcSegment? elf) || elf.Length > int.MaxValue)
        {
            throw new QpcFormatException($"The container has no segment {NetworkElf.SegmentName} that can be read; it has: {string.Join(", ", qpc.Segments.Select(s => s.Name))}", 0);
        }

        if (!NetworkElf.TryFindSection(elf.Span, ModelSection, out ReadOnlySpan<byte> model))
        {
            if (CompilationRecord.Read(qpc)?.Compiler == EmbeddedCompiler.CompilerName)
            {
                throw new QpcFormatException($"Segment {NetworkElf.SegmentName} has lost its section '{ModelSection}'", elf.FileOffset);
            }

            throw new NotSupportedException(
                "The QPC holds no ONNX model, so it was made for a real card: the simulated card cannot run the code of the card's cores. "
                + "Compile the ONNX model for the simulated card (backend Simulated), or run this QPC on a card (backend Aic).");
        }

        if (!NetworkElf.TryFindSection(elf.Span, ChecksumSection, out ReadOnlySpan<byte> checksums) || checksums.Length != ChecksumSize)
        {
            throw new QpcFormatException($"Segment {NetworkElf.SegmentName} has lost its section '{ChecksumSection}'", elf.FileOffset);
        }

        Check("model", BinaryPrimitives.ReadUInt32LittleEndian(checksums), Checksum.Append(0, model), elf.FileOffset);
        long length = BinaryPrimitives.ReadInt64LittleEndian(checksums[8..]);
        nint address = Constants(qpc, length, BinaryPrimitives.ReadUInt32LittleEndian(checksums[4..]));
        byte[] bytes = model.ToArray();
        try
        {
            var parsed = OnnxModel.Parse(bytes, NetworkElf.SegmentName);
            return new NetworkImage(bytes, WeightSegment.Find(parsed, address, length), NetworkSettings.Of(parsed));
        }
        catch (CompilationException e)
        {
            // The checksum is right, so this is not damage that happened by chance.
            throw new QpcFormatException($"The network's model cannot be read: {e.Message}", elf.FileOffset);
        }
    }

    // Address of the weights; 0 if there are none.
    private static unsafe nint Constants(QpcFile qpc, long length, uint expected)
    {
        QpcSegment? constants = qpc.TryGetSegment(WeightSegment.SegmentName, out QpcSegment? found) ? found : null;
        if ((constants?.Length ?? 0) != length)
        {
            throw new QpcFormatException($"Segment {WeightSegment.SegmentName} has {constants?.Length ?? 0} bytes; the network needs {length}", constants?.FileOffset ?? 0);
        }

        if (constants is null || length == 0)
        {
            return 0;
        }

        uint actual = 0;
        for (long done = 0; done < length; done += ChunkSize)
        {
            actual = Checksum.Append(actual, constants.Slice(done, (int)Math.Min(ChunkSize, length - done)));
        }

        Check("weights", expected, actual, constants.FileOffset);

        // A container's memory is unmanaged and in one piece, so the first byte's address reaches all of them.
        return (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(constants.Slice(0, 1)));
    }

    private static void Check(string what, uint expected, uint actual, long offset)
    {
        if (expected != actual)
        {
            throw new QpcFormatException($"The network's {what} have the checksum 0x{actual:X8}, not 0x{expected:X8}", offset);
        }
    }
}
