using System.Buffers.Binary;
using System.Text;
using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

[TestClass]
public sealed class QpcFileTests
{
    [TestMethod]
    [DataRow("tiny-file", "network.elf 4 0 @118|x 5 3 @122")]
    [DataRow("tiny-handle", "network.elf 4 0 @128|x 5 3 @136")]
    [DataRow("tiny-handle-base", "network.elf 4 0 @128|x 5 3 @136")]
    [DataRow("simple", "constantsdesc.bin 24 0 @228|constants.bin 64 64 @252|network.elf 1912 0 @316|networkdesc.bin 154 0 @2228")]
    [DataRow("base_7000_ok", "constantsdesc.bin 24 0 @228|constants.bin 64 64 @252|network.elf 1912 0 @316|networkdesc.bin 154 0 @2228")]
    [DataRow("quant", "constantsdesc.bin 24 0 @182|network.elf 2016 0 @206|networkdesc.bin 291 0 @2222")]
    [DataRow("partial", "constantsdesc.bin 24 0 @182|network.elf 1856 0 @206|networkdesc.bin 162 0 @2062")]
    [DataRow("ms2", "constantsdesc.bin 24 0 @182|network.elf 1912 0 @206|networkdesc.bin 154 0 @2118")]
    [DataRow("fb", "constantsdesc.bin 24 0 @182|network.elf 1896 0 @206|networkdesc.bin 154 0 @2102")]
    public void Every_good_container_has_its_segments(string name, string segments)
    {
        using var file = QpcFile.Open(QpcData.Good(name));
        Assert.AreEqual(segments, string.Join('|', file.Segments.Select(QpcData.Describe)));
    }

    [TestMethod]
    [DataRow("tiny-file")]
    [DataRow("tiny-handle")]
    [DataRow("tiny-handle-base")]
    public void The_three_layouts_of_the_worked_example_hold_the_same_bytes(string name)
    {
        using var file = QpcFile.Open(QpcData.Good(name));
        CollectionAssert.AreEqual(new[] { "ELF!", "abcde" }, file.Segments.Select(QpcData.Text).ToArray());
    }

    [TestMethod]
    [DataRow("simple")]
    [DataRow("quant")]
    [DataRow("partial")]
    public void The_descriptor_segment_is_the_descriptor_file(string name)
    {
        using var file = QpcFile.Open(QpcData.Good(name));
        Assert.IsTrue(file.TryGetSegment("networkdesc.bin", out QpcSegment? segment));
        CollectionAssert.AreEqual(QpcData.DescriptorBytes(name), segment.Span.ToArray());
        Assert.AreEqual(name, file.ReadNetworkDescriptor().NetworkName);
    }

    [TestMethod]
    public void The_writers_base_address_does_not_matter()
    {
        using var plain = QpcFile.Open(QpcData.Good("simple"));
        using var moved = QpcFile.Open(QpcData.Good("base_7000_ok"));
        CollectionAssert.AreEqual(plain.Segments.Select(s => Convert.ToHexString(s.Span)).ToArray(), moved.Segments.Select(s => Convert.ToHexString(s.Span)).ToArray());
    }

    [TestMethod]
    [DataRow("badmagic", 0, "not with a QPC's 0x00A1CD7C")]
    [DataRow("hdr8", 0, "The file has 8 bytes; a QPC's header alone has 40")]
    [DataRow("fastpath", 6, "Compression type 0")]
    [DataRow("trailing_garbage", 8, "claims 2382 bytes; the file has 2384")]
    [DataRow("numimages_huge", 24, "1099511627776 segments do not fit")]
    [DataRow("trunc_segtable", 24, "4 segments do not fit into the file (at most 0 do)")]
    [DataRow("images_out", 32, "The segment table would be at 2147483647")]
    [DataRow("name_out", 56, "name would be at 100000002382")]
    [DataRow("const_offset_gt_size", 80, "'constants.bin' has 64 bytes, 1000 of them static")]
    [DataRow("elf_size_huge", 104, "'network.elf' would be 8589934592 bytes at 316")]
    [DataRow("trunc_tail_size_fixed", 136, "'networkdesc.bin' would be 154 bytes at 2228; the file has 2372")]
    [DataRow("numimages_plus1", 56, "name would be at 168; names lie behind the segment table, which ends at 200")]
    public void Every_bad_container_is_refused_where_it_is_wrong(string name, int offset, string reason)
    {
        var e = Assert.ThrowsExactly<QpcFormatException>(() => QpcFile.Open(Path.Combine(QpcData.Root, "bad", name + ".qpc")));
        StringAssert.Contains(e.Message, reason);
        Assert.AreEqual(offset, e.Offset);
    }

    [TestMethod]
    public void No_bad_container_is_left_out()
    {
        var rows = typeof(QpcFileTests).GetMethod(nameof(Every_bad_container_is_refused_where_it_is_wrong))!.GetCustomAttributes(typeof(DataRowAttribute), false);
        CollectionAssert.AreEquivalent(Names("bad"), rows.Select(r => (string)((DataRowAttribute)r).Data[0]!).ToArray());
        rows = typeof(QpcFileTests).GetMethod(nameof(Every_good_container_has_its_segments))!.GetCustomAttributes(typeof(DataRowAttribute), false);
        CollectionAssert.AreEquivalent(Names("good"), rows.Select(r => (string)((DataRowAttribute)r).Data[0]!).ToArray());
        static string[] Names(string kind) => [.. Directory.GetFiles(Path.Combine(QpcData.Root, kind)).Select(f => Path.GetFileNameWithoutExtension(f)!)];
    }

    // Positions in QpcData.Tiny; 64-bit values.
    [TestMethod]
    [DataRow(32, 39UL, 32, "segment table would be at 39")]
    [DataRow(32, 145UL, 32, "segment table would be at 145")]
    [DataRow(32, ulong.MaxValue, 32, "segment table would be at 18446744073709551615")]
    [DataRow(16, 41UL, 32, "segment table would be at 18446744073709551615")]
    [DataRow(24, ulong.MaxValue, 24, "segments do not fit")]
    [DataRow(56, 8UL, 56, "name would be at 8")]
    [DataRow(56, 64UL, 56, "name would be at 64; names lie behind the segment table")]
    [DataRow(56, 144UL, 56, "name would be at 144")]
    [DataRow(56, 116UL, 116, "has no name")]
    [DataRow(64, 145UL, 40, "'network.elf' would be 4 bytes at 145")]
    [DataRow(64, 141UL, 40, "'network.elf' would be 4 bytes at 141")]
    [DataRow(64, ulong.MaxValue - 1, 40, "'network.elf' would be 4 bytes at 18446744073709551614")]
    [DataRow(64, 37UL, 64, "'network.elf' at 37 would overlap the header")]
    [DataRow(64, 103UL, 64, "'network.elf' at 103 would overlap the header or the segment table from 40 to 104")]
    [DataRow(80, 6UL, 80, "'x' has 5 bytes, 6")]
    [DataRow(40, ulong.MaxValue, 40, "would be 18446744073709551615 bytes")]
    public void A_damaged_number_is_refused(int position, ulong value, int offset, string reason)
    {
        byte[] bytes = QpcData.Tiny();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(position), value);
        var e = Assert.ThrowsExactly<QpcFormatException>(() => QpcFile.FromBytes(bytes));
        StringAssert.Contains(e.Message, reason);
        Assert.AreEqual(offset, e.Offset);
    }

    [TestMethod]
    public void A_name_without_an_end_is_refused()
    {
        byte[] bytes = QpcData.Tiny();
        bytes.AsSpan(120).Fill((byte)'x');
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => QpcFile.FromBytes(bytes)).Message, "no end within 24 bytes");
    }

    [TestMethod]
    public void Versions_are_not_checked_but_the_compression_type_is()
    {
        byte[] bytes = QpcData.Tiny();
        (bytes[4], bytes[5]) = (9, 9);
        using var file = QpcFile.FromBytes(bytes);
        Assert.HasCount(2, file.Segments);
        bytes[6] = 2;
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => QpcFile.FromBytes(bytes)).Message, "Compression type 2");
    }

    [TestMethod]
    public void Pointers_may_wrap_around_64_bits()
    {
        byte[] bytes = QpcData.Tiny();
        foreach (int pointer in new[] { 16, 32, 56, 64, 88, 96 })
        {
            Span<byte> at = bytes.AsSpan(pointer);
            BinaryPrimitives.WriteUInt64LittleEndian(at, unchecked(BinaryPrimitives.ReadUInt64LittleEndian(at) + ulong.MaxValue - 50));
        }

        using var file = QpcFile.FromBytes(bytes);
        CollectionAssert.AreEqual(new[] { "ELF!", "abcde" }, file.Segments.Select(QpcData.Text).ToArray());
    }

    [TestMethod]
    public void Of_two_segments_with_one_name_the_first_counts()
    {
        byte[] bytes = QpcData.Tiny();
        bytes[88] = 104;
        using var file = QpcFile.FromBytes(bytes);
        Assert.HasCount(2, file.Segments);
        Assert.IsTrue(file.TryGetSegment("network.elf", out QpcSegment? segment));
        Assert.AreEqual("ELF!", QpcData.Text(segment));
    }

    [TestMethod]
    public void Segments_may_share_bytes_and_an_empty_one_may_stand_at_the_end()
    {
        byte[] bytes = QpcData.Tiny();
        bytes[96] = 129;
        (bytes[40], bytes[64]) = (0, 144);
        using var file = QpcFile.FromBytes(bytes);
        Assert.AreEqual("|LF!\0\0", string.Join('|', file.Segments.Select(QpcData.Text)));
    }

    [TestMethod]
    public void Data_between_the_header_and_a_later_table_is_accepted()
    {
        // Header, 8 bytes of data, one record at 48, its name at 80.
        byte[] bytes = new byte[88];
        QpcData.Tiny().AsSpan(0, 8).CopyTo(bytes);
        foreach ((int at, ulong value) in new (int, ulong)[] { (8, 88), (24, 1), (32, 48), (48, 8), (64, 80), (72, 40) })
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value);
        }

        Encoding.ASCII.GetBytes("contents", bytes.AsSpan(40));
        bytes[80] = (byte)'c';
        using var file = QpcFile.FromBytes(bytes);
        Assert.AreEqual("contents", QpcData.Text(file.Segments.Single()));
    }

    [TestMethod]
    public void A_container_without_segments_says_what_it_lacks()
    {
        byte[] bytes = QpcData.Tiny();
        bytes[24] = 0;
        using var file = QpcFile.FromBytes(bytes);
        Assert.IsFalse(file.TryGetSegment("network.elf", out _));
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(file.ReadNetworkDescriptor).Message, "no segment networkdesc.bin");
    }

    [TestMethod]
    public void A_directory_is_opened_by_the_file_that_compilers_write_there()
    {
        using var scratch = new ScratchDirectory();
        var e = Assert.ThrowsExactly<FileNotFoundException>(() => QpcFile.Open(scratch.Path));
        StringAssert.Contains(e.Message, scratch.File("programqpc.bin"));
        File.Copy(QpcData.Good("simple"), scratch.File("programqpc.bin"));
        using var file = QpcFile.Open(scratch.Path);
        Assert.AreEqual(2382, file.Length);
    }

    [TestMethod]
    public void A_missing_file_is_named()
    {
        var e = Assert.ThrowsExactly<FileNotFoundException>(() => QpcFile.Open("nowhere/model.qpc"));
        StringAssert.Contains(e.Message, "nowhere/model.qpc");
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(3)]
    [DataRow(39)]
    public void A_file_shorter_than_the_header_is_refused_before_it_is_mapped(int length)
    {
        using var scratch = new ScratchDirectory();
        File.WriteAllBytes(scratch.File("short.qpc"), QpcData.Tiny()[..length]);
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => QpcFile.Open(scratch.File("short.qpc"))).Message, $"The file has {length} bytes");
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void After_dispose_reading_throws_instead_of_crashing(bool mapped)
    {
        QpcFile file = mapped ? QpcFile.Open(QpcData.Good("simple")) : QpcFile.FromBytes(File.ReadAllBytes(QpcData.Good("simple")));
        QpcSegment segment = file.Segments[0];
        Stream stream = segment.OpenRead();
        file.Dispose();
        file.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => segment.Span.Length);
        Assert.ThrowsExactly<ObjectDisposedException>(() => segment.Slice(0, 1).Length);
        Assert.ThrowsExactly<ObjectDisposedException>(() => stream.ReadByte());
        Assert.ThrowsExactly<ObjectDisposedException>(file.ReadNetworkDescriptor);
    }

    [TestMethod]
    [DataRow(-1L, 1, "offset")]
    [DataRow(25L, 0, "offset")]
    [DataRow(long.MaxValue, 0, "offset")]
    [DataRow(0L, 25, "length")]
    [DataRow(24L, 1, "length")]
    [DataRow(0L, -1, "length")]
    [DataRow(20L, int.MaxValue, "length")]
    public void A_slice_outside_of_the_segment_is_refused(long offset, int length, string parameter)
    {
        using var file = QpcFile.Open(QpcData.Good("simple"));
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => file.Segments[0].Slice(offset, length).Length);
        Assert.AreEqual(parameter, e.ParamName);
    }

    [TestMethod]
    public void A_segment_can_be_read_as_a_stream()
    {
        using var file = QpcFile.Open(QpcData.Good("simple"));
        QpcSegment segment = file.Segments[3];
        using Stream stream = segment.OpenRead();
        stream.Seek(-4, SeekOrigin.End);
        byte[] tail = new byte[8];
        Assert.AreEqual(4, stream.Read(tail));
        Assert.AreEqual(0, stream.Read(tail));
        CollectionAssert.AreEqual(segment.Span[^4..].ToArray(), tail[..4]);
        stream.Position = 0;
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        CollectionAssert.AreEqual(segment.Span.ToArray(), copy.ToArray());
    }

    [TestMethod]
    public void Many_threads_read_one_container()
    {
        using var file = QpcFile.Open(QpcData.Good("quant"));
        string expected = Convert.ToHexString(file.ReadNetworkDescriptor().ToBytes());
        Parallel.For(0, 200, _ => Assert.AreEqual(expected, Convert.ToHexString(file.ReadNetworkDescriptor().ToBytes())));
    }

    [TestMethod]
    public void FromBytes_copies()
    {
        byte[] bytes = QpcData.Tiny();
        using var file = QpcFile.FromBytes(bytes);
        Array.Clear(bytes);
        CollectionAssert.AreEqual(new[] { "ELF!", "abcde" }, file.Segments.Select(QpcData.Text).ToArray());
    }
}
