using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Text;

namespace Qaic.Qpc;

/// <summary>Reads a QPC (Qualcomm Program Container), whoever wrote it.</summary>
/// <remarks>
/// <para>The file is mapped, not read: opening takes the same time for a container of kilobytes and of gigabytes, and segments are read in place.
/// Thread-safe for reading. Spans must not be used after <see cref="Dispose"/>, and the file must not be cut while it is open; replacing it by renaming is safe.</para>
/// <para>Stricter than the vendor's reader, which follows damaged pointers: everything is checked before anything is followed.</para>
/// </remarks>
public sealed unsafe class QpcFile : IDisposable
{
    /// <summary>Name of the file inside a compiler's output directory.</summary>
    public const string FileName = "programqpc.bin";

    // AICQPC header: magic, versions, compression type, file size, writer's base address, record count, pointer to the records.
    internal const uint Magic = 0x00A1CD7C;
    internal const int HeaderSize = 40;
    internal const int RecordSize = 32;

    // "Self-contained". 0 is an in-memory form whose pointers mean nothing in a file.
    internal const ushort SlowPath = 1;

    // Containers have under ten segments with short names. The bounds keep a damaged count or a missing terminator from costing time.
    // The writer keeps to them too.
    internal const int MaxSegments = 4096;
    internal const int MaxNameLength = 4095;

    // networkdesc.bin has kilobytes. Its objects take many times its bytes, so a container of gigabytes must not pass as one.
    private const long MaxDescriptorLength = 64 << 20;

    // The copy that FromBytes made: pinned, and referenced by its spans, so that it lives as long as they do. Null for mapped and borrowed memory.
    private readonly byte[]? _copy;

    // No finalizer unmaps: spans do not keep this object alive, and memory must not go while one is in use. A container that nobody disposes stays mapped.
    private Action? _release;
    private volatile nint _address;

    private QpcFile(byte* address, long length, Action release, byte[]? copy = null)
    {
        _address = (nint)address;
        Length = length;
        _release = release;
        _copy = copy;
        try
        {
            Segments = ReadSegments();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the container.</summary>
    public long Length { get; }

    /// <summary>All segments in the order of the file. Where a name is there twice, the first counts, as in the vendor's reader.</summary>
    public IReadOnlyList<QpcSegment> Segments { get; } = [];

    /// <summary>First byte; for handing the container to the library.</summary>
    internal byte* Address
    {
        get
        {
            nint address = _address;
            ObjectDisposedException.ThrowIf(address == 0, this);
            return (byte*)address;
        }
    }

    /// <summary>Whether something begins as a QPC does. Says nothing about the rest.</summary>
    /// <param name="start">The first bytes; 4 are looked at.</param>
    public static bool BeginsLikeQpc(ReadOnlySpan<byte> start) => BinaryPrimitives.TryReadUInt32LittleEndian(start, out uint magic) && magic == Magic;

    /// <summary>Maps a container.</summary>
    /// <param name="path">The file, or a directory that holds <c>programqpc.bin</c>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="QpcFormatException">The file is no QPC or a damaged one.</exception>
    public static QpcFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = Directory.Exists(path) ? Path.Combine(path, FileName) : path;
        if (!File.Exists(file))
        {
            throw new FileNotFoundException($"There is no QPC at '{file}'. Expected a QPC file, or a directory that holds {FileName}.", file);
        }

        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        long length = stream.Length;
        if (length < HeaderSize)
        {
            // An empty file cannot be mapped.
            throw TooShort(length);
        }

        MemoryMappedFile? mapping = null;
        MemoryMappedViewAccessor? view = null;
        byte* address = null;
        try
        {
            mapping = MemoryMappedFile.CreateFromFile(stream, null, length, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            view = mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        }
        catch
        {
            view?.Dispose();
            mapping?.Dispose();
            throw;
        }

        return new QpcFile(address + view.PointerOffset, length, () =>
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            mapping.Dispose();
        });
    }

    /// <summary>Reads a container from a copy of <paramref name="bytes"/>.</summary>
    /// <exception cref="QpcFormatException">The bytes are no QPC or a damaged one.</exception>
    public static QpcFile FromBytes(ReadOnlySpan<byte> bytes)
    {
        byte[] copy = GC.AllocateUninitializedArray<byte>(Math.Max(bytes.Length, 1), pinned: true);
        bytes.CopyTo(copy);
        return new QpcFile((byte*)Unsafe.AsPointer(ref copy[0]), bytes.Length, static () => { }, copy);
    }

    /// <summary>Reads a container from memory that the caller keeps alive.</summary>
    internal static QpcFile FromMemory(byte* address, long length) => new(address, length, static () => { });

    /// <summary>Finds the first segment of that name.</summary>
    /// <returns>False if there is none.</returns>
    public bool TryGetSegment(string name, [NotNullWhen(true)] out QpcSegment? segment)
    {
        ArgumentNullException.ThrowIfNull(name);
        segment = Segments.FirstOrDefault(s => s.Name == name);
        return segment is not null;
    }

    /// <summary>Reads <c>networkdesc.bin</c>.</summary>
    /// <exception cref="QpcFormatException">The segment is missing or damaged.</exception>
    /// <exception cref="ObjectDisposedException">The container was disposed.</exception>
    public NetworkDescriptor ReadNetworkDescriptor()
    {
        if (!TryGetSegment(NetworkDescriptor.SegmentName, out QpcSegment? segment))
        {
            throw new QpcFormatException($"The container has no segment {NetworkDescriptor.SegmentName}; it has: {string.Join(", ", Segments.Select(s => s.Name))}", HeaderSize);
        }

        return segment.Length <= MaxDescriptorLength
            ? NetworkDescriptor.Parse(segment.Span)
            : throw new QpcFormatException($"Segment {segment.Name} has {segment.Length} bytes; a network descriptor has at most {MaxDescriptorLength}", segment.FileOffset);
    }

    /// <summary>Unmaps the container. Idempotent.</summary>
    public void Dispose()
    {
        _address = 0;
        Interlocked.Exchange(ref _release, null)?.Invoke();
    }

    /// <summary>A part of the container, in place; the caller has checked that it is inside.</summary>
    internal ReadOnlySpan<byte> Slice(long offset, int length)
    {
        byte* address = Address;
        return _copy is null ? new(address + offset, length) : _copy.AsSpan((int)offset, length);
    }

    private List<QpcSegment> ReadSegments()
    {
        if (Length < HeaderSize)
        {
            throw TooShort(Length);
        }

        ReadOnlySpan<byte> header = Slice(0, HeaderSize);
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(header);
        if (magic != Magic)
        {
            throw new QpcFormatException($"The file begins with 0x{magic:X8}, not with a QPC's 0x{Magic:X8}", 0);
        }

        // The two version bytes at 4 are never checked by the vendor's reader, so newer compilers may count them up.
        ushort compression = BinaryPrimitives.ReadUInt16LittleEndian(header[6..]);
        if (compression != SlowPath)
        {
            throw new QpcFormatException($"Compression type {compression} is not for files; expected {SlowPath}", 6);
        }

        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        if (size != (ulong)Length)
        {
            throw new QpcFormatException($"The header claims {size} bytes; the file has {Length}", 8);
        }

        ulong origin = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
        ulong count = BinaryPrimitives.ReadUInt64LittleEndian(header[24..]);
        ulong records = unchecked(BinaryPrimitives.ReadUInt64LittleEndian(header[32..]) - origin);
        if (records < HeaderSize || records > size)
        {
            throw new QpcFormatException($"The segment table would be at {records}; the file has {size} bytes", 32);
        }

        ulong most = Math.Min(MaxSegments, (size - records) / RecordSize);
        if (count > most)
        {
            throw new QpcFormatException($"{count} segments do not fit into the file (at most {most} do)", 24);
        }

        var segments = new List<QpcSegment>((int)count);
        ulong tableEnd = records + (count * RecordSize);
        for (ulong at = records; at < tableEnd; at += RecordSize)
        {
            segments.Add(ReadSegment((long)at, origin, records, tableEnd));
        }

        return segments;
    }

    private QpcSegment ReadSegment(long at, ulong origin, ulong table, ulong tableEnd)
    {
        ReadOnlySpan<byte> record = Slice(at, RecordSize);
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(record);
        ulong staticLength = BinaryPrimitives.ReadUInt64LittleEndian(record[8..]);
        ulong name = unchecked(BinaryPrimitives.ReadUInt64LittleEndian(record[16..]) - origin);
        ulong start = unchecked(BinaryPrimitives.ReadUInt64LittleEndian(record[24..]) - origin);
        ulong length = (ulong)Length;
        if (name < HeaderSize || name >= length || (name >= table && name < tableEnd))
        {
            throw new QpcFormatException($"A segment's name would be at {name}; names lie behind the segment table, which ends at {tableEnd}, in a file of {length} bytes", at + 16);
        }

        ReadOnlySpan<byte> nameBytes = Slice((long)name, (int)Math.Min(length - name, MaxNameLength + 1));
        int end = nameBytes.IndexOf((byte)0);
        if (end <= 0)
        {
            throw new QpcFormatException(end == 0 ? "A segment has no name" : $"A segment's name has no end within {nameBytes.Length} bytes", (long)name);
        }

        string text = Encoding.UTF8.GetString(nameBytes[..end]);
        if (start > length || size > length - start)
        {
            throw new QpcFormatException($"Segment '{text}' would be {size} bytes at {start}; the file has {length}", at);
        }

        // The vendor's reader lets data lie over the header and the records. No writer puts it there; a record that says so is garbage, for example names
        // read as records after a damaged count. Segments that share bytes with one another harm nobody and are let through.
        if (size > 0 && (start < HeaderSize || (start < tableEnd && start + size > table)))
        {
            throw new QpcFormatException($"Segment '{text}' at {start} would overlap the header or the segment table from {table} to {tableEnd}", at + 24);
        }

        return staticLength <= size
            ? new QpcSegment(this, text, (long)start, (long)size, (long)staticLength)
            : throw new QpcFormatException($"Segment '{text}' has {size} bytes, {staticLength} of them static", at + 8);
    }

    private static QpcFormatException TooShort(long length) => new($"The file has {length} bytes; a QPC's header alone has {HeaderSize}", 0);
}
