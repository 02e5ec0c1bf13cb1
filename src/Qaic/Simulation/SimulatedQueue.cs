using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>A queue: threads of its own on which the card's work is done.</summary>
/// <remarks>A released queue finishes what it was given, then its threads end.</remarks>
internal sealed class SimulatedQueue : SimulatedObject
{
    /// <summary>Threads of a queue made without properties, as the vendor's.</summary>
    public const int DefaultThreads = 4;

    private const uint MaxThreads = 64;

    private readonly WorkerThreads<Activation> _threads;

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

        int threads = properties.NumThreadsPerQueue != 0 ? (int)properties.NumThreadsPerQueue : properties.Properties == 0 ? 1 : DefaultThreads;
        _threads = new WorkerThreads<Activation>($"simulated card {card.Qid}", threads, Run);
    }

    public SimulatedContext Context { get; }

    public SimulatedCard Card { get; }

    /// <summary>The group whose programs it takes, and no others; null for the programs without a group.</summary>
    public SimulatedProgramGroup? Group { get; }

    /// <inheritdoc/>
    public override SimulatedObject? Owner => Group;

    /// <summary>Has one of the queue's threads run <paramref name="activation"/>'s next inference.</summary>
    public void Schedule(Activation activation) => _threads.Schedule(activation);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _threads.Dispose();
        Context.Disown();
    }

    private void Run(Activation activation)
    {
        while (activation.RunNext() is { } next)
        {
            // Straight on, without waking another thread, unless somebody else is waiting for this one.
            if (next != this || !_threads.IsNobodyWaiting)
            {
                next.Schedule(activation);
                return;
            }
        }
    }
}
