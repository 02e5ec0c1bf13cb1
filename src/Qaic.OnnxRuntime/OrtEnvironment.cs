using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;

namespace Qaic.OnnxRuntime;

/// <summary>ONNX Runtime's environment, of which a process has one, and the way of its log messages to loggers.</summary>
/// <remarks>
/// The first to create the environment decides where messages go. If that was somebody else, our sessions are silent: what goes wrong in them comes as exceptions anyway.
/// If it was this class, messages of other sessions, and those of none, go to standard error, where they would be without it; see <see cref="Elsewhere"/>.
/// </remarks>
internal static partial class OrtEnvironment
{
    private const string TelemetryVariable = "ORT_DISABLE_TELEMETRY";

    private static readonly ConcurrentDictionary<string, ILogger> s_loggers = new(StringComparer.Ordinal);

    // Native code keeps the pointer for good, so the delegate must not be collected.
    private static readonly DOrtLoggingFunction s_receive = Receive;
    private static readonly Lazy<bool> s_isOurs = new(Create);
    private static int s_sessions;

    /// <summary>Receives warnings and worse that belong to no session of ours.</summary>
    public static Action<LogLevel, string> Elsewhere { get; set; } = static (_, message) => Console.Error.WriteLine(message);

    /// <summary>Version of the native library.</summary>
    public static string Version => s_isOurs.Value || OrtEnv.IsCreated ? OrtEnv.Instance().GetVersionString() : throw new InvalidOperationException("ONNX Runtime has no environment.");

    /// <summary>Sends the messages of a session to a logger until the result is disposed.</summary>
    public static IDisposable Attach(SessionOptions options, ILogger logger)
    {
        if (!s_isOurs.Value)
        {
            options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
            return new Attachment("");
        }

        string id = string.Create(CultureInfo.InvariantCulture, $"qaic-{Interlocked.Increment(ref s_sessions)}");
        s_loggers[id] = logger;
        options.LogId = id;
        options.LogSeverityLevel = logger.IsEnabled(LogLevel.Trace) ? OrtLoggingLevel.ORT_LOGGING_LEVEL_VERBOSE
            : logger.IsEnabled(LogLevel.Debug) ? OrtLoggingLevel.ORT_LOGGING_LEVEL_INFO
            : logger.IsEnabled(LogLevel.Warning) ? OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING
            : logger.IsEnabled(LogLevel.Error) ? OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR
            : OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
        return new Attachment(id);
    }

    private static bool Create()
    {
        if (OrtEnv.IsCreated)
        {
            return false;
        }

        TurnTelemetryOff();
        var options = new EnvironmentCreationOptions { logId = "qaic", logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING, loggingFunction = s_receive };
        try
        {
            OrtEnv.CreateInstanceWithOptions(ref options);
            return true;
        }
        catch (OnnxRuntimeException) when (OrtEnv.IsCreated)
        {
            // Another thread, not ours, came first.
            return false;
        }
    }

    // It writes into the user's home directory, sends what it has gathered, and complains on standard error where it cannot. Whoever has set the variable has decided otherwise.
    private static void TurnTelemetryOff()
    {
        if (OperatingSystem.IsWindows())
        {
            Environment.SetEnvironmentVariable(TelemetryVariable, Environment.GetEnvironmentVariable(TelemetryVariable) ?? "1");
            return;
        }

        // Native code does not see what Environment.SetEnvironmentVariable does on Unix. Where the variable is set this changes nothing, so that programs whose other threads read the environment can set it before.
        _ = SetEnv(TelemetryVariable, Environment.GetEnvironmentVariable(TelemetryVariable) ?? "1", 0);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    private static void Receive(nint parameter, OrtLoggingLevel severity, string category, string logId, string location, string message)
    {
        try
        {
            // A run's messages have the id "session:run".
            int end = logId.IndexOf(':', StringComparison.Ordinal);
            if (s_loggers.TryGetValue(end < 0 ? logId : logId[..end], out ILogger? logger))
            {
                LogLevel level = Level(severity);
                if (logger.IsEnabled(level))
                {
                    Remark(logger, level, message, location);
                }
            }
            else if (severity >= OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING && !logId.StartsWith("qaic-", StringComparison.Ordinal))
            {
                Elsewhere(Level(severity), $"[onnxruntime {severity} {logId}] {message} ({location})");
            }
        }
        catch (Exception)
        {
            // The caller is native code, through which no exception can pass; a logger that fails must not end the process.
        }
    }

    private static LogLevel Level(OrtLoggingLevel severity) => severity switch
    {
        OrtLoggingLevel.ORT_LOGGING_LEVEL_VERBOSE => LogLevel.Trace,
        OrtLoggingLevel.ORT_LOGGING_LEVEL_INFO => LogLevel.Debug,
        OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING => LogLevel.Warning,
        OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR => LogLevel.Error,
        _ => LogLevel.Critical,
    };

    [LoggerMessage(EventId = 4001, Message = "ONNX Runtime: {Message} ({Location})")]
    private static partial void Remark(ILogger logger, LogLevel level, string message, string location);

    private sealed class Attachment(string id) : IDisposable
    {
        public void Dispose() => s_loggers.TryRemove(id, out _);
    }
}
