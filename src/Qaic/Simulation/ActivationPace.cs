namespace Qaic.Simulation;

/// <summary>What pacing remembers of the inference in flight of an execution object.</summary>
/// <param name="Number">Number of the inference in its activation.</param>
/// <param name="InputsAt">When its inputs are on the card; a timestamp of the machine's clock.</param>
internal readonly record struct PacedInference(long Number, long InputsAt);

/// <summary>One direction of the link between host and card: one transfer after the other. Thread-safe.</summary>
internal sealed class TransferQueue
{
    private readonly Lock _sync = new();
    private long _free = long.MinValue;

    /// <summary>Appends a transfer.</summary>
    /// <param name="from">When it could begin.</param>
    /// <param name="duration">What it takes, in the clock's units.</param>
    /// <returns>When it ends.</returns>
    public long Append(long from, long duration)
    {
        lock (_sync)
        {
            return _free = Math.Max(from, _free) + duration;
        }
    }
}

/// <summary>When the cores of an activation, or of all programs of a group, are free. Used by the one thread that executes on them.</summary>
internal sealed class CoreTimeline
{
    public long Free { get; set; } = long.MinValue;
}

/// <summary>Makes an activation's inferences take as long as a card's.</summary>
/// <remarks>
/// The times are those of a schedule, not of what the host's threads did before: an inference begins when its inputs are there and the one before has ended by the schedule, even where its thread woke up late for that.
/// So lateness does not add up, and activations that share a queue's thread are paced as if they had one each, as long as the host computes faster than the card is meant to.
/// </remarks>
internal sealed class ActivationPace(SimulatedCard card, CardPacing pacing, CoreTimeline cores)
{
    private readonly TimeProvider _clock = card.Machine.Clock;
    private readonly int _activation = card.NextActivation();
    private readonly PreciseWait _wait = new(card.Machine.Clock);
    private long _inferences;
    private long _computedAt;

    /// <summary>Begins the transfer of the inputs. The caller holds the activation's lock.</summary>
    public void Submit(SimulatedExecObj exec)
    {
        long number = _inferences++;
        long from = _clock.GetTimestamp() + Units(pacing.TurnAround.TotalSeconds);
        exec.Pace = new PacedInference(number, card.ToDevice.Append(from, Transfer(exec.InputBytes, pacing.HostToDeviceBytesPerSecond, number, PacedPart.ToDevice)));
    }

    /// <summary>Waits, after the host has computed, until the card would have.</summary>
    /// <param name="exec">What was computed.</param>
    /// <param name="before">Time that the cores took for something else before.</param>
    /// <param name="hostBegan">When the host began to compute it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">The wait was cut short.</exception>
    public void Compute(SimulatedExecObj exec, TimeSpan before, long hostBegan, CancellationToken cancellation)
    {
        // Not the time that it is now: this thread may have had other activations' waits to do before.
        long host = _clock.GetTimestamp() - hostBegan;
        PacedInference inference = exec.Pace;
        double service = (pacing.PerInference.TotalSeconds + (pacing.PerRow.TotalSeconds * exec.Rows)) * pacing.Factor(_activation, inference.Number, PacedPart.Service);
        cores.Free = _computedAt = Math.Max(inference.InputsAt, cores.Free) + Units(before.TotalSeconds) + Math.Max(Units(service), host);
        WaitUntil(_computedAt, cancellation);
    }

    /// <summary>Waits until the outputs are with the host.</summary>
    /// <param name="exec">What was computed.</param>
    /// <param name="since">When it was computed; it may have been held up from then on.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">The wait was cut short.</exception>
    public void SendOutputs(SimulatedExecObj exec, long since, CancellationToken cancellation)
    {
        cores.Free = _computedAt += _clock.GetTimestamp() - since;
        WaitUntil(card.ToHost.Append(_computedAt, Transfer(exec.OutputBytes, pacing.DeviceToHostBytesPerSecond, exec.Pace.Number, PacedPart.ToHost)), cancellation);
    }

    private void WaitUntil(long timestamp, CancellationToken cancellation)
    {
        try
        {
            _wait.Until(timestamp, cancellation);
        }
        catch (OperationCanceledException)
        {
            // An inference that was taken away occupies the cores no longer.
            cores.Free = Math.Min(cores.Free, _clock.GetTimestamp());
            throw;
        }
    }

    private long Transfer(long bytes, double bytesPerSecond, long inference, PacedPart part) => Units(bytes / bytesPerSecond * pacing.Factor(_activation, inference, part));

    private long Units(double seconds) => (long)Math.Round(seconds * _clock.TimestampFrequency);
}
