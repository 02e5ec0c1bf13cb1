using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>One fault of a <see cref="FaultPlan"/>. Dispose takes it out of the plan and lets go of whatever it holds.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class Fault : IDisposable
{
    private readonly FaultPlan _plan;
    private readonly int? _occurrence;
    private readonly TaskCompletionSource _hit = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _seen;
    private int _hits;

    internal Fault(FaultPlan plan, ApiFunction? function, int? occurrence)
    {
        _plan = plan;
        _occurrence = occurrence;
        Function = function;
    }

    /// <summary>Calls or inferences that the fault has hit so far.</summary>
    public int Hits => Volatile.Read(ref _hits);

    /// <summary>Completes when the fault has hit for the first time: a held call or inference is then held, a delayed one is waiting.</summary>
    public Task WhenHit => _hit.Task;

    /// <summary>The function it waits for; null for inferences.</summary>
    internal ApiFunction? Function { get; }

    internal QStatus? Status { get; init; }

    internal string? Message { get; init; }

    internal TimeSpan Delay { get; init; }

    internal bool IsHold { get; init; }

    /// <summary>Lets go of what the fault holds now and later. Does nothing for other faults.</summary>
    public void Release() => _released.TrySetResult();

    /// <summary>Takes the fault out of its plan and releases what it holds.</summary>
    public void Dispose()
    {
        _plan.Remove(this);
        Release();
    }

    /// <summary>Counts a call or an inference; true if it is one that the fault is meant for.</summary>
    internal bool Counts()
    {
        int seen = Interlocked.Increment(ref _seen);
        return _occurrence is null || _occurrence == seen;
    }

    /// <summary>Waits as the fault says, on this thread.</summary>
    /// <exception cref="OperationCanceledException">The wait was cut short.</exception>
    internal void Wait(TimeProvider clock, CancellationToken cancellation)
    {
        // The delay starts before the hit is announced, so that a test's clock may be moved on at once.
        Task delay = Delay > TimeSpan.Zero ? Task.Delay(Delay, clock, cancellation) : Task.CompletedTask;
        Interlocked.Increment(ref _hits);
        _hit.TrySetResult();
        delay.GetAwaiter().GetResult();
        if (IsHold)
        {
            _released.Task.Wait(cancellation);
        }
    }
}
