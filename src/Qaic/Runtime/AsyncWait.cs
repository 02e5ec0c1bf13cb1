using System.Threading.Tasks.Sources;

namespace Qaic.Runtime;

/// <summary>The promise behind an asynchronous wait. Reused when its answer has been taken, so that a steady stream of waits allocates nothing.</summary>
internal sealed class AsyncWait : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };

    // An answer that nobody has taken yet may still be asked for, with the token of its own time.
    private volatile bool _isTaken = true;

    /// <summary>The wait; to be awaited once.</summary>
    public ValueTask Task => new(this, _core.Version);

    /// <summary>A promise for the next wait: this one, if its answer was taken.</summary>
    public AsyncWait Next()
    {
        AsyncWait next = _isTaken ? this : new AsyncWait();
        next._core.Reset();
        next._isTaken = false;
        return next;
    }

    public void SetResult() => _core.SetResult(true);

    public void SetException(Exception exception) => _core.SetException(exception);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    public void GetResult(short token)
    {
        // Throws for a token of another time, which must not count as taking the answer.
        bool isAnswered = _core.GetStatus(token) != ValueTaskSourceStatus.Pending;
        try
        {
            _core.GetResult(token);
        }
        finally
        {
            _isTaken = isAnswered;
        }
    }
}
