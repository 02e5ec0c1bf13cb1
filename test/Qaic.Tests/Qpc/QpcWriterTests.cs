using System.Text;
using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

[TestClass]
public sealed class QpcWriterTests
{
    [TestMethod]
    public void The_worked_example_is_written_byte_for_byte()
    {
        using var scratch = new ScratchDirectory();
        new QpcWriter().Add("network.elf", "ELF!"u8.ToArray()).Add("x", "abcde"u8.ToArray(), staticLength: 3).Write(scratch.File("tiny.qpc"));
        CollectionAssert.AreEqual(QpcData.Tiny(), File.ReadAllBytes(scratch.File("tiny.qpc")));
    }

    [TestMethod]
    public void What_is_written_is_read_again()
    {
        using var scratch = new ScratchDirectory();
        var writer = new QpcWriter().Add("empty", Array.Empty<byte>()).Add("größe.bin", new byte[] { 1, 2, 3 }).Add(new string('n', 4095), new byte[8]);
        writer.Add("constants.bin", Enumerable.Range(0, 1001).Select(i => (byte)i).ToArray(), staticLength: 400).Write(scratch.File("a.qpc"));
        using var file = QpcFile.Open(scratch.File("a.qpc"));
        Assert.AreEqual($"empty 0 0|größe.bin 3 0|{new string('n', 4095)} 8 0|constants.bin 1001 400", string.Join('|', file.Segments.Select(s => QpcData.Describe(s).Split(" @")[0])));
        Assert.AreEqual(0, file.Length % 8);
        Assert.IsTrue(file.Segments.All(s => s.FileOffset % 8 == 0));
        CollectionAssert.AreEqual(Enumerable.Range(0, 1001).Select(i => (byte)i).ToArray(), file.Segments[3].Span.ToArray());
    }

    [TestMethod]
    public void A_container_without_segments_can_be_written()
    {
        using var scratch = new ScratchDirectory();
        new QpcWriter().Write(scratch.File("none.qpc"));
        using var file = QpcFile.Open(scratch.File("none.qpc"));
        Assert.HasCount(0, file.Segments);
    }

    [TestMethod]
    public void A_large_segment_is_streamed_and_one_writer_writes_several_files()
    {
        using var scratch = new ScratchDirectory();
        byte[] chunk = [.. Enumerable.Range(0, 4099).Select(i => (byte)(i * 7))];
        var writer = new QpcWriter().Add("constants.bin", 1000L * chunk.Length, stream => Repeat(stream, chunk, 1000), staticLength: 1000L * chunk.Length);
        writer.Write(scratch.File("a.qpc"));
        writer.Write(scratch.File("b.qpc"));
        using var file = QpcFile.Open(scratch.File("a.qpc"));
        CollectionAssert.AreEqual(chunk, file.Segments[0].Slice(999L * chunk.Length, chunk.Length).ToArray());
        Assert.IsTrue(File.ReadAllBytes(scratch.File("a.qpc")).AsSpan().SequenceEqual(File.ReadAllBytes(scratch.File("b.qpc"))));
    }

    [TestMethod]
    [DataRow(9, "announced with 10 bytes, but 9 were written")]
    [DataRow(0, "announced with 10 bytes, but 0 were written")]
    [DataRow(11, "announced with 10 bytes, but more are being written")]
    public void A_segment_of_another_length_than_announced_leaves_the_old_file_alone(int bytes, string reason)
    {
        var writer = new QpcWriter().Add("s", 10, stream => Repeat(stream, [1], bytes));
        var e = AssertNothingChanges<InvalidOperationException>(writer, default);
        StringAssert.Contains(e.Message, reason);
    }

    [TestMethod]
    public void A_failing_callback_leaves_the_old_file_alone()
    {
        var writer = new QpcWriter().Add("s", 10, stream =>
        {
            stream.WriteByte(1);
            throw new TimeoutException("no more weights");
        });
        Assert.AreEqual("no more weights", AssertNothingChanges<TimeoutException>(writer, default).Message);
    }

    [TestMethod]
    public void Cancellation_between_two_writes_leaves_the_old_file_alone()
    {
        using var cancellation = new CancellationTokenSource();
        int written = 0;
        var writer = new QpcWriter().Add("s", 1 << 20, stream =>
        {
            for (; written < 1 << 20; written += 4096)
            {
                if (written == 1 << 19)
                {
                    cancellation.Cancel();
                }

                stream.Write(new byte[4096]);
            }
        });
        AssertNothingChanges<OperationCanceledException>(writer, cancellation.Token);
        Assert.AreEqual(1 << 19, written);
    }

    [TestMethod]
    public void A_reader_keeps_the_file_that_it_opened_when_another_takes_its_name()
    {
        using var scratch = new ScratchDirectory();
        string path = scratch.File("a.qpc");
        new QpcWriter().Add("s", "old"u8.ToArray()).Write(path);
        using var old = QpcFile.Open(path);
        new QpcWriter().Add("s", "new"u8.ToArray()).Write(path);
        using var fresh = QpcFile.Open(path);
        Assert.AreEqual("old new", $"{QpcData.Text(old.Segments[0])} {QpcData.Text(fresh.Segments[0])}");
    }

    [TestMethod]
    [DataRow("", "empty")]
    [DataRow("a\0b", "NUL")]
    [DataRow("network.elf", "has a segment 'network.elf' already")]
    public void A_name_that_a_reader_could_not_find_is_refused(string name, string reason)
    {
        var writer = new QpcWriter().Add("network.elf", new byte[1]);
        StringAssert.Contains(Assert.Throws<ArgumentException>(() => writer.Add(name, new byte[1])).Message, reason);
    }

    [TestMethod]
    public void What_a_reader_would_refuse_is_not_written()
    {
        var writer = new QpcWriter();
        Assert.ThrowsExactly<EncoderFallbackException>(() => writer.Add("half a pair \ud800", new byte[1]));
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => writer.Add(new string('n', 4096), new byte[1])).Message, "4096 bytes is longer than 4095");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => writer.Add("constants.bin", new byte[4], staticLength: 5));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => writer.Add("s", -1, _ => { }));
        for (int i = 0; i < 4096; i++)
        {
            writer.Add($"s{i}", new byte[1]);
        }

        Assert.ThrowsExactly<InvalidOperationException>(() => writer.Add("last", new byte[1]));
    }

    [TestMethod]
    public void A_path_that_is_a_directory_or_lies_in_none_is_refused()
    {
        using var scratch = new ScratchDirectory();
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new QpcWriter().Write(scratch.Path)).Message, "is a directory");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new QpcWriter().Write("/")).Message, "is a directory");
        Assert.ThrowsExactly<DirectoryNotFoundException>(() => new QpcWriter().Write(Path.Combine(scratch.Path, "none", "a.qpc")));
        Assert.IsEmpty(Directory.GetFileSystemEntries(scratch.Path));
    }

    private static T AssertNothingChanges<T>(QpcWriter writer, CancellationToken cancellationToken) where T : Exception
    {
        using var scratch = new ScratchDirectory();
        File.WriteAllText(scratch.File("a.qpc"), "as before");
        T e = Assert.ThrowsExactly<T>(() => writer.Write(scratch.File("a.qpc"), cancellationToken));
        CollectionAssert.AreEqual(new[] { scratch.File("a.qpc") }, Directory.GetFileSystemEntries(scratch.Path));
        Assert.AreEqual("as before", File.ReadAllText(scratch.File("a.qpc"), Encoding.ASCII));
        return e;
    }

    private static void Repeat(Stream stream, byte[] bytes, int times)
    {
        for (int i = 0; i < times; i++)
        {
            stream.Write(bytes);
        }
    }
}
