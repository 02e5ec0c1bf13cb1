using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text;
using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

[TestClass]
public sealed class WireFormatTests
{
    // Fields 100 to 103 of the four wire types; no message has them.
    private static readonly byte[] s_unknown = Convert.FromHexString("A00605" + "AA0603616263" + "B50601020304" + "B9060102030405060708");

    [TestMethod]
    public void Every_field_of_a_network_descriptor_survives()
    {
        var network = (NetworkDescriptor)Filled(typeof(NetworkDescriptor), new Counter());
        Assert.AreEqual(Dump(network), Dump(NetworkDescriptor.Parse(network.ToBytes())));
    }

    [TestMethod]
    public void Every_field_of_an_io_descriptor_survives()
    {
        var io = (IoDescriptor)Filled(typeof(IoDescriptor), new Counter());
        Assert.AreEqual(Dump(io), Dump(IoDescriptor.Parse(io.ToBytes())));
    }

    // Paths of field numbers: which messages the unknown fields are put into.
    [TestMethod]
    [DataRow()]
    [DataRow(4)]
    [DataRow(4, 2)]
    [DataRow(5, 3)]
    [DataRow(4, 4)]
    [DataRow(5, 4, 8)]
    [DataRow(5, 4, 9)]
    [DataRow(6)]
    [DataRow(12)]
    [DataRow(16)]
    [DataRow(18)]
    [DataRow(18, 1)]
    public void Unknown_fields_of_a_network_descriptor_survive_at_every_level(params int[] path) =>
        StringAssert.Contains(Convert.ToHexString(NetworkDescriptor.Parse(Nest(s_unknown, path)).ToBytes()), Convert.ToHexString(s_unknown));

    [TestMethod]
    [DataRow()]
    [DataRow(1)]
    [DataRow(1, 2)]
    [DataRow(1, 2, 9)]
    [DataRow(2, 2, 9)]
    [DataRow(4)]
    [DataRow(5)]
    [DataRow(6, 2)]
    [DataRow(7, 2)]
    [DataRow(8)]
    [DataRow(8, 1)]
    public void Unknown_fields_of_an_io_descriptor_survive_at_every_level(params int[] path) =>
        StringAssert.Contains(Convert.ToHexString(IoDescriptor.Parse(Nest(s_unknown, path)).ToBytes()), Convert.ToHexString(s_unknown));

    [TestMethod]
    public void Repeated_numbers_are_read_packed_one_by_one_and_mixed()
    {
        // io_initial.dims (4): 1, then packed [300, -1], then 7; thread_groups (10) likewise.
        byte[] dims = Convert.FromHexString("2001" + "220C" + "AC02" + "FFFFFFFFFFFFFFFFFF01" + "2007");
        NetworkDescriptor network = NetworkDescriptor.Parse([.. Nest(dims, [4, 2]), .. Convert.FromHexString("5001" + "5203AC0205" + "5007")]);
        CollectionAssert.AreEqual(new[] { 1, 300, -1, 7 }, network.Inputs[0].Initial.Dims);
        CollectionAssert.AreEqual(new uint[] { 1, 300, 5, 7 }, network.ThreadGroups);
    }

    [TestMethod]
    public void A_message_in_two_parts_is_merged_and_the_last_scalar_counts()
    {
        // Input: io_initial { type: 1 }, io_initial { dims: 5 }, io_initial { type: 2 }.
        NetworkDescriptor network = NetworkDescriptor.Parse(Nest(Convert.FromHexString("12020801" + "12022005" + "12020802"), [4]));
        TensorDescriptor tensor = network.Inputs.Single().Initial;
        Assert.AreEqual("Int8Q 5", $"{tensor.Type} {string.Join(',', tensor.Dims)}");
    }

    [TestMethod]
    [DataRow("08", 1, "ends inside a number")]
    [DataRow("0880", 2, "ends inside a number")]
    [DataRow("08FFFFFFFFFFFFFFFFFFFF01", 11, "longer than ten bytes")]
    [DataRow("00", 1, "Field number 0")]
    [DataRow("80808080800101", 6, "Field number 4294967296")]
    [DataRow("0B", 1, "Field 1 has wire type 3")]
    [DataRow("0F", 1, "Field 1 has wire type 7")]
    [DataRow("0A00", 1, "wire type Length where Varint belongs")]
    [DataRow("1801", 1, "wire type Varint where Length belongs")]
    [DataRow("1A05616263", 2, "claims 5 bytes; its message has 3 left")]
    [DataRow("1AFFFFFFFFFFFFFFFFFF01", 11, "claims 18446744073709551615 bytes")]
    [DataRow("1A02C328", 4, "not valid UTF-8")]
    [DataRow("22050A0A616263", 4, "claims 10 bytes; its message has 3 left")]
    [DataRow("220512031501FF", 5, "ends inside a field of 4 bytes")]
    [DataRow("A506010203", 2, "ends inside a field of 4 bytes")]
    public void Damage_is_refused_with_its_place(string bytes, int offset, string reason)
    {
        var e = Assert.ThrowsExactly<QpcFormatException>(() => NetworkDescriptor.Parse(Convert.FromHexString(bytes)));
        StringAssert.Contains(e.Message, "Network descriptor: ");
        StringAssert.Contains(e.Message, reason);
        Assert.AreEqual(offset, e.Offset);
    }

    [TestMethod]
    public void A_lying_length_allocates_nothing()
    {
        // dims: packed, 2 GiB; name: 2 GiB; stats: 2 GiB.
        byte[][] lies = [Nest(Convert.FromHexString("22FFFFFFFF07"), [4, 2]), Convert.FromHexString("1AFFFFFFFF07"), Convert.FromHexString("62FFFFFFFF07")];
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (byte[] lie in lies)
        {
            Assert.ThrowsExactly<QpcFormatException>(() => NetworkDescriptor.Parse(lie));
        }

        Assert.IsLessThan(1 << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void A_million_unknown_fields_cost_their_size_and_not_its_square()
    {
        byte[] bytes = [.. Enumerable.Repeat<byte[]>([0xA0, 0x06, 0x01], 1_000_000).SelectMany(b => b)];
        long before = GC.GetAllocatedBytesForCurrentThread();
        byte[] written = NetworkDescriptor.Parse(bytes).ToBytes();
        Assert.IsLessThan(100L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.IsTrue(bytes.AsSpan().SequenceEqual(written));
    }

    [TestMethod]
    public void A_name_that_UTF8_cannot_express_is_not_written() =>
        Assert.ThrowsExactly<EncoderFallbackException>(() => new NetworkDescriptor { NetworkName = "half a pair \ud800" }.ToBytes());

    [TestMethod]
    public void Damaged_descriptors_are_read_or_refused_and_reading_is_stable()
    {
        var random = new Random(71);
        byte[][] networks = [.. new[] { "simple", "quant", "partial" }.Select(QpcData.DescriptorBytes), ((NetworkDescriptor)Filled(typeof(NetworkDescriptor), new Counter())).ToBytes()];
        byte[][] ios = [.. networks[..3].Select(n => IoDescriptor.FromNetwork(NetworkDescriptor.Parse(n)).ToBytes()), ((IoDescriptor)Filled(typeof(IoDescriptor), new Counter())).ToBytes()];
        int read = 0;
        for (int round = 0; round < 20_000; round++)
        {
            read += Survives(Damaged(networks[round % 4], random), b => NetworkDescriptor.Parse(b).ToBytes()) ? 1 : 0;
            read += Survives(Damaged(ios[round % 4], random), b => IoDescriptor.Parse(b).ToBytes()) ? 1 : 0;
        }

        Assert.IsInRange(2_000, 38_000, read);
    }

    private static byte[] Damaged(byte[] bytes, Random random)
    {
        byte[] damaged = bytes[..(random.Next(4) == 0 ? random.Next(bytes.Length) + 1 : bytes.Length)];
        for (int faults = random.Next(4); faults >= 0; faults--)
        {
            int position = random.Next(damaged.Length);
            damaged[position] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)(damaged[position] ^ (1 << random.Next(8)));
        }

        return damaged;
    }

    private static bool Survives(byte[] bytes, Func<byte[], byte[]> rewrite)
    {
        byte[] once;
        try
        {
            once = rewrite(bytes);
        }
        catch (QpcFormatException e)
        {
            Assert.IsInRange(0, bytes.Length, e.Offset);
            return false;
        }

        Assert.IsTrue(once.AsSpan().SequenceEqual(rewrite(once)), "what was written is read differently");
        return true;
    }

    private static byte[] Nest(byte[] message, int[] path)
    {
        foreach (int field in path.Reverse())
        {
            // Tags of fields over 15 have two bytes; the messages here stay under 128.
            byte[] tag = field < 16 ? [(byte)((field << 3) | 2)] : [(byte)(((field << 3) & 0x7f) | 0x82), (byte)(field >> 4)];
            message = [.. tag, (byte)message.Length, .. message];
        }

        return message;
    }

    // An object in which no two values are the same and none is zero; lists have two items.
    private static object Filled(Type type, Counter counter)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(byte[]))
        {
            return new byte[] { 8, (byte)counter.Next() };
        }

        if (type == typeof(string))
        {
            return $"text {counter.Next()}";
        }

        if (type == typeof(bool))
        {
            return true;
        }

        if (type.IsEnum)
        {
            return Enum.ToObject(type, counter.Next());
        }

        if (type.IsPrimitive)
        {
            return Convert.ChangeType(type == typeof(int) ? -counter.Next() : counter.Next(), type, CultureInfo.InvariantCulture);
        }

        object filled = Activator.CreateInstance(type)!;
        foreach (PropertyInfo property in type.GetProperties())
        {
            if (property.GetValue(filled) is IList list and not Array)
            {
                Type item = property.PropertyType.GetGenericArguments()[0];
                list.Add(Filled(item, counter));
                list.Add(Filled(item, counter));
            }
            else
            {
                property.SetValue(filled, Filled(property.PropertyType, counter));
            }
        }

        return filled;
    }

    private static string Dump(object? value) => value switch
    {
        null => "null",
        byte[] bytes => Convert.ToHexString(bytes),
        string or ValueType => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        IList list => $"[{string.Join(", ", list.Cast<object>().Select(Dump))}]",
        _ => $"{{{string.Join(", ", value.GetType().GetProperties().Select(p => $"{p.Name}: {Dump(p.GetValue(value))}"))}}}",
    };

    private sealed class Counter
    {
        private int _value;

        public int Next() => ++_value;
    }
}
