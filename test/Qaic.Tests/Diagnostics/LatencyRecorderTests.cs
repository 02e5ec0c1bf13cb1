using System.Diagnostics;
using Qaic.Diagnostics;

namespace Qaic.Tests.Diagnostics;

[TestClass]
public sealed class LatencyRecorderTests
{
    public enum Shape
    {
        Constant,
        Uniform,
        Narrow,
        Exponential,
        TwoPeaks,
        LogUniform,
        Falling,
    }

    public static IEnumerable<object[]> SmallCases => from shape in Enum.GetValues<Shape>() from count in (int[])[1, 2, 3, 4, 7, 100, 999, 9_999, 10_000] select new object[] { shape, count };

    public static IEnumerable<object[]> LargeCases => from shape in Enum.GetValues<Shape>() from count in (int[])[10_001, 100_000] select new object[] { shape, count };

    [TestMethod]
    [DynamicData(nameof(SmallCases))]
    public void Up_to_ten_thousand_inferences_every_metric_is_that_of_the_sorted_values(Shape shape, int count)
    {
        long[] values = Values(shape, count);
        QaicMetrics metrics = Recorded(values).Snapshot();
        AssertExactParts(values, metrics);
        Array.Sort(values);
        foreach ((int perMille, double seconds) in Percentiles(metrics))
        {
            Assert.AreEqual(Seconds(NearestRank(values, perMille)), seconds, $"{perMille} ‰ of {count} values, {shape}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(LargeCases))]
    [DataRow(Shape.Exponential, 1_000_000)]
    [DataRow(Shape.LogUniform, 1_000_000)]
    public void Beyond_ten_thousand_inferences_percentiles_are_within_the_stated_error_and_the_rest_is_exact(Shape shape, int count)
    {
        long[] values = Values(shape, count);
        QaicMetrics metrics = Recorded(values).Snapshot();
        AssertExactParts(values, metrics);
        AssertMonotone(metrics);
        Array.Sort(values);
        foreach ((int perMille, double seconds) in Percentiles(metrics))
        {
            double expected = Seconds(NearestRank(values, perMille));
            Assert.AreEqual(expected, seconds, expected * LatencyRecorder.RelativeError, $"{perMille} ‰ of {count} values, {shape}");
        }
    }

    [TestMethod]
    public void A_percentile_is_the_smallest_value_that_so_many_percent_do_not_exceed()
    {
        QaicMetrics four = Recorded([40, 10, 30, 20]).Snapshot();
        Assert.AreEqual(Seconds(10), four.P25, "one of four is a quarter");
        Assert.AreEqual(Seconds(20), four.P50, "no mean of the two in the middle");
        Assert.AreEqual(Seconds(30), four.P75);
        Assert.AreEqual(Seconds(40), four.P90);
        QaicMetrics thousand = Recorded([.. Enumerable.Range(1, 1000)]).Snapshot();
        Assert.AreEqual(Seconds(900), thousand.P90);
        Assert.AreEqual(Seconds(990), thousand.P99);
        Assert.AreEqual(Seconds(999), thousand.P999);
        Assert.AreEqual(Seconds(1000), thousand.MaxLatency);
    }

    [TestMethod]
    public void The_ten_thousand_and_first_inference_does_not_change_the_others()
    {
        long[] values = Values(Shape.Exponential, 10_000);
        LatencyRecorder recorder = Recorded(values);
        QaicMetrics before = recorder.Snapshot();
        recorder.Record(values[0]);
        QaicMetrics after = recorder.Snapshot();
        Assert.AreEqual(10_001, after.NumOfInferences);
        Assert.AreEqual(before.MaxLatency, after.MaxLatency);
        Assert.AreEqual(before.P50, after.P50, before.P50 * 0.01);
    }

    [TestMethod]
    public void Without_inferences_there_is_a_count_and_a_sum_of_zero_and_no_latency()
    {
        QaicMetrics metrics = new LatencyRecorder().Snapshot();
        Assert.AreEqual(0, metrics.NumOfInferences);
        Assert.AreEqual(0.0, metrics.TotalInferenceTime);
        double[] latencies = [metrics.MinLatency, metrics.MaxLatency, metrics.AvgLatency, .. Percentiles(metrics).Select(p => p.Seconds)];
        Assert.IsTrue(latencies.All(double.IsNaN));
    }

    [TestMethod]
    public void The_shortest_and_the_longest_possible_latency_are_recorded_and_their_sum_does_not_overflow()
    {
        QaicMetrics metrics = Recorded([long.MaxValue, 0, long.MaxValue, long.MaxValue]).Snapshot();
        Assert.AreEqual(0.0, metrics.MinLatency);
        Assert.AreEqual(0.0, metrics.P25);
        Assert.AreEqual(Seconds(long.MaxValue), metrics.P50);
        Assert.AreEqual(3 * Seconds(long.MaxValue), metrics.TotalInferenceTime, 1);
        LatencyRecorder many = Recorded(Enumerable.Repeat(long.MaxValue, 10_001));
        Assert.AreEqual(Seconds(long.MaxValue), many.Snapshot().P999, "clamped to the longest that was observed");
    }

    [TestMethod]
    public void A_negative_latency_is_refused_and_leaves_no_trace()
    {
        var recorder = new LatencyRecorder();
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => recorder.Record(-1));
        StringAssert.Contains(e.Message, "0 ticks or more");
        Assert.AreEqual(0, recorder.Snapshot().NumOfInferences);
    }

    [TestMethod]
    [DataRow(5)]
    [DataRow(20_000)]
    public void After_a_reset_only_new_inferences_count(int before)
    {
        LatencyRecorder recorder = Recorded(Values(Shape.Uniform, before));
        recorder.Reset();
        Assert.AreEqual(new LatencyRecorder().Snapshot(), recorder.Snapshot());
        recorder.Record(7);
        recorder.Record(3);
        QaicMetrics metrics = recorder.Snapshot();
        Assert.AreEqual(2, metrics.NumOfInferences);
        Assert.AreEqual((Seconds(3), Seconds(3), Seconds(7), Seconds(10)), (metrics.MinLatency, metrics.P50, metrics.P999, metrics.TotalInferenceTime));
    }

    [TestMethod]
    public void Buckets_follow_each_other_without_gaps_and_their_middle_is_within_the_stated_error()
    {
        var random = new Random(1);
        IEnumerable<long> edges = Enumerable.Range(0, 63).SelectMany(bit => (long[])[(1L << bit) - 1, 1L << bit, (1L << bit) + 1]);
        foreach (long value in edges.Append(long.MaxValue).Concat(Enumerable.Range(0, 100_000).Select(_ => random.NextInt64() >> random.Next(63))))
        {
            int bucket = LatencyRecorder.BucketOf(value);
            Assert.IsTrue(bucket >= 0 && bucket < LatencyRecorder.BucketCount, $"{value} is in bucket {bucket}");
            Assert.IsLessThanOrEqualTo((double)value * LatencyRecorder.RelativeError, Math.Abs((double)LatencyRecorder.MiddleOf(bucket) - value), $"{value}");
        }

        for (int bucket = 0; bucket < LatencyRecorder.BucketCount; bucket++)
        {
            Assert.AreEqual(bucket, LatencyRecorder.BucketOf(LatencyRecorder.MiddleOf(bucket)));
        }

        Assert.IsLessThanOrEqualTo(0.004, LatencyRecorder.RelativeError);
    }

    [TestMethod]
    [DataRow(1L, 250, 1L)]
    [DataRow(1000L, 999, 999L)]
    [DataRow(1001L, 999, 1000L)]
    [DataRow(4L, 250, 1L)]
    [DataRow(5L, 250, 2L)]
    [DataRow(long.MaxValue, 500, 4611686018427387904L)]
    public void Ranks_are_rounded_up_and_do_not_overflow(long count, int perMille, long rank) => Assert.AreEqual(rank, LatencyRecorder.RankOf(perMille, count));

    [TestMethod]
    [DataRow(1_000)]
    [DataRow(50_000)]
    public void Threads_that_record_at_once_lose_nothing(int each)
    {
        const int Threads = 8;
        var recorder = new LatencyRecorder();
        InParallel(Threads, thread =>
        {
            for (int i = 0; i < each; i++)
            {
                recorder.Record(1000 + (i * Threads) + thread);
            }
        });
        AssertExactParts([.. Enumerable.Range(1000, each * Threads)], recorder.Snapshot());
    }

    [TestMethod]
    public void A_snapshot_taken_while_others_record_is_consistent_and_never_goes_back()
    {
        const int Threads = 4, Each = 100_000;
        var recorder = new LatencyRecorder();
        long count = 0;
        int running = Threads, snapshots = 0;
        InParallel(Threads + 1, thread =>
        {
            if (thread < Threads)
            {
                // Whatever was recorded so far, its sum is a multiple of the value, and the number says which.
                for (int i = 0; i < Each; i++)
                {
                    recorder.Record(1_000_000);
                }

                Interlocked.Decrement(ref running);
                return;
            }

            bool last;
            do
            {
                last = Volatile.Read(ref running) == 0;
                QaicMetrics metrics = recorder.Snapshot();
                Assert.IsGreaterThanOrEqualTo(count, metrics.NumOfInferences);
                count = metrics.NumOfInferences;
                snapshots++;
                if (count > 0)
                {
                    AssertMonotone(metrics);
                    Assert.AreEqual((double)((UInt128)(ulong)count * 1_000_000) / Stopwatch.Frequency, metrics.TotalInferenceTime, "sum and number belong together");
                }
            }
            while (!last);
        });
        Assert.AreEqual(Threads * Each, count);
        Assert.IsGreaterThan(1, snapshots);
    }

    [TestMethod]
    public void A_reset_between_recorders_and_snapshots_leaves_whole_metrics()
    {
        var recorder = new LatencyRecorder();
        InParallel(3, thread =>
        {
            for (int i = 0; i < (thread == 0 ? 40_000 : 300); i++)
            {
                switch (thread)
                {
                    case 0:
                        recorder.Record(500 + (i % 1000));
                        break;
                    case 1:
                        recorder.Reset();
                        break;
                    default:
                        QaicMetrics metrics = recorder.Snapshot();
                        Assert.IsTrue(metrics.NumOfInferences == 0 || (metrics.MinLatency >= Seconds(500) && metrics.MaxLatency < Seconds(1500)), $"{metrics}");
                        break;
                }
            }
        });
        recorder.Reset();
        Assert.AreEqual(0, recorder.Snapshot().NumOfInferences);
    }

    [TestMethod]
    public void Recording_allocates_nothing()
    {
        var recorder = new LatencyRecorder();
        recorder.Record(1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20_000; i++)
        {
            recorder.Record(i * 1000L);
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static LatencyRecorder Recorded(IEnumerable<long> values)
    {
        var recorder = new LatencyRecorder();
        foreach (long value in values)
        {
            recorder.Record(value);
        }

        return recorder;
    }

    private static LatencyRecorder Recorded(int[] values) => Recorded(values.Select(v => (long)v));

    private static long[] Values(Shape shape, int count)
    {
        var random = new Random(count);
        long Next(int i) => shape switch
        {
            Shape.Constant => 1_238_076,
            Shape.Uniform => random.Next(0, 2_000_000),
            Shape.Narrow => 1_000_000 + random.Next(0, 50),
            Shape.Exponential => (long)(-Math.Log(1 - random.NextDouble()) * 1_000_000),
            Shape.TwoPeaks => (random.Next(100) < 95 ? 1_000_000 : 25_000_000) + random.Next(0, 100_000),
            Shape.LogUniform => random.NextInt64() >> random.Next(63),
            Shape.Falling => 10L * (count - i),
            _ => throw new UnreachableException(),
        };
        return [.. Enumerable.Range(0, count).Select(Next)];
    }

    // The definition, said another way than the recorder computes it: walk the sorted values until enough do not exceed one.
    private static long NearestRank(long[] sorted, int perMille)
    {
        int i = Math.Max(0, (int)((long)sorted.Length * perMille / 1000) - 2);
        while ((i + 1) * 1000L < (long)perMille * sorted.Length)
        {
            i++;
        }

        return sorted[i];
    }

    private static void AssertExactParts(long[] values, QaicMetrics metrics)
    {
        UInt128 sum = 0;
        foreach (long value in values)
        {
            sum += (ulong)value;
        }

        Assert.AreEqual(values.Length, metrics.NumOfInferences);
        Assert.AreEqual(Seconds(values.Min()), metrics.MinLatency);
        Assert.AreEqual(Seconds(values.Max()), metrics.MaxLatency);
        Assert.AreEqual((double)sum / Stopwatch.Frequency, metrics.TotalInferenceTime);
        Assert.AreEqual(metrics.TotalInferenceTime / values.Length, metrics.AvgLatency, metrics.AvgLatency * 1e-12);
        AssertMonotone(metrics);
    }

    private static void AssertMonotone(QaicMetrics metrics)
    {
        double[] ordered = [metrics.MinLatency, .. Percentiles(metrics).Select(p => p.Seconds), metrics.MaxLatency];
        CollectionAssert.AreEqual(ordered.Order().ToArray(), ordered, $"{metrics}");
        Assert.IsTrue(metrics.MinLatency <= metrics.AvgLatency && metrics.AvgLatency <= metrics.MaxLatency, $"{metrics}");
    }

    private static (int PerMille, double Seconds)[] Percentiles(QaicMetrics metrics) =>
        [(250, metrics.P25), (500, metrics.P50), (750, metrics.P75), (900, metrics.P90), (990, metrics.P99), (999, metrics.P999)];

    private static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;

    private static void InParallel(int threads, Action<int> body)
    {
        using var barrier = new Barrier(threads);
        Task.WaitAll([.. Enumerable.Range(0, threads).Select(thread => Task.Factory.StartNew(
            () =>
            {
                barrier.SignalAndWait();
                body(thread);
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))]);
    }
}
