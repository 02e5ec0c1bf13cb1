using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace Qaic.Interop;

/// <summary>Receives the library's log callback and hands its text to the loggers of the contexts.</summary>
internal static unsafe class NativeLog
{
    // Keys are small numbers, never addresses: a library of another generation passes whatever is in the register, and a stranger's key is simply not found.
    private static readonly ConcurrentDictionary<nint, ILogger> s_loggers = new();
    private static long s_lastKey;

    [ThreadStatic]
    private static string? t_lastError;

    /// <summary>The function to pass to qaicCreateContext.</summary>
    public static delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void> Callback => &OnLog;

    /// <summary>Adds a logger.</summary>
    /// <returns>The key to pass as the callback's user value.</returns>
    public static nint Register(ILogger logger)
    {
        nint key = (nint)Interlocked.Increment(ref s_lastKey);
        s_loggers[key] = logger;
        return key;
    }

    /// <summary>Removes a logger.</summary>
    public static void Unregister(nint key) => s_loggers.TryRemove(key, out _);

    /// <summary>What the library last logged as an error on this thread, once; null if nothing since the last call.</summary>
    public static string? TakeLastError()
    {
        string? text = t_lastError;
        t_lastError = null;
        return text;
    }

    // Runs on the caller's thread or on one of the library's. Must not throw into C.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnLog(QLogLevel level, byte* text, nint user)
    {
        try
        {
            string message = Marshal.PtrToStringUTF8((nint)text)?.TrimEnd() ?? "";
            if (level == QLogLevel.Error)
            {
                t_lastError = message;
            }

            if (s_loggers.TryGetValue(user, out ILogger? logger))
            {
                Forward(logger, level, message);
                return;
            }

            // The library did not say whose message it is, so everyone who listens gets it.
            foreach (ILogger any in s_loggers.Values)
            {
                Forward(any, level, message);
            }
        }
        catch (Exception e)
        {
            // A user's logger threw on the library's thread, and nothing may cross into C: the error stream is the last resort.
            Console.Error.WriteLine($"A logger failed while it received a message of libQAic: {e}");
        }
    }

    private static void Forward(ILogger logger, QLogLevel level, string message) =>
        Diagnosed(logger, level switch
        {
            QLogLevel.Debug => LogLevel.Debug,
            QLogLevel.Info => LogLevel.Information,
            QLogLevel.Warn => LogLevel.Warning,
            QLogLevel.Error => LogLevel.Error,
            _ => LogLevel.Information,
        }, message);

    private static readonly Action<ILogger, string, Exception?>[] s_messages =
        [.. Enum.GetValues<LogLevel>().Select(level => LoggerMessage.Define<string>(level, new EventId(1001, "Library"), "libQAic: {Text}"))];

    private static void Diagnosed(ILogger logger, LogLevel level, string message) => s_messages[(int)level](logger, message, null);
}
