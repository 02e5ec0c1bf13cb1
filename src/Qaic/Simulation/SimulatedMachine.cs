namespace Qaic.Simulation;

/// <summary>A machine with cards, known to the whole process by its range of QIDs. Machine 0 has QIDs from 0 and is the one that a plain client of the C API meets.</summary>
/// <remarks>
/// The registry holds machines weakly: a machine lives as long as its platform or an object made on it. Its range of QIDs is then used again.
/// </remarks>
internal sealed class SimulatedMachine
{
    /// <summary>QIDs per machine, as a power of two.</summary>
    public const int QidBits = 16;

    private const int MaxMachines = int.MaxValue >> QidBits;

    private static readonly Lock s_sync = new();
    private static volatile WeakReference<SimulatedMachine>[] s_machines = [];

    private int _liveObjects;

    public SimulatedMachine(SimulatedPlatformOptions options, ISimulationEngine engine)
    {
        Engine = engine;
        Clock = options.TimeProvider;
        Faults = options.Faults;
        Cards = [.. options.Cards.Select((card, id) => new SimulatedCard(this, id, card))];
        FirstQid = Register(this) << QidBits;

        // The plan may outlive the machine, so it does not keep it alive.
        WeakReference<SimulatedMachine> self = new(this);
        Faults.Attach((device, lost) =>
        {
            if (self.TryGetTarget(out SimulatedMachine? machine))
            {
                machine.OnDeviceChanged(device, lost);
            }
        });
    }

    public ISimulationEngine Engine { get; }

    public TimeProvider Clock { get; }

    public FaultPlan Faults { get; }

    public int FirstQid { get; }

    public IReadOnlyList<SimulatedCard> Cards { get; }

    /// <summary>Live contexts, queues, programs and execution objects.</summary>
    public int LiveObjects => Volatile.Read(ref _liveObjects);

    /// <summary>The machine of a QID; null if there is none.</summary>
    public static SimulatedMachine? Find(int qid)
    {
        WeakReference<SimulatedMachine>[] machines = s_machines;
        int index = qid >> QidBits;
        return index >= 0 && index < machines.Length && machines[index].TryGetTarget(out SimulatedMachine? machine) ? machine : null;
    }

    /// <summary>The card of a QID; null if there is none.</summary>
    public static SimulatedCard? FindCard(int qid)
    {
        SimulatedMachine? machine = Find(qid);
        int id = qid & ((1 << QidBits) - 1);
        return machine is not null && id < machine.Cards.Count ? machine.Cards[id] : null;
    }

    /// <summary>What to say of a QID without a card: the device as its machine's user counts it, and which ones there are.</summary>
    public static string NoCard(int qid) => Find(qid) is { } machine
        ? $"There is no device {qid - machine.FirstQid}; the simulated machine has {(machine.Cards.Count == 1 ? "device 0 only" : $"devices 0 to {machine.Cards.Count - 1}")}."
        : $"There is no device with QID {qid}.";

    /// <summary>Lets the faults of every machine happen that are meant for a call without a device.</summary>
    /// <exception cref="SimulatedFailure">The call is meant to fail.</exception>
    public static void EnterAll(ApiFunction function)
    {
        foreach (WeakReference<SimulatedMachine> entry in s_machines)
        {
            if (entry.TryGetTarget(out SimulatedMachine? machine))
            {
                machine.Enter(function);
            }
        }
    }

    /// <summary>Lets the faults happen that are meant for this call.</summary>
    /// <exception cref="SimulatedFailure">The call is meant to fail.</exception>
    public void Enter(ApiFunction function)
    {
        if (Faults.IsArmed && Faults.Hit(function, Clock, CancellationToken.None) is { } failure)
        {
            throw failure;
        }
    }

    public void ObjectMade() => Interlocked.Increment(ref _liveObjects);

    public void ObjectGone() => Interlocked.Decrement(ref _liveObjects);

    private static int Register(SimulatedMachine machine)
    {
        lock (s_sync)
        {
            WeakReference<SimulatedMachine>[] machines = s_machines;
            int index = Array.FindIndex(machines, m => !m.TryGetTarget(out _));
            if (index < 0)
            {
                index = machines.Length;
                if (index == MaxMachines)
                {
                    throw new InvalidOperationException($"{MaxMachines} simulated machines are in use in this process; share platforms between sessions.");
                }
            }

            WeakReference<SimulatedMachine>[] next = new WeakReference<SimulatedMachine>[Math.Max(machines.Length, index + 1)];
            machines.CopyTo(next, 0);
            next[index] = new WeakReference<SimulatedMachine>(machine);
            s_machines = next;
            return index;
        }
    }

    private void OnDeviceChanged(int device, bool lost)
    {
        if (device >= Cards.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(device), device, $"The machine has devices 0 to {Cards.Count - 1}.");
        }

        if (lost)
        {
            Cards[device].Lose();
        }
        else
        {
            Cards[device].Restore();
        }
    }
}
