using System.Numerics;
using System.Runtime.InteropServices;

namespace Qaic.Quantization;

/// <summary>AIMET's mse analyzer: of all pairs of bin edges, the one whose encoding has the least squared error at the bins' middles.</summary>
/// <remarks>
/// <para>
/// AIMET adds up float32 costs of all pairs, n² / 4 of them with n bins each. Which pair wins can depend on the last bit of such a sum.
/// Here every pair's cost is first bounded in double: what is cut off follows from sums over the bins outside of the range, and alone rules most pairs out; the rest is a vectorised sum.
/// Only pairs that could win, given all rounding that float32 may do, are added up as AIMET does. The result is the same.
/// </para>
/// <para>
/// Where all values are above 0, the bins are counted from 0 on (an outcome of how AIMET indexes them), so that the middles do not reach the upper end.
/// </para>
/// </remarks>
internal sealed class AimetMse
{
    private readonly AimetSymmetry _symmetry;
    private readonly float[] _lows, _highs;

    // Middles and shares of the bins that are not empty: the others cost nothing.
    private readonly float[] _middles, _shares;
    private readonly double[] _values, _weights;

    // Sums over the bins before each: of shares, shares times value, shares times value squared.
    private readonly double[] _sums0, _sums1, _sums2;

    private AimetMse(AimetHistogram histogram, AimetSymmetry symmetry)
    {
        _symmetry = symmetry;
        float width = histogram.Width, start = (float)histogram.Left[0];
        (float minimum, float maximum) = histogram.ObservedRange();
        maximum += width;
        List<float> edges = Edges(histogram, minimum, maximum);
        _lows = [.. edges.Where(e => e < 0), 0];
        _highs = [.. edges.Where(e => e > 0), 0];

        var middles = new List<float>();
        var shares = new List<float>();
        float middle = minimum + (width / 2);
        for (int i = 0; i < edges.Count - 1; i++, middle += width)
        {
            float share = (float)histogram.Density[(int)Math.Clamp(MathF.Floor((middle - start) / width), 0, histogram.Density.Length - 1)];
            if (share != 0)
            {
                middles.Add(middle);
                shares.Add(share);
            }
        }

        (_middles, _shares) = ([.. middles], [.. shares]);
        _values = Array.ConvertAll(_middles, m => (double)m);
        _weights = Array.ConvertAll(_shares, s => (double)s);
        (_sums0, _sums1, _sums2) = (new double[_values.Length + 1], new double[_values.Length + 1], new double[_values.Length + 1]);
        for (int i = 0; i < _values.Length; i++)
        {
            _sums0[i + 1] = _sums0[i] + _weights[i];
            _sums1[i + 1] = _sums1[i] + (_weights[i] * _values[i]);
            _sums2[i + 1] = _sums2[i] + (_weights[i] * _values[i] * _values[i]);
        }
    }

    public static AimetEncoding Choose(AimetHistogram histogram, AimetSymmetry symmetry, CancellationToken cancellationToken) => new AimetMse(histogram, symmetry).Choose(cancellationToken);

    // The edges are added up in float32, which makes them drift a little.
    private static List<float> Edges(AimetHistogram histogram, float minimum, float maximum)
    {
        var edges = new List<float> { minimum };
        float end = (float)(histogram.Left[^1] + histogram.Width);
        for (float edge = (float)histogram.Left[0]; edge <= end; edge += histogram.Width)
        {
            if (edge >= minimum && edge <= maximum)
            {
                edges.Add(edge);
            }
        }

        return edges;
    }

    private AimetEncoding Choose(CancellationToken cancellationToken)
    {
        // The widest: the answer where no middle meets a bin that is not empty, which no histogram of data brings about.
        (float Low, float High) best = (_lows[0], _highs.Length > 1 ? _highs[^2] : 0);
        if (_values.Length == 0)
        {
            return AimetEncoding.Cover(best.Low, best.High, _symmetry);
        }

        float least = float.PositiveInfinity;
        foreach ((float low, float high) in Contenders(cancellationToken))
        {
            cancellationToken.ThrowIfCancellationRequested();
            float cost = Cost(low, high);
            if (cost < least)
            {
                (least, best) = (cost, (low, high));
            }
        }

        return AimetEncoding.Cover(best.Low, best.High, _symmetry);
    }

    // The pairs that could have the least float32 cost, in AIMET's order.
    private List<(float Low, float High)> Contenders(CancellationToken cancellationToken)
    {
        var found = new List<(int Low, int High, double Cost)>();
        int[] above = Array.ConvertAll(_highs, h => FirstAbove(h));
        double limit = double.PositiveInfinity;
        for (int i = 0; i < _lows.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int first = FirstFrom(_lows[i]);

            // The widest range first: it is seldom far from the best, and rules out the narrow ones.
            for (int k = _highs.Length - 2; k >= -1; k--)
            {
                int at = k < 0 ? _highs.Length - 1 : k;
                if (_lows[i] == 0 && _highs[at] == 0)
                {
                    continue;
                }

                double cost = Bound(_lows[i], _highs[at], Math.Min(first, above[at]), above[at], limit);
                if (cost <= limit)
                {
                    found.Add((i, at, cost));
                    limit = Math.Min(limit, Limit(cost));
                }
            }
        }

        found.RemoveAll(f => f.Cost > limit);
        found.Sort((a, b) => (a.Low, a.High).CompareTo((b.Low, b.High)));
        return found.ConvertAll(f => (_lows[f.Low], _highs[f.High]));
    }

    // The largest cost in double that can be less in float32 than one of this cost.
    private double Limit(double cost)
    {
        // Adding n numbers of one sign loses at most n roundings; rounding each dequantized number changes the root of the mean square by no more than the largest of these roundings.
        const double Rounding = 1.0 / (1 << 23);

        // What the differences of sums in double lose: values are about 1, shares add up to 1.
        const double Cancellation = 1e-14;
        double sum = _values.Length * Rounding * 2;
        double error = 2 * Rounding * Math.Max(Math.Abs(_values[0]), Math.Abs(_values[^1])) * Math.Sqrt(_sums0[^1]);
        double root = (Math.Sqrt(cost) * (1 + sum)) + (2 * error);
        return (root * root * (1 + sum)) + Cancellation;
    }

    // The cost of a pair in double, or some number above the limit if it is above the limit. Middles before first are below the range, those from last on above it.
    private double Bound(float low, float high, int first, int last, double limit)
    {
        double delta = AimetEncoding.Cover(low, high, _symmetry).Delta;
        double lowest = delta * Math.Round(low / delta), highest = delta * Math.Round(high / delta);
        double cut = Squares(0, first, lowest) + Squares(last, _values.Length, highest);
        return cut > limit ? cut : cut + Rounding(first, last, delta);
    }

    // Sum of share × (value − to)² over some bins.
    private double Squares(int first, int last, double to) =>
        Math.Max(0, _sums2[last] - _sums2[first] - (2 * to * (_sums1[last] - _sums1[first])) + (to * to * (_sums0[last] - _sums0[first])));

    private double Rounding(int first, int last, double delta)
    {
        ReadOnlySpan<double> values = _values.AsSpan(first, last - first), weights = _weights.AsSpan(first, last - first);
        double perStep = 1 / delta, sum = 0;
        int done = 0;
        if (Vector.IsHardwareAccelerated && values.Length >= Vector<double>.Count)
        {
            var steps = new Vector<double>(perStep);
            var step = new Vector<double>(delta);
            Vector<double> total = Vector<double>.Zero;
            ReadOnlySpan<Vector<double>> wide = MemoryMarshal.Cast<double, Vector<double>>(values), wideWeights = MemoryMarshal.Cast<double, Vector<double>>(weights);
            for (int i = 0; i < wide.Length; i++)
            {
                // Ties may go to either side: the error is the same.
                Vector<double> error = wide[i] - (Vector.Round(wide[i] * steps) * step);
                total += wideWeights[i] * error * error;
            }

            sum = Vector.Sum(total);
            done = wide.Length * Vector<double>.Count;
        }

        for (; done < values.Length; done++)
        {
            double error = values[done] - (Math.Round(values[done] * perStep) * delta);
            sum += weights[done] * error * error;
        }

        return sum;
    }

    // AIMET's own cost, to the last bit.
    private float Cost(float low, float high)
    {
        AimetEncoding encoding = AimetEncoding.Cover(low, high, _symmetry);
        float sum = 0;
        for (int i = 0; i < _middles.Length; i++)
        {
            float value = _middles[i], clamped = MathF.Max(low, MathF.Min(value, high));
            double quantized = Math.Round((clamped / encoding.Delta) - encoding.Offset, MidpointRounding.AwayFromZero);
            float error = value - (float)(encoding.Delta * (quantized + encoding.Offset));
            sum = (float)(sum + (_shares[i] * ((double)error * error)));
        }

        return sum;
    }

    private int FirstFrom(float value) => Partition(m => m < value);

    private int FirstAbove(float value) => Partition(m => m <= value);

    // Number of middles, which ascend, that are before a border.
    private int Partition(Func<float, bool> before)
    {
        int low = 0, high = _middles.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = before(_middles[middle]) ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
