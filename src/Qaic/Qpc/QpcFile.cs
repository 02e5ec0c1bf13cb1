using System.Diagnostics.CodeAnalysis;

namespace Qaic.Qpc;

/// <summary>Reads a QPC (Qualcomm Program Container), by either of the vendor's writers or by <see cref="QpcWriter"/>.</summary>
public sealed unsafe class QpcFile : IDisposable
{
    /// <summary>Name of the file inside a compiler's output directory.</summary>
    public const string FileName = "programqpc.bin";

    public static QpcFile Open(string path) => throw new NotImplementedException();

    public static QpcFile FromBytes(ReadOnlySpan<byte> bytes) => throw new NotImplementedException();

    internal static QpcFile FromMemory(byte* address, long length) => throw new NotImplementedException();

    public long Length => throw new NotImplementedException();

    public IReadOnlyList<QpcSegment> Segments => throw new NotImplementedException();

    public bool TryGetSegment(string name, [NotNullWhen(true)] out QpcSegment? segment) => throw new NotImplementedException();

    public NetworkDescriptor ReadNetworkDescriptor() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
