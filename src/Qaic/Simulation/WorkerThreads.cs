namespace Qaic.Simulation;

/// <summary>Threads that take what is scheduled, first in first out. Started as they are needed; they end when this is disposed and nothing is left.</summary>
/// <param name="name">Name of the threads.</param>
/// <param name="max">The most threads.</param>
/// <param name="run">What they do. Throws nothing.</param>
/// <param name="start">How a thread is started; null: as usual. A host that has no threads left refuses: then the threads that there are do the work, or the thread pool if there is none.</param>
internal sealed class WorkerThreads<T>(string name, int max, Action<T> run, Action<Thread>? start = null) : IDisposable where T : class
{
    private readonly Lock _sync = new();
    private readonly Queue<T> _ready = new();

    // SemaphoreSlim spins before it blocks: a hand-over costs a quarter of what Monitor's does.
    private readonly SemaphoreSlim _signal = new(0);
    private readonly List<Thread> _threads = [];
    private int _idle;
    private bool _disposed;

    /// <summary>Whether every item has a thread.</summary>
    public bool IsNobodyWaiting
    {
        get
        {
            lock (_sync)
            {
                return _ready.Count == 0;
            }
        }
    }

    /// <summary>Has one of the threads take <paramref name="item"/>.</summary>
    public void Schedule(T item)
    {
        Thread? starting = null;
        lock (_sync)
        {
            _ready.Enqueue(item);
            if (_ready.Count > _idle && _threads.Count < max)
            {
                starting = new Thread(Work) { IsBackground = true, Name = name };
                _threads.Add(starting);
            }
        }

        if (starting is null || TryStart(starting))
        {
            _signal.Release();
        }
    }

    /// <summary>Ends the threads when they have nothing left to do. What is scheduled later is done all the same.</summary>
    public void Dispose()
    {
        int threads;
        lock (_sync)
        {
            _disposed = true;
            threads = _threads.Count;
        }

        if (threads > 0)
        {
            _signal.Release(threads);
        }
    }

    /// <summary>Waits, after <see cref="Dispose"/>, until the threads have ended. Not from one of them.</summary>
    public void Join()
    {
        Thread[] threads;
        lock (_sync)
        {
            threads = [.. _threads];
        }

        Array.ForEach(threads, thread => thread.Join());
    }

    // False: the item was given to the thread pool.
    private bool TryStart(Thread thread)
    {
        try
        {
            if (start is null)
            {
                thread.Start();
            }
            else
            {
                start(thread);
            }

            return true;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // Callers are the card's own threads, or inside a call that has done its part: an item is late, never lost.
            bool isAlone;
            lock (_sync)
            {
                _threads.Remove(thread);
                isAlone = _threads.Count == 0;
            }

            if (isAlone)
            {
                ThreadPool.UnsafeQueueUserWorkItem(static self => self.RunWhatIsReady(), this, preferLocal: false);
            }

            return !isAlone;
        }
    }

    private void RunWhatIsReady()
    {
        while (true)
        {
            T? item;
            lock (_sync)
            {
                if (!_ready.TryDequeue(out item))
                {
                    return;
                }
            }

            run(item);
        }
    }

    // One signal per item, and one per thread when it closes: then some wake for nothing, look, and end.
    private void Work()
    {
        while (true)
        {
            lock (_sync)
            {
                if (_disposed && _ready.Count == 0)
                {
                    _threads.Remove(Thread.CurrentThread);
                    if (_threads.Count > 0)
                    {
                        // Another may wait for a signal that this one took: a thread that was started since takes one more than there is.
                        _signal.Release();
                    }

                    return;
                }

                _idle++;
            }

            _signal.Wait();
            T? item;
            lock (_sync)
            {
                _idle--;
                _ready.TryDequeue(out item);
            }

            if (item is not null)
            {
                run(item);
            }
        }
    }
}
