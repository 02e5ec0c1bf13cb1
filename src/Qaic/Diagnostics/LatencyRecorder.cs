using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Qaic.Diagnostics;

/// <summary>Collects latencies of any number of inferences in bounded memory.</summary>
/// <remarks>
/// <para>Thread-safe. <see cref="Record"/> neither allocates nor waits for other processors' recorders: each processor has a shard of its own, with a lock that is
/// contended only by a snapshot and by a thread that was moved to another processor between choosing its shard and locking it (or where processors outnumber shards).</para>
/// <para>Number, minimum, maximum and sum are always exact. Percentiles are those of the values themselves up to <see cref="ExactCapacity"/> inferences, and within
/// <see cref="RelativeError"/> of them afterwards, from a log-linear histogram: 128 buckets per power of two. A percentile P is the smallest value that at least
/// P % of all values do not exceed (nearest rank), so it is always a latency that was observed, or the middle of its bucket.</para>
/// <para>Memory: 80 KB, and 57 KB per shard; at most 16 shards.</para>
/// </remarks>
internal sealed class LatencyRecorder
{
    /// <summary>Up to this number of inferences percentiles are exact.</summary>
    public const int ExactCapacity = 10_000;

    /// <summary>How far a percentile of more inferences can be from the value at its rank, relative to that value.</summary>
    public const double RelativeError = 1.0 / (2 << SubBucketBits);

    private const int SubBucketBits = 7;
    private const int SubBuckets = 1 << SubBucketBits;
    private const int MaxShards = 16;

    // Reserved one by one while a shard's lock is held; can run past the capacity by one per shard.
    private readonly long[] _exact = new long[ExactCapacity];
    private readonly Shard[] _shards;
    private readonly int _mask;
    private int _exactCount;

    public LatencyRecorder()
    {
        int shards = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(Environment.ProcessorCount, 1, MaxShards));
        _mask = shards - 1;
        _shards = new Shard[shards];
        for (int i = 0; i < shards; i++)
        {
            _shards[i] = new Shard();
        }
    }

    /// <summary>Buckets that cover every non-negative number of ticks.</summary>
    internal static int BucketCount => BucketOf(long.MaxValue) + 1;

    /// <summary>Records one inference.</summary>
    /// <param name="elapsedTicks">Its latency in ticks of <see cref="Stopwatch"/>, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">The latency is negative.</exception>
    public void Record(long elapsedTicks)
    {
        if (elapsedTicks < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(elapsedTicks), elapsedTicks, "A latency must be 0 ticks or more. Subtract the earlier time stamp from the later one.");
        }

        int bucket = BucketOf(elapsedTicks);
        Shard shard = _shards[Thread.GetCurrentProcessorId() & _mask];
        lock (shard.Lock)
        {
            shard.Buckets[bucket]++;
            shard.Count++;
            shard.Sum += (ulong)elapsedTicks;
            shard.Min = Math.Min(shard.Min, elapsedTicks);
            shard.Max = Math.Max(shard.Max, elapsedTicks);

            // Shared between the shards, but only for the first ten thousand; afterwards it is a read of memory that nobody writes.
            if (Volatile.Read(ref _exactCount) < ExactCapacity)
            {
                int place = Interlocked.Increment(ref _exactCount) - 1;
                if (place < ExactCapacity)
                {
                    _exact[place] = elapsedTicks;
                }
            }
        }
    }

    /// <summary>The metrics of everything recorded since the last <see cref="Reset"/>. All values belong to the same instant, also while others record.</summary>
    public QaicMetrics Snapshot()
    {
        long[] buckets = new long[BucketCount];
        long[] exact = new long[ExactCapacity];
        long count = 0;
        UInt128 sum = 0;
        long min = long.MaxValue;
        long max = 0;
        EnterAll();
        try
        {
            foreach (Shard shard in _shards)
            {
                if (shard.Count == 0)
                {
                    continue;
                }

                count += shard.Count;
                sum += shard.Sum;
                min = Math.Min(min, shard.Min);
                max = Math.Max(max, shard.Max);

                // Latencies of one network lie in a few octaves, so recorders are held up for a copy of a few KB.
                int last = BucketOf(shard.Max);
                for (int i = BucketOf(shard.Min); i <= last; i++)
                {
                    buckets[i] += shard.Buckets[i];
                }
            }

            if (count <= ExactCapacity)
            {
                _exact.AsSpan(0, (int)count).CopyTo(exact);
            }
        }
        finally
        {
            ExitAll();
        }

        if (count == 0)
        {
            return QaicMetrics.None;
        }

        bool isExact = count <= ExactCapacity;
        if (isExact)
        {
            exact.AsSpan(0, (int)count).Sort();
        }

        double Percentile(int perMille)
        {
            long rank = RankOf(perMille, count);
            long ticks = isExact ? exact[rank - 1] : rank == count ? max : Math.Clamp(ValueAt(buckets, BucketOf(min), rank), min, max);
            return Seconds(ticks);
        }

        double total = (double)sum / Stopwatch.Frequency;
        return new QaicMetrics
        {
            NumOfInferences = count,
            MinLatency = Seconds(min),
            MaxLatency = Seconds(max),
            P25 = Percentile(250),
            P50 = Percentile(500),
            P75 = Percentile(750),
            P90 = Percentile(900),
            P99 = Percentile(990),
            P999 = Percentile(999),
            TotalInferenceTime = total,

            // Rounding must not put the mean of equal values beside them.
            AvgLatency = Math.Clamp(total / count, Seconds(min), Seconds(max)),
        };
    }

    /// <summary>Forgets everything recorded.</summary>
    public void Reset()
    {
        EnterAll();
        try
        {
            foreach (Shard shard in _shards)
            {
                shard.Clear();
            }

            _exactCount = 0;
        }
        finally
        {
            ExitAll();
        }
    }

    /// <summary>The bucket of a value: one per value below 256, then 128 per power of two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int BucketOf(long value)
    {
        if (value < 2 * SubBuckets)
        {
            return (int)value;
        }

        int shift = BitOperations.Log2((ulong)value) - SubBucketBits;
        return (shift << SubBucketBits) + (int)(value >> shift);
    }

    /// <summary>The value that stands for a bucket: its middle, at most 1/256 away from each of its values, relative to that value.</summary>
    internal static long MiddleOf(int bucket)
    {
        if (bucket < 2 * SubBuckets)
        {
            return bucket;
        }

        int shift = (bucket >> SubBucketBits) - 1;
        return ((long)((bucket & (SubBuckets - 1)) | SubBuckets) << shift) + (1L << (shift - 1));
    }

    /// <summary>Nearest rank, counted from 1: the smallest number of values that is at least <paramref name="perMille"/> ‰ of all.</summary>
    internal static long RankOf(int perMille, long count) => Math.Max(1, (long)((((UInt128)(ulong)count * (uint)perMille) + 999) / 1000));

    private static long ValueAt(long[] buckets, int first, long rank)
    {
        long seen = 0;
        for (int i = first; i < buckets.Length; i++)
        {
            seen += buckets[i];
            if (seen >= rank)
            {
                return MiddleOf(i);
            }
        }

        throw new UnreachableException($"The histogram holds {seen} values, fewer than rank {rank}.");
    }

    private static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;

    // Always in the same order, so that two snapshots do not wait for each other.
    private void EnterAll()
    {
        foreach (Shard shard in _shards)
        {
            shard.Lock.Enter();
        }
    }

    private void ExitAll()
    {
        foreach (Shard shard in _shards)
        {
            shard.Lock.Exit();
        }
    }

    // Its histogram, allocated right after it, keeps the next shard's counters out of this one's cache lines.
    private sealed class Shard
    {
        public Lock Lock { get; } = new();

        public long[] Buckets { get; } = new long[BucketCount];

        public long Count { get; set; }

        // 64 bits of nanoseconds are full after a few months, if a thousand inferences are always in flight.
        public UInt128 Sum { get; set; }

        public long Min { get; set; } = long.MaxValue;

        public long Max { get; set; }

        public void Clear()
        {
            Array.Clear(Buckets);
            Count = 0;
            Sum = 0;
            Min = long.MaxValue;
            Max = 0;
        }
    }
}
