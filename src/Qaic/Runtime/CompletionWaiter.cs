using System.Collections.Concurrent;

namespace Qaic.Runtime;

/// <summary>A thread that waits for one activation's inferences on behalf of asynchronous callers, in the order in which they asked.</summary>
/// <remarks>The library's own events would do without it, but their numbers are unknown. The thread starts with the first asynchronous wait.</remarks>
internal sealed class CompletionWaiter(string name) : IDisposable
{
    private readonly ConcurrentQueue<(InferenceSlot Slot, int Version)> _slots = new();
    private readonly SemaphoreSlim _added = new(0);
    private readonly Lock _start = new();
    private Thread? _thread;
    private volatile bool _stopping;

    public void Add(InferenceSlot slot, int version)
    {
        if (_thread is null)
        {
            Start();
        }

        _slots.Enqueue((slot, version));
        _added.Release();
    }

    /// <summary>Ends the thread when everything added was completed.</summary>
    public void Dispose()
    {
        _stopping = true;
        _added.Release();
        _thread?.Join();
        _added.Dispose();
    }

    private void Start()
    {
        lock (_start)
        {
            if (_thread is null)
            {
                var thread = new Thread(Run) { IsBackground = true, Name = name };
                thread.Start();
                _thread = thread;
            }
        }
    }

    private void Run()
    {
        for (; ; )
        {
            _added.Wait();
            if (_slots.TryDequeue(out (InferenceSlot Slot, int Version) waiting))
            {
                waiting.Slot.CompleteAsync(waiting.Version);
            }
            else if (_stopping)
            {
                return;
            }
        }
    }
}
