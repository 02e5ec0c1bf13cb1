namespace Qaic.Cli.Commands.Bench;

/// <summary>What one can say about a difference.</summary>
internal enum Difference
{
    /// <summary>One of them has a single repetition, so nobody knows how much repetitions differ.</summary>
    Unknown,

    /// <summary>The two may be the same.</summary>
    WithinNoise,

    /// <summary>The second is better, by more than repetitions differ.</summary>
    Better,

    /// <summary>The second is worse, by more than repetitions differ.</summary>
    Worse,
}

/// <summary>A metric of two benchmarks: the second in terms of the first.</summary>
/// <param name="Metric">The metric.</param>
/// <param name="First">Median of the first.</param>
/// <param name="Second">Median of the second.</param>
/// <param name="Ratio">Geometric mean of the second over that of the first.</param>
/// <param name="Low">Lower end of the ratio's 95 % confidence interval; NaN if there is none.</param>
/// <param name="High">Upper end.</param>
/// <param name="Difference">What it means.</param>
internal sealed record BenchComparison(BenchMetric Metric, double First, double Second, double Ratio, double Low, double High, Difference Difference)
{
    // 97.5 % quantiles of Student's t distribution for 1 to 30 degrees of freedom; beyond, the last one is on the safe side.
    private static readonly double[] s_student =
    [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];

    /// <summary>Compares by the repetitions' values: Welch's interval of the difference of the means of their logarithms.</summary>
    /// <remarks>
    /// Ratios, not differences, because noise is in proportion; Welch's, because the second may be noisier than the first. The interval is wider by what the metric itself may be off in both:
    /// repetitions that fall into the same bucket of a histogram share its error, so that it neither shows in their spread nor averages out.
    /// </remarks>
    /// <param name="metric">The metric.</param>
    /// <param name="first">Its values in the first benchmark; at least one.</param>
    /// <param name="second">And in the second.</param>
    /// <returns>Null if a value is 0, which has no ratio.</returns>
    public static BenchComparison? Of(BenchMetric metric, IReadOnlyList<double> first, IReadOnlyList<double> second)
    {
        if (first.Concat(second).Any(value => !(value > 0) || !double.IsFinite(value)))
        {
            return null;
        }

        (double meanA, double errorA) = LogMean(first);
        (double meanB, double errorB) = LogMean(second);
        double difference = meanB - meanA;
        double half = double.NaN;
        if (first.Count > 1 && second.Count > 1)
        {
            double error = errorA + errorB;
            double freedom = error == 0 ? s_student.Length : error * error / ((errorA * errorA / (first.Count - 1)) + (errorB * errorB / (second.Count - 1)));
            half = (s_student[Math.Clamp((int)freedom, 1, s_student.Length) - 1] * Math.Sqrt(error)) + (2 * metric.RelativeError);
        }

        return new BenchComparison(
            metric,
            Spread.Of(first).Median,
            Spread.Of(second).Median,
            Math.Exp(difference),
            Math.Exp(difference - half),
            Math.Exp(difference + half),
            double.IsNaN(half) ? Difference.Unknown : Math.Abs(difference) <= half ? Difference.WithinNoise : difference > 0 == metric.IsHigherBetter ? Difference.Better : Difference.Worse);
    }

    // The mean of the logarithms, and the square of its standard error.
    private static (double Mean, double Error) LogMean(IReadOnlyList<double> values)
    {
        double mean = values.Average(Math.Log);
        return (mean, values.Count < 2 ? 0 : values.Sum(v => (Math.Log(v) - mean) * (Math.Log(v) - mean)) / (values.Count - 1) / values.Count);
    }
}
