namespace Qaic.Diagnostics;

/// <summary>What a session keeps about its inferences, over all devices and for its whole life.</summary>
/// <remarks>Thread-safe; records without allocating.</remarks>
internal sealed class SessionRecorder
{
    private long _sequence = -1;
    private long _completed;

    /// <param name="metrics">Whether to keep latencies.</param>
    /// <param name="profile">Whether to keep phases, and latencies too.</param>
    public SessionRecorder(bool metrics, bool profile)
    {
        Latencies = metrics || profile ? new LatencyRecorder() : null;
        Profiler = profile ? new InferenceProfiler() : null;
    }

    /// <summary>Null when neither metrics nor a profile are wanted.</summary>
    public LatencyRecorder? Latencies { get; }

    /// <summary>Null when no profile is wanted.</summary>
    public InferenceProfiler? Profiler { get; }

    /// <summary>Inferences that have ended well.</summary>
    public long Completed => Interlocked.Read(ref _completed);

    public void CountCompleted() => Interlocked.Increment(ref _completed);

    /// <summary>Number of the next inference that is profiled, from 0.</summary>
    public long NextSequence() => Interlocked.Increment(ref _sequence);
}
