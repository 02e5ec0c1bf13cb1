namespace Qaic.Qpc;

/// <summary>One named block of a QPC, in place.</summary>
public sealed unsafe class QpcSegment
{
    public string Name => throw new NotImplementedException();

    public long Length => throw new NotImplementedException();

    /// <summary>Bytes of the static part of <c>constants.bin</c>; 0 for other segments.</summary>
    public long StaticLength => throw new NotImplementedException();

    public long FileOffset => throw new NotImplementedException();

    /// <summary>The bytes in place. Throws InvalidOperationException over 2 GiB.</summary>
    public ReadOnlySpan<byte> Span => throw new NotImplementedException();

    /// <summary>A part in place.</summary>
    public ReadOnlySpan<byte> Slice(long offset, int length) => throw new NotImplementedException();

    /// <summary>A read-only stream, any length.</summary>
    public Stream OpenRead() => throw new NotImplementedException();
}
