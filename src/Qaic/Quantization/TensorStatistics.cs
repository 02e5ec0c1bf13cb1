namespace Qaic.Quantization;

/// <summary>What was seen of one tensor while profiling: its range, and how often each part of it.</summary>
/// <remarks>Immutable. Bin i of n covers [Minimum + i·w, Minimum + (i+1)·w) with w = (Maximum − Minimum) / n; the last one is closed.</remarks>
public sealed class TensorStatistics
{
    private readonly double[] _counts;

    /// <param name="name">Name in the profile: <c>&lt;node&gt;:&lt;result&gt;</c>.</param>
    /// <param name="minimum">Smallest value seen.</param>
    /// <param name="maximum">Largest value seen.</param>
    /// <param name="counts">Values per bin.</param>
    /// <exception cref="ArgumentException">The name is empty, the range is NaN, infinite or upside down, or a count is negative, or a count or their sum not finite.</exception>
    public TensorStatistics(string name, float minimum, float maximum, ReadOnlySpan<double> counts)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (!(minimum <= maximum))
        {
            throw new ArgumentException($"The range of '{name}' is {minimum} to {maximum}; the smallest value must not be above the largest.", nameof(minimum));
        }

        if (float.IsInfinity(minimum) || float.IsInfinity(maximum))
        {
            throw new ArgumentException($"The range of '{name}' is {minimum} to {maximum}; it must be finite. A tensor that reaches infinity cannot be quantized.", nameof(minimum));
        }

        double total = 0;
        foreach (double count in counts)
        {
            total += count;
            if (!(count >= 0) || double.IsInfinity(count))
            {
                throw new ArgumentException($"The histogram of '{name}' counts {count} values in a bin.", nameof(counts));
            }
        }

        if (double.IsInfinity(total))
        {
            throw new ArgumentException($"The counts in the histogram of '{name}' add up to more than any number here.", nameof(counts));
        }

        (Name, Minimum, Maximum, Total, _counts) = (name, minimum, maximum, total, counts.ToArray());
    }

    /// <summary>Name in the profile: <c>&lt;node&gt;:&lt;result&gt;</c>.</summary>
    public string Name { get; }

    /// <summary>Smallest value seen.</summary>
    public float Minimum { get; }

    /// <summary>Largest value seen.</summary>
    public float Maximum { get; }

    /// <summary>Values per bin.</summary>
    public ReadOnlySpan<double> Counts => _counts;

    /// <summary>Values seen.</summary>
    public double Total { get; }
}
