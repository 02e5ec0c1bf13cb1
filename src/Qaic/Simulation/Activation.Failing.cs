using Qaic.Interop;

namespace Qaic.Simulation;

// How an activation dies of itself: the error callback first, then those who wait.
internal sealed partial class Activation
{
    private bool _isReporting;

    /// <summary>Where an error callback waits for an inference of an activation that has failed: that would be to wait for itself, or for another callback that waits for this one.</summary>
    /// <exception cref="SimulatedFailure">What the inference ends with.</exception>
    public void ThrowIfToldHere()
    {
        if (SimulatedContext.IsOnCardCallback && Failure is { } failure)
        {
            throw new SimulatedFailure(failure.Status, failure.Message, failure);
        }
    }

    // The caller holds the lock. Where the watchdog has given the program up, what it does with this inference comes after its report.
    private void AwaitReport(SimulatedExecObj exec)
    {
        while (_isReporting && exec is { IsWithdrawn: false, IsDetached: false, Aborted: null })
        {
            Monitor.Wait(_sync);
        }
    }

    // The caller holds the lock. False: it was dead already. From here on nothing is submitted, and nothing that is queued runs.
    private bool Die(SimulatedFailure failure)
    {
        if (_failure is not null)
        {
            return false;
        }

        Volatile.Write(ref _failure, failure);
        return true;
    }

    // The caller holds the lock.
    private void FailQueued()
    {
        foreach (SimulatedExecObj exec in _fifo)
        {
            exec.Complete(_failure, ExecPhase.Idle);
        }

        _fifo.Clear();
        Monitor.PulseAll(_sync);
    }

    private void OnWatchdog()
    {
        SimulatedFailure late = new(
            QStatus.Error,
            $"The inference did not end within {_limit.TotalMilliseconds} ms; program '{_program.ProgramName}' on device {_card.Id} is in error state 100. Raise SubmitRetryTimeoutMs or SubmitNumRetries of the program's properties.");
        CancellationTokenSource? waiting = null;
        lock (_sync)
        {
            _watching = false;
            if (_running is null || _failure is not null)
            {
                return;
            }

            TimeSpan left = _limit - _clock.GetElapsedTime(_startedAt);
            if (left > TimeSpan.Zero)
            {
                // Another inference by now, or a timer that fired early.
                _watching = true;
                _watchdog.Change(left < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : left, Timeout.InfiniteTimeSpan);
                return;
            }

            Die(late);
            _isReporting = true;
            _program.Context.Announce();
        }

        _program.Context.ReportProgramError(late.Message);
        lock (_sync)
        {
            _isReporting = false;
            FailQueued();
            if (_running is { } running)
            {
                // Not terminated: on a card too it goes on, and its result is dropped.
                waiting = Abort(running, late);
            }
        }

        waiting?.Cancel();
    }
}
