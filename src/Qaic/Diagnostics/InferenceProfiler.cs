namespace Qaic.Diagnostics;

/// <summary>Keeps the phases of the first inferences, as the vendor's profile does, in memory that is allocated once (80 bytes per inference).</summary>
/// <remarks>Thread-safe. Inferences beyond the capacity are counted, not kept.</remarks>
/// <param name="capacity">How many inferences are kept, 1 or more.</param>
internal sealed class InferenceProfiler(int capacity = InferenceProfiler.DefaultCapacity)
{
    /// <summary>8 MB, of which the system provides what is written to.</summary>
    public const int DefaultCapacity = 100_000;

    private readonly Lock _lock = new();

    private readonly Entry[] _entries = new Entry[capacity >= 1
        ? capacity
        : throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "A profile must keep 1 inference or more.")];

    private int _kept;
    private long _recorded;

    /// <summary>Records one inference; allocates nothing.</summary>
    /// <param name="t">When it passed from phase to phase.</param>
    /// <param name="deviceId">The device that ran it (QID).</param>
    /// <param name="activation">The activation on that device, from 0.</param>
    /// <param name="sequence">Its number in the session, from 0; the profile is in this order.</param>
    /// <exception cref="ArgumentException">The time stamps are not in order; the message names the first that is not.</exception>
    public void Record(in PhaseTimestamps t, int deviceId, int activation, long sequence)
    {
        t.Validate();
        lock (_lock)
        {
            _recorded++;
            if (_kept < _entries.Length)
            {
                _entries[_kept++] = new Entry(t, deviceId, activation, sequence);
            }
        }
    }

    /// <summary>What is kept, in order of the inferences' numbers.</summary>
    public QaicProfile Snapshot()
    {
        Entry[] entries;
        long recorded;
        lock (_lock)
        {
            entries = _entries.AsSpan(0, _kept).ToArray();
            recorded = _recorded;
        }

        // Inferences end in another order than they began.
        Array.Sort(entries, (a, b) => a.Sequence.CompareTo(b.Sequence));
        long origin = entries.Length == 0 ? 0 : entries.Min(e => e.Timestamps.Requested);
        return new QaicProfile([.. entries.Select(e => new InferenceProfile(e.Timestamps, origin, e.DeviceId, e.Activation, e.Sequence))], recorded);
    }

    /// <summary>Forgets everything; the next inferences are the first.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _kept = 0;
            _recorded = 0;
        }
    }

    private readonly record struct Entry(PhaseTimestamps Timestamps, int DeviceId, int Activation, long Sequence);
}
