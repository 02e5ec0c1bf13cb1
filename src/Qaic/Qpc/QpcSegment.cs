namespace Qaic.Qpc;

/// <summary>One named block of a QPC, read in place.</summary>
public sealed class QpcSegment
{
    private readonly QpcFile _file;

    internal QpcSegment(QpcFile file, string name, long offset, long length, long staticLength)
    {
        _file = file;
        Name = name;
        FileOffset = offset;
        Length = length;
        StaticLength = staticLength;
    }

    /// <summary>Name: <c>network.elf</c>, <c>networkdesc.bin</c>, <c>constants.bin</c>, <c>constantsdesc.bin</c>, …</summary>
    public string Name { get; }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>Bytes of the static part that <c>constants.bin</c> begins with; the dynamic part follows. 0 for the other segments that compilers write.</summary>
    public long StaticLength { get; }

    /// <summary>Position of the first byte in the file.</summary>
    public long FileOffset { get; }

    /// <summary>All bytes, in place. Not to be used after the file was disposed.</summary>
    /// <exception cref="InvalidOperationException">The segment is larger than a span can be (2 GiB); use <see cref="Slice"/> or <see cref="OpenRead"/>.</exception>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public ReadOnlySpan<byte> Span =>
        Length <= int.MaxValue
            ? _file.Slice(FileOffset, (int)Length)
            : throw new InvalidOperationException($"Segment '{Name}' has {Length} bytes, more than a span can hold. Use Slice or OpenRead.");

    /// <summary>A part of the bytes, in place. Not to be used after the file was disposed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part is not inside the segment.</exception>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        if (offset < 0 || offset > Length)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"Segment '{Name}' has {Length} bytes.");
        }

        return length >= 0 && length <= Length - offset
            ? _file.Slice(FileOffset + offset, length)
            : throw new ArgumentOutOfRangeException(nameof(length), length, $"Segment '{Name}' has {Length - offset} bytes from offset {offset}.");
    }

    /// <summary>A read-only stream over the bytes, of any length.</summary>
    public Stream OpenRead() => new SegmentStream(this);

    private sealed class SegmentStream(QpcSegment segment) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => segment.Length;

        public override long Position
        {
            get => _position;
            set => _position = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A position cannot be negative.");
        }

        public override int Read(Span<byte> buffer)
        {
            int count = (int)Math.Clamp(Length - _position, 0, buffer.Length);
            if (count > 0)
            {
                segment.Slice(_position, count).CopyTo(buffer);
                _position += count;
            }

            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => _position + offset,
            _ => Length + offset,
        };

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException("A segment cannot be changed.");

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A segment cannot be changed.");
    }
}
