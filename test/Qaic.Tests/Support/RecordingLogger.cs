using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Qaic.Tests.Support;

/// <summary>Keeps what is logged, from <paramref name="minimum"/> upwards.</summary>
internal sealed class RecordingLogger(LogLevel minimum = LogLevel.Trace) : ILogger, ILoggerFactory
{
    public ConcurrentQueue<(LogLevel Level, int Event, string Text)> Entries { get; } = new();

    public IEnumerable<string> Of(LogLevel level) => Entries.Where(e => e.Level == level).Select(e => e.Text);

    public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            Entries.Enqueue((logLevel, eventId.Id, formatter(state, exception)));
        }
    }

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }
}
