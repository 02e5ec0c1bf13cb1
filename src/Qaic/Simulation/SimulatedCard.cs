using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>A card: its resources, the networks in its memory, and whether it is there at all.</summary>
internal sealed class SimulatedCard(SimulatedMachine machine, int id, SimulatedCardOptions options)
{
    private readonly Lock _sync = new();
    private readonly Dictionary<SimulatedQpc, SharedNetwork> _networks = [];
    private readonly HashSet<SimulatedProgram> _programs = [];
    private readonly HashSet<SimulatedProgramGroup> _groups = [];
    private int _activations;
    private volatile bool _lost;

    public SimulatedMachine Machine => machine;

    /// <summary>Device id within its machine.</summary>
    public int Id => id;

    public int Qid => machine.FirstQid + id;

    public string Serial { get; } = options.Serial ?? $"simulated-{id}";

    public ResourcePool Pool { get; } = new(id, options);

    /// <summary>How long the card takes; null: as long as the host computes.</summary>
    public CardPacing? Pacing => options.Pacing;

    /// <summary>Transfers from the host.</summary>
    public TransferQueue ToDevice { get; } = new();

    /// <summary>Transfers to the host.</summary>
    public TransferQueue ToHost { get; } = new();

    public bool IsLost => _lost;

    /// <exception cref="SimulatedFailure">NoDev.</exception>
    public void ThrowIfLost()
    {
        if (_lost)
        {
            throw new SimulatedFailure(QStatus.NoDev, $"Device {id} was lost. Programs can be loaded again when it is back.");
        }
    }

    public void Add(SimulatedProgram program)
    {
        lock (_sync)
        {
            _programs.Add(program);
        }
    }

    public void Remove(SimulatedProgram program)
    {
        lock (_sync)
        {
            _programs.Remove(program);
        }
    }

    public void Add(SimulatedProgramGroup group)
    {
        lock (_sync)
        {
            _groups.Add(group);
        }
    }

    public void Remove(SimulatedProgramGroup group)
    {
        lock (_sync)
        {
            _groups.Remove(group);
        }
    }

    /// <summary>Numbers the card's activations, from 0.</summary>
    public int NextActivation() => Interlocked.Increment(ref _activations) - 1;

    /// <summary>The network of a QPC, loaded once for all programs made from the same QPC object. Give every one back with <see cref="Release"/>.</summary>
    /// <exception cref="SimulatedFailure">The card's memory is exhausted (DevError).</exception>
    public SharedNetwork Acquire(SimulatedQpc qpc, LoadMessages messages)
    {
        SharedNetwork? network;
        lock (_sync)
        {
            if (!_networks.TryGetValue(qpc, out network))
            {
                _networks.Add(qpc, network = new SharedNetwork(this, qpc));
            }

            network.References++;
        }

        try
        {
            // Outside the card's lock: loading takes its time, and other networks need not wait for it.
            network.EnsureLoaded(messages);
            return network;
        }
        catch
        {
            Release(network);
            throw;
        }
    }

    /// <summary>Takes a further reference to a network that is loaded.</summary>
    public void AddReference(SharedNetwork network)
    {
        lock (_sync)
        {
            network.References++;
        }
    }

    /// <summary>Gives a reference back; the last one removes the network from the card.</summary>
    public void Release(SharedNetwork network)
    {
        lock (_sync)
        {
            if (--network.References == 0)
            {
                // Not the one that was loaded after the card was lost and came back.
                if (_networks.TryGetValue(network.Qpc, out SharedNetwork? current) && current == network)
                {
                    _networks.Remove(network.Qpc);
                }

                network.Unload();
            }
        }
    }

    /// <summary>The card falls off the bus: what is in flight fails, everything on it is gone.</summary>
    public void Lose()
    {
        SimulatedProgram[] programs;
        SimulatedProgramGroup[] groups;
        SharedNetwork[] networks;
        lock (_sync)
        {
            _lost = true;
            programs = [.. _programs];
            groups = [.. _groups];
            networks = [.. _networks.Values];
            _networks.Clear();
        }

        Array.ForEach(networks, network => network.Forget());
        foreach (SimulatedProgram program in programs)
        {
            program.OnDeviceLost();
        }

        foreach (SimulatedProgramGroup group in groups)
        {
            group.OnDeviceLost();
        }
    }

    public void Restore() => _lost = false;
}

/// <summary>A network in a card's memory.</summary>
internal sealed class SharedNetwork(SimulatedCard card, SimulatedQpc qpc)
{
    private readonly Lock _sync = new();
    private ISimulatedNetwork? _network;
    private bool _isForgotten;

    public SimulatedQpc Qpc => qpc;

    /// <summary>Guarded by the card's lock.</summary>
    public int References { get; set; }

    /// <summary>The engine's network; loaded.</summary>
    public ISimulatedNetwork Network => _network ?? throw new InvalidOperationException("The network is not loaded.");

    public void EnsureLoaded(LoadMessages messages)
    {
        lock (_sync)
        {
            if (_isForgotten)
            {
                card.ThrowIfLost();
                throw new SimulatedFailure(QStatus.Again, $"Device {card.Id} was lost and is back since the load began; load again.");
            }

            if (_network is null)
            {
                card.Pool.Take(qpc.ConstantsDemand, "load");
                try
                {
                    _network = card.Machine.Engine.Load(qpc.File, messages);
                }
                catch
                {
                    card.Pool.Give(qpc.ConstantsDemand);
                    throw;
                }
            }
        }
    }

    /// <summary>The card lost its memory. What computes stays until the last execution object that is bound to it is released.</summary>
    public void Forget()
    {
        lock (_sync)
        {
            _isForgotten = true;
            if (_network is not null)
            {
                card.Pool.Give(qpc.ConstantsDemand);
            }
        }
    }

    /// <summary>Ends it. Called once, when nobody refers to it any more.</summary>
    public void Unload()
    {
        lock (_sync)
        {
            if (_network is not null)
            {
                if (!_isForgotten)
                {
                    card.Pool.Give(qpc.ConstantsDemand);
                }

                _network.Dispose();
                _network = null;
            }
        }
    }
}
