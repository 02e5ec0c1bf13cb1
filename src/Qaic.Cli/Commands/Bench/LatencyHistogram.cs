using System.Numerics;

namespace Qaic.Cli.Commands.Bench;

/// <summary>Counts durations in bounded memory, whatever their number: 128 buckets per power of two of nanoseconds, 58 KB in all.</summary>
/// <remarks>Not thread-safe: each worker has its own, and they are added up at the end. Number, smallest, largest and sum are exact; a percentile is within <see cref="RelativeError"/> of the value at its rank.</remarks>
internal sealed class LatencyHistogram
{
    /// <summary>How far a percentile can be from the value at its rank, relative to that value.</summary>
    public const double RelativeError = 1.0 / (2 << SubBucketBits);

    private const int SubBucketBits = 7;
    private const int SubBuckets = 1 << SubBucketBits;

    private readonly long[] _buckets = new long[BucketOf(long.MaxValue) + 1];
    private Int128 _sum;

    /// <summary>How many durations were recorded.</summary>
    public long Count { get; private set; }

    /// <summary>The shortest, in nanoseconds; 0 if there is none.</summary>
    public long Smallest { get; private set; }

    /// <summary>The longest, in nanoseconds; 0 if there is none.</summary>
    public long Largest { get; private set; }

    /// <summary>The average, in nanoseconds; 0 if there is none.</summary>
    public double Mean => Count == 0 ? 0 : (double)_sum / Count;

    /// <summary>Records a duration. One below 0 counts as 0: clocks of different processors may disagree by a tick.</summary>
    public void Record(long nanoseconds)
    {
        nanoseconds = Math.Max(nanoseconds, 0);
        _buckets[BucketOf(nanoseconds)]++;
        _sum += nanoseconds;
        Smallest = Count == 0 ? nanoseconds : Math.Min(Smallest, nanoseconds);
        Largest = Math.Max(Largest, nanoseconds);
        Count++;
    }

    /// <summary>Adds what another one has counted.</summary>
    public void Add(LatencyHistogram other)
    {
        if (other.Count == 0)
        {
            return;
        }

        for (int i = BucketOf(other.Smallest); i <= BucketOf(other.Largest); i++)
        {
            _buckets[i] += other._buckets[i];
        }

        Smallest = Count == 0 ? other.Smallest : Math.Min(Smallest, other.Smallest);
        Largest = Math.Max(Largest, other.Largest);
        _sum += other._sum;
        Count += other.Count;
    }

    /// <summary>The smallest duration that at least so many per mille do not exceed (nearest rank), in nanoseconds; 0 if there is none.</summary>
    /// <param name="perMille">1 to 1000.</param>
    public long Percentile(int perMille)
    {
        long rank = Math.Max(1, (long)((((Int128)Count * perMille) + 999) / 1000));
        if (rank >= Count)
        {
            return Largest;
        }

        long seen = 0;
        int bucket = BucketOf(Smallest);
        while ((seen += _buckets[bucket]) < rank)
        {
            bucket++;
        }

        return Math.Clamp(MiddleOf(bucket), Smallest, Largest);
    }

    /// <summary>Numbers of durations between bounds that have equal ratios, for people to look at: each bound is a power of <c>10^(1/n)</c> with the largest n of 20, 10, 5, 2 and 1 that makes no more than <paramref name="lines"/>.</summary>
    /// <param name="lines">How many at most; more only if even decades are more.</param>
    /// <returns>From the shortest to the longest, without gaps: bounds in nanoseconds, the lower one included.</returns>
    public IReadOnlyList<(double From, double To, long Count)> Bars(int lines)
    {
        if (Count == 0)
        {
            return [];
        }

        int[] perDecade = [20, 10, 5, 2, 1];
        int steps = perDecade.FirstOrDefault(n => Place(Largest, n) - Place(Smallest, n) < lines, perDecade[^1]);
        int first = Place(Smallest, steps);
        long[] counts = new long[Place(Largest, steps) - first + 1];
        for (int i = BucketOf(Smallest); i <= BucketOf(Largest); i++)
        {
            if (_buckets[i] > 0)
            {
                counts[Place(Math.Clamp(MiddleOf(i), Smallest, Largest), steps) - first] += _buckets[i];
            }
        }

        return [.. counts.Select((count, i) => (Bound(first + i, steps), Bound(first + i + 1, steps), count))];

        static int Place(long value, int steps) => (int)Math.Floor((Math.Log10(Math.Max(value, 1)) * steps) + 1e-9);

        static double Bound(int place, int steps) => Math.Pow(10, (double)place / steps);
    }

    private static int BucketOf(long value)
    {
        if (value < 2 * SubBuckets)
        {
            return (int)value;
        }

        int shift = BitOperations.Log2((ulong)value) - SubBucketBits;
        return (shift << SubBucketBits) + (int)(value >> shift);
    }

    private static long MiddleOf(int bucket)
    {
        if (bucket < 2 * SubBuckets)
        {
            return bucket;
        }

        int shift = (bucket >> SubBucketBits) - 1;
        return ((long)((bucket & (SubBuckets - 1)) | SubBuckets) << shift) + (1L << (shift - 1));
    }
}
