using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text;

namespace Qaic.Qpc;

/// <summary>Reads a QPC (Qualcomm Program Container), whoever wrote it.</summary>
/// <remarks>
/// <para>The file is mapped, not read: opening takes the same time for a container of kilobytes and of gigabytes, and segments are read in place.
/// Thread-safe; spans must not be used after <see cref="Dispose"/>.</para>
/// <para>Stricter than the vendor's reader, which follows damaged pointers: everything is checked before anything is followed.</para>
/// </remarks>
public sealed unsafe class QpcFile : IDisposable
{
    /// <summary>Name of the file inside a compiler's output directory.</summary>
    public const string FileName = "programqpc.bin";

    // AICQPC header: magic, versions, compression type, file size, writer's base address, record count, pointer to the records.
    private const uint Magic = 0x00A1CD7C;
    private const int HeaderSize = 40;
    private const int RecordSize = 32;

    // "Self-contained". 0 is an in-memory form whose pointers mean nothing in a file.
    private const ushort SlowPath = 1;

    // Containers have under ten segments with short names. The bounds keep a damaged count or a missing terminator from costing time.
    private const ulong MaxSegments = 4096;
    private const int MaxNameLength = 4096;

    private readonly Action<nint> _release;
    private readonly Lock _lock = new();
    private byte* _address;

    private QpcFile(byte* address, long length, Action<nint> release)
    {
        _address = address;
        Length = length;
        _release = release;
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

    /// <summary>Unmaps a container that nobody disposed.</summary>
    ~QpcFile() => Release();

    /// <summary>Bytes of the container.</summary>
    public long Length { get; }

    /// <summary>All segments in the order of the file. Where a name is there twice, the first counts, as in the vendor's reader.</summary>
    public IReadOnlyList<QpcSegment> Segments { get; } = [];

    /// <summary>First byte; for handing the container to the library.</summary>
    internal byte* Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address is null, this);
            return _address;
        }
    }

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

        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        long length = stream.Length;
        if (length < HeaderSize)
        {
            // An empty file cannot be mapped.
            throw TooShort(length);
        }

        MemoryMappedFile mapping = MemoryMappedFile.CreateFromFile(stream, null, length, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        MemoryMappedViewAccessor view = mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        byte* address = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        return new QpcFile(address + view.PointerOffset, length, _ =>
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
        byte* copy = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes.Length, 1), 64);
        bytes.CopyTo(new Span<byte>(copy, bytes.Length));
        return new QpcFile(copy, bytes.Length, static address => NativeMemory.AlignedFree((void*)address));
    }

    /// <summary>Reads a container from memory that the caller keeps alive.</summary>
    internal static QpcFile FromMemory(byte* address, long length) => new(address, length, static _ => { });

    /// <summary>Finds the first segment of that name.</summary>
    public bool TryGetSegment(string name, [NotNullWhen(true)] out QpcSegment? segment)
    {
        segment = Segments.FirstOrDefault(s => s.Name == name);
        return segment is not null;
    }

    /// <summary>Reads <c>networkdesc.bin</c>.</summary>
    /// <exception cref="QpcFormatException">The segment is missing or damaged.</exception>
    public NetworkDescriptor ReadNetworkDescriptor() =>
        TryGetSegment(NetworkDescriptor.SegmentName, out QpcSegment? segment)
            ? NetworkDescriptor.Parse(segment.Span)
            : throw new QpcFormatException($"The container has no segment {NetworkDescriptor.SegmentName}; it has: {string.Join(", ", Segments.Select(s => s.Name))}", HeaderSize);

    /// <summary>Unmaps the container. Idempotent.</summary>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>A part of the container, in place.</summary>
    internal ReadOnlySpan<byte> Slice(long offset, int length) => new(Address + offset, length);

    private void Release()
    {
        lock (_lock)
        {
            if (_address is not null)
            {
                byte* address = _address;
                _address = null;
                _release((nint)address);
            }
        }
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

        if (count > MaxSegments || count > (size - records) / RecordSize)
        {
            throw new QpcFormatException($"{count} segments do not fit into the file (at most {Math.Min(MaxSegments, (size - records) / RecordSize)} do)", 24);
        }

        var segments = new List<QpcSegment>((int)count);
        ulong tableEnd = records + (count * RecordSize);
        for (ulong at = records; at < tableEnd; at += RecordSize)
        {
            segments.Add(ReadSegment((long)at, origin, tableEnd));
        }

        return segments;
    }

    private QpcSegment ReadSegment(long at, ulong origin, ulong tableEnd)
    {
        ReadOnlySpan<byte> record = Slice(at, RecordSize);
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(record);
        ulong staticLength = BinaryPrimitives.ReadUInt64LittleEndian(record[8..]);
        ulong name = unchecked(BinaryPrimitives.ReadUInt64LittleEndian(record[16..]) - origin);
        ulong start = unchecked(BinaryPrimitives.ReadUInt64LittleEndian(record[24..]) - origin);
        ulong length = (ulong)Length;
        if (name < HeaderSize || name >= length)
        {
            throw new QpcFormatException($"A segment's name would be at {name}; the file has {length} bytes", at + 16);
        }

        ReadOnlySpan<byte> nameBytes = Slice((long)name, (int)Math.Min(length - name, MaxNameLength));
        int end = nameBytes.IndexOf((byte)0);
        if (end <= 0)
        {
            throw new QpcFormatException(end == 0 ? "A segment has no name" : "A segment's name has no end", (long)name);
        }

        string text = Encoding.UTF8.GetString(nameBytes[..end]);
        if (start > length || size > length - start)
        {
            throw new QpcFormatException($"Segment '{text}' would be {size} bytes at {start}; the file has {length}", at);
        }

        // No writer puts data there; a record that says so is garbage, for example names read as records after a damaged count.
        if (size > 0 && start < tableEnd)
        {
            throw new QpcFormatException($"Segment '{text}' at {start} would overlap the segment table, which ends at {tableEnd}", at + 24);
        }

        return staticLength <= size
            ? new QpcSegment(this, text, (long)start, (long)size, (long)staticLength)
            : throw new QpcFormatException($"Segment '{text}' has {size} bytes, {staticLength} of them static", at + 8);
    }

    private static QpcFormatException TooShort(long length) => new($"The file has {length} bytes; a QPC's header alone has {HeaderSize}", 0);
}
