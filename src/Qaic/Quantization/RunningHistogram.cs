using System.Runtime.Intrinsics.X86;

namespace Qaic.Quantization;

/// <summary>A histogram whose range grows with the data, in memory that does not. Not thread-safe.</summary>
/// <remarks>
/// <para>
/// Glow's arithmetic, to the last bit while a bin's count is below 2²⁴, where Glow's float32 counts stop; here counts are exact to 2⁵³.
/// The range is that of all values. When it grows, each bin's count is split between at most two new ones; therefore the order of batches matters a little.
/// A batch makes the range grow before any of it is counted.
/// </para>
/// <para>
/// Where Glow's arithmetic is undefined, this is not: bins so wide that float32 has no number for it (values near ±FLT_MAX) are computed in double, and a split that rounds to less than nothing is none.
/// Minus zero is zero.
/// </para>
/// <para>Nothing is allocated after the constructor, except by <see cref="ToStatistics"/>.</para>
/// </remarks>
public sealed partial class RunningHistogram
{
    // Counts from here on are split in double: float32 would lose some.
    private const double ExactInFloat32 = 1 << 24;

    private readonly CountingLoop _loop;
    private readonly double[] _counts, _old;
    private float _minimum, _maximum;
    private bool _any;

    /// <param name="bins">Number of bins; 1 to 1 048 576. The vendor's default is 512.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1 bin or more than 1 048 576.</exception>
    public RunningHistogram(int bins)
        : this(bins, Avx512F.IsSupported ? CountingLoop.Wide : CountingLoop.Vectors)
    {
    }

    internal RunningHistogram(int bins, CountingLoop loop)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bins, 1 << 20);
        Bins = bins;
        _loop = loop;
        _counts = new double[bins];
        _old = new double[bins];
        bool hasLanes = loop != CountingLoop.OneByOne;
        _lanes = hasLanes ? new uint[bins * Lanes] : [];
        _slots = hasLanes ? new int[Block] : [];
    }

    /// <summary>Number of bins.</summary>
    public int Bins { get; }

    /// <summary>Adds a batch of values.</summary>
    /// <param name="values">Any number of values; they are read once or twice.</param>
    /// <returns>Index of the first value that is NaN or infinite, in which case nothing was added; -1 if all were counted.</returns>
    public int Add(ReadOnlySpan<float> values)
    {
        if (values.IsEmpty)
        {
            return -1;
        }

        // 0 where nothing was seen yet.
        float width = (_maximum - _minimum) / Bins;
        if (_loop == CountingLoop.Wide && width > 0 && float.IsFinite(width) && TryCountWide(values, width))
        {
            return -1;
        }

        if (!(_loop != CountingLoop.OneByOne ? TryRangeOfVectors(values, out float minimum, out float maximum) : TryRange(values, out minimum, out maximum)))
        {
            return IndexOfNonFinite(values);
        }

        if (!_any)
        {
            (_minimum, _maximum, _any) = (minimum, maximum, true);
        }
        else if (minimum < _minimum || maximum > _maximum)
        {
            Gather();
            Grow(MathF.Min(minimum, _minimum), MathF.Max(maximum, _maximum));
        }

        width = (_maximum - _minimum) / Bins;
        if (minimum == maximum)
        {
            _counts[Bin(minimum, _minimum, _maximum, width)] += values.Length;
        }
        else if (_loop != CountingLoop.OneByOne && float.IsFinite(width) && width > 0)
        {
            // They are all within the range now.
            if (_loop != CountingLoop.Wide || !TryCountWide(values, width))
            {
                CountVectors(values, width);
            }
        }
        else
        {
            foreach (float value in values)
            {
                _counts[Bin(value, _minimum, _maximum, width)]++;
            }
        }

        return -1;
    }

    /// <summary>What has been seen until now. Each count is multiplied by <paramref name="repeats"/>.</summary>
    /// <remarks>A constant is seen in each inference; it is counted once and repeated. If nothing was seen, the range is 0 to 0 and all counts are 0.</remarks>
    /// <param name="name">Name in the profile: <c>&lt;node&gt;:&lt;result&gt;</c>.</param>
    /// <param name="repeats">0 or more.</param>
    public TensorStatistics ToStatistics(string name, long repeats = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(repeats);
        Gather();
        return new(name, _minimum, _maximum, repeats == 1 ? _counts : Array.ConvertAll(_counts, c => c * repeats));
    }

    // Moves all counts to the bins of a wider range.
    private void Grow(float minimum, float maximum)
    {
        float newWidth = (maximum - minimum) / Bins, width = (_maximum - _minimum) / Bins;
        _counts.CopyTo(_old, 0);
        _counts.AsSpan().Clear();
        for (int i = 0; i < Bins; i++)
        {
            double count = _old[i];
            if (count == 0)
            {
                continue;
            }

            if (!float.IsFinite(newWidth))
            {
                double middle = _minimum + (((double)_maximum - _minimum) / Bins * (i + 0.5));
                _counts[Bin(middle, minimum, maximum)] += count;
                continue;
            }

            float begin = _minimum + (width * i);
            int bin = Bin(begin, minimum, maximum, newWidth);
            double kept = Split(begin, minimum, newWidth, width, count);
            _counts[bin] += kept;
            if (kept < count)
            {
                _counts[Bin(begin + newWidth, minimum, maximum, newWidth)] += count - kept;
            }
        }

        (_minimum, _maximum) = (minimum, maximum);
    }

    // How much of a count stays in the first of the two new bins that the old one overlaps.
    private static double Split(float begin, float minimum, float newWidth, float width, double count)
    {
        // Beyond the last bin too: there the old bin ends before the new one and all of the count stays.
        float end = minimum + (newWidth * (MathF.Truncate((begin - minimum) / newWidth) + 1)), share = (end - begin) / width;
        double kept = count < ExactInFloat32
            ? MathF.Round(share * (float)count, MidpointRounding.AwayFromZero)
            : Math.Round(share * count, MidpointRounding.AwayFromZero);

        // A bin without width divides by 0: everything stays.
        return double.IsNaN(kept) ? count : Math.Clamp(kept, 0, count);
    }

    private int Bin(float value, float minimum, float maximum, float width) =>
        width == 0 ? 0 : float.IsFinite(width) ? (int)Math.Clamp((value - minimum) / width, 0, Bins - 1) : Bin(value, minimum, maximum);

    // Where float32 has no number for the width.
    private int Bin(double value, float minimum, float maximum) =>
        (int)Math.Clamp((value - minimum) / (((double)maximum - minimum) / Bins), 0, Bins - 1);

    private static bool TryRange(ReadOnlySpan<float> values, out float minimum, out float maximum)
    {
        (minimum, maximum) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
            {
                return false;
            }

            minimum = value < minimum ? value : minimum;
            maximum = value > maximum ? value : maximum;
        }

        // So that it does not matter which of the two zeros came first.
        minimum += 0f;
        maximum += 0f;
        return true;
    }

    private static int IndexOfNonFinite(ReadOnlySpan<float> values)
    {
        int i = 0;
        while (float.IsFinite(values[i]))
        {
            i++;
        }

        return i;
    }
}
