using System.Buffers.Binary;
using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

[TestClass]
public sealed class LargeFileTests
{
    private const long Data = 128;
    private const long Length = 3L << 30;

    [TestMethod]
    public void A_segment_of_3_GiB_is_read_in_place_past_2_GiB()
    {
        using var scratch = new ScratchDirectory();
        using var file = QpcFile.Open(WriteSparse(scratch, "constants.bin"));
        QpcSegment segment = file.Segments[0];
        Assert.AreEqual("constants.bin 3221225472 2684354560 @128", QpcData.Describe(segment));
        Assert.AreEqual("the end", System.Text.Encoding.ASCII.GetString(segment.Slice(Length - 7, 7)));
        Assert.AreEqual(0, segment.Slice(int.MaxValue, 1)[0]);
        using Stream stream = segment.OpenRead();
        stream.Seek(-7, SeekOrigin.End);
        Assert.AreEqual("the end", new StreamReader(stream).ReadToEnd());
    }

    [TestMethod]
    public void A_span_over_2_GiB_is_refused_with_the_way_out()
    {
        using var scratch = new ScratchDirectory();
        using var file = QpcFile.Open(WriteSparse(scratch, "constants.bin"));
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => file.Segments[0].Span.Length).Message, "Use Slice or OpenRead");
    }

    [TestMethod]
    public void A_network_descriptor_of_3_GiB_is_not_even_read()
    {
        using var scratch = new ScratchDirectory();
        using var file = QpcFile.Open(WriteSparse(scratch, "networkdesc.bin"));
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(file.ReadNetworkDescriptor).Message, "a network descriptor has at most 67108864");
    }

    // One segment; its bytes are a hole in the file, but for the last seven.
    private static string WriteSparse(ScratchDirectory scratch, string name)
    {
        byte[] start = new byte[Data];
        QpcData.Tiny().AsSpan(0, 8).CopyTo(start);
        foreach ((int at, long value) in new[] { (8, Data + Length), (24, 1), (32, 40), (40, Length), (48, 5L << 29), (56, 72), (64, Data) })
        {
            BinaryPrimitives.WriteInt64LittleEndian(start.AsSpan(at), value);
        }

        System.Text.Encoding.ASCII.GetBytes(name, start.AsSpan(72));
        string path = scratch.File("large.qpc");
        using var file = File.Create(path);
        file.Write(start);
        file.SetLength(Data + Length);
        file.Seek(-7, SeekOrigin.End);
        file.Write("the end"u8);
        return path;
    }
}
