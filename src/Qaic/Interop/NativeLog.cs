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

    private const int MaxErrorLength = 1000;

    [ThreadStatic]
    private static string? s_errors;

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

    /// <summary>What the library logged as errors on this thread since the last call of this or <see cref="ForgetLastError"/>; null if nothing.</summary>
    public static string? TakeLastError()
    {
        string? text = s_errors;
        s_errors = null;
        return text;
    }

    /// <summary>Drops what <see cref="TakeLastError"/> would return.</summary>
    public static void ForgetLastError() => s_errors = null;

    /// <summary>Says that the library has refused to release an object, to everyone who listens: the object may be released by the collector, when its owner is gone.</summary>
    public static void ReleaseRefused(string kind, QStatus status)
    {
        foreach (ILogger logger in s_loggers.Values)
        {
            try
            {
                s_releaseRefused(logger, kind, (int)status, status, null);
            }
            catch (Exception e)
            {
                // On the collector's thread it would end the process, and elsewhere leave a release half done.
                OnThrown(e);
            }
        }
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
                // The cause comes first, and what followed from it on further lines; a library that never stops is cut off.
                // A message that the library sends to every context says no more the second time.
                s_errors = s_errors is null ? message : s_errors.Length < MaxErrorLength && !s_errors.EndsWith(message, StringComparison.Ordinal) ? $"{s_errors}; {message}" : s_errors;
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
            OnThrown(e);
        }
    }

    private static void Forward(ILogger logger, QLogLevel level, string message)
    {
        try
        {
            Diagnosed(logger, level switch
            {
                QLogLevel.Debug => LogLevel.Debug,
                QLogLevel.Info => LogLevel.Information,
                QLogLevel.Warn => LogLevel.Warning,
                QLogLevel.Error => LogLevel.Error,
                _ => LogLevel.Information,
            }, message);
        }
        catch (Exception e)
        {
            // The other loggers hear it all the same.
            OnThrown(e);
        }
    }

    // A user's logger threw on the library's thread, and nothing may cross into C: the error stream is the last resort.
    private static void OnThrown(Exception e) => Console.Error.WriteLine($"A logger failed while it received a message about libQAic: {e}");

    private static readonly Action<ILogger, string, Exception?>[] s_messages =
        [.. Enum.GetValues<LogLevel>().Select(level => LoggerMessage.Define<string>(level, new EventId(1001, "Library"), "libQAic: {Text}"))];

    private static readonly Action<ILogger, string, int, QStatus, Exception?> s_releaseRefused = LoggerMessage.Define<string, int, QStatus>(
        LogLevel.Warning,
        new EventId(1004, "ReleaseRefused"),
        "The library refused to release a {Kind}: {Status} ({Name}). It keeps the object, and what that was made from, until the process ends; if cores or memory are missing later, restart the process or reset the card");

    private static void Diagnosed(ILogger logger, LogLevel level, string message) => s_messages[(int)level](logger, message, null);
}
