using System.Runtime.InteropServices;
using Qaic.Runtime;

namespace Qaic.Tests.Runtime;

[TestClass]
public sealed class ElementConversionTests
{
    private static readonly ushort[] s_words = [.. Enumerable.Range(0, 1 << 16).Select(w => (ushort)w)];

    // Whatever is special: zeros, infinities, NaNs of both signs and kinds, the smallest and largest.
    private static readonly float[] s_edges =
    [
        0f, -0f, float.Epsilon, -float.Epsilon, 1.17549435e-38f, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN, -float.NaN,
        BitConverter.UInt32BitsToSingle(0x7f800001), BitConverter.UInt32BitsToSingle(0xffbfffff), 65504f, 65519.996f, 65520f, -65520f, 5.9604645e-8f, 2.9802322e-8f, 2.9802326e-8f, 3.3895314e38f, 3.3961776e38f,
    ];

    [TestMethod]
    public void Every_half_becomes_its_float_and_comes_back()
    {
        Half[] halves = [.. s_words.Select(BitConverter.UInt16BitsToHalf)];
        float[] values = new float[halves.Length];
        ElementConversion.ToSingle(halves, values);
        Half[] back = new Half[halves.Length];
        ElementConversion.ToHalf(values, back);
        for (int i = 0; i < halves.Length; i++)
        {
            Assert.AreEqual(Bits((float)halves[i]), Bits(values[i]), $"half {i:x4}");
            Assert.AreEqual(BitConverter.HalfToUInt16Bits((Half)(float)halves[i]), BitConverter.HalfToUInt16Bits(back[i]), $"half {i:x4} and back");
        }
    }

    [TestMethod]
    public void Floats_become_the_nearest_half_with_ties_to_even()
    {
        // Each half, each middle between two, and the floats beside both.
        float[] values = [.. s_edges, .. Around(s_words.Where(w => (w & 0x7c00) != 0x7c00).Select(w => Bits((float)BitConverter.UInt16BitsToHalf(w))), 1 << 12), .. Random(1 << 16)];
        Half[] halves = new Half[values.Length];
        ElementConversion.ToHalf(values, halves);
        for (int i = 0; i < values.Length; i++)
        {
            ushort expected = BitConverter.HalfToUInt16Bits((Half)values[i]);
            ushort actual = BitConverter.HalfToUInt16Bits(halves[i]);
            Assert.IsTrue(expected == actual || (float.IsNaN(values[i]) && Half.IsNaN(halves[i])), $"{values[i]:R} became {actual:x4} instead of {expected:x4}");
        }
    }

    [TestMethod]
    public void Every_bfloat16_becomes_its_float_and_comes_back()
    {
        float[] values = new float[s_words.Length];
        ElementConversion.BFloat16ToSingle(s_words, values);
        ushort[] back = new ushort[s_words.Length];
        ElementConversion.ToBFloat16(values, back);
        for (int i = 0; i < s_words.Length; i++)
        {
            Assert.AreEqual((uint)i << 16, Bits(values[i]));
            Assert.AreEqual((ushort)(float.IsNaN(values[i]) ? i | 0x40 : i), back[i], $"bfloat16 {i:x4}");
        }
    }

    [TestMethod]
    public void Floats_become_the_nearest_bfloat16_with_ties_to_even()
    {
        float[] values = [.. s_edges, .. Around(s_words.Where(w => (w & 0x7f80) != 0x7f80).Select(w => (uint)w << 16), 1 << 15), .. Random(1 << 16)];
        ushort[] bits = new ushort[values.Length];
        ElementConversion.ToBFloat16(values, bits);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.AreEqual(NearestBFloat16(values[i]), bits[i], $"{values[i]:R}");
        }
    }

    [TestMethod]
    [DataRow(1f), DataRow(0.5f), DataRow(0.00392156886f), DataRow(0.1f), DataRow(3.7e-12f), DataRow(1e30f), DataRow(float.Epsilon), DataRow(float.MaxValue)]
    public void Codes_are_clamped_rounded_quotients(float scale)
    {
        foreach (int offset in new[] { -128, -127, -1, 0, 1, 127, 128, 254, 255 })
        {
            float[] values =
            [
                .. s_edges, .. Around(Enumerable.Range(-600, 1200).Select(k => Bits(k * 0.5f * scale)), 0), .. Random(1000), .. Enumerable.Range(0, 1003).Select(k => (k - 500) * 0.613f * scale),
            ];
            if (offset >= 0)
            {
                byte[] codes = new byte[values.Length];
                ElementConversion.Quantize(values, scale, offset, codes);
                AssertCodes(values, scale, offset, 0, 255, [.. codes.Select(c => (int)c)]);
            }

            if (offset <= 127)
            {
                sbyte[] codes = new sbyte[values.Length];
                ElementConversion.Quantize(values, scale, offset, codes);
                AssertCodes(values, scale, offset, -128, 127, [.. codes.Select(c => (int)c)]);
            }
        }
    }

    [TestMethod]
    public void Every_code_at_every_offset_is_its_number_and_comes_back()
    {
        byte[] unsigned = [.. Enumerable.Range(0, 256).Select(c => (byte)c)];
        sbyte[] signed = [.. Enumerable.Range(-128, 256).Select(c => (sbyte)c)];
        float[] values = new float[256];
        byte[] unsignedBack = new byte[256];
        sbyte[] signedBack = new sbyte[256];
        foreach (float scale in new[] { 1f, 1 / 255f, 0.1f, 7.3e-5f, 123.456f })
        {
            for (int offset = -128; offset <= 255; offset++)
            {
                if (offset >= 0)
                {
                    ElementConversion.Dequantize(unsigned, scale, offset, values);
                    CollectionAssert.AreEqual(unsigned.Select(c => scale * (c - offset)).ToArray(), values);
                    ElementConversion.Quantize(values, scale, offset, unsignedBack);
                    CollectionAssert.AreEqual(unsigned, unsignedBack, $"scale {scale}, offset {offset}");
                }

                if (offset <= 127)
                {
                    ElementConversion.Dequantize(signed, scale, offset, values);
                    CollectionAssert.AreEqual(signed.Select(c => scale * (c - offset)).ToArray(), values);
                    ElementConversion.Quantize(values, scale, offset, signedBack);
                    CollectionAssert.AreEqual(signed, signedBack, $"scale {scale}, offset {offset}");
                }
            }
        }
    }

    [TestMethod]
    [DataRow(ElementType.Float32), DataRow(ElementType.Float16), DataRow(ElementType.BFloat16), DataRow(ElementType.UInt8Q), DataRow(ElementType.Int8Q)]
    public void Every_length_is_converted_to_its_end_and_no_further(ElementType type)
    {
        var spec = new TensorSpec("x", type, [200]) { Scale = 1, Offset = 50 };
        int size = type.SizeInBytes();
        float[] numbers = [.. Enumerable.Range(0, 200).Select(i => (i % 100) - 40f)];
        byte[] buffer = new byte[(200 * size) + 1];
        float[] back = new float[201];
        for (int length = 0; length <= 200; length++)
        {
            Array.Fill(buffer, (byte)0xA5);
            Array.Fill(back, 777f);

            // One byte in, so that nothing is aligned.
            ElementConversion.FromSingle(numbers.AsSpan(0, length), spec, buffer.AsSpan(1, length * size));
            Assert.IsTrue(buffer.AsSpan((length * size) + 1).IndexOfAnyExcept((byte)0xA5) < 0 && buffer[0] == 0xA5, $"{length} elements");
            ElementConversion.ToSingle(buffer.AsSpan(1, length * size), spec, back.AsSpan(0, length));
            CollectionAssert.AreEqual(numbers[..length], back[..length], $"{length} elements");
            Assert.AreEqual(777f, back[length]);
        }
    }

    [TestMethod]
    public void Nothing_is_allocated()
    {
        float[] numbers = new float[5000];
        byte[] buffer = new byte[20_000];
        TensorSpec[] specs = [.. new[] { ElementType.Float32, ElementType.Float16, ElementType.BFloat16, ElementType.UInt8Q, ElementType.Int8Q }.Select(t => new TensorSpec("x", t, [5000]) { Scale = 1 })];
        void Convert()
        {
            foreach (TensorSpec spec in specs)
            {
                Span<byte> elements = buffer.AsSpan(0, 5000 * spec.ElementType.SizeInBytes());
                ElementConversion.FromSingle(numbers, spec, elements);
                ElementConversion.ToSingle(elements, spec, numbers);
            }
        }

        Convert();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Convert();
        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void Only_real_numbers_are_convertible()
    {
        ElementType[] convertible = [.. Enum.GetValues<ElementType>().Where(t => ElementConversion.IsConvertible(new TensorSpec("x", t, [1]) { Scale = 0.5f }))];
        CollectionAssert.AreEqual(new[] { ElementType.Float32, ElementType.Float16, ElementType.Int8Q, ElementType.UInt8Q, ElementType.BFloat16 }, convertible);
        foreach ((float scale, int offset) in new[] { (0f, 0), (-1f, 0), (float.NaN, 0), (float.PositiveInfinity, 0), (1f, 256), (1f, -1) })
        {
            var spec = new TensorSpec("x", ElementType.UInt8Q, [1]) { Scale = scale, Offset = offset };
            Assert.IsFalse(ElementConversion.IsConvertible(spec));
            Assert.Contains("'x UInt8Q[1]' with scale", Assert.ThrowsExactly<ArgumentException>(() => ElementConversion.FromSingle([1f], spec, new byte[1])).Message);
        }
    }

    [TestMethod]
    public void Lengths_scales_and_offsets_that_do_not_fit_are_refused()
    {
        var half = new TensorSpec("x", ElementType.Float16, [4]);
        Assert.Contains("3 elements of 'x Float16[4]' are 6 bytes; the buffer has 8", Assert.ThrowsExactly<ArgumentException>(() => ElementConversion.FromSingle(new float[3], half, new byte[8])).Message);
        Assert.ThrowsExactly<ArgumentException>(() => ElementConversion.ToSingle(new byte[7], half, new float[4]));
        Assert.ThrowsExactly<ArgumentException>(() => ElementConversion.ToHalf(new float[4], new Half[5]));
        Assert.ThrowsExactly<ArgumentException>(() => ElementConversion.BFloat16ToSingle(new ushort[4], new float[3]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ElementConversion.Quantize(new float[4], 0, 0, new byte[4]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ElementConversion.Quantize(new float[4], 1, 128, new sbyte[4]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ElementConversion.Dequantize(new byte[4], 1, -1, new float[4]));
    }

    [TestMethod]
    public void A_tensor_of_codes_gives_its_numbers()
    {
        var spec = new TensorSpec("y", ElementType.Int8Q, [2, 2]) { Scale = 0.25f, Offset = -2 };
        var codes = Tensor.Create(new sbyte[] { -128, -2, 0, 127 }, 2, 2);
        Tensor numbers = codes.ToFloat32(spec);
        Assert.AreEqual("Float32[2, 2]", numbers.ToString());
        CollectionAssert.AreEqual(new[] { -31.5f, 0, 0.5f, 32.25f }, numbers.ToArray<float>());
        Assert.AreSame(numbers, numbers.ToFloat32(new TensorSpec("y", ElementType.Float32, [2, 2])));
        Assert.ThrowsExactly<ArgumentException>(() => codes.ToFloat32(spec with { Shape = [4] }));
        Assert.ThrowsExactly<ArgumentException>(() => codes.ToFloat32(spec with { ElementType = ElementType.UInt8Q }));
    }

    // The float at each of these, in the middle to the next above (so many steps of the float's last bit away), and the neighbours of both.
    private static IEnumerable<float> Around(IEnumerable<uint> bits, uint middle) =>
        bits.SelectMany(b => new[] { b, b + middle }).SelectMany(b => new[] { b - 1, b, b + 1 }).Select(BitConverter.UInt32BitsToSingle);

    private static float[] Random(int count)
    {
        uint[] bits = new uint[count];
        new Random(7).NextBytes(MemoryMarshal.AsBytes(bits.AsSpan()));
        return [.. bits.Select(BitConverter.UInt32BitsToSingle)];
    }

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    // By distance, not by bits: of the two neighbours the nearer, or the even one.
    private static ushort NearestBFloat16(float value)
    {
        ushort below = (ushort)(Bits(value) >> 16);
        if (float.IsNaN(value))
        {
            return (ushort)(below | 0x40);
        }

        if (float.IsInfinity(value))
        {
            return below;
        }

        // Beyond the largest number the next would be 2^128, which stands for infinity.
        ushort above = (ushort)(below + 1);
        double Number(ushort w) => (w & 0x7fff) == 0x7f80 ? Math.CopySign(Math.Pow(2, 128), (w & 0x8000) == 0 ? 1 : -1) : BitConverter.UInt32BitsToSingle((uint)w << 16);
        double down = Math.Abs(value - Number(below));
        double up = Math.Abs(Number(above) - value);
        return down < up || (down == up && below % 2 == 0) ? below : above;
    }

    private static void AssertCodes(float[] values, float scale, int offset, int lowest, int highest, int[] codes)
    {
        for (int i = 0; i < values.Length; i++)
        {
            // Each step is rounded to float32, so the last one is exact in double.
            float exact = values[i] / scale + offset;
            int expected = float.IsNaN(values[i]) ? offset : (int)Math.Max(lowest, Math.Min(highest, Math.Round((double)exact, MidpointRounding.ToEven)));
            if (expected != codes[i])
            {
                Assert.Fail($"{values[i]:R} with scale {scale:R} and offset {offset} became {codes[i]} instead of {expected}");
            }
        }
    }
}
