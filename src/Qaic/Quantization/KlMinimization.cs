namespace Qaic.Quantization;

/// <summary>Glow's search for the range whose quantized distribution diverges least from the one that was seen (Kullback-Leibler), to the last bit.</summary>
/// <remarks>
/// Everything is float32 and summed in order, because the minimum is flat: the same search in double picks another range for many tensors. The logarithm is the platform's <c>logf</c>.
/// A window of bins starts as the whole histogram and shrinks to 255 bins; n bins cost about n² / 2 steps.
/// </remarks>
internal static class KlMinimization
{
    // As many bins as TVM and MXNet have; not 256.
    private const int QuantizedBins = 255;

    // What an empty bin is raised to, so that no logarithm is infinite.
    private const float Conditioning = 0.0001f;

    /// <summary>The range to quantize.</summary>
    /// <param name="statistics">What was seen; more than one value, in bins of some width.</param>
    /// <param name="minimum">Lower end of the range without calibration.</param>
    /// <param name="maximum">Upper end of the range without calibration.</param>
    /// <param name="symmetric">Whether the ends keep their ratio.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static (float Minimum, float Maximum) Narrow(TensorStatistics statistics, float minimum, float maximum, bool symmetric, CancellationToken cancellationToken)
    {
        float[] counts = Array.ConvertAll(statistics.Counts.ToArray(), count => (float)count);
        float[] histogram = HistogramWindow.Redistribute(counts, statistics.Minimum, statistics.Maximum, minimum, maximum);
        (float low, float high) = histogram.Length < QuantizedBins ? (minimum, maximum) : Search(histogram, minimum, maximum, symmetric, cancellationToken);
        if (symmetric)
        {
            double shareBelow = (double)low / minimum, shareAbove = (double)high / maximum;
            if (shareBelow > shareAbove)
            {
                high = (float)(shareBelow * maximum);
            }
            else
            {
                low = (float)(shareAbove * minimum);
            }
        }

        return (low, high);
    }

    private static (float Low, float High) Search(float[] histogram, float minimum, float maximum, bool symmetric, CancellationToken cancellationToken)
    {
        float width = (maximum - minimum) / histogram.Length;
        float[] seen = new float[histogram.Length], quantized = new float[histogram.Length];
        (float low, float high, float least) = (minimum, maximum, float.PositiveInfinity);
        for ((int start, int stop) = (0, histogram.Length - 1); stop - start + 1 >= QuantizedBins;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = stop - start + 1;
            HistogramWindow.Saturate(histogram, start, stop, seen.AsSpan(0, length));
            Quantize(histogram.AsSpan(start, length), seen.AsSpan(0, length), quantized.AsSpan(0, length));
            Condition(seen.AsSpan(0, length));
            Condition(quantized.AsSpan(0, length));
            float divergence = Divergence(seen.AsSpan(0, length), quantized.AsSpan(0, length));
            if (divergence < least)
            {
                (least, low, high) = (divergence, minimum + (start * width), minimum + ((stop + 1) * width));
            }

            (start, stop) = symmetric ? (start + 1, stop - 1) : Shrink(histogram, start, stop);
        }

        return (low, high);
    }

    // The cheapest of three ways to lose two bins; the first of equals.
    private static (int Start, int Stop) Shrink(float[] histogram, int start, int stop)
    {
        float both = histogram[start] + histogram[stop], left = histogram[start] + histogram[start + 1], right = histogram[stop] + histogram[stop - 1];
        return both <= left && both <= right ? (start + 1, stop - 1) : left <= right ? (start + 2, stop) : (start, stop - 2);
    }

    // What is left of the window after its bins were merged to 255 and each was spread evenly over those that are not empty.
    private static void Quantize(ReadOnlySpan<float> window, ReadOnlySpan<float> saturated, Span<float> result)
    {
        int merged = window.Length / QuantizedBins;
        for (int group = 0; group < QuantizedBins; group++)
        {
            int begin = group * merged, end = group < QuantizedBins - 1 ? begin + merged : window.Length;
            float sum = 0;
            int filled = 0;
            for (int i = begin; i < end; i++)
            {
                sum += window[i];
                filled += window[i] != 0 ? 1 : 0;
            }

            float even = filled == 0 ? 0 : sum / filled;
            for (int i = begin; i < end; i++)
            {
                result[i] = saturated[i] != 0 ? even : 0;
            }
        }
    }

    // Raises empty bins a little, and lowers the others by as much in total.
    private static void Condition(Span<float> counts)
    {
        int empty = 0;
        foreach (float count in counts)
        {
            empty += count == 0 ? 1 : 0;
        }

        if (empty == counts.Length)
        {
            return;
        }

        float lowered = Conditioning * empty / (counts.Length - empty);
        if (lowered >= 1)
        {
            return;
        }

        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] = counts[i] == 0 ? Conditioning : counts[i] - lowered;
        }
    }

    private static float Divergence(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        float sumP = 0, sumQ = 0;
        for (int i = 0; i < p.Length; i++)
        {
            sumP += p[i];
            sumQ += q[i];
        }

        if (sumP == 0 || sumQ == 0)
        {
            return 0;
        }

        float sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            float a = p[i] / sumP, b = q[i] / sumQ;
            if (a > 0 && b > 0)
            {
                sum += a * MathF.Log(a / b);
            }
        }

        return sum;
    }
}
