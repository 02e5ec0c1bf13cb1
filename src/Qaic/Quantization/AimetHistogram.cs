namespace Qaic.Quantization;

/// <summary>Whether integers lie evenly about 0, and whether a range without negative numbers may use all of them.</summary>
internal readonly record struct AimetSymmetry(bool Symmetric, bool Unsigned);

/// <summary>AIMET's form of parameters: <c>real = Delta × (q + Offset)</c>, q in [0, 255].</summary>
internal readonly record struct AimetEncoding(double Delta, double Offset)
{
    /// <summary>Distance of the lowest from the highest integer.</summary>
    public const int Steps = 255;

    private const int StepsAboveZero = Steps / 2;

    /// <summary>The encoding that covers a range which includes 0.</summary>
    public static AimetEncoding Cover(double minimum, double maximum, AimetSymmetry symmetry)
    {
        if (symmetry.Symmetric && (minimum < 0 || !symmetry.Unsigned))
        {
            return new(Math.Max(Math.Abs(minimum), Math.Abs(maximum)) / StepsAboveZero, StepsAboveZero - Steps);
        }

        double delta = (maximum - minimum) / Steps;
        return new(delta, -Math.Min(Steps, Math.Round(-minimum / delta, MidpointRounding.AwayFromZero)));
    }
}

/// <summary>A histogram as AIMET's analyzers see it: left edges and shares of the bins.</summary>
/// <remarks>
/// <para>
/// AIMET's own histogram has 512 bins over three times the range of the first batch; here it is the profile's, with its range and number of bins.
/// </para>
/// <para>
/// Numbers are divided by a power of two, so that the largest is about 1: the analyzers square float32 numbers, which would leave the range of float32 for tensors near either end of it. Nothing is rounded by that.
/// For the same reason AIMET's smallest range of 0.01 is not applied (it would waste the integers of a tensor that is smaller throughout); an empty range becomes one bin instead.
/// </para>
/// </remarks>
internal sealed class AimetHistogram
{
    private AimetHistogram(double minimum, double maximum, int exponent, double[] counts, double total)
    {
        (Minimum, Maximum, Exponent, Counts) = (minimum, maximum, exponent, counts);
        Left = new double[counts.Length];
        Density = new double[counts.Length];
        double width = (maximum - minimum) / counts.Length;
        for (int i = 0; i < counts.Length; i++)
        {
            Left[i] = minimum + (i * width);
            Density[i] = counts[i] / total;
        }

        Width = (float)(Left[1] - Left[0]);
    }

    /// <summary>Smallest value seen.</summary>
    public double Minimum { get; }

    /// <summary>Largest value seen.</summary>
    public double Maximum { get; }

    /// <summary>All numbers here are those of the tensor divided by two to this power.</summary>
    public int Exponent { get; }

    /// <summary>Values per bin.</summary>
    public double[] Counts { get; }

    /// <summary>Left edge of each bin.</summary>
    public double[] Left { get; }

    /// <summary>Share of all values per bin.</summary>
    public double[] Density { get; }

    /// <summary>Width of a bin.</summary>
    public float Width { get; }

    /// <summary>The histogram of a tensor; null if it has less than two bins, or bins so narrow that float32 does not tell their edges apart.</summary>
    public static AimetHistogram? From(TensorStatistics statistics)
    {
        int bins = statistics.Counts.Length;
        double largest = Math.Max(Math.Abs((double)statistics.Minimum), Math.Abs((double)statistics.Maximum));
        if (bins < 2 || largest == 0)
        {
            return null;
        }

        int exponent = Math.ILogB(largest);
        double minimum = Math.ScaleB(statistics.Minimum, -exponent), maximum = Math.ScaleB(statistics.Maximum, -exponent);

        // An eighth of a bin must still move an edge: edges are found by adding widths in float32.
        float step = (float)((maximum - minimum) / bins / 8), end = (float)Math.Max(Math.Abs(minimum), Math.Abs(maximum));
        return end + step == end ? null : new(minimum, maximum, exponent, statistics.Counts.ToArray(), statistics.Total);
    }

    /// <summary>Left edges of the first and last bin that are not empty, extended to 0.</summary>
    /// <remarks>AIMET's upper end is the left edge of the last bin, not its right one.</remarks>
    public (float Minimum, float Maximum) ObservedRange()
    {
        int first = Array.FindIndex(Density, d => d > 0), last = Array.FindLastIndex(Density, d => d > 0);
        float minimum = MathF.Min((float)Left[first], 0), maximum = MathF.Max((float)Left[last], 0);
        return (minimum, maximum > minimum ? maximum : minimum + Width);
    }
}
