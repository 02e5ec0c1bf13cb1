using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Qaic.Cli;

/// <summary>The log of a command: warnings go to standard error and are kept for its report, remarks are shown when they are asked for. Thread-safe.</summary>
/// <param name="console">Shows the lines.</param>
/// <param name="isVerbose">Whether remarks are shown as well.</param>
internal sealed class ToolLog(ToolConsole console, bool isVerbose) : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<string> _warnings = new();
    private readonly Lock _lock = new();

    /// <summary>The warnings so far, in their order; each text once.</summary>
    public IReadOnlyList<string> Warnings => [.. _warnings.Distinct()];

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("The tool has one place for its log.");

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= (isVerbose ? LogLevel.Information : LogLevel.Warning) && logLevel != LogLevel.None;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        string text = formatter(state, exception);
        string line = logLevel switch
        {
            LogLevel.Information => text,
            LogLevel.Warning => $"warning: {text}",
            _ => $"error: {text}",
        };
        lock (_lock)
        {
            if (logLevel >= LogLevel.Warning)
            {
                if (_warnings.Contains(text))
                {
                    return;
                }

                _warnings.Enqueue(text);
            }

            console.Remark(line);
        }
    }

    public void Dispose()
    {
    }
}
