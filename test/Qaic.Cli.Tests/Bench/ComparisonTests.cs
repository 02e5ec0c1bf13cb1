using Qaic.Cli.Commands.Bench;

namespace Qaic.Cli.Tests.Bench;

/// <summary>What repetitions are summed up to, and when a difference is one.</summary>
[TestClass]
public sealed class ComparisonTests
{
    private static readonly BenchMetric s_rate = BenchMetric.All.Single(m => m.Key == "rowsPerSecond");
    private static readonly BenchMetric s_latency = BenchMetric.All.Single(m => m.Key == "p99Milliseconds");

    [TestMethod]
    [DataRow(new[] { 3.0 }, 3.0, 3.0, 3.0, 0.0)]
    [DataRow(new[] { 5.0, 1.0, 3.0 }, 3.0, 1.0, 5.0, 4.0 / 3)]
    [DataRow(new[] { 4.0, 1.0, 2.0, 10.0 }, 3.0, 1.0, 10.0, 3.0)]
    [DataRow(new[] { 0.0, 0.0 }, 0.0, 0.0, 0.0, 0.0)]
    public void A_spread_is_of_the_sorted_values(double[] values, double median, double smallest, double largest, double relative)
    {
        Spread spread = Spread.Of(values);
        Assert.AreEqual((median, smallest, largest), (spread.Median, spread.Smallest, spread.Largest));
        Assert.AreEqual(relative, spread.Relative, 1e-12);
    }

    [TestMethod]
    public void The_interval_is_Welchs_on_logarithms()
    {
        // Computed by hand: ln of {100, 110, 121} has mean ln 110 and variance (ln 1.1)²; the second is the same, doubled. t of 4 degrees of freedom is 2.776.
        BenchComparison c = BenchComparison.Of(s_rate, [100, 110, 121], [200, 220, 242])!;
        double half = 2.776 * Math.Sqrt(2 * Math.Pow(Math.Log(1.1), 2) / 3);
        Assert.AreEqual(2, c.Ratio, 1e-12);
        Assert.AreEqual(2 * Math.Exp(-half), c.Low, 1e-9);
        Assert.AreEqual(2 * Math.Exp(half), c.High, 1e-9);
        Assert.AreEqual((110.0, 220.0, Difference.Better), (c.First, c.Second, c.Difference));
    }

    [TestMethod]
    public void Unequal_noise_takes_the_degrees_of_freedom_of_the_noisier()
    {
        // All of the error is the second's, which has 2 degrees of freedom: t is 4.303, not the 2.776 of both together.
        BenchComparison c = BenchComparison.Of(s_rate, [100, 100, 100], [100, 110, 121])!;
        Assert.AreEqual(Math.Log(1.1) - (4.303 * Math.Log(1.1) / Math.Sqrt(3)), Math.Log(c.Low), 1e-9);
        Assert.AreEqual(Difference.WithinNoise, c.Difference);
    }

    [TestMethod]
    public void More_rows_are_better_and_more_milliseconds_are_worse()
    {
        Assert.AreEqual(Difference.Better, BenchComparison.Of(s_rate, [100, 101, 99], [150, 151, 149])!.Difference);
        Assert.AreEqual(Difference.Worse, BenchComparison.Of(s_rate, [150, 151, 149], [100, 101, 99])!.Difference);
        Assert.AreEqual(Difference.Worse, BenchComparison.Of(s_latency, [100, 101, 99], [150, 151, 149])!.Difference);
        Assert.AreEqual(Difference.Better, BenchComparison.Of(s_latency, [150, 151, 149], [100, 101, 99])!.Difference);
    }

    [TestMethod]
    public void A_difference_smaller_than_the_noise_is_none() =>
        Assert.AreEqual(Difference.WithinNoise, BenchComparison.Of(s_rate, [100, 120, 80], [105, 125, 85])!.Difference);

    [TestMethod]
    public void A_single_repetition_says_nothing_about_noise()
    {
        BenchComparison c = BenchComparison.Of(s_rate, [100], [200, 201])!;
        Assert.AreEqual((2.0, Difference.Unknown, true), (Math.Round(c.Ratio, 1), c.Difference, double.IsNaN(c.Low)));
    }

    [TestMethod]
    public void Exactly_equal_repetitions_have_no_noise()
    {
        Assert.AreEqual(Difference.WithinNoise, BenchComparison.Of(s_rate, [5, 5, 5], [5, 5])!.Difference);
        Assert.AreEqual(Difference.Better, BenchComparison.Of(s_rate, [5, 5, 5], [6, 6])!.Difference);
    }

    [TestMethod]
    public void What_has_no_ratio_is_not_compared() => Assert.IsNull(BenchComparison.Of(s_rate, [0, 1], [1, 1]));

    [TestMethod]
    public void The_search_finds_the_highest_rate_that_meets_the_target()
    {
        var tried = new List<double>();
        var search = new RateSearch(
            rate =>
            {
                tried.Add(rate);
                return Measured(rate <= 700 ? 4_000_000 : 9_000_000);
            },
            target: 0.005,
            _ => { });
        (double rate, Measurement measured) = search.Find(1600)!.Value;
        Assert.IsTrue(rate is <= 700 and > 700 * 0.95, $"{rate}");
        Assert.AreEqual(4, measured.Latency.Percentile(990) / 1_000_000);
        Assert.AreEqual(1600, tried[0], "the highest may be good enough");
        Assert.IsLessThan(12, tried.Count);
    }

    [TestMethod]
    public void The_search_ends_at_once_where_the_highest_rate_will_do_and_where_none_does()
    {
        int tries = 0;
        Assert.AreEqual(1600, Search(true).Find(1600)!.Value.Rate);
        Assert.AreEqual(1, tries);
        tries = 0;
        Assert.IsNull(Search(false).Find(1600));
        Assert.IsLessThan(10, tries);

        RateSearch Search(bool meets) => new(_ => Measured(meets && ++tries > 0 || ++tries < 0 ? 1 : 9_000_000), 0.005, _ => { });
    }

    [TestMethod]
    public void A_rate_at_which_requests_are_left_over_or_fail_does_not_meet_the_target()
    {
        Assert.IsTrue(RateSearch.Meets(Measured(1), 1));
        Assert.IsFalse(RateSearch.Meets(Measured(1) with { Unserved = 1 }, 1));
        Assert.IsFalse(RateSearch.Meets(Measured(1) with { Failure = new InvalidOperationException() }, 1));
    }

    [TestMethod]
    public void A_search_that_is_interrupted_or_fails_says_so_instead_of_a_rate()
    {
        var failure = new QaicException(QaicError.Timeout, "The device is gone.");
        Assert.ThrowsExactly<OperationCanceledException>(() => new RateSearch(_ => Measured(1) with { IsInterrupted = true }, 1, _ => { }).Find(10));
        Assert.AreSame(failure, Assert.ThrowsExactly<QaicException>(() => new RateSearch(rate => rate is 10 ? Measured(9_000_000_000) : Measured(1) with { Failure = rate is 5 ? null : failure }, 1, _ => { }).Find(10)), "after a rate that had met the target");
    }

    [TestMethod]
    public void What_the_buckets_hide_is_no_difference()
    {
        // A nanosecond apart, and in different buckets: the middles of the buckets are 0.6 % apart.
        BenchMetric p50 = BenchMetric.All.Single(m => m.Key == "p50Milliseconds");
        double[] first = [.. Enumerable.Repeat(P50((1 << 30) - 1), 10)], second = [.. Enumerable.Repeat(P50(1 << 30), 10)];
        Assert.IsGreaterThan(1.005, second[0] / first[0]);
        Assert.AreEqual(Difference.WithinNoise, BenchComparison.Of(p50, first, second)!.Difference);
        Assert.AreEqual(Difference.Worse, BenchComparison.Of(p50, first, [.. second.Select(v => v * 1.01)])!.Difference);
        foreach (string key in new[] { "meanMilliseconds", "maxMilliseconds" })
        {
            Assert.AreEqual(Difference.Worse, BenchComparison.Of(BenchMetric.All.Single(m => m.Key == key), first, second)!.Difference, $"{key} is exact");
        }

        double P50(long nanoseconds)
        {
            var latency = new LatencyHistogram();
            foreach (long value in new[] { 1, nanoseconds, nanoseconds, 1L << 40 })
            {
                latency.Record(value);
            }

            return p50.Of(Measured(1) with { Latency = latency });
        }
    }

    [TestMethod]
    public void A_target_is_not_met_by_what_served_nothing()
    {
        Assert.IsTrue(BenchResults.Made(Measured(1)).MeetsTarget!.Value);
        Assert.IsFalse(BenchResults.Made(Measured(1), Measured(1), Measured(1) with { Completed = 0, Latency = new() }).MeetsTarget!.Value);
    }

    [TestMethod]
    [DataRow(900, true), DataRow(1000, false)]
    public void Too_few_latencies_for_the_last_percentile_are_told_by_repetition(int count, bool isTold)
    {
        var latency = new LatencyHistogram();
        for (int i = 1; i <= count; i++)
        {
            latency.Record(i < count ? i * 1_000_000L : 5_000_000_000);
        }

        Measurement repetition = Measured(1) with { Completed = count, Latency = latency };
        using var output = new StringWriter();
        BenchReport.Write(BenchResults.Made(repetition, repetition, repetition), new ToolConsole(output, output, isRedirected: true).Terminal);
        Assert.AreEqual(isTold, output.ToString().Contains($"With {count} latencies in a repetition its p99.9 is its longest one", StringComparison.Ordinal), output.ToString());
        Assert.AreEqual(isTold, latency.Percentile(999) == latency.Largest);
    }

    private static Measurement Measured(long nanoseconds) => BenchResults.Measured(nanoseconds);
}
