using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Qaic.Tests.Support;

/// <summary>Keeps what is logged, from <paramref name="minimum"/> upwards.</summary>
internal sealed class RecordingLogger(LogLevel minimum = LogLevel.Trace) : ILogger, ILoggerFactory
{
    private readonly SemaphoreSlim _added = new(0);

    public ConcurrentQueue<(LogLevel Level, int Event, string Text)> Entries { get; } = new();

    public IEnumerable<string> Of(LogLevel level) => Entries.Where(e => e.Level == level).Select(e => e.Text);

    /// <summary>Waits until a message begins with <paramref name="text"/>. For one waiter.</summary>
    public async Task WaitFor(string text, CancellationToken cancellationToken)
    {
        while (!Entries.Any(e => e.Text.StartsWith(text, StringComparison.Ordinal)))
        {
            await _added.WaitAsync(cancellationToken);
        }
    }

    public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            Entries.Enqueue((logLevel, eventId.Id, formatter(state, exception)));
            _added.Release();
        }
    }

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }
}
