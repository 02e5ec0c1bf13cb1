using System.Buffers.Binary;
using System.Text;

namespace Qaic.Qpc;

/// <summary>Writes a QPC: base 0, names and segments padded to 8 bytes, which the vendor's reader accepts.</summary>
/// <remarks>Not thread-safe. One writer can write several files.</remarks>
public sealed class QpcWriter
{
    private const int Alignment = 8;
    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly List<Part> _parts = [];

    private sealed record Part(string Name, byte[] NameBytes, long Length, long StaticLength, Action<Stream> Write);

    /// <summary>Adds a segment.</summary>
    /// <param name="name">Name, unique in the container.</param>
    /// <param name="data">Its bytes.</param>
    /// <param name="staticLength">Bytes of the static part that <c>constants.bin</c> begins with; 0 makes all of it dynamic. 0 for other segments: the vendor's reader would not see more than this.</param>
    /// <exception cref="ArgumentException">The name is empty, contains NUL, or is too long (4095 bytes) or there already; or the static part is longer than the segment.</exception>
    public QpcWriter Add(string name, ReadOnlyMemory<byte> data, long staticLength = 0) => Add(name, data.Length, stream => stream.Write(data.Span), staticLength);

    /// <summary>Adds a segment that is produced while the file is written, for data that should not be held in memory.</summary>
    /// <param name="name">Name, unique in the container.</param>
    /// <param name="length">Bytes that <paramref name="write"/> writes, exactly.</param>
    /// <param name="write">Writes the bytes to the stream it is given; called once per file.</param>
    /// <param name="staticLength">Bytes of the static part that <c>constants.bin</c> begins with; 0 makes all of it dynamic. 0 for other segments: the vendor's reader would not see more than this.</param>
    /// <exception cref="ArgumentException">The name is empty, contains NUL, or is too long (4095 bytes) or there already; or a length is impossible.</exception>
    /// <exception cref="InvalidOperationException">There are 4096 segments already.</exception>
    public QpcWriter Add(string name, long length, Action<Stream> write, long staticLength = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(write);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegative(staticLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(staticLength, length);
        if (name.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("A segment's name cannot contain NUL, which ends it in the file.", nameof(name));
        }

        if (_parts.Exists(p => p.Name == name))
        {
            throw new ArgumentException($"The container has a segment '{name}' already.", nameof(name));
        }

        byte[] nameBytes = s_strictUtf8.GetBytes(name);
        if (nameBytes.Length > QpcFile.MaxNameLength)
        {
            throw new ArgumentException($"A segment's name of {nameBytes.Length} bytes is longer than {QpcFile.MaxNameLength}.", nameof(name));
        }

        if (_parts.Count == QpcFile.MaxSegments)
        {
            throw new InvalidOperationException($"The container has {QpcFile.MaxSegments} segments already; readers accept no more.");
        }

        _parts.Add(new Part(name, nameBytes, length, staticLength, write));
        return this;
    }

    /// <summary>Writes the file under a temporary name beside <paramref name="path"/>, and renames it when it is complete.</summary>
    /// <param name="path">The file to create or replace. Its directory must exist.</param>
    /// <param name="cancellationToken">Ends the writing; nothing is left behind, an existing file stays as it was.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is a directory.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before the file was complete.</exception>
    /// <exception cref="InvalidOperationException">A segment's callback wrote another number of bytes than it had announced.</exception>
    /// <exception cref="IOException">The disk is full, or the directory is missing.</exception>
    public void Write(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = Path.GetFullPath(path);
        if (Path.GetFileName(full).Length == 0 || Directory.Exists(full))
        {
            throw new ArgumentException($"'{path}' is a directory; expected the path of a file, such as {Path.Combine(path, QpcFile.FileName)}.", nameof(path));
        }

        string temporary = Path.Combine(Path.GetDirectoryName(full)!, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");

        // Outside of the try: what could not be created must not be deleted either.
        var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        try
        {
            using (file)
            {
                WriteTo(file, cancellationToken);

                // A rename can survive a power cut that the bytes did not.
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, full, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private void WriteTo(Stream file, CancellationToken cancellationToken)
    {
        long tableEnd = QpcFile.HeaderSize + ((long)QpcFile.RecordSize * _parts.Count);
        long data = tableEnd + _parts.Sum(p => Padded(p.NameBytes.Length + 1));
        long size = data + _parts.Sum(p => Padded(p.Length));
        Span<byte> header = stackalloc byte[QpcFile.HeaderSize];
        BinaryPrimitives.WriteUInt32LittleEndian(header, QpcFile.Magic);
        header[4] = 0;
        header[5] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], QpcFile.SlowPath);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], size);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], _parts.Count);
        BinaryPrimitives.WriteInt64LittleEndian(header[32..], QpcFile.HeaderSize);
        file.Write(header);

        long name = tableEnd;
        Span<byte> record = stackalloc byte[QpcFile.RecordSize];
        foreach (Part part in _parts)
        {
            BinaryPrimitives.WriteInt64LittleEndian(record, part.Length);
            BinaryPrimitives.WriteInt64LittleEndian(record[8..], part.StaticLength);
            BinaryPrimitives.WriteInt64LittleEndian(record[16..], name);
            BinaryPrimitives.WriteInt64LittleEndian(record[24..], data);
            file.Write(record);
            name += Padded(part.NameBytes.Length + 1);
            data += Padded(part.Length);
        }

        foreach (Part part in _parts)
        {
            file.Write(part.NameBytes);
            Pad(file, part.NameBytes.Length, Padded(part.NameBytes.Length + 1));
        }

        foreach (Part part in _parts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var bounded = new BoundedStream(file, part, cancellationToken);
            part.Write(bounded);
            if (bounded.Written != part.Length)
            {
                throw new InvalidOperationException($"Segment '{part.Name}' was announced with {part.Length} bytes, but {bounded.Written} were written.");
            }

            Pad(file, part.Length, Padded(part.Length));
        }
    }

    private static long Padded(long length) => checked(length + Alignment - 1) & ~(long)(Alignment - 1);

    private static void Pad(Stream file, long from, long to)
    {
        ReadOnlySpan<byte> zeros = stackalloc byte[2 * Alignment];
        file.Write(zeros[..(int)(to - from)]);
    }

    // Counts what a callback writes, stops it at its announced length, and lets a cancellation through between writes.
    private sealed class BoundedStream(Stream file, Part part, CancellationToken cancellationToken) : Stream
    {
        public long Written { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => Written;

        public override long Position
        {
            get => Written;
            set => throw new NotSupportedException("A segment is written from its start to its end.");
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (buffer.Length > part.Length - Written)
            {
                throw new InvalidOperationException($"Segment '{part.Name}' was announced with {part.Length} bytes, but more are being written.");
            }

            file.Write(buffer);
            Written += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A segment being written cannot be read.");

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A segment is written from its start to its end.");

        public override void SetLength(long value) => throw new NotSupportedException("A segment's length was announced.");
    }
}
