namespace Qaic.Cli.Commands.Bench;

/// <summary>A number that every repetition has, and that two benchmarks are compared by.</summary>
/// <param name="Key">Its name in result files.</param>
/// <param name="Name">Its name for people, with the unit.</param>
/// <param name="IsHigherBetter">Whether more is better.</param>
/// <param name="Of">What a repetition has measured.</param>
/// <param name="RelativeError">How far that can be from the truth because of how it is counted, relative to it; 0 where it is exact.</param>
internal sealed record BenchMetric(string Key, string Name, bool IsHigherBetter, Func<Measurement, double> Of, double RelativeError = 0)
{
    private const double NanosecondsPerMillisecond = 1e6;

    /// <summary>All of them, in the order of the report.</summary>
    public static IReadOnlyList<BenchMetric> All { get; } =
    [
        new("rowsPerSecond", "rows/s", true, m => m.InferenceRate * m.RowsPerInference),
        new("inferencesPerSecond", "inferences/s", true, m => m.InferenceRate),
        new("cpuMillisecondsPerInference", "host CPU, ms per inference", false, m => m.Completed == 0 ? 0 : m.CpuSeconds * 1e3 / m.Completed),
        new("meanMilliseconds", "latency mean, ms", false, m => m.Latency.Mean / NanosecondsPerMillisecond),
        Percentile("p50Milliseconds", "p50", 500),
        Percentile("p90Milliseconds", "p90", 900),
        Percentile("p95Milliseconds", "p95", 950),
        Percentile("p99Milliseconds", "p99", 990),
        Percentile("p999Milliseconds", "p99.9", 999),
        Percentile("maxMilliseconds", "max", 1000) with { RelativeError = 0 },
    ];

    private static BenchMetric Percentile(string key, string name, int perMille) => new(key, $"latency {name}, ms", false, m => m.Latency.Percentile(perMille) / NanosecondsPerMillisecond, LatencyHistogram.RelativeError);
}

/// <summary>The values of one metric over the repetitions.</summary>
/// <param name="Median">The middle one; of an even number, the mean of the two in the middle.</param>
/// <param name="Smallest">The smallest one.</param>
/// <param name="Largest">The largest one.</param>
internal readonly record struct Spread(double Median, double Smallest, double Largest)
{
    /// <summary>From the smallest to the largest, relative to the median; 0 where the median is 0.</summary>
    public double Relative => Median == 0 ? 0 : (Largest - Smallest) / Median;

    /// <summary>Of values in any order; at least one.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return new Spread(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2, sorted[0], sorted[^1]);
    }
}
