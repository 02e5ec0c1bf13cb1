using System.Numerics;

namespace Qaic.Quantization;

/// <summary>What both searches for the least divergence do to histograms: Glow's in float32, AIMET's in double.</summary>
internal static class HistogramWindow
{
    /// <summary>The histogram over another range with as many bins. Each count goes to the bins that its own overlaps, in whole numbers and in proportion.</summary>
    /// <returns>The same array if the range is the same.</returns>
    public static T[] Redistribute<T>(T[] counts, T minimum, T maximum, T newMinimum, T newMaximum)
        where T : IBinaryFloatingPointIeee754<T>
    {
        if (minimum == newMinimum && maximum == newMaximum)
        {
            return counts;
        }

        var bins = T.CreateTruncating(counts.Length);
        T width = (maximum - minimum) / bins, newWidth = (newMaximum - newMinimum) / bins;
        var result = new T[counts.Length];
        for (int i = 0; i < counts.Length; i++)
        {
            T left = counts[i];
            if (left == T.Zero)
            {
                continue;
            }

            T begin = Edge(minimum, width, i), end = Edge(minimum, width, i + 1);
            int first = Bin(T.Floor((begin - newMinimum) / newWidth)), last = Bin(T.Ceiling((end - newMinimum) / newWidth));
            for (int k = first; k <= last; k++)
            {
                T newBegin = Edge(newMinimum, newWidth, k), newEnd = Edge(newMinimum, newWidth, k + 1);
                T share = T.Clamp((T.Min(end, newEnd) - T.Max(begin, newBegin)) / width, T.Zero, T.One);
                T moved = T.Min(T.Round(share * counts[i], MidpointRounding.AwayFromZero), left);
                result[k] += moved;
                left -= moved;
            }
        }

        return result;

        T Edge(T from, T step, int bin) => from + (T.CreateTruncating(bin) * step);

        int Bin(T position) => int.CreateTruncating(T.Clamp(position, T.Zero, bins - T.One));
    }

    /// <summary>Copies a window of bins, with everything outside of it counted in its outermost bins.</summary>
    public static void Saturate<T>(T[] counts, int start, int stop, Span<T> window)
        where T : IBinaryFloatingPointIeee754<T>
    {
        counts.AsSpan(start, window.Length).CopyTo(window);
        T left = T.Zero, right = T.Zero;
        for (int i = 0; i <= start; i++)
        {
            left += counts[i];
        }

        for (int i = stop; i < counts.Length; i++)
        {
            right += counts[i];
        }

        window[0] = left;
        window[^1] = right;
    }
}
