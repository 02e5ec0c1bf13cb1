using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>A program group: a queue and programs that belong to it and, oversubscribed, take turns on the cores of the largest. Off ─Enable→ on ─Disable→ (draining →) off.</summary>
/// <remarks>
/// <para>Enable loads every program and takes the cores; all or nothing. Execution objects are made while the group is on and are of no use once it is off. The group's queue takes the group's programs only, and they take no other.</para>
/// <para>Oversubscribed, the queue has one thread: inferences of the whole group run one at a time, and programs that have work alternate. Whoever comes after another program's inference switches first.</para>
/// <para>A program in error state 100 leaves the others running; the group can then be disabled by force only, and may be enabled again. A lost device switches the group off.</para>
/// </remarks>
internal sealed class SimulatedProgramGroup : SimulatedObject
{
    private readonly Lock _sync = new();
    private readonly List<SimulatedProgram> _programs = [];
    private readonly SwitchProtocol _protocol;
    private readonly string _name;
    private volatile State _state;
    private ResourceDemand _taken;
    private SimulatedProgram? _active;
    private int _switches;

    /// <exception cref="SimulatedFailure">The properties are impossible (Inval), or the context is being released.</exception>
    public SimulatedProgramGroup(SimulatedContext context, SimulatedCard card, in ProgramGroupProperties properties, string? name)
        : base(ObjectKind.ProgramGroup, context.Machine, context)
    {
        if (properties.ProtocolSelect > SwitchProtocol.DataPath)
        {
            throw SimulatedFailure.Invalid($"There is no switch protocol {(uint)properties.ProtocolSelect}; known are 0 (control path) and 1 (data path). Initialize the properties with qaicProgramGroupPropertiesInitDefault.");
        }

        Context = context;
        Card = card;
        _protocol = properties.ProtocolSelect;
        _name = name ?? "unnamed";
        SharedCores = properties.EnableOversubscription != 0 ? new CoreTimeline() : null;

        // One thread is what makes programs take turns.
        Queue = new SimulatedQueue(context, card, new QAicQueueProperties { Properties = SharedCores is null ? 1u : 0u }, this);
        context.Adopt();
    }

    private enum State
    {
        Off,
        On,
        Draining,
    }

    public SimulatedContext Context { get; }

    public SimulatedCard Card { get; }

    /// <summary>The one queue of all its programs.</summary>
    public SimulatedQueue Queue { get; }

    /// <summary>The cores that its programs take turns on; null if each has its own.</summary>
    public CoreTimeline? SharedCores { get; }

    /// <summary>How often another program than the last one ran.</summary>
    public int Switches => Volatile.Read(ref _switches);

    /// <inheritdoc/>
    public override string ToString() => $"program group '{_name}'";

    /// <exception cref="SimulatedFailure">Inval: programs cannot be added.</exception>
    public void ThrowIfOn() => ThrowUnless(State.Off, "takes no programs while it is enabled. Disable it first");

    /// <summary>Takes a program that was made for the group.</summary>
    /// <exception cref="SimulatedFailure">Inval: the group is on.</exception>
    public void Add(SimulatedProgram program)
    {
        lock (_sync)
        {
            ThrowIfOn();
            _programs.Add(program);
        }
    }

    /// <summary>Loads all programs and takes cores. Does nothing where that is done.</summary>
    /// <exception cref="SimulatedFailure">NoDev, DevError: memory or cores are not free; nothing is taken then. Inval: there are no programs.</exception>
    public void Enable()
    {
        using LoadMessages messages = new(Context);
        lock (_sync)
        {
            Card.ThrowIfLost();
            if (_state == State.On)
            {
                return;
            }

            ThrowUnless(State.Off, "cannot be enabled: it is being disabled");
            if (_programs.Count == 0)
            {
                throw SimulatedFailure.Invalid($"The {this} cannot be enabled: it has no programs. Add them first.");
            }

            ResourceDemand shared = SharedCores is null ? default : ResourceDemand.OfActivation(_programs.Max(p => p.Cores));
            Card.Pool.Take(shared, "activate");
            try
            {
                _programs.ForEach(p => p.Enable(messages));
            }
            catch
            {
                EndPrograms(SimulatedFailure.Invalid($"The {this} could not be enabled."));
                Card.Pool.Give(shared);
                throw;
            }

            _taken = shared;
            _state = State.On;
        }
    }

    /// <summary>Gives cores and memory back.</summary>
    /// <param name="force">What is in flight is ended with Error (500); else it is waited for.</param>
    /// <param name="microseconds">How long it is waited for; 0 only looks.</param>
    /// <exception cref="SimulatedFailure">TimedOut, or Busy if there was no time: something is in flight, and the group goes on. Inval: it is not enabled. DevError: a program is in error state 100. NoDev.</exception>
    public void Disable(bool force, ulong microseconds)
    {
        SimulatedProgram[] programs;
        long startedAt = Card.Machine.Clock.GetTimestamp();
        lock (_sync)
        {
            Card.ThrowIfLost();
            ThrowUnless(State.On, "cannot be disabled: it is not enabled, or another call is disabling it");
            if (force)
            {
                TurnOff(new SimulatedFailure(QStatus.Error, $"The {this} was disabled by force while the inference was in flight."));
                return;
            }

            programs = [.. _programs];
            Array.ForEach(programs, p => p.ThrowIfInError());
            _state = State.Draining;
        }

        SimulatedFailure refusal = SimulatedFailure.Invalid($"The {this} is being disabled and takes no inferences.");
        Array.ForEach(programs, p => p.Activation?.Refuse(refusal));
        TimeSpan timeout = TimeSpan.FromMicroseconds(Math.Min(microseconds, uint.MaxValue));
        bool isIdle = Array.TrueForAll(programs, p => p.Activation?.WaitUntilIdle(startedAt, timeout) ?? true);
        lock (_sync)
        {
            if (_state != State.Draining)
            {
                throw new SimulatedFailure(QStatus.NoDev, $"Device {Card.Id} was lost while the {this} was being disabled; it is off.");
            }

            if (!isIdle)
            {
                _state = State.On;
                Array.ForEach(programs, p => p.Activation?.Refuse(null));
                throw new SimulatedFailure(
                    microseconds == 0 ? QStatus.Busy : QStatus.TimedOut,
                    $"The {this} was not disabled: inferences are in flight{(microseconds == 0 ? "" : $" after {microseconds} µs")}. Wait for them, or disable it by force.");
            }

            TurnOff(SimulatedFailure.Invalid($"The {this} was disabled."));
        }
    }

    /// <summary>Makes a program the one that is on the cores; called by the thread that executes its inferences.</summary>
    /// <param name="program">The program.</param>
    /// <param name="message">For the log; null if it was on them.</param>
    /// <returns>What that takes on a paced card.</returns>
    public TimeSpan SwitchTo(SimulatedProgram program, out string? message)
    {
        message = null;
        if (SharedCores is null || Interlocked.Exchange(ref _active, program) is not { } before || before == program)
        {
            return TimeSpan.Zero;
        }

        Interlocked.Increment(ref _switches);
        message = $"The {this} on device {Card.Id} switches from program '{before.ProgramName}' to '{program.ProgramName}'.";
        return Card.Pacing is not { } pacing ? TimeSpan.Zero : _protocol == SwitchProtocol.DataPath ? pacing.DataPathSwitch : pacing.ControlPathSwitch;
    }

    public void OnDeviceLost()
    {
        lock (_sync)
        {
            TurnOff(new SimulatedFailure(QStatus.DevError, $"Device {Card.Id} was lost."));
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        Card.Remove(this);
        lock (_sync)
        {
            TurnOff(SimulatedFailure.Invalid($"The {this} was released."));
        }

        // Nobody else releases them, no execution object of theirs is alive, and a call that works on one would have kept the group, so none refuses.
        _programs.ForEach(p => p.Release(SimulatedApi.Handles, by: this));
        Queue.Release(SimulatedApi.Handles, by: this);
        Context.Disown();
    }

    private void TurnOff(SimulatedFailure failure)
    {
        EndPrograms(failure);
        Card.Pool.Give(_taken);
        _taken = default;
        _active = null;
        _state = State.Off;
    }

    private void EndPrograms(SimulatedFailure failure) => _programs.ForEach(p => p.End(failure));

    private void ThrowUnless(State state, string what)
    {
        if (_state != state)
        {
            throw SimulatedFailure.Invalid($"The {this} {what}.");
        }
    }
}
