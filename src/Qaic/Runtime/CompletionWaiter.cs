using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Qaic.Runtime;

/// <summary>A thread that waits for one activation's inferences on behalf of asynchronous callers, in the order in which they asked.</summary>
/// <remarks>
/// The library's own events would do without it, but their numbers are unknown. The thread starts with an asynchronous wait and ends when none has come for a while,
/// so that a session that everybody has forgotten leaves none behind.
/// </remarks>
internal sealed class CompletionWaiter(string name) : IDisposable
{
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(10);

    private readonly ConcurrentQueue<(InferenceSlot Slot, int Version)> _slots = new();
    private readonly SemaphoreSlim _added = new(0);
    private readonly Lock _start = new();
    private volatile Thread? _thread;
    private volatile bool _stopping;

    public void Add(InferenceSlot slot, int version)
    {
        // Before looking for the thread, which looks at the queue before it ends.
        _slots.Enqueue((slot, version));
        _added.Release();
        if (_thread is null)
        {
            Start();
        }
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
                _thread = thread;
                thread.Start();
            }
        }
    }

    private void Run()
    {
        for (; ; )
        {
            bool isIdle = !_added.Wait(s_idle);
            if (CompleteOne())
            {
                continue;
            }

            if (_stopping)
            {
                return;
            }

            lock (_start)
            {
                if (isIdle && _slots.IsEmpty)
                {
                    _thread = null;
                    return;
                }
            }
        }
    }

    // Not inlined: while the thread sleeps, nothing on its stack may keep a slot, and with it the session, alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool CompleteOne()
    {
        if (!_slots.TryDequeue(out (InferenceSlot Slot, int Version) waiting))
        {
            return false;
        }

        waiting.Slot.CompleteAsync(waiting.Version);
        return true;
    }
}
