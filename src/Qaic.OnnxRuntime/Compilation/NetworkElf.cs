using System.Buffers.Binary;
using System.Text;
using Qaic.Qpc;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary><c>network.elf</c>: a 64-bit little-endian ELF for Hexagon that has named sections and no code.</summary>
internal static class NetworkElf
{
    /// <summary>Name of the segment in the QPC.</summary>
    public const string SegmentName = "network.elf";

    private const int HeaderSize = 64;
    private const int SectionHeaderSize = 64;
    private const int DataAlignment = 8;
    private const ushort TypeExecutable = 2;

    // EM_QDSP6, the card's cores.
    private const ushort MachineHexagon = 164;
    private const uint SectionProgramBits = 1;
    private const uint SectionStrings = 3;
    private const uint SectionNoBits = 8;

    /// <summary>Builds the file. Sections keep their order; the table of names comes last.</summary>
    public static byte[] Write(IReadOnlyList<(string Name, ReadOnlyMemory<byte> Data)> sections)
    {
        var names = new List<byte> { 0 };
        var headers = new List<(uint Name, uint Type, long Offset, long Size, long Alignment)> { default };
        long end = HeaderSize;
        foreach ((string name, ReadOnlyMemory<byte> data) in sections)
        {
            headers.Add((AddName(names, name), SectionProgramBits, end, data.Length, DataAlignment));
            end = Aligned(end + data.Length);
        }

        uint namesName = AddName(names, ".shstrtab");
        headers.Add((namesName, SectionStrings, end, names.Count, 1));
        long table = Aligned(end + names.Count);
        long total = table + (headers.Count * SectionHeaderSize);
        if (total > Array.MaxLength)
        {
            throw new Qaic.Compilation.CompilationException($"The model without its initializers needs {total} bytes; network.elf ends at 2 GiB. Turn large Constant nodes into initializers.");
        }

        byte[] file = new byte[total];
        Span<byte> header = file;
        "\u007FELF"u8.CopyTo(header);
        header[4] = 2; // 64 bits
        header[5] = 1; // little-endian
        header[6] = 1; // version of the format
        BinaryPrimitives.WriteUInt16LittleEndian(header[16..], TypeExecutable);
        BinaryPrimitives.WriteUInt16LittleEndian(header[18..], MachineHexagon);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1);
        BinaryPrimitives.WriteInt64LittleEndian(header[40..], table);
        BinaryPrimitives.WriteUInt16LittleEndian(header[52..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[58..], SectionHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[60..], (ushort)headers.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(header[62..], (ushort)(headers.Count - 1));
        for (int i = 0; i < sections.Count; i++)
        {
            sections[i].Data.Span.CopyTo(file.AsSpan((int)headers[i + 1].Offset));
        }

        names.CopyTo(file, (int)end);
        for (int i = 1; i < headers.Count; i++)
        {
            Span<byte> at = file.AsSpan((int)table + (i * SectionHeaderSize));
            BinaryPrimitives.WriteUInt32LittleEndian(at, headers[i].Name);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], headers[i].Type);
            BinaryPrimitives.WriteInt64LittleEndian(at[24..], headers[i].Offset);
            BinaryPrimitives.WriteInt64LittleEndian(at[32..], headers[i].Size);
            BinaryPrimitives.WriteInt64LittleEndian(at[48..], headers[i].Alignment);
        }

        return file;
    }

    /// <summary>Finds a section by name in an ELF of 32 or 64 bits, from whatever compiler.</summary>
    /// <returns>False if the file has no such section.</returns>
    /// <exception cref="QpcFormatException">The bytes are no little-endian ELF, or its tables lead outside of it.</exception>
    public static bool TryFindSection(ReadOnlySpan<byte> elf, string name, out ReadOnlySpan<byte> data)
    {
        data = default;
        if (elf.Length < 52 || !elf.StartsWith("\u007FELF"u8) || elf[4] is not (1 or 2) || elf[5] != 1)
        {
            throw new QpcFormatException($"Segment {SegmentName} is not a little-endian ELF file", 0);
        }

        bool wide = elf[4] == 2;
        if (wide && elf.Length < HeaderSize)
        {
            throw new QpcFormatException($"Segment {SegmentName} ends inside its header", elf.Length);
        }

        ulong table = wide ? BinaryPrimitives.ReadUInt64LittleEndian(elf[40..]) : BinaryPrimitives.ReadUInt32LittleEndian(elf[32..]);
        ReadOnlySpan<byte> counts = elf[(wide ? 58 : 46)..];
        int entry = BinaryPrimitives.ReadUInt16LittleEndian(counts);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(counts[2..]);
        int namesIndex = BinaryPrimitives.ReadUInt16LittleEndian(counts[4..]);
        if (count == 0)
        {
            return false;
        }

        if (entry < (wide ? SectionHeaderSize : 40) || namesIndex >= count || table > (ulong)elf.Length || (ulong)count * (ulong)entry > (ulong)elf.Length - table)
        {
            throw new QpcFormatException($"Segment {SegmentName}: its table of {count} sections of {entry} bytes at {table} does not fit into {elf.Length} bytes", wide ? 40 : 32);
        }

        ReadOnlySpan<byte> wanted = Encoding.UTF8.GetBytes(name);
        ReadOnlySpan<byte> names = Section(elf, (int)table + (namesIndex * entry), wide);
        for (int i = 0; i < count; i++)
        {
            int at = (int)table + (i * entry);
            uint nameAt = BinaryPrimitives.ReadUInt32LittleEndian(elf[at..]);
            if (nameAt < names.Length && names[(int)nameAt..] is var rest && rest.Length > wanted.Length && rest.StartsWith(wanted) && rest[wanted.Length] == 0)
            {
                data = Section(elf, at, wide);
                return true;
            }
        }

        return false;
    }

    private static ReadOnlySpan<byte> Section(ReadOnlySpan<byte> elf, int header, bool wide)
    {
        ReadOnlySpan<byte> at = elf[header..];
        if (BinaryPrimitives.ReadUInt32LittleEndian(at[4..]) == SectionNoBits)
        {
            return default;
        }

        ulong offset = wide ? BinaryPrimitives.ReadUInt64LittleEndian(at[24..]) : BinaryPrimitives.ReadUInt32LittleEndian(at[16..]);
        ulong size = wide ? BinaryPrimitives.ReadUInt64LittleEndian(at[32..]) : BinaryPrimitives.ReadUInt32LittleEndian(at[20..]);
        return offset <= (ulong)elf.Length && size <= (ulong)elf.Length - offset
            ? elf.Slice((int)offset, (int)size)
            : throw new QpcFormatException($"Segment {SegmentName}: a section of {size} bytes at {offset} does not fit into {elf.Length} bytes", header);
    }

    private static uint AddName(List<byte> names, string name)
    {
        uint at = (uint)names.Count;
        names.AddRange(Encoding.UTF8.GetBytes(name));
        names.Add(0);
        return at;
    }

    private static long Aligned(long offset) => (offset + DataAlignment - 1) & ~(long)(DataAlignment - 1);
}
