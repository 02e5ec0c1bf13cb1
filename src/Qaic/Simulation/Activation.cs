using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>One activation of a program: runs its inferences first in, first out, one at a time, on the threads of the queues that they were given to.</summary>
/// <remarks>
/// Guards the state of all execution objects made for it. Alive ─Kill→ failed, for good: the program is then in error state 100, or off the card.
/// Never holds its lock while it computes, copies or calls back. When it dies of itself, the context's error callback is called first, then waiters hear of it: who knows of the failure knows that it was reported.
/// </remarks>
internal sealed partial class Activation : IDisposable
{
    private readonly object _sync = new();
    private readonly Queue<SimulatedExecObj> _fifo = new();
    private readonly SimulatedProgram _program;
    private readonly SimulatedCard _card;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _limit;
    private readonly ITimer _watchdog;
    private readonly ActivationPace? _pace;
    private SimulatedExecObj? _running;
    private long _startedAt;
    private bool _watching;
    private bool _scheduled;
    private SimulatedFailure? _failure;

    /// <summary>Starts an activation.</summary>
    /// <param name="program">The program.</param>
    /// <param name="card">Its card.</param>
    /// <param name="limit">Time one inference may take before the program is given up.</param>
    public Activation(SimulatedProgram program, SimulatedCard card, TimeSpan limit)
    {
        _program = program;
        _card = card;
        _clock = card.Machine.Clock;
        _limit = limit;
        _pace = card.Pacing is { } pacing ? new ActivationPace(card, pacing, program.Group?.SharedCores ?? new CoreTimeline()) : null;
        _watchdog = _clock.CreateTimer(static self => ((Activation)self!).OnWatchdog(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Why the activation is dead; null while it lives.</summary>
    public SimulatedFailure? Failure => Volatile.Read(ref _failure);

    /// <summary>Sets the host's buffers of an execution object.</summary>
    /// <exception cref="SimulatedFailure">It is in flight (Inval), or the buffers are wrong.</exception>
    public void SetData(SimulatedExecObj exec, ReadOnlySpan<QBuffer> buffers, ReadOnlySpan<QBufferDimensions> dimensions)
    {
        lock (_sync)
        {
            ThrowIfInFlight(exec);
            exec.SetData(buffers, dimensions);
        }
    }

    /// <summary>Gives an inference to the card.</summary>
    /// <exception cref="SimulatedFailure">The activation is dead (DevError), or the execution object has no data or is in flight (Inval).</exception>
    public void Submit(SimulatedQueue queue, SimulatedExecObj exec, SimulatedEvent? completion)
    {
        bool schedule;
        lock (_sync)
        {
            if (_failure is not null)
            {
                throw new SimulatedFailure(QStatus.DevError, $"The execution object belongs to an activation that has failed: {_failure.Message}");
            }

            if (_refusal is not null)
            {
                throw new SimulatedFailure(_refusal.Status, _refusal.Message);
            }

            ThrowIfInFlight(exec);
            exec.Begin(queue, completion);
            _pace?.Submit(exec);
            _fifo.Enqueue(exec);
            schedule = !_scheduled;
            _scheduled = true;
        }

        if (schedule)
        {
            queue.Schedule(this);
        }
    }

    /// <summary>Runs the oldest inference, on the calling thread.</summary>
    /// <returns>The queue whose thread runs the next one; null if there is none.</returns>
    public SimulatedQueue? RunNext()
    {
        SimulatedExecObj? exec;
        TimeSpan switching = Switch();
        lock (_sync)
        {
            if (_failure is not null || !_fifo.TryDequeue(out exec))
            {
                _scheduled = false;
                return null;
            }

            exec.Phase = ExecPhase.CopyingIn;
            _running = exec;
            _startedAt = _clock.GetTimestamp();
            if (!_watching)
            {
                // Left running when the inference ends: it looks again when it fires, which costs far less than a timer per inference.
                _watching = true;
                _watchdog.Change(_limit, Timeout.InfiniteTimeSpan);
            }
        }

        Execute(exec, switching);

        lock (_sync)
        {
            if (_failure is null && _fifo.TryPeek(out SimulatedExecObj? next))
            {
                return next.Queue;
            }

            _scheduled = false;
            return null;
        }
    }

    /// <summary>Ends the activation: everything in flight fails, and so does everything later. The computation that is under way is stopped.</summary>
    /// <param name="failure">Status and reason.</param>
    public void Kill(SimulatedFailure failure)
    {
        SimulatedExecObj? running;
        CancellationTokenSource? waiting = null;
        lock (_sync)
        {
            if (!Die(failure))
            {
                return;
            }

            FailQueued();
            running = _running;
            if (running is not null)
            {
                waiting = Abort(running, failure);
            }
        }

        waiting?.Cancel();
        running?.Terminate();
    }

    /// <summary>Takes an execution object off the card. When it returns, nothing touches its buffers any more.</summary>
    public void Withdraw(SimulatedExecObj exec)
    {
        SimulatedFailure failure = SimulatedFailure.Invalid("The execution object was released while its inference was in flight.");
        CancellationTokenSource? waiting = null;
        bool running;
        lock (_sync)
        {
            exec.IsWithdrawn = true;
            running = exec.Phase is not (ExecPhase.Idle or ExecPhase.Queued or ExecPhase.Failing);
            if (exec.Phase is ExecPhase.Queued or ExecPhase.Failing)
            {
                for (int i = _fifo.Count; i > 0; i--)
                {
                    SimulatedExecObj other = _fifo.Dequeue();
                    if (other != exec)
                    {
                        _fifo.Enqueue(other);
                    }
                }

                exec.Complete(failure, ExecPhase.Idle);
                _running = _running == exec ? null : _running;
            }
            else if (running)
            {
                waiting = Abort(exec, failure);
            }

            Monitor.PulseAll(_sync);
        }

        if (running)
        {
            waiting?.Cancel();
            exec.Terminate();
            lock (_sync)
            {
                while (exec.Phase != ExecPhase.Idle)
                {
                    Monitor.Wait(_sync);
                }
            }
        }
    }

    /// <summary>Stops the watchdog.</summary>
    public void Dispose() => _watchdog.Dispose();

    private static void ThrowIfInFlight(SimulatedExecObj exec)
    {
        if (exec.IsWithdrawn)
        {
            throw new SimulatedFailure(QStatus.BadFd, "The execution object was released meanwhile.");
        }

        if (exec.Phase != ExecPhase.Idle)
        {
            throw SimulatedFailure.Invalid("The execution object is in flight. Wait for its completion first.");
        }
    }

    // The caller holds the lock. While the card copies, the host's buffers are in use: it completes right after the copy.
    private static CancellationTokenSource? Abort(SimulatedExecObj exec, SimulatedFailure failure)
    {
        if (exec.Phase == ExecPhase.CopyingIn)
        {
            exec.Aborted ??= failure;
        }
        else if (exec is { Phase: ExecPhase.Computing, IsDetached: false })
        {
            exec.IsDetached = true;
            exec.Complete(failure, ExecPhase.Computing);
            return exec.FaultWait;
        }

        return null;
    }

    // Before an inference is taken: while its message is told the card holds nothing that a callback could want to release.
    private TimeSpan Switch()
    {
        if (_program.Group is not { } group)
        {
            return TimeSpan.Zero;
        }

        TimeSpan takes;
        string? message;
        lock (_sync)
        {
            if (_failure is not null || _fifo.Count == 0)
            {
                return TimeSpan.Zero;
            }

            takes = group.SwitchTo(_program, out message);
            if (message is not null)
            {
                group.Context.Announce();
            }
        }

        if (message is not null)
        {
            group.Context.WriteFromCard(message);
        }

        return takes;
    }

    private void Execute(SimulatedExecObj exec, TimeSpan switching)
    {
        exec.CopyIn();
        lock (_sync)
        {
            AwaitReport(exec);
            if (exec.Aborted is { } aborted)
            {
                exec.Aborted = null;
                Leave(exec, aborted);
                return;
            }

            exec.Phase = ExecPhase.Computing;
        }

        SimulatedFailure? failure = Compute(exec, switching);
        if (failure is null)
        {
            lock (_sync)
            {
                AwaitReport(exec);
                if (exec.IsDetached)
                {
                    Leave(exec, null);
                    return;
                }

                exec.Phase = ExecPhase.CopyingOut;
            }

            exec.CopyOut();
        }

        SimulatedFailure? fatal = failure is { Status: QStatus.DevError or QStatus.Error }
            ? new SimulatedFailure(QStatus.DevError, $"Program '{_program.ProgramName}' on device {_card.Id} is in error state 100: {failure.Message}")
            : null;
        lock (_sync)
        {
            AwaitReport(exec);

            // What was ended from outside fails in its own way, and that says nothing about the program.
            if (fatal is null || exec.IsDetached || !Die(fatal))
            {
                Leave(exec, failure);
                return;
            }

            exec.Phase = ExecPhase.Failing;
            _program.Context.Announce();
        }

        _program.Context.ReportProgramError(fatal.Message);
        lock (_sync)
        {
            FailQueued();

            // Unless it was released meanwhile.
            if (exec.Phase == ExecPhase.Failing)
            {
                Leave(exec, failure);
            }
        }
    }

    private SimulatedFailure? Compute(SimulatedExecObj exec, TimeSpan switching)
    {
        try
        {
            if (exec.Mismatch is { } mismatch)
            {
                return mismatch;
            }

            long began = _clock.GetTimestamp();
            exec.Run();
            FaultPlan faults = _card.Machine.Faults;
            bool isArmed = faults.IsArmed;
            if (_pace is null && !isArmed)
            {
                return null;
            }

            CancellationToken ended = FaultWaitOf(exec);
            _pace?.Compute(exec, switching, began, ended);
            long computed = _clock.GetTimestamp();
            SimulatedFailure? failure = isArmed ? faults.Hit(null, _clock, ended) : null;
            if (failure is null)
            {
                _pace?.SendOutputs(exec, computed, ended);
            }

            return failure;
        }
        catch (OperationCanceledException) when (exec.FaultWait is { IsCancellationRequested: true })
        {
            // The inference was ended while pacing or a fault delayed or held it; whoever waited for it knows already.
            return null;
        }
        catch (Exception e)
        {
            return new SimulatedFailure(QStatus.DevError, $"The network '{_program.ProgramName}' failed on device {_card.Id}: {e.Message}", e);
        }
    }

    private CancellationToken FaultWaitOf(SimulatedExecObj exec)
    {
        lock (_sync)
        {
            exec.FaultWait = new CancellationTokenSource();
            if (exec.IsDetached)
            {
                exec.FaultWait.Cancel();
            }

            return exec.FaultWait.Token;
        }
    }

    // The caller holds the lock. The card lets go of the execution object; the waiter learns of it unless it knows already.
    private void Leave(SimulatedExecObj exec, SimulatedFailure? failure)
    {
        _running = null;
        exec.FaultWait = null;
        if (exec.IsDetached)
        {
            exec.IsDetached = false;
            exec.Phase = ExecPhase.Idle;
            Monitor.PulseAll(_sync);
            return;
        }

        exec.Complete(failure, ExecPhase.Idle);
        Monitor.PulseAll(_sync);
    }
}
