namespace Qaic.Quantization;

/// <summary>A histogram whose range grows with the data, in memory that does not. Not thread-safe.</summary>
public sealed class RunningHistogram
{
    /// <param name="bins">Number of bins; 1 or more. The vendor's default is 512.</param>
    public RunningHistogram(int bins)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        Bins = bins;
    }

    /// <summary>Number of bins.</summary>
    public int Bins { get; }

    /// <summary>Adds a batch of values.</summary>
    /// <returns>Index of the first value that is NaN or infinite, in which case nothing was added; -1 if all were counted.</returns>
    public int Add(ReadOnlySpan<float> values) => throw new NotImplementedException(values.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>What has been seen until now. Each count is multiplied by <paramref name="repeats"/>.</summary>
    /// <remarks>A constant is seen in each inference; it is counted once and repeated.</remarks>
    public TensorStatistics ToStatistics(string name, long repeats = 1) => throw new NotImplementedException(name + repeats);
}
