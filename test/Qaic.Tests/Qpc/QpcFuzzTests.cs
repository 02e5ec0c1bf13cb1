using System.Buffers.Binary;
using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

/// <summary>Whatever the bytes: either everything can be read, or a <see cref="QpcFormatException"/> says why not. A read outside the bytes ends the test process.</summary>
[TestClass]
[OSCondition(OperatingSystems.Linux)]
public sealed unsafe class QpcFuzzTests
{
    private const int Seed = 20240607;

    private static readonly ulong[] s_interesting =
    [
        0, 1, 2, 7, 8, 31, 32, 39, 40, 41, 64, 72, 103, 104, 4095, 4096, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, 1UL << 58, 1UL << 59, (1UL << 59) + 1,
        long.MaxValue, 1UL << 63, ulong.MaxValue - 40, ulong.MaxValue - 31, ulong.MaxValue - 7, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    // Copying reads every byte, at the speed that 200 000 rounds need.
    private static readonly byte[] s_sink = new byte[1 << 13];

    [TestMethod]
    public void Every_truncation_of_every_good_container_is_refused()
    {
        using var memory = new GuardedMemory(1 << 13);
        foreach (byte[] good in QpcData.AllGood.Select(File.ReadAllBytes))
        {
            for (int length = 0; length < good.Length; length++)
            {
                Assert.IsFalse(IsReadable(memory, good.AsSpan(0, length), atEnd: true), $"{length} of {good.Length} bytes");
            }
        }
    }

    // With the size in the header set right, a cut is seen where it hurts, or is harmless (padding).
    [TestMethod]
    public void Every_truncation_that_the_header_admits_is_readable_or_refused()
    {
        using var memory = new GuardedMemory(1 << 13);
        foreach (string path in QpcData.AllGood)
        {
            byte[] good = File.ReadAllBytes(path);
            using var file = QpcFile.Open(path);
            long end = file.Segments.Max(s => s.FileOffset + s.Length);
            for (int length = good.Length; length >= 16; length--)
            {
                BinaryPrimitives.WriteInt64LittleEndian(good.AsSpan(8), length);
                Assert.AreEqual(length >= end, IsReadable(memory, good.AsSpan(0, length), atEnd: true), $"{path}: {length} of {end} bytes");
            }
        }
    }

    [TestMethod]
    public void Two_hundred_thousand_damaged_containers_are_readable_or_refused()
    {
        var random = new Random(Seed);
        byte[][] goods = [.. QpcData.AllGood.Select(File.ReadAllBytes)];
        using var memory = new GuardedMemory(1 << 13);
        byte[] buffer = new byte[1 << 13];
        int readable = 0;
        const int Rounds = 200_000;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] good = goods[round % goods.Length];
            good.CopyTo(buffer, 0);
            int length = Damage(buffer, good.Length, random);
            try
            {
                readable += IsReadable(memory, buffer.AsSpan(0, length), atEnd: (round & 1) == 0) ? 1 : 0;
            }
            catch (Exception e)
            {
                Assert.Fail($"Round {round} of seed {Seed}: {e}\n{Convert.ToHexString(buffer.AsSpan(0, length))}");
            }
        }

        // Both outcomes are reached, or the damage is not worth its name.
        Assert.IsInRange(Rounds / 20, Rounds - (Rounds / 20), readable);
    }

    // One to four faults, most of them where a fault matters: header, records and names, or the descriptor at the end.
    private static int Damage(byte[] bytes, int length, Random random)
    {
        for (int faults = random.Next(1, 5); faults > 0; faults--)
        {
            int from = random.Next(3) switch { 0 => 0, 1 => Math.Max(0, length - 300), _ => random.Next(length) };
            int position = Math.Min(length - 1, from + random.Next(300));
            switch (random.Next(5))
            {
                case 0:
                    bytes[position] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[position] = (byte)random.Next(256);
                    break;
                case 2:
                    WriteWord(bytes, position & ~7, s_interesting[random.Next(s_interesting.Length)]);
                    break;
                case 3:
                    int word = 16 + (8 * random.Next(24));
                    WriteWord(bytes, word, unchecked(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(word)) + (ulong)random.Next(-200, 200)));
                    break;
                default:
                    length = random.Next(4) == 0 ? random.Next(1, length + 1) : length;
                    break;
            }
        }

        // Else the first check would hide all others.
        if (random.Next(8) != 0)
        {
            WriteWord(bytes, 8, (ulong)length);
        }

        return length;
    }

    private static void WriteWord(byte[] bytes, int position, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(position), value);

    private static bool IsReadable(GuardedMemory memory, ReadOnlySpan<byte> bytes, bool atEnd)
    {
        try
        {
            using var file = QpcFile.FromMemory(memory.Place(bytes, atEnd), bytes.Length);
            foreach (QpcSegment segment in file.Segments)
            {
                Touch(segment);
            }

            if (file.TryGetSegment(NetworkDescriptor.SegmentName, out _))
            {
                ReadEverything(file.ReadNetworkDescriptor());
            }

            return true;
        }
        catch (QpcFormatException e)
        {
            Assert.IsGreaterThanOrEqualTo(0, e.Offset);
            return false;
        }
    }

    private static void Touch(QpcSegment segment)
    {
        Assert.IsLessThanOrEqualTo(segment.Length, segment.StaticLength);
        Assert.AreNotEqual("", segment.Name);
        segment.Span.CopyTo(s_sink);
        using Stream stream = segment.OpenRead();
        stream.Seek(-Math.Min(8, segment.Length), SeekOrigin.End);
        Assert.AreEqual((int)Math.Min(8, segment.Length), stream.Read(stackalloc byte[16]));
    }

    // What is written of it is compared in WireFormatTests.
    private static void ReadEverything(NetworkDescriptor network) =>
        IoDescriptor.Parse(IoDescriptor.FromNetwork(network).ToBytes()).SelectedSet.Bindings.ForEach(b => b.ToTensorSpec());
}
