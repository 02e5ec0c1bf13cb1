using System.Text;
using Microsoft.Extensions.Logging;
using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>A context: the devices it was made for, and where its messages go.</summary>
/// <remarks>Without a log callback the vendor prints to stdout; the simulated library stays silent.</remarks>
internal sealed unsafe class SimulatedContext : SimulatedObject, ILogger
{
    // QAicErrorType, QAicRuntimeTypes.h: a program's runtime error. Likely, not certain.
    private const uint ProgramError = 0x202;

    private static int s_lastId;

    // Callbacks that the card's threads are inside of, one in another.
    [ThreadStatic]
    private static int s_inside;

    private readonly object _announced = new();

    private readonly uint _id = (uint)Interlocked.Increment(ref s_lastId);
    private readonly nint _logUser;
    private readonly nint _errorUser;
    private delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void> _log;
    private delegate* unmanaged[Cdecl]<uint, byte*, uint, void*, nuint, nint, void> _error;
    private volatile QLogLevel _level = QLogLevel.Error;
    private int _announcements;

    public SimulatedContext(
        SimulatedMachine machine,
        SimulatedCard[] cards,
        delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void> log,
        nint logUser,
        delegate* unmanaged[Cdecl]<uint, byte*, uint, void*, nuint, nint, void> error,
        nint errorUser)
        : base(ObjectKind.Context, machine, null)
    {
        Machine = machine;
        Cards = cards;
        _log = log;
        _logUser = logUser;
        _error = error;
        _errorUser = errorUser;
    }

    public SimulatedMachine Machine { get; }

    public SimulatedCard[] Cards { get; }

    /// <summary>Threads on which events call back.</summary>
    public WorkerThreads<SimulatedEvent> Callbacks { get; } = new("simulated card events", SimulatedEvent.MaxThreads, static e => e.CallBack());

    /// <summary>Whether the calling thread is inside a callback that a thread of the card's has called: of a program's error, or of a switch in a group.</summary>
    public static bool IsOnCardCallback => s_inside > 0;

    /// <inheritdoc/>
    public override SimulatedContext LogContext => this;

    /// <summary>The card of a QID.</summary>
    /// <exception cref="SimulatedFailure">No such device (NoDev), it is lost (NoDev), or it is not one of this context's (Inval).</exception>
    public SimulatedCard Card(int qid)
    {
        foreach (SimulatedCard card in Cards)
        {
            if (card.Qid == qid)
            {
                card.ThrowIfLost();
                return card;
            }
        }

        if (SimulatedMachine.FindCard(qid) is null)
        {
            throw new SimulatedFailure(QStatus.NoDev, $"There is no device {qid & 0xffff}; the machine has devices 0 to {Machine.Cards.Count - 1}.");
        }

        throw SimulatedFailure.Invalid($"Device {qid & 0xffff} is not one of the devices that the context was made for ({string.Join(", ", Cards.Select(c => c.Id))}).");
    }

    public void SetLevel(QLogLevel level)
    {
        if (level > QLogLevel.Error)
        {
            throw SimulatedFailure.Invalid($"There is no log level {(uint)level}; known are 0 (debug) to 3 (error).");
        }

        _level = level;
    }

    /// <summary>Calls the log callback, on this thread.</summary>
    public void Write(QLogLevel level, string text)
    {
        if (level >= _level)
        {
            Write(_log, _logUser, level, text);
        }
    }

    /// <summary>Calls a log callback that may be null.</summary>
    public static void Write(delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void> log, nint user, QLogLevel level, string text)
    {
        if (log != null)
        {
            fixed (byte* utf8 = Encoding.UTF8.GetBytes(text + '\0'))
            {
                log(level, utf8, user);
            }
        }
    }

    /// <summary>Announces one <see cref="ReportProgramError"/> or <see cref="WriteFromCard"/>, which the context's release waits for. Where it is called the context cannot be released yet.</summary>
    public void Announce()
    {
        lock (_announced)
        {
            _announcements++;
        }
    }

    /// <summary>Tells the error callback of a program that failed, on this thread, as announced.</summary>
    public void ReportProgramError(string text) => Deliver(text, static (self, text) =>
    {
        delegate* unmanaged[Cdecl]<uint, byte*, uint, void*, nuint, nint, void> error = self._error;
        if (error != null)
        {
            fixed (byte* utf8 = Encoding.UTF8.GetBytes(text + '\0'))
            {
                error(self._id, utf8, ProgramError, null, 0, self._errorUser);
            }
        }
    });

    /// <summary>Calls the log callback on a thread of the card's, as announced.</summary>
    public void WriteFromCard(string text) => Deliver(text, static (self, text) => self.Write(QLogLevel.Debug, text));

    private void Deliver(string text, Action<SimulatedContext, string> call)
    {
        s_inside++;
        try
        {
            call(this, text);
        }
        finally
        {
            s_inside--;
            lock (_announced)
            {
                _announcements--;
                Monitor.PulseAll(_announced);
            }
        }
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => _log != null && logLevel != LogLevel.None && LevelOf(logLevel) >= _level;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (logLevel != LogLevel.None)
        {
            Write(LevelOf(logLevel), formatter(state, exception));
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        Callbacks.Dispose();
        if (!SimulatedEvent.IsOnCallback)
        {
            // A callback that released its own event may still be on its way out.
            Callbacks.Join();
            lock (_announced)
            {
                // From inside such a callback it waits for none, as two that release each other's context would never end.
                while (_announcements > 0 && !IsOnCardCallback)
                {
                    Monitor.Wait(_announced);
                }
            }
        }

        _log = null;
        _error = null;
    }

    /// <summary>The C API's level.</summary>
    public static QLogLevel LevelOf(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => QLogLevel.Debug,
        LogLevel.Information => QLogLevel.Info,
        LogLevel.Warning => QLogLevel.Warn,
        _ => QLogLevel.Error,
    };
}
