using System.Text;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.Tests.Qpc;

/// <summary>The containers and descriptors under test/data/qpc; its README says what they are.</summary>
internal static class QpcData
{
    public static string Root { get; } = Repository.Data("qpc");

    public static string Good(string name) => Path.Combine(Root, "good", name + ".qpc");

    public static IEnumerable<string> AllGood => Directory.GetFiles(Path.Combine(Root, "good"), "*.qpc").Order(StringComparer.Ordinal);

    public static byte[] DescriptorBytes(string name) => File.ReadAllBytes(Path.Combine(Root, "netdesc", name + ".netdesc.bin"));

    public static NetworkDescriptor Descriptor(string name) => NetworkDescriptor.Parse(DescriptorBytes(name));

    public static string DescriptorText(string name) => File.ReadAllText(Path.Combine(Root, "netdesc", name + ".netdesc.txt"));

    /// <summary>The worked example with base 0: records at 40 and 72, names at 104 and 120, data at 128 and 136, 144 bytes.</summary>
    public static byte[] Tiny() => File.ReadAllBytes(Good("tiny-handle"));

    /// <summary>For comparisons: name, length, static length, position.</summary>
    public static string Describe(QpcSegment segment) => $"{segment.Name} {segment.Length} {segment.StaticLength} @{segment.FileOffset}";

    public static string Text(QpcSegment segment) => Encoding.ASCII.GetString(segment.Span);
}

/// <summary>A directory that is gone when the test is over.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("qaic-qpc-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
