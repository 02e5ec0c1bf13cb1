using Microsoft.Extensions.Logging;

namespace Qaic.Simulation;

/// <summary>What the engine says while it loads a network under locks of the card and of the program. Dispose, after unlocking, delivers it; what the network says later goes to the context at once.</summary>
/// <remarks>A log callback may call into the library, and wait for another thread that does. Thread-safe, as engines log from threads of their own.</remarks>
/// <param name="context">Whose log callback it is.</param>
internal sealed class LoadMessages(SimulatedContext context) : ILogger, IDisposable
{
    private readonly ILogger _log = context;
    private readonly Lock _sync = new();

    // Null: delivered.
    private List<(LogLevel Level, string Text)>? _messages = [];

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => _log.IsEnabled(logLevel);

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        lock (_sync)
        {
            if (_messages is not null)
            {
                _messages.Add((logLevel, formatter(state, exception)));
                return;
            }
        }

        _log.Log(logLevel, eventId, state, exception, formatter);
    }

    /// <summary>Delivers what was said, on this thread.</summary>
    public void Dispose()
    {
        List<(LogLevel Level, string Text)>? messages;
        lock (_sync)
        {
            messages = _messages;
            _messages = null;
        }

        foreach ((LogLevel level, string text) in messages ?? [])
        {
            context.Write(SimulatedContext.LevelOf(level), text);
        }
    }
}
