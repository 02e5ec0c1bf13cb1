using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>Kinds of objects; part of their handles.</summary>
internal enum ObjectKind
{
    Context = 1,
    Queue = 2,
    Qpc = 3,
    Program = 4,
    ExecObj = 5,
    Event = 6,
    ProgramGroup = 7,
}

/// <summary>An object behind a handle. One with living children cannot be released.</summary>
internal abstract class SimulatedObject(ObjectKind kind, SimulatedMachine? machine, SimulatedContext? context) : IDisposable
{
    private readonly Lock _family = new();
    private int _children;
    private int _calls;
    private bool _released;

    public ObjectKind Kind => kind;

    /// <summary>Set once, by the table.</summary>
    public nint Handle { get; set; }

    /// <summary>The machine it lives on; null for a QPC, which is a file in the host's memory.</summary>
    public SimulatedMachine? Home => machine;

    /// <summary>The context whose log hears of its failures; a context is its own; null for a QPC.</summary>
    public virtual SimulatedContext? LogContext => context;

    /// <summary>The object that releases this one, where callers do not; null for most.</summary>
    public virtual SimulatedObject? Owner => null;

    /// <summary>Counts a child that is being made.</summary>
    /// <exception cref="SimulatedFailure">This object was released meanwhile.</exception>
    public void Adopt()
    {
        lock (_family)
        {
            if (_released)
            {
                throw new SimulatedFailure(QStatus.BadFd, $"The {Name} was released by another thread during the call.");
            }

            _children++;
        }
    }

    /// <summary>Forgets a child.</summary>
    public void Disown()
    {
        lock (_family)
        {
            _children--;
        }
    }

    /// <summary>Keeps the object, and its owner, from being released until the returned value is disposed: a call works on it.</summary>
    /// <exception cref="SimulatedFailure">It was released meanwhile (BadFd).</exception>
    public Call Use()
    {
        Owner?.Enter();
        try
        {
            Enter();
            return new Call(this);
        }
        catch
        {
            Owner?.Leave();
            throw;
        }
    }

    /// <summary>Ends the object's life. Nobody finds it any more.</summary>
    /// <param name="table">Where it is found.</param>
    /// <param name="by">The owner, when it is the one that releases it.</param>
    /// <exception cref="SimulatedFailure">It has living children, a call is working on it, it has an owner that releases it, or another thread was faster.</exception>
    public void Release(HandleTable table, SimulatedObject? by = null)
    {
        if (Owner is { } owner && owner != by)
        {
            throw SimulatedFailure.Invalid($"The {Name} belongs to the {owner}, which releases it.");
        }

        lock (_family)
        {
            if (_released)
            {
                throw new SimulatedFailure(QStatus.BadFd, $"The {Name} was released by another thread.");
            }

            if (_calls > 0)
            {
                throw SimulatedFailure.Invalid($"The {Name} cannot be released: {_calls} call(s) that work on it have not returned. Release it when they have.");
            }

            if (_children > 0)
            {
                throw SimulatedFailure.Invalid($"The {Name} cannot be released: {WhyAlive(_children)}");
            }

            _released = true;
        }

        table.Remove(this);
        machine?.ObjectGone();
        Dispose();
    }

    /// <summary>For messages.</summary>
    public static string NameOf<T>() where T : SimulatedObject =>
        typeof(T) == typeof(SimulatedContext) ? "context" :
        typeof(T) == typeof(SimulatedQueue) ? "queue" :
        typeof(T) == typeof(SimulatedQpc) ? "QPC" :
        typeof(T) == typeof(SimulatedProgram) ? "program" :
        typeof(T) == typeof(SimulatedProgramGroup) ? "program group" :
        typeof(T) == typeof(SimulatedEvent) ? "event" : "execution object";

    /// <summary>Gives back what the object holds. Called once, by <see cref="Release"/>.</summary>
    public abstract void Dispose();

    /// <summary>Ends the sentence that refuses the release of an object with <paramref name="children"/> children.</summary>
    protected virtual string WhyAlive(int children) => $"{children} object(s) made from it are alive. Release them first.";

    private void Enter()
    {
        lock (_family)
        {
            if (_released)
            {
                throw new SimulatedFailure(QStatus.BadFd, $"The {Name} was released by another thread during the call.");
            }

            _calls++;
        }
    }

    private void Leave()
    {
        lock (_family)
        {
            _calls--;
        }
    }

    private string Name => kind switch
    {
        ObjectKind.Context => "context",
        ObjectKind.Queue => "queue",
        ObjectKind.Qpc => "QPC",
        ObjectKind.Program => "program",
        ObjectKind.Event => "event",
        ObjectKind.ProgramGroup => "program group",
        _ => "execution object",
    };

    /// <summary>A call at work; see <see cref="Use"/>.</summary>
    public readonly ref struct Call(SimulatedObject target)
    {
        public void Dispose()
        {
            target.Leave();
            target.Owner?.Leave();
        }
    }
}
