namespace Qaic.Quantization;

/// <summary>AIMET's percentile analyzer: cuts the same share off both ends.</summary>
/// <remarks>Both ends lose <c>1 − p</c>, not half of it. What it says is exact to one bin: far outliers leave few bins for the rest.</remarks>
internal static class AimetPercentile
{
    public static AimetEncoding Choose(AimetHistogram histogram, AimetSymmetry symmetry, float percentile)
    {
        (float minimum, float maximum) = percentile == 100 ? histogram.ObservedRange() : Range(histogram, percentile);
        return AimetEncoding.Cover(MathF.Min(minimum, 0), MathF.Max(maximum, 0), symmetry);
    }

    private static (float Minimum, float Maximum) Range(AimetHistogram histogram, float percentile)
    {
        double[] sums = new double[histogram.Density.Length];
        double sum = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            sum += histogram.Density[i];
            sums[i] = sum;
        }

        float below = 1 - (percentile / 100), within = percentile / 100;
        int first = Array.FindIndex(sums, s => s >= below), last = Array.FindLastIndex(sums, s => s < within) + 1;
        float minimum = (float)histogram.Left[Math.Max(first, 0)];

        // Where the first bin holds that much already, last is that bin; AIMET's wider histogram always has an empty one before it.
        float maximum = last < sums.Length ? (float)histogram.Left[last] : (float)histogram.Left[^1] + histogram.Width;
        return (minimum, minimum == maximum ? maximum + histogram.Width : maximum);
    }
}
