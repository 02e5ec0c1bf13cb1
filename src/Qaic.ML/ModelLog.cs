using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.ML.Runtime;
using Qaic.Quantization;

namespace Qaic.ML;

/// <summary>Carries the runtime's log to the log of an <c>MLContext</c>: information and worse, a channel per message, since messages are few.</summary>
internal sealed class ModelLog(IHost host) : ILoggerFactory, ILogger
{
    /// <summary>Says where a model runs and how.</summary>
    public static void Ready(IChannel channel, Session session) => channel.Info(MessageSensitivity.Schema, string.Create(
        CultureInfo.InvariantCulture,
        $"Runs on {session.Platform.Name}, device {session.Options.DeviceId}: batches of {session.BatchSize}, up to {session.MaxInFlight} in flight. Inputs: {string.Join("; ", session.Inputs)}. Outputs: {string.Join("; ", session.Outputs)}."));

    /// <summary>Says what a profile was made from.</summary>
    public static void Profiled(IChannel channel, long rows, QuantizationProfile profile) => channel.Info(MessageSensitivity.Schema, string.Create(
        CultureInfo.InvariantCulture, $"Profiled {rows} rows: the ranges of {profile.Tensors.Count} tensors."));

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("Messages go to the MLContext's log and nowhere else.");

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Information and < LogLevel.None;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        string message = exception is null ? formatter(state, null) : $"{formatter(state, exception)}: {exception.Message}";
        using IChannel channel = host.Start("Runtime");
        switch (logLevel)
        {
            case LogLevel.Information:
                channel.Info(MessageSensitivity.Schema, message);
                break;
            case LogLevel.Warning:
                channel.Warning(MessageSensitivity.Schema, message);
                break;
            default:
                channel.Error(MessageSensitivity.Schema, message);
                break;
        }
    }

    public void Dispose()
    {
    }
}
