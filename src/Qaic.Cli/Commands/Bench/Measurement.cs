namespace Qaic.Cli.Commands.Bench;

/// <summary>What one repetition has measured, or the part of it that there is if it was ended early.</summary>
internal sealed record Measurement
{
    /// <summary>Inferences that were completed.</summary>
    public required long Completed { get; init; }

    /// <summary>Rows in each.</summary>
    public required int RowsPerInference { get; init; }

    /// <summary>From the start to the last completion, in seconds; 0 if nothing was completed.</summary>
    public required double Seconds { get; init; }

    /// <summary>Processor time of this process, all threads, in seconds.</summary>
    public required double CpuSeconds { get; init; }

    /// <summary>From the scheduled arrival (server) or the submission (other scenarios) to the completion. Requests that were not served are in it, with the time they had waited when it was given up.</summary>
    public required LatencyHistogram Latency { get; init; }

    /// <summary>Server: from the submission to the completion, which leaves out the time in the queue.</summary>
    public LatencyHistogram? Service { get; init; }

    /// <summary>Server: how late a request was handed to a free worker because of the timer, in nanoseconds.</summary>
    public LatencyHistogram? Pacing { get; init; }

    /// <summary>Server: requests that had arrived and were not served, because the queue was too long or somebody ended the run.</summary>
    public long Unserved { get; init; }

    /// <summary>Whether somebody ended it early.</summary>
    public bool IsInterrupted { get; init; }

    /// <summary>Why it ended early; null if nothing failed.</summary>
    public Exception? Failure { get; init; }

    /// <summary>Inferences per second.</summary>
    public double InferenceRate => Seconds > 0 ? Completed / Seconds : 0;
}
