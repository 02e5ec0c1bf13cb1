namespace Qaic.Quantization;

/// <summary>AIMET's entropy analyzer: the range whose quantized distribution diverges least from the one that was seen.</summary>
/// <remarks>
/// Of the same descent as <see cref="KlMinimization"/>, with differences: double precision except for totals, groups of bins as even as can be, empty bins stay empty,
/// a window that does not move past 0, a symmetric range of <c>±max|x|</c>, and an end where nothing is left.
/// </remarks>
internal static class AimetEntropy
{
    private const int QuantizedBins = 255;
    private const double Conditioning = 0.0001;

    public static AimetEncoding Choose(AimetHistogram histogram, AimetSymmetry symmetry, CancellationToken cancellationToken)
    {
        (double minimum, double maximum, double[] counts) = (histogram.Minimum, histogram.Maximum, histogram.Counts);
        if (symmetry.Symmetric && (minimum < 0 || !symmetry.Unsigned))
        {
            double end = Math.Max(Math.Abs(maximum), Math.Abs(minimum));
            counts = HistogramWindow.Redistribute(counts, minimum, maximum, -end, end);
            (minimum, maximum) = (-end, end);
        }

        (double low, double high) = counts.Length < QuantizedBins ? (minimum, maximum) : Search(counts, minimum, maximum, symmetry.Symmetric, cancellationToken);
        return AimetEncoding.Cover(MathF.Min((float)low, 0), MathF.Max((float)high, 0), symmetry);
    }

    private static (double Low, double High) Search(double[] counts, double minimum, double maximum, bool symmetric, CancellationToken cancellationToken)
    {
        double width = (maximum - minimum) / counts.Length;
        double[] seen = new double[counts.Length], quantized = new double[counts.Length];
        (double low, double high, double least) = (minimum, maximum, double.PositiveInfinity);
        for ((int start, int stop) = (0, counts.Length - 1); stop - start + 1 >= QuantizedBins;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = stop - start + 1;
            Span<double> p = seen.AsSpan(0, length), q = quantized.AsSpan(0, length);
            HistogramWindow.Saturate(counts, start, stop, p);
            Quantize(counts.AsSpan(start, length), q);
            if (Total(p) == 0 || Total(q) == 0)
            {
                break;
            }

            Condition(p);
            Condition(q);
            double divergence = Divergence(p, q);
            if (divergence < least)
            {
                (least, low, high) = (divergence, minimum + (start * width), minimum + ((stop + 1) * width));
            }

            (start, stop) = symmetric ? (start + 1, stop - 1) : Shrink(counts, minimum, width, start, stop);
        }

        return (low, high);
    }

    // The cheapest of three ways to lose two bins, the first of equals; but no end passes 0.
    private static (int Start, int Stop) Shrink(double[] counts, double minimum, double width, int start, int stop)
    {
        double both = counts[start] + counts[stop], left = counts[start] + counts[start + 1], right = counts[stop] + counts[stop - 1];
        int fromLeft = both <= left && both <= right ? 1 : left <= right ? 2 : 0;
        if (fromLeft > 0 && minimum + ((start + fromLeft) * width) > 0)
        {
            fromLeft = 0;
        }
        else if (fromLeft < 2 && minimum + ((stop - 1 + fromLeft) * width) < 0)
        {
            fromLeft = 2;
        }

        return (start + fromLeft, stop - 2 + fromLeft);
    }

    private static void Quantize(ReadOnlySpan<double> window, Span<double> result)
    {
        double merged = (double)window.Length / QuantizedBins;
        for (int group = 0, begin = 0; group < QuantizedBins; group++)
        {
            int end = group < QuantizedBins - 1 ? (int)Math.Ceiling((group + 1) * merged) : window.Length;
            double sum = 0;
            int filled = 0;
            for (int i = begin; i < end; i++)
            {
                sum += window[i];
                filled += window[i] != 0 ? 1 : 0;
            }

            for (int i = begin; i < end; i++)
            {
                result[i] = window[i] != 0 ? sum / filled : 0;
            }

            begin = end;
        }
    }

    // Added up in float32, as AIMET does.
    private static float Total(ReadOnlySpan<double> values)
    {
        float total = 0;
        foreach (double value in values)
        {
            total = (float)(total + value);
        }

        return total;
    }

    // Raises empty bins a little, and lowers the others by as much in total.
    private static void Condition(Span<double> counts)
    {
        int empty = 0;
        foreach (double count in counts)
        {
            empty += count == 0 ? 1 : 0;
        }

        double lowered = Conditioning * empty / (counts.Length - empty);
        if (lowered >= 1)
        {
            return;
        }

        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] = counts[i] == 0 ? Conditioning : counts[i] - lowered;
        }
    }

    private static double Divergence(ReadOnlySpan<double> p, ReadOnlySpan<double> q)
    {
        double totalP = Total(p), totalQ = Total(q), sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double a = p[i] / totalP, b = q[i] / totalQ;
            if (a > 0 && b > 0)
            {
                sum += a * Math.Log(a / b);
            }
        }

        return sum;
    }
}
