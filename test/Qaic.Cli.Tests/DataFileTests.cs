using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Cli.Data;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class DataFileTests
{
    private static readonly TensorSpec s_floats = new("x", ElementType.Float32, [2, 3]);

    [TestMethod]
    public void Arrays_that_NumPy_wrote_are_read()
    {
        string[] files = Directory.GetFiles(Repository.Data("data", "digits"), "*.npy");
        Assert.IsTrue(files.Length > 3);
        foreach (string file in files)
        {
            var expected = Npy.Load(file);
            NpyFile actual = NpyFile.Load(file);
            CollectionAssert.AreEqual(expected.Shape, actual.Shape.ToArray(), file);
            CollectionAssert.AreEqual(expected.Bytes, actual.Bytes, file);
        }
    }

    [TestMethod]
    [DataRow(1, "<f4", false), DataRow(2, "<f4", false), DataRow(3, "<f4", false), DataRow(1, "<f4", true), DataRow(1, ">f4", false), DataRow(2, ">f4", true), DataRow(1, "=f4", false), DataRow(1, "f4", false)]
    public void Every_version_order_and_endianness_gives_the_same_array(int version, string descr, bool isColumnMajor)
    {
        float[] rowMajor = [0, 1, 2, 3, 4, 5];
        float[] written = isColumnMajor ? [0, 3, 1, 4, 2, 5] : rowMajor;
        byte[] data = new byte[24];
        for (int i = 0; i < 6; i++)
        {
            if (descr[0] == '>')
            {
                BinaryPrimitives.WriteSingleBigEndian(data.AsSpan(i * 4), written[i]);
            }
            else
            {
                BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(i * 4), written[i]);
            }
        }

        NpyFile array = NpyFile.Parse(Made(version, $"{{'descr': '{descr}', 'fortran_order': {(isColumnMajor ? "True" : "False")}, 'shape': (2, 3), }}", data), "a.npy");

        CollectionAssert.AreEqual(rowMajor, MemoryMarshal.Cast<byte, float>(array.Bytes).ToArray());
        Assert.AreEqual("f4[2, 3]", array.ToString());
    }

    [TestMethod]
    public void A_column_major_array_of_three_dimensions_is_turned()
    {
        // The element at (i, j, k) of [2, 3, 4] is 100 i + 10 j + k; the first index runs fastest.
        byte[] data = [.. from k in Enumerable.Range(0, 4) from j in Enumerable.Range(0, 3) from i in Enumerable.Range(0, 2) select (byte)((100 * i) + (10 * j) + k)];

        NpyFile array = NpyFile.Parse(Made(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", data), "a.npy");

        byte[] expected = [.. from i in Enumerable.Range(0, 2) from j in Enumerable.Range(0, 3) from k in Enumerable.Range(0, 4) select (byte)((100 * i) + (10 * j) + k)];
        CollectionAssert.AreEqual(expected, array.Bytes);
    }

    [TestMethod]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 2147483647, 2147483647), }", "has 39614081201791936601413124092 bytes, but 6 follow")]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (2147483648,), }", "a dimension from 0 to 2147483647")]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "a dimension from 0 to 2147483647")]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (2", "expected")]
    [DataRow("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "a simple type")]
    [DataRow("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "'<c8'")]
    [DataRow("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "'|O'")]
    [DataRow("{'descr': '', 'fortran_order': False, 'shape': (1,), }", "''")]
    [DataRow("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,), }", "True or False")]
    [DataRow("{'descr': '<f4', 'shape': (1,), }", "no fortran_order")]
    [DataRow("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", "there twice")]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", "the end of the header")]
    [DataRow("{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", "'('")]
    [DataRow("", "'{'")]
    public void A_wrong_header_is_explained(string header, string message)
    {
        var e = Assert.ThrowsExactly<DataFormatException>(() => NpyFile.Parse(Made(1, header, new byte[6]), "a.npy"));

        StringAssert.StartsWith(e.Message, "'a.npy': ");
        StringAssert.Contains(e.Message, message);
    }

    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(3)]
    public void No_damage_to_an_array_is_more_than_a_clear_error_or_other_numbers(int version)
    {
        byte[] whole = Made(version, "{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3), }", [.. Enumerable.Range(0, 24).Select(i => (byte)i)]);
        NpyFile good = NpyFile.Parse(whole, "a.npy");
        int dataStart = whole.Length - 24;
        int refused = 0;
        foreach ((byte[] damaged, int at) in Damaged(whole))
        {
            try
            {
                NpyFile array = NpyFile.Parse(damaged, "a.npy");
                Assert.AreEqual(array.Shape.Aggregate((long)array.Size, (bytes, dim) => bytes * dim), array.Bytes.Length);
                Assert.IsTrue(at < dataStart || array.Shape.SequenceEqual(good.Shape));
            }
            catch (DataFormatException e)
            {
                Assert.IsTrue(at < dataStart || damaged.Length != whole.Length, $"byte {at}: {e.Message}");
                refused++;
            }
        }

        Assert.IsTrue(refused > 24, "all truncations at least");
    }

    [TestMethod]
    public void No_damage_to_a_table_is_more_than_a_clear_error_or_other_numbers()
    {
        byte[] whole = Encoding.UTF8.GetBytes("a,\"b \"\"1\"\"\",c\r\n1,-2.5e3,\"3\"\r\n\r\n4,5,6");
        foreach ((byte[] damaged, int at) in Damaged(whole))
        {
            try
            {
                Tensor tensor = TensorFile.From(CsvFile.Parse(damaged, "a.csv"), s_floats, hasBatch: true);
                Assert.AreEqual(3, tensor.Shape[1], $"byte {at}");
            }
            catch (DataFormatException)
            {
            }
        }
    }

    [TestMethod]
    public void Tables_have_quotes_blank_lines_and_both_line_ends()
    {
        CsvFile table = CsvFile.Parse(Encoding.UTF8.GetBytes("\uFEFFa,\"b, \"\"x\"\"\"\r\n1,2\n\n\"3\n\", 4 \n"), "a.csv");

        CollectionAssert.AreEqual(new[] { "a", "b, \"x\"" }, table.Names.ToArray());
        Assert.AreEqual("2: 1|2; 4: 3\n|4", string.Join("; ", table.Rows.Select(r => $"{r.Line}: {string.Join('|', r.Fields)}")));
    }

    [TestMethod]
    [DataRow("", "the file is empty")]
    [DataRow("a,b\n1", "line 2 has 1 fields, and the first line names 2 columns")]
    [DataRow("a,b,c\n1,2,x", "line 2, column 'c': 'x' is no number that float32 holds")]
    [DataRow("a,b,c\n1,2,1e39", "'1e39'")]
    [DataRow("a,b,c\n1,2,\"3", "the quote that line 2 opens is never closed")]
    [DataRow("a,b,c\n1,2,\"3\"4", "follows a field in quotes")]
    [DataRow("1,2,3\n4,5,6", "line 1 looks like data; the first line names the columns")]
    [DataRow("1.5,-2e3,NaN", "Write a line of names above it, such as x0,x1,x2.")]
    [DataRow("a,b\n1,2", "the table has 2 columns, but a row of input 'x Float32[2, 3]' has 3 elements")]
    public void A_wrong_table_is_explained_with_its_line(string text, string message)
    {
        var e = Assert.ThrowsExactly<DataFormatException>(() => TensorFile.From(CsvFile.Parse(Encoding.UTF8.GetBytes(text), "a.csv"), s_floats, hasBatch: true));

        StringAssert.Contains(e.Message, message);
    }

    [TestMethod]
    public void Columns_that_are_named_after_a_tensor_whose_name_is_a_number_are_no_data()
    {
        TensorSpec spec = s_floats with { Name = "1104" };
        Tensor tensor = TensorFile.From(CsvFile.Parse("1104.0,1104.1,1104.2\n1,2,3"u8.ToArray(), "a.csv"), spec, hasBatch: true);
        CollectionAssert.AreEqual(new[] { 1f, 2f, 3f }, tensor.ToArray<float>());
        Assert.ThrowsExactly<DataFormatException>(() => TensorFile.From(CsvFile.Parse("1104.0,1104.2,1104.1\n1,2,3"u8.ToArray(), "a.csv"), spec, hasBatch: true));
    }

    [TestMethod]
    [DataRow("<f8", ElementType.Float32, ElementType.Float32), DataRow("<f2", ElementType.Float32, ElementType.Float32), DataRow("<f2", ElementType.Float16, ElementType.Float16)]
    [DataRow("<f4", ElementType.Float16, ElementType.Float32), DataRow("|u1", ElementType.Float32, ElementType.Float32), DataRow("<i8", ElementType.Int32, ElementType.Int32)]
    [DataRow("<i4", ElementType.Int64, ElementType.Int64), DataRow("<u8", ElementType.Int64, ElementType.Int64), DataRow("|b1", ElementType.UInt8, ElementType.UInt8), DataRow("|b1", ElementType.Int64, ElementType.Int64)]
    [DataRow("|i1", ElementType.UInt8, ElementType.UInt8), DataRow(">i2", ElementType.Int8, ElementType.Int8), DataRow("<V2", ElementType.BFloat16, ElementType.BFloat16)]
    public void Elements_are_converted_where_nothing_is_lost_but_digits(string descr, ElementType input, ElementType reaches)
    {
        int size = descr[2] - '0';
        byte[] ones = new byte[2 * size];
        for (int i = 0; i < 2; i++)
        {
            Span<byte> element = ones.AsSpan(i * size, size);
            switch (descr[1], size)
            {
                case ('f', 8): BinaryPrimitives.WriteDoubleLittleEndian(element, 1); break;
                case ('f', 4): BinaryPrimitives.WriteSingleLittleEndian(element, 1); break;
                case ('f', 2): BinaryPrimitives.WriteHalfLittleEndian(element, Half.One); break;
                case ('V', 2): BinaryPrimitives.WriteUInt16LittleEndian(element, 0x3F80); break;
                default: element[descr[0] == '>' ? size - 1 : 0] = 1; break;
            }
        }

        NpyFile array = NpyFile.Parse(Made(1, $"{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,), }}", ones), "a.npy");
        var spec = new TensorSpec("x", input, [2]);
        Tensor tensor = TensorFile.From(array, "a.npy", spec, hasBatch: false);

        Assert.AreEqual(reaches, tensor.ElementType);
        Assert.AreEqual(1.0, Elements.Value(tensor, 1, spec with { ElementType = reaches }));
    }

    [TestMethod]
    [DataRow("<f4", ElementType.Int64, "takes integers"), DataRow("<V2", ElementType.Float32, "takes floats or integers"), DataRow("<i4", ElementType.UInt8, "cannot hold as UInt8"), DataRow("<f8", ElementType.Float32, "which float32 does not hold")]
    public void Elements_that_an_input_cannot_hold_are_refused(string descr, ElementType input, string message)
    {
        int size = descr[2] - '0';
        byte[] data = descr == "<f8" ? BitConverter.GetBytes(1e300) : [.. Enumerable.Repeat((byte)0x7F, size)];
        NpyFile array = NpyFile.Parse(Made(1, $"{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}", data), "a.npy");

        var e = Assert.ThrowsExactly<DataFormatException>(() => TensorFile.From(array, "a.npy", new TensorSpec("x", input, [1]), hasBatch: false));

        StringAssert.Contains(e.Message, message);
    }

    [TestMethod]
    public void Large_integers_and_infinity_are_kept_and_one_row_needs_no_leading_dimension()
    {
        NpyFile big = NpyFile.Parse(Made(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", BitConverter.GetBytes(long.MaxValue)), "a.npy");
        NpyFile infinite = NpyFile.Parse(Made(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", [.. BitConverter.GetBytes(double.PositiveInfinity), .. BitConverter.GetBytes(double.NaN), .. BitConverter.GetBytes(1.0)]), "a.npy");

        Assert.AreEqual(long.MaxValue, TensorFile.From(big, "a.npy", new TensorSpec("x", ElementType.Int64, [1]), hasBatch: false).AsSpan<long>()[0]);
        Tensor row = TensorFile.From(infinite, "a.npy", s_floats, hasBatch: true);
        Assert.AreEqual("Float32[1, 3]", row.ToString());
        CollectionAssert.AreEqual(new[] { float.PositiveInfinity, float.NaN, 1f }, row.ToArray<float>());
    }

    [TestMethod]
    public void What_is_written_as_an_array_reads_back()
    {
        byte[] file = [.. NpyFile.Preamble(ElementType.Float32, [2, 3], 512), .. new byte[24]];

        NpyFile array = NpyFile.Parse(file, "a.npy");

        Assert.AreEqual("f4[2, 3]", array.ToString());
        Assert.AreEqual(0, NpyFile.Preamble(ElementType.Int64, []).Length % 64);
        Assert.AreEqual("i8[]", NpyFile.Parse([.. NpyFile.Preamble(ElementType.Int64, []), .. new byte[8]], "a.npy").ToString());
    }

    private static byte[] Made(int version, string header, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(header.PadRight(80) + "\n");
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes((uint)text.Length);
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. text, .. data];
    }

    // Every byte with every bit flipped, and some values; cut off everywhere; one byte more.
    private static IEnumerable<(byte[] File, int At)> Damaged(byte[] whole)
    {
        for (int at = 0; at < whole.Length; at++)
        {
            foreach (byte value in Enumerable.Range(0, 8).Select(bit => (byte)(whole[at] ^ (1 << bit))).Concat([(byte)0, (byte)255, (byte)'\'', (byte)'(', (byte)',', (byte)'9', (byte)'\n']))
            {
                byte[] damaged = [.. whole];
                damaged[at] = value;
                yield return (damaged, at);
            }

            yield return (whole[..at], at);
        }

        yield return ([.. whole, 0], whole.Length);
    }
}
