using System.Diagnostics;
using System.Numerics.Tensors;

namespace Digits;

/// <summary>Counts hits and the distance to the reference, row by row.</summary>
internal sealed class Scores
{
    private int _hits;

    public int Passes { get; private set; } = 1;

    public int Rows { get; private set; }

    public double LargestDifference { get; private set; }

    public double RowsPerSecond { get; set; }

    public double Accuracy => Rows == 0 ? 0 : (double)_hits / Rows;

    public void Add(int label, ReadOnlySpan<float> logits, ReadOnlySpan<float> reference)
    {
        Rows++;
        _hits += TensorPrimitives.IndexOfMax(logits) == label ? 1 : 0;
        for (int i = 0; i < reference.Length; i++)
        {
            // Written so that NaN counts as far away.
            double difference = Math.Abs(logits[i] - reference[i]);
            LargestDifference = difference <= LargestDifference ? LargestDifference : difference;
        }
    }

    public void Add(Scores other)
    {
        Passes += other.Passes;
        Rows += other.Rows;
        _hits += other._hits;
        LargestDifference = other.LargestDifference <= LargestDifference ? LargestDifference : other.LargestDifference;
    }
}

/// <summary>Time of single calls, in microseconds.</summary>
internal sealed record Latencies(double P50, double P90, double P99)
{
    /// <summary>Calls <paramref name="call"/> once per item after a warm-up of 50; microseconds, nearest rank.</summary>
    public static Latencies Measure<T>(IReadOnlyList<T> items, Action<T> call)
    {
        foreach (T item in items.Take(50))
        {
            call(item);
        }

        double[] sorted = [.. items.Select(item =>
        {
            long start = Stopwatch.GetTimestamp();
            call(item);
            return Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }).Order()];
        double At(double quantile) => sorted[(int)Math.Ceiling(quantile * sorted.Length) - 1];
        return new Latencies(At(0.5), At(0.9), At(0.99));
    }
}
