using Qaic.Cli.Commands.Bench;

namespace Qaic.Cli.Tests.Bench;

[TestClass]
public sealed class LatencyHistogramTests
{
    private static readonly int[] s_perMille = [1, 10, 250, 500, 900, 950, 990, 999, 1000];

    [TestMethod]
    [DataRow(1), DataRow(2), DataRow(7), DataRow(999), DataRow(1000), DataRow(1001), DataRow(100_000)]
    public void A_percentile_is_within_the_stated_error_of_the_value_at_its_rank(int count)
    {
        // Nine decades, as latencies never have at once.
        var random = new Random(count);
        long[] values = [.. Enumerable.Range(0, count).Select(_ => (long)Math.Pow(10, random.NextDouble() * 9))];
        var histogram = new LatencyHistogram();
        Array.ForEach(values, histogram.Record);
        Array.Sort(values);
        foreach (int perMille in s_perMille)
        {
            long exact = values[(int)Math.Max(1, Math.Ceiling(count * perMille / 1000m)) - 1];
            Assert.IsLessThanOrEqualTo(exact * LatencyHistogram.RelativeError, (double)Math.Abs(histogram.Percentile(perMille) - exact), $"{perMille} ‰ of {count}: {exact}");
        }

        Assert.AreEqual((count, values[0], values[^1]), ((int)histogram.Count, histogram.Smallest, histogram.Largest));
        Assert.AreEqual(values.Average(), histogram.Mean, values.Average() * 1e-12);
        Assert.AreEqual(values[^1], histogram.Percentile(1000));
    }

    [TestMethod]
    public void Small_and_equal_values_are_exact()
    {
        var histogram = new LatencyHistogram();
        for (int i = 0; i < 200; i++)
        {
            histogram.Record(i);
        }

        Assert.AreEqual((99, 197), (histogram.Percentile(500), histogram.Percentile(990)));
        histogram = new LatencyHistogram();
        histogram.Record(123_456_789);
        histogram.Record(123_456_789);
        Assert.AreEqual((123_456_789, 123_456_789), (histogram.Percentile(1), histogram.Percentile(999)));
    }

    [TestMethod]
    public void The_sum_of_two_is_the_histogram_of_both()
    {
        (LatencyHistogram a, LatencyHistogram b, LatencyHistogram both) = (new(), new(), new());
        var random = new Random(1);
        for (int i = 0; i < 5000; i++)
        {
            long value = random.NextInt64(1L << random.Next(1, 40));
            (i % 3 == 0 ? a : b).Record(value);
            both.Record(value);
        }

        a.Add(b);
        a.Add(new LatencyHistogram());
        foreach (int perMille in s_perMille)
        {
            Assert.AreEqual(both.Percentile(perMille), a.Percentile(perMille));
        }

        Assert.AreEqual((both.Count, both.Smallest, both.Largest, both.Mean), (a.Count, a.Smallest, a.Largest, a.Mean));
    }

    [TestMethod]
    public void An_empty_one_has_zeros_and_a_negative_duration_is_zero()
    {
        var histogram = new LatencyHistogram();
        Assert.AreEqual((0L, 0L, 0.0), (histogram.Count, histogram.Percentile(990), histogram.Mean));
        Assert.IsEmpty(histogram.Bars(20));
        histogram.Record(-5);
        Assert.AreEqual((1L, 0L), (histogram.Count, histogram.Largest));
        Assert.HasCount(1, histogram.Bars(20));
        histogram.Record(long.MaxValue);
        Assert.AreEqual(long.MaxValue, histogram.Percentile(1000));
    }

    [TestMethod]
    [DataRow(1_000_000, 1_900_000, 20), DataRow(1_000_000, 90_000_000, 10), DataRow(1000, 9_000_000_000, 2), DataRow(1, 1_000_000_000_000, 1)]
    public void Bars_have_equal_ratios_no_gaps_and_every_value(long smallest, long largest, int perDecade)
    {
        var histogram = new LatencyHistogram();
        long[] values = [smallest, smallest + ((largest - smallest) / 3), largest];
        Array.ForEach(values, histogram.Record);
        IReadOnlyList<(double From, double To, long Count)> bars = histogram.Bars(20);
        Assert.AreEqual(values.Length, bars.Sum(b => b.Count));
        Assert.IsLessThanOrEqualTo(20, bars.Count);
        Assert.IsTrue(bars[0].From <= smallest * 1.0001 && bars[^1].To >= largest);
        for (int i = 0; i < bars.Count; i++)
        {
            Assert.AreEqual(Math.Pow(10, 1.0 / perDecade), bars[i].To / bars[i].From, 1e-9);
            Assert.IsTrue(i == 0 || bars[i].From == bars[i - 1].To);
        }
    }
}
