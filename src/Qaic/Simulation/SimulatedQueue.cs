using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>A queue: threads of its own on which the card's work is done.</summary>
/// <remarks>A released queue finishes what it was given, then its threads end.</remarks>
internal sealed class SimulatedQueue : SimulatedObject
{
    /// <summary>Threads of a queue made without properties, as the vendor's.</summary>
    public const int DefaultThreads = 4;

    private const uint MaxThreads = 64;

    private readonly Lock _sync = new();
    private readonly Queue<Activation> _ready = new();

    // SemaphoreSlim spins before it blocks: a hand-over costs a quarter of what Monitor's does.
    private readonly SemaphoreSlim _signal = new(0);
    private readonly int _maxThreads;
    private int _threads;
    private int _idle;
    private bool _closed;

    public SimulatedQueue(SimulatedContext context, SimulatedCard card, in QAicQueueProperties properties, SimulatedProgramGroup? group = null)
        : base(ObjectKind.Queue, context.Machine, context)
    {
        Context = context;
        Card = card;
        Group = group;

        // 0 is single-threaded, 1 multi-threaded; a number of threads, where one is given, says more than either.
        if (properties.Properties > 1 || properties.NumThreadsPerQueue > MaxThreads)
        {
            throw SimulatedFailure.Invalid(
                $"Queue properties {{{properties.Properties}, {properties.NumThreadsPerQueue}}} are not known: the first is 0 (single-threaded) or 1 (multi-threaded), the second 0 to {MaxThreads} threads.");
        }

        _maxThreads = properties.NumThreadsPerQueue != 0 ? (int)properties.NumThreadsPerQueue : properties.Properties == 0 ? 1 : DefaultThreads;
    }

    public SimulatedContext Context { get; }

    public SimulatedCard Card { get; }

    /// <summary>The group whose programs it takes, and no others; null for the programs without a group.</summary>
    public SimulatedProgramGroup? Group { get; }

    /// <inheritdoc/>
    public override SimulatedObject? Owner => Group;

    /// <summary>Has one of the queue's threads run <paramref name="activation"/>'s next inference.</summary>
    public void Schedule(Activation activation)
    {
        bool start;
        lock (_sync)
        {
            _ready.Enqueue(activation);
            start = _ready.Count > _idle && _threads < _maxThreads;
            if (start)
            {
                _threads++;
            }
        }

        if (start)
        {
            new Thread(Work) { IsBackground = true, Name = $"simulated card {Card.Qid}" }.Start();
        }

        _signal.Release();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        int threads;
        lock (_sync)
        {
            _closed = true;
            threads = _threads;
        }

        if (threads > 0)
        {
            _signal.Release(threads);
        }

        Context.Disown();
    }

    // One signal per activation that is ready, and one per thread when the queue closes: then some wake for nothing, look, and end.
    private void Work()
    {
        while (true)
        {
            lock (_sync)
            {
                if (_closed && _ready.Count == 0)
                {
                    _threads--;
                    return;
                }

                _idle++;
            }

            _signal.Wait();
            Activation? activation;
            lock (_sync)
            {
                _idle--;
                _ready.TryDequeue(out activation);
            }

            if (activation is not null)
            {
                Run(activation);
            }
        }
    }

    private void Run(Activation activation)
    {
        while (activation.RunNext() is { } next)
        {
            // Straight on, without waking another thread, unless somebody else is waiting for this one.
            if (next != this || !IsNobodyWaiting())
            {
                next.Schedule(activation);
                return;
            }
        }
    }

    private bool IsNobodyWaiting()
    {
        lock (_sync)
        {
            return _ready.Count == 0;
        }
    }
}
