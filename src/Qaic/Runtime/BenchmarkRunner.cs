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
    /// <exception cref="QaicException">An inference failed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public (long Completed, TimeSpan Elapsed) Run()
    {
        Inference[] warm = [.. slots.Where(slot => slot.TrySubmitUnrecorded())];
        foreach (Inference slot in warm)
        {
            slot.Wait();
        }

        Thread[] threads = [.. warm.GroupBy(s => s.Activation).Select(g => g.ToArray()).Select((g, i) => new Thread(() => Drive(g)) { IsBackground = true, Name = $"qaic benchmark {i}" })];
        using var registration = cancellationToken.Register(() => _failure ??= new OperationCanceledException(cancellationToken));
        long start = Stopwatch.GetTimestamp();
        _lastCompletion = start;
        _deadline = time is { } limit ? start + (long)(limit.TotalSeconds * Stopwatch.Frequency) : long.MaxValue;
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        return _failure is { } failure ? throw Rethrowable(failure)
            : _completed > 0 ? (_completed, Stopwatch.GetElapsedTime(start, _lastCompletion))
            : throw new QaicException(QaicError.ProgramNotActive, "The session gave the device's resources back while it was measured (Reset, Dispose or UpdateBackendOptions elsewhere). Measure again.");
    }

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
            if (_failure is not null || Interlocked.Decrement(ref _left) < 0)
            {
                return;
            }

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

    private static Exception Rethrowable(Exception failure) => failure switch
    {
        QaicException e => new QaicException(e.Error, e.Message, e.HResult, e),
        OperationCanceledException => failure,
        _ => new InvalidOperationException(failure.Message, failure),
    };
}
