namespace Qaic.ML.Tests.Faults;

/// <summary>A play in three acts: before, during and after the fault. Whoever has ended an act waits until the director begins the next, so that a fault strikes in the middle whatever the machine's speed.</summary>
internal sealed class Acts
{
    /// <summary>The act in which the fault strikes.</summary>
    public const int During = 1;

    /// <summary>The number of acts.</summary>
    public const int Count = 3;

    private readonly int _players;
    private readonly int[] _done = new int[Count];
    private readonly TaskCompletionSource[] _ended = Make();
    private readonly TaskCompletionSource[] _begun = Make();

    public Acts(int players)
    {
        _players = players;
        Begin(0);
    }

    /// <summary>Completes when every player has ended the act.</summary>
    public Task WhenEnded(int act) => _ended[act].Task;

    /// <summary>Whether every player has ended the act.</summary>
    public bool HasEnded(int act) => _ended[act].Task.IsCompleted;

    /// <summary>Called by the director.</summary>
    public void Begin(int act) => _begun[act].SetResult();

    /// <summary>Called by a player: waits for the act to begin.</summary>
    public void Await(int act) => _begun[act].Task.Wait();

    /// <summary>Called by a player, once per act.</summary>
    public void End(int act)
    {
        if (Interlocked.Increment(ref _done[act]) == _players)
        {
            _ended[act].SetResult();
        }
    }

    private static TaskCompletionSource[] Make() => [.. Enumerable.Range(0, Count).Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
}
