using System.Globalization;

namespace Qaic;

/// <summary>Latencies of a session's inferences, in seconds.</summary>
/// <remarks>
/// <para>A percentile P is the smallest latency that at least P % of the inferences do not exceed (nearest rank). Up to 10 000 inferences it is one of the
/// latencies that were observed; beyond that it is within 0.4 % (1/256) of the one at its rank. Number, minimum, maximum, sum and average are always exact.
/// <c>MinLatency ≤ P25 ≤ P50 ≤ P75 ≤ P90 ≤ P99 ≤ P999 ≤ MaxLatency</c>.</para>
/// <para>Without inferences <see cref="NumOfInferences"/> and <see cref="TotalInferenceTime"/> are 0 and all others NaN: there is no latency to speak of.</para>
/// </remarks>
public sealed record QaicMetrics
{
    internal static QaicMetrics None { get; } = new()
    {
        NumOfInferences = 0,
        MinLatency = double.NaN,
        MaxLatency = double.NaN,
        P25 = double.NaN,
        P50 = double.NaN,
        P75 = double.NaN,
        P90 = double.NaN,
        P99 = double.NaN,
        P999 = double.NaN,
        TotalInferenceTime = 0,
        AvgLatency = double.NaN,
    };

    /// <summary>How many inferences were recorded. Python: <c>num_of_inferences</c>.</summary>
    public required long NumOfInferences { get; init; }

    /// <summary>The shortest latency, in seconds. Python: <c>min_latency</c>.</summary>
    public required double MinLatency { get; init; }

    /// <summary>The longest latency, in seconds. Python: <c>max_latency</c>.</summary>
    public required double MaxLatency { get; init; }

    /// <summary>At least 25 % of the inferences took no longer, in seconds.</summary>
    public required double P25 { get; init; }

    /// <summary>The median: at least half of the inferences took no longer, in seconds.</summary>
    public required double P50 { get; init; }

    /// <summary>At least 75 % of the inferences took no longer, in seconds.</summary>
    public required double P75 { get; init; }

    /// <summary>At least 90 % of the inferences took no longer, in seconds.</summary>
    public required double P90 { get; init; }

    /// <summary>At least 99 % of the inferences took no longer, in seconds.</summary>
    public required double P99 { get; init; }

    /// <summary>At least 99.9 % of the inferences took no longer, in seconds.</summary>
    public required double P999 { get; init; }

    /// <summary>The sum of all latencies, in seconds; more than the time that has passed, if inferences overlapped. Python: <c>total_inference_time</c>.</summary>
    public required double TotalInferenceTime { get; init; }

    /// <summary>The average latency, in seconds. Python: <c>avg_latency</c>.</summary>
    public required double AvgLatency { get; init; }

    /// <summary>The same under python's keys, in python's order.</summary>
    public IReadOnlyDictionary<string, double> ToDictionary() => new OrderedDictionary<string, double>(11, StringComparer.Ordinal)
    {
        ["num_of_inferences"] = NumOfInferences,
        ["min_latency"] = MinLatency,
        ["max_latency"] = MaxLatency,
        ["P25"] = P25,
        ["P50"] = P50,
        ["P75"] = P75,
        ["P90"] = P90,
        ["P99"] = P99,
        ["P999"] = P999,
        ["total_inference_time"] = TotalInferenceTime,
        ["avg_latency"] = AvgLatency,
    };

    /// <summary>Writes the lines of python's <c>print_metrics</c>, each key once; the same in every culture, in seconds, without exponents.</summary>
    /// <param name="writer">Receives the lines.</param>
    public void Print(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Number of inferences utilized for calculation are {NumOfInferences}"));
        Line("Minimum latency observed", MinLatency);
        Line("Maximum latency observed", MaxLatency);
        Line("Average latency / inference time observed is", AvgLatency);
        Line("P25 / 25% of inferences observed latency less than", P25);
        Line("P50 / 50% of inferences observed latency less than", P50);
        Line("P75 / 75% of inferences observed latency less than", P75);
        Line("P90 / 90% of inferences observed latency less than", P90);
        Line("P99 / 99% of inferences observed latency less than", P99);
        Line("P999 / 99.9% of inferences observed latency less than", P999);
        Line("Sum of all the inference times", TotalInferenceTime);

        // Clocks tick in nanoseconds, hence nine decimals; an average can have more.
        void Line(string what, double seconds) => writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what} {seconds:0.000000000########} s"));
    }
}
