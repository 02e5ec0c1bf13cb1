using Microsoft.Extensions.Logging;

namespace Qaic.Compilation;

/// <summary>Passes everything on and keeps the warnings, a bounded number of them.</summary>
internal sealed class RemarkLogger(ILogger inner) : ILogger
{
    private const int MaxRemarks = 50;
    private const int MaxLength = 2000;
    private readonly Lock _lock = new();
    private readonly List<string> _remarks = [];

    public IReadOnlyList<string> Remarks
    {
        get
        {
            lock (_lock)
            {
                return [.. _remarks];
            }
        }
    }

    public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Warning and < LogLevel.None || inner.IsEnabled(logLevel);

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => inner.BeginScope(state);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (logLevel is >= LogLevel.Warning and < LogLevel.None)
        {
            string text = formatter(state, exception);
            lock (_lock)
            {
                if (_remarks.Count < MaxRemarks)
                {
                    _remarks.Add(text.Length <= MaxLength ? text : text[..MaxLength]);
                }
            }
        }

        if (inner.IsEnabled(logLevel))
        {
            inner.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
