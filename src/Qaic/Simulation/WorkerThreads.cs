namespace Qaic.Simulation;

/// <summary>Threads that take what is scheduled, first in first out. Started as they are needed; they end when this is disposed and nothing is left.</summary>
/// <param name="name">Name of the threads.</param>
/// <param name="max">The most threads.</param>
/// <param name="run">What they do. Throws nothing.</param>
internal sealed class WorkerThreads<T>(string name, int max, Action<T> run) : IDisposable where T : class
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

        starting?.Start();
        _signal.Release();
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
