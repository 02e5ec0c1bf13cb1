using Microsoft.Extensions.Logging;

namespace Qaic.OnnxRuntime.Tests.Engine;

/// <summary>Keeps what is logged, each message after its level.</summary>
internal sealed class MessageList : ILogger
{
    public List<string> Messages { get; } = [];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (Messages)
        {
            Messages.Add($"{logLevel} {formatter(state, exception)}");
        }
    }
}
