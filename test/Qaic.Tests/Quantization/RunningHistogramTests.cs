using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using Qaic.Quantization;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

[TestClass]
public sealed class RunningHistogramTests
{
    // Those that this machine has.
    internal static IEnumerable<CountingLoop> Loops =>
        Avx512F.IsSupported ? [CountingLoop.OneByOne, CountingLoop.Vectors, CountingLoop.Wide] : [CountingLoop.OneByOne, CountingLoop.Vectors];

    [TestMethod]
    public void After_every_batch_the_state_is_Glows()
    {
        foreach (CountingLoop loop in Loops)
        {
            int states = 0;
            foreach (JsonElement sequence in QuantizationGoldens.RunningHistograms.EnumerateArray())
            {
                var histogram = new RunningHistogram(sequence.GetProperty("bins").GetInt32(), loop);
                foreach (JsonElement step in sequence.GetProperty("steps").EnumerateArray())
                {
                    Assert.AreEqual(-1, histogram.Add([.. step.GetProperty("batch").EnumerateArray().Select(e => e.GetSingle())]));
                    AssertState(histogram, step.GetProperty("min").GetSingle(), step.GetProperty("max").GetSingle(), QuantizationGoldens.Doubles(step.GetProperty("histogram")));
                    states++;
                }
            }

            Assert.AreEqual(24, states, loop.ToString());
        }
    }

    [TestMethod]
    public void An_example_small_enough_to_follow_by_hand()
    {
        var histogram = new RunningHistogram(8);
        histogram.Add([0, 1, 2, 3]);
        AssertState(histogram, 0, 3, [1, 0, 1, 0, 0, 1, 0, 1]);
        histogram.Add([-3, 6]);
        AssertState(histogram, -3, 6, [1, 0, 1, 1, 1, 1, 0, 1]);
        histogram.Add([.1f, .2f, .3f, -.4f]);
        AssertState(histogram, -3, 6, [1, 0, 5, 1, 1, 1, 0, 1]);
        histogram.Add([10, -10, 5]);
        AssertState(histogram, -10, 10, [1, 0, 0, 4, 4, 1, 2, 1]);
    }

    [TestMethod]
    public void Every_loop_counts_as_one_by_one_does()
    {
        var random = new Random(17);
        for (int i = 0; i < Campaign.Size(400, 50_000); i++)
        {
            int bins = random.Next(5) switch { 0 => 1, 1 => 2, 2 => 512, 3 => 2048, _ => random.Next(1, 700) };
            RunningHistogram[] histograms = [.. Loops.Select(loop => new RunningHistogram(bins, loop))];
            for (int batch = 0; batch < 4; batch++)
            {
                float[] values = AnyValues(random);
                int[] results = [.. histograms.Select(h => h.Add(values))];
                Assert.IsTrue(results.All(r => r == results[0]), $"round {i}: {string.Join(' ', results)}");
            }

            TensorStatistics[] all = [.. histograms.Select(h => h.ToStatistics("t"))];
            TensorStatistics expected = all[0];
            foreach ((TensorStatistics actual, CountingLoop loop) in all.Zip(Loops))
            {
                string what = $"{loop}, round {i}, {bins} bins in [{expected.Minimum:R}, {expected.Maximum:R}]";
                Assert.AreEqual(BitConverter.SingleToInt32Bits(expected.Minimum), BitConverter.SingleToInt32Bits(actual.Minimum), what);
                Assert.AreEqual(BitConverter.SingleToInt32Bits(expected.Maximum), BitConverter.SingleToInt32Bits(actual.Maximum), what);
                CollectionAssert.AreEqual(expected.Counts.ToArray(), actual.Counts.ToArray(), what);
            }
        }
    }

    [TestMethod]
    public void No_value_is_ever_lost_and_the_ends_are_the_extremes()
    {
        var random = new Random(23);
        for (int i = 0; i < Campaign.Size(300, 30_000); i++)
        {
            var histogram = new RunningHistogram(random.Next(1, 600));
            (long count, float minimum, float maximum) = (0, float.PositiveInfinity, float.NegativeInfinity);
            for (int batch = 0; batch < 5; batch++)
            {
                float[] values = AnyValues(random);
                histogram.Add(values);
                count += values.Length;
                minimum = values.Length == 0 ? minimum : Math.Min(minimum, values.Min());
                maximum = values.Length == 0 ? maximum : Math.Max(maximum, values.Max());
            }

            TensorStatistics statistics = histogram.ToStatistics("t");
            Assert.AreEqual(count, statistics.Total, $"round {i}");
            Assert.AreEqual(count == 0 ? 0 : minimum, statistics.Minimum, $"round {i}");
            Assert.AreEqual(count == 0 ? 0 : maximum, statistics.Maximum, $"round {i}");
            Assert.IsTrue(statistics.Counts.ToArray().All(c => c >= 0 && c == Math.Floor(c)), $"round {i}");
        }
    }

    [TestMethod]
    public void Each_length_around_the_width_of_a_vector_is_counted()
    {
        for (int length = 1; length <= 70; length++)
        {
            var histogram = new RunningHistogram(length);
            histogram.Add([.. Enumerable.Range(0, length).Select(i => (float)i), length]);
            Assert.AreEqual(length + 1, histogram.ToStatistics("t").Total);
            CollectionAssert.AreEqual((double[])[.. Enumerable.Repeat(1.0, length - 1), 2], histogram.ToStatistics("t").Counts.ToArray(), $"{length} values");
        }
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(float.NegativeInfinity)]
    public void The_first_value_that_is_no_number_is_named_and_nothing_is_added(float value)
    {
        foreach (CountingLoop loop in Loops)
        {
            for (int length = 1; length < 80; length++)
            {
                for (int at = 0; at < length; at++)
                {
                    var histogram = new RunningHistogram(16, loop);
                    histogram.Add([1, 2, 3]);
                    float[] values = new float[length];
                    values[at] = value;
                    values[^1] = value;
                    Assert.AreEqual(at, histogram.Add(values), $"{length} values");
                    Assert.AreEqual(3, histogram.ToStatistics("t").Total);
                    Assert.AreEqual(1, histogram.ToStatistics("t").Minimum);
                }
            }
        }
    }

    [TestMethod]
    [DataRow(1500)]
    [DataRow(1604)]
    [DataRow(0)]
    [DataRow(520)]
    public void What_was_counted_before_a_value_beyond_the_range_is_taken_back(int at)
    {
        foreach (CountingLoop loop in Loops)
        {
            // 0 is most frequent, and not at the edge.
            float[] first = [.. Enumerable.Range(0, 1605).Select(i => i % 3 == 0 ? 0 : (i % 101) - 50f)];
            foreach (float beyond in (float[])[51, -51, float.NaN, float.PositiveInfinity, float.NegativeInfinity])
            {
                float[] second = [.. first];
                if (at + 32 < second.Length)
                {
                    // In the same place of the vectors that follow, where the extremes would hide NaN from a minimum and a maximum that forget it.
                    (second[at + 16], second[at + 32]) = (-50, 50);
                }

                second[at] = beyond;
                RunningHistogram plain = new(512, CountingLoop.OneByOne), other = new(512, loop);
                foreach (RunningHistogram histogram in (RunningHistogram[])[plain, other])
                {
                    histogram.Add(first);
                    Assert.AreEqual(float.IsFinite(beyond) ? -1 : at, histogram.Add(second), $"{loop}, {beyond}");
                    histogram.Add(first);
                }

                CollectionAssert.AreEqual(plain.ToStatistics("t").Counts.ToArray(), other.ToStatistics("t").Counts.ToArray(), $"{loop}, {beyond}");
                Assert.AreEqual(float.IsFinite(beyond) ? 4815 : 3210, other.ToStatistics("t").Total, $"{loop}, {beyond}");
            }
        }
    }

    [TestMethod]
    public void Minus_zero_is_zero()
    {
        foreach (CountingLoop loop in Loops)
        {
            var histogram = new RunningHistogram(4, loop);
            histogram.Add([.. Enumerable.Repeat(-0f, 40)]);
            Assert.IsFalse(float.IsNegative(histogram.ToStatistics("t").Minimum));
            Assert.IsFalse(float.IsNegative(histogram.ToStatistics("t").Maximum));
        }
    }

    [TestMethod]
    public void Nothing_seen_is_a_range_of_zero_without_counts()
    {
        var histogram = new RunningHistogram(4);
        Assert.AreEqual(-1, histogram.Add([]));
        AssertState(histogram, 0, 0, [0, 0, 0, 0]);
    }

    [TestMethod]
    public void Constants_are_seen_once_and_repeated()
    {
        var histogram = new RunningHistogram(2);
        histogram.Add([0, 1, 2, 3, 4]);
        CollectionAssert.AreEqual((double[])[1000, 1500], histogram.ToStatistics("t", 500).Counts.ToArray());
        AssertState(histogram, 0, 4, [2, 3]);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => histogram.ToStatistics("t", -1));
    }

    [TestMethod]
    public void Counts_are_exact_where_float32_stops()
    {
        // 2²⁴ + 1 values in one bin; one more would be lost in float32.
        var histogram = new RunningHistogram(2);
        float[] ones = new float[1 << 20];
        Array.Fill(ones, 1);
        for (int i = 0; i < 16; i++)
        {
            histogram.Add(ones);
        }

        histogram.Add([1, 0]);
        AssertState(histogram, 0, 1, [1, (1 << 24) + 1]);
        histogram.Add([-1]);
        Assert.AreEqual((1 << 24) + 3, histogram.ToStatistics("t").Total);
    }

    [TestMethod]
    public void A_range_wider_than_float32_can_say_is_counted_all_the_same()
    {
        var histogram = new RunningHistogram(4);
        histogram.Add([-1, 0, 1]);
        histogram.Add([float.MinValue, float.MaxValue, float.MaxValue / 4]);
        AssertState(histogram, float.MinValue, float.MaxValue, [1, 0, 4, 1], tolerateZero: true);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(-1)]
    [DataRow(int.MaxValue)]
    public void A_number_of_bins_that_cannot_be_is_refused(int bins) => Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new RunningHistogram(bins));

    [TestMethod]
    public void Adding_allocates_nothing()
    {
        var random = new Random(1);
        float[][] batches = [.. Enumerable.Range(0, 8).Select(i => Enumerable.Range(0, 10_000).Select(_ => random.NextSingle() * (i + 1)).ToArray())];
        var histogram = new RunningHistogram(512);
        long least = long.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (float[] batch in batches)
            {
                histogram.Add(batch);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            histogram = new RunningHistogram(512);
        }

        Assert.AreEqual(0, least);
    }

    private static void AssertState(RunningHistogram histogram, float minimum, float maximum, double[] counts, bool tolerateZero = false)
    {
        TensorStatistics statistics = histogram.ToStatistics("t");
        Assert.AreEqual("t", statistics.Name);
        Assert.AreEqual(minimum, statistics.Minimum);
        Assert.AreEqual(maximum, statistics.Maximum);
        if (tolerateZero)
        {
            // Numbers about 0 lie on the border of two bins.
            Assert.AreEqual(counts.Sum(), statistics.Total);
            Assert.AreEqual(counts[0], statistics.Counts[0]);
            Assert.AreEqual(counts[^1], statistics.Counts[^1]);
            return;
        }

        CollectionAssert.AreEqual(counts, statistics.Counts.ToArray(), string.Join(' ', statistics.Counts.ToArray()));
    }

    // Batches as networks make them, and worse ones: denormal numbers, ranges beyond float32's, all values equal, borders of bins.
    private static float[] AnyValues(Random random)
    {
        int length = random.Next(4) switch { 0 => random.Next(0, 40), 1 => random.Next(0, 600), 2 => random.Next(1, 5) * 16, _ => random.Next(500, 1100) };
        int shape = random.Next(9);
        float size = MathF.Pow(10, random.Next(-3, 4));
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            float x = (random.NextSingle() * 2) - 1;
            values[i] = shape switch
            {
                0 => x * size,
                1 => MathF.Max(0, x) * size,
                2 => size,
                3 => x * 1e-44f,
                4 => x * float.MaxValue,
                5 => random.Next(-8, 8) / 8f,
                6 => random.Next(2) == 0 ? -0f : 0f,
                7 => 1000 + (x * 1e-4f),
                _ => x * MathF.Pow(10, random.Next(-45, 38)),
            };
        }

        return values;
    }
}
