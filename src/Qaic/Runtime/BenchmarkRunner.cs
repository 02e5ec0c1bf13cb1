using System.Diagnostics;

namespace Qaic.Runtime;

/// <summary>Keeps rented slots busy and counts: submit, wait, submit again, with nothing in between.</summary>
/// <remarks>One thread per activation, which keeps all its slots in flight. Buffers are filled before and read by nobody.</remarks>
internal sealed class BenchmarkRunner(IReadOnlyList<Inference> slots, long? inferences, TimeSpan? time, CancellationToken cancellationToken)
{
    private readonly Lock _lock = new();
    private long _left = inferences ?? long.MaxValue;
    private long _completed;
    private long _lastCompletion;
    private long _deadline;
    private volatile Exception? _failure;

    /// <summary>Runs each slot once without counting, then counts.</summary>
    /// <returns>Inferences that were completed, and the time from the first submission to the last completion.</returns>
    /// <exception cref="QaicException">An inference failed, or the slots lost their devices.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public (long Completed, TimeSpan Elapsed) Run()
    {
        Inference[] live = [.. slots.Where(slot => slot.TrySubmitUnrecorded())];
        foreach (Inference slot in live)
        {
            slot.Wait();
        }

        using var registration = cancellationToken.Register(() => _failure ??= new OperationCanceledException(cancellationToken));
        long start = Stopwatch.GetTimestamp();
        _lastCompletion = start;
        double ticks = (time ?? TimeSpan.MaxValue).TotalSeconds * Stopwatch.Frequency;
        _deadline = ticks < long.MaxValue - start ? start + (long)ticks : long.MaxValue;

        // A second round if slots lost their device so late that the others had gone: somebody has to run what they were to run.
        for (long before = -1; _completed > before && _failure is null && IsWanted();)
        {
            before = _completed;
            Thread[] threads = [.. live.GroupBy(s => s.Activation).Select(g => g.ToArray()).Select((g, i) => new Thread(() => Drive(g)) { IsBackground = true, Name = $"qaic benchmark {i}" })];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
        }

        return _failure is { } failure ? throw Rethrowable(failure)
            : inferences is null ? _completed > 0 ? (_completed, Stopwatch.GetElapsedTime(start, _lastCompletion)) : throw Gone()
            : _completed == inferences ? (_completed, Stopwatch.GetElapsedTime(start, _lastCompletion))
            : throw Gone();
    }

    private bool IsWanted() => inferences is null ? Stopwatch.GetTimestamp() < _deadline : Volatile.Read(ref _left) > 0;

    private void Drive(Inference[] slots)
    {
        long completed = 0;
        long last = 0;
        var flying = new Queue<Inference>(slots.Length);
        try
        {
            foreach (Inference slot in slots)
            {
                Submit(slot);
            }

            while (flying.TryDequeue(out Inference slot))
            {
                slot.Wait();
                completed++;
                last = Stopwatch.GetTimestamp();
                if (last < _deadline)
                {
                    Submit(slot);
                }
            }
        }
        catch (Exception e)
        {
            _failure ??= e;
        }

        lock (_lock)
        {
            _completed += completed;
            _lastCompletion = Math.Max(_lastCompletion, last);
        }

        void Submit(Inference slot)
        {
            if (_failure is null && TakeOne())
            {
                if (slot.TrySubmit())
                {
                    flying.Enqueue(slot);
                }
                else
                {
                    // Its device has failed; another slot takes the inference over.
                    Interlocked.Increment(ref _left);
                }
            }
        }
    }

    private bool TakeOne()
    {
        for (long left = Volatile.Read(ref _left); left > 0;)
        {
            long seen = Interlocked.CompareExchange(ref _left, left - 1, left);
            if (seen == left)
            {
                return true;
            }

            left = seen;
        }

        return false;
    }

    private static QaicException Gone() => new(
        QaicError.ProgramNotActive, "The session gave the device's resources back while it was measured (Reset, Dispose, UpdateBackendOptions, or the loss of all devices). Measure again.");

    private static Exception Rethrowable(Exception failure) => failure switch
    {
        QaicException e => new QaicException(e.Error, e.Message, e.HResult, e),
        OperationCanceledException => failure,
        _ => new InvalidOperationException(failure.Message, failure),
    };
}
