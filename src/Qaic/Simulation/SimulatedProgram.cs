using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Simulation;

/// <summary>A program: a QPC on a card. Created ─Load→ loaded ─Activate→ active ─Deactivate→ loaded ─Unload→ created.</summary>
/// <remarks>
/// Activate loads by itself. Load and activate do nothing where they have been done; deactivate and unload want their state and no living execution objects.
/// An inference that fails or times out puts an active program into error state 100: it can only be released. A device that is lost puts it back to created.
/// A program of a group is loaded, activated and released by its group.
/// </remarks>
internal sealed unsafe class SimulatedProgram : SimulatedObject
{
    private const uint UseAppBuffer = 0x08;
    private const int DefaultWaitMs = 5000;

    private static int s_lastId;

    private readonly Lock _sync = new();
    private readonly NativeArena _arena = new();
    private readonly SimulatedQpc _qpc;
    private readonly TimeSpan _limit;
    private SharedNetwork? _network;
    private Activation? _activation;
    private int _execObjs;
    private int _automatic;
    private bool _isManual;
    private ResourceDemand _taken;
    private QData _ioDescriptor;
    private QAicIoBufferInfo* _bufferInfo;

    /// <exception cref="SimulatedFailure">The properties are impossible, or the card does not have what an activation takes (DevError).</exception>
    public SimulatedProgram(SimulatedContext context, SimulatedCard card, in ProgramProperties properties, string? name, SimulatedQpc qpc, SimulatedProgramGroup? group = null)
        : base(ObjectKind.Program, context.Machine, context)
    {
        if ((properties.SelectMask & ~UseAppBuffer) != 0)
        {
            throw SimulatedFailure.Invalid($"The program properties' select mask 0x{properties.SelectMask:x} has unknown bits. Initialize the properties with qaicProgramPropertiesInitDefault.");
        }

        if (properties.Reserved != 0)
        {
            throw new SimulatedFailure(QStatus.Unsupported, "The program properties ask for a device mapping; a simulated program runs on one card.");
        }

        // As the runtime waits: each wait is one time-out long, 0 meaning the kernel's 5 s, and is repeated.
        double waitMs = properties.SubmitRetryTimeoutMs == 0 ? DefaultWaitMs : properties.SubmitRetryTimeoutMs;
        _limit = TimeSpan.FromMilliseconds(Math.Min(waitMs * (1.0 + properties.SubmitNumRetries), uint.MaxValue - 1.0));
        Context = context;
        Card = card;
        _qpc = qpc;
        Group = group;
        ProgramName = name ?? $"user_{qpc.Network.NetworkName}_{Interlocked.Increment(ref s_lastId)}";
        if (group is not null && qpc.File.TryGetSegment("mdp_meta_info", out _))
        {
            throw new SimulatedFailure(QStatus.Unsupported, $"The QPC is for several devices; the {group} takes programs of one.");
        }

        card.Pool.Require(ResourceDemand.OfActivation(qpc.Cores), ProgramName);
    }

    public SimulatedContext Context { get; }

    public SimulatedCard Card { get; }

    public string ProgramName { get; }

    /// <summary>AI cores that it runs on.</summary>
    public int Cores => _qpc.Cores;

    /// <summary>The group that it belongs to; null for most programs.</summary>
    public SimulatedProgramGroup? Group { get; }

    /// <inheritdoc/>
    public override SimulatedObject? Owner => Group;

    /// <summary>What runs its inferences; null while it is not active.</summary>
    public Activation? Activation => Volatile.Read(ref _activation);

    /// <summary>Puts the network into the card's memory.</summary>
    public void Load()
    {
        ThrowIfInGroup();
        using LoadMessages messages = new(Context);
        lock (_sync)
        {
            ThrowIfUnusable();
            LoadLocked(messages);
        }
    }

    /// <summary>Takes cores and a channel, and makes the program ready for inferences. Execution objects no longer change that.</summary>
    public void Activate()
    {
        ThrowIfInGroup();
        using LoadMessages messages = new(Context);
        Enable(messages);
    }

    /// <summary>Activates, also a program of a group.</summary>
    /// <param name="messages">Takes what the load has to say.</param>
    public void Enable(LoadMessages messages)
    {
        lock (_sync)
        {
            ThrowIfUnusable();
            ActivateLocked(messages);
            _isManual = true;
        }
    }

    public void Deactivate()
    {
        ThrowIfInGroup();
        lock (_sync)
        {
            ThrowIfUnusable();
            if (_activation is null)
            {
                throw SimulatedFailure.Invalid($"Program '{ProgramName}' cannot be deactivated: it is not active.");
            }

            ThrowIfExecObjs("deactivate");
            DeactivateLocked();
        }
    }

    public void Unload()
    {
        ThrowIfInGroup();
        lock (_sync)
        {
            ThrowIfUnusable();
            ThrowIfExecObjs("unload");
            if (_activation is not null || _network is null)
            {
                throw SimulatedFailure.Invalid(
                    _network is null ? $"Program '{ProgramName}' cannot be unloaded: it is not loaded." : $"Program '{ProgramName}' cannot be unloaded: it is active. Deactivate it first.");
            }

            UnloadLocked();
        }
    }

    /// <summary>The serialized I/O descriptor, in memory that lives as long as the program.</summary>
    public QData GetIoDescriptor()
    {
        lock (_sync)
        {
            if (_ioDescriptor.Data == null)
            {
                _ioDescriptor = new QData { Data = _arena.Copy(_qpc.IoDescriptorBytes), Size = (nuint)_qpc.IoDescriptorBytes.Length };
            }

            return _ioDescriptor;
        }
    }

    /// <summary>The bindings, in memory that lives as long as the program.</summary>
    public QAicIoBufferInfo* GetIoBufferInfo()
    {
        lock (_sync)
        {
            if (_bufferInfo == null)
            {
                QAicIoBufferInfo* info = _arena.Allocate<QAicIoBufferInfo>(1);
                *info = _qpc.BuildBufferInfo(_arena);
                _bufferInfo = info;
            }

            return _bufferInfo;
        }
    }

    /// <summary>Makes an execution object; with the automatic property also loads and activates.</summary>
    /// <param name="properties">How it is made.</param>
    /// <param name="selected">The I/O set that its buffers are of; null: "default". Zero-copy buffers are the card's own, whatever set is selected.</param>
    public SimulatedExecObj CreateExecObj(QAicExecObjProperties properties, IoSet? selected)
    {
        if ((properties & ~(QAicExecObjProperties.AutoLoadActivate | QAicExecObjProperties.ZeroCopyBuffers)) != 0)
        {
            throw SimulatedFailure.Invalid($"Execution object properties 0x{(uint)properties:x} are not known; the simulated library knows 0x4 (load and activate automatically) and 0x1 (zero-copy buffers).");
        }

        if (_qpc.Unsupported is { } unsupported)
        {
            throw new SimulatedFailure(unsupported.Status, unsupported.Message, unsupported);
        }

        HostView? view = (properties & QAicExecObjProperties.ZeroCopyBuffers) == 0 ? _qpc.View(selected) : null;
        using LoadMessages messages = new(Context);
        Group?.Adopt();
        try
        {
            Adopt();
            try
            {
                lock (_sync)
                {
                    ThrowIfUnusable();
                    bool automatic = (properties & QAicExecObjProperties.AutoLoadActivate) != 0 && !_isManual && Group is null;
                    return CreateExecObjLocked(automatic, view, messages);
                }
            }
            catch
            {
                Disown();
                throw;
            }
        }
        catch
        {
            Group?.Disown();
            throw;
        }
    }

    /// <summary>Gives an inference to the card; it completes <paramref name="completion"/>, if there is one.</summary>
    public void Enqueue(SimulatedQueue queue, SimulatedExecObj exec, SimulatedEvent? completion)
    {
        Card.ThrowIfLost();
        if (queue.Card != Card)
        {
            throw SimulatedFailure.Invalid($"The queue is device {queue.Card.Id}'s, the execution object's program is on device {Card.Id}.");
        }

        if (queue.Group != Group)
        {
            throw SimulatedFailure.Invalid(
                Group is null ? $"The queue belongs to the {queue.Group}, which program '{ProgramName}' does not." : $"Program '{ProgramName}' belongs to the {Group}; its inferences go to the group's queue.");
        }

        exec.Activation.Submit(queue, exec, completion);
    }

    public void OnExecObjReleased(SimulatedExecObj exec)
    {
        lock (_sync)
        {
            // Of an activation before the device was lost: nobody counts it any more.
            if (exec.Activation == _activation)
            {
                _execObjs--;
                if (exec.IsAutomatic && --_automatic == 0 && !_isManual)
                {
                    DeactivateLocked();
                }
            }
        }

        Disown();
        Group?.Disown();
    }

    public void OnDeviceLost() => End(new SimulatedFailure(QStatus.DevError, $"Device {Card.Id} was lost."));

    /// <summary>Back to created, from every state.</summary>
    /// <param name="failure">What becomes of inferences in flight, and of later ones of the execution objects that there are.</param>
    public void End(SimulatedFailure failure)
    {
        lock (_sync)
        {
            _activation?.Kill(failure);
            ClearLocked();
        }
    }

    /// <exception cref="SimulatedFailure">DevError: the program is in error state 100.</exception>
    public void ThrowIfInError()
    {
        if (Activation?.Failure is { } failure)
        {
            throw new SimulatedFailure(
                QStatus.DevError,
                $"Program '{ProgramName}' on device {Card.Id} is in error state 100; {(Group is null ? "release it and create it again" : "disable its group by force")}. {failure.Message}");
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        Card.Remove(this);
        lock (_sync)
        {
            ClearLocked();
        }

        _arena.Free();
        _qpc.Disown();
        Context.Disown();
    }

    private SimulatedExecObj CreateExecObjLocked(bool automatic, HostView? view, LoadMessages messages)
    {
        bool wasActive = _activation is not null;
        if (!wasActive)
        {
            if (!automatic)
            {
                throw SimulatedFailure.Invalid($"Program '{ProgramName}' is not active. {(Group is null ? "Activate it" : $"Enable the {Group}")} before execution objects are made.");
            }

            ActivateLocked(messages);
        }

        try
        {
            SimulatedExecObj exec = new(this, _network!, _activation!, automatic, view);
            _execObjs++;
            _automatic += automatic ? 1 : 0;
            return exec;
        }
        catch when (!wasActive)
        {
            DeactivateLocked();
            throw;
        }
    }

    private void ThrowIfUnusable()
    {
        Card.ThrowIfLost();
        ThrowIfInError();
    }

    private void ThrowIfInGroup()
    {
        if (Group is not null)
        {
            throw SimulatedFailure.Invalid($"Program '{ProgramName}' belongs to the {Group}: enable or disable the group instead.");
        }
    }

    private void ThrowIfExecObjs(string action)
    {
        if (_execObjs > 0)
        {
            throw SimulatedFailure.Invalid($"Cannot {action} program, it has active ExecObj: {_execObjs} of '{ProgramName}' are alive. Release them first.");
        }
    }

    private void LoadLocked(LoadMessages messages)
    {
        if (_network is null)
        {
            SharedNetwork network = Card.Acquire(_qpc, messages);
            try
            {
                Card.Pool.Take(_qpc.ElfDemand, "load");
            }
            catch
            {
                Card.Release(network);
                throw;
            }

            _network = network;
        }
    }

    private void ActivateLocked(LoadMessages messages)
    {
        if (_activation is null)
        {
            LoadLocked(messages);

            // Programs that take turns have their group's cores.
            ResourceDemand demand = Group?.SharedCores is null ? ResourceDemand.OfActivation(Cores) : default;
            Card.Pool.Take(demand, "activate");
            _taken = demand;
            _activation = new Activation(this, Card, _limit);
        }
    }

    private void DeactivateLocked()
    {
        if (_activation is not null)
        {
            _activation.Dispose();
            _activation = null;
            _execObjs = 0;
            _automatic = 0;
            Card.Pool.Give(_taken);
        }
    }

    private void UnloadLocked()
    {
        if (_network is { } network)
        {
            _network = null;
            Card.Pool.Give(_qpc.ElfDemand);
            Card.Release(network);
        }
    }

    private void ClearLocked()
    {
        DeactivateLocked();
        UnloadLocked();
        _isManual = false;
    }
}
