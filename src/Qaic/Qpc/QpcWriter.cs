namespace Qaic.Qpc;

/// <summary>Writes a QPC: base 0, everything padded to 8 bytes.</summary>
public sealed class QpcWriter
{
    public QpcWriter Add(string name, ReadOnlyMemory<byte> data, long staticLength = 0) => throw new NotImplementedException();

    /// <summary>Adds a segment of exactly <paramref name="length"/> bytes that <paramref name="write"/> produces when the file is written.</summary>
    public QpcWriter Add(string name, long length, Action<Stream> write, long staticLength = 0) => throw new NotImplementedException();

    /// <summary>Writes to a temporary name beside <paramref name="path"/>, then renames.</summary>
    public void Write(string path, CancellationToken cancellationToken = default) => throw new NotImplementedException();
}
