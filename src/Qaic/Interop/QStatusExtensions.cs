using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Qaic.Interop;

/// <summary>Turns a status of the library into an exception, in one place.</summary>
internal static class QStatusExtensions
{
    /// <summary>Throws unless the call succeeded. The library's own words, if it logged an error on this thread, become part of the message.</summary>
    /// <exception cref="QaicException">The status is not success.</exception>
    public static void ThrowIfFailed(this QStatus status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != QStatus.Success)
        {
            Throw(status, call);
        }

        // What was logged during a call that succeeded must not explain a later one that fails.
        NativeLog.ForgetLastError();
    }

    [DoesNotReturn]
    [StackTraceHidden]
    private static void Throw(QStatus status, string call)
    {
        string? said = NativeLog.TakeLastError();
        QaicError error = Classify(status, said);
        string words = said is null ? "" : $" The library says: {said.TrimEnd('.', '\n', ' ')}.";
        throw new QaicException(error, $"{Function(call)} returned {(int)status} ({status}).{words} {Remedy(error)}", (int)status);
    }

    internal static QaicError Classify(QStatus status, string? said) => status switch
    {
        // The card answers these with one status for all; only its words tell which resource it was.
        QStatus.DevError or QStatus.Error or QStatus.Again when Says(said, "satisfy the resource requirements", "allocate NSP", "VC alloc", "virtual channel", "allocate semaphore", "semaphore alloc", "enough semaphores", "allocate MCID", "MCID alloc") => QaicError.OutOfDeviceResources,
        QStatus.DevError or QStatus.Error when Says(said, "Memory resource exhausted") => QaicError.OutOfDeviceMemory,
        QStatus.Inval when Says(said, "not active") => QaicError.ProgramNotActive,
        QStatus.Perm => QaicError.PermissionDenied,
        QStatus.Again or QStatus.Busy => QaicError.DeviceBusy,
        QStatus.NoMem => QaicError.OutOfDeviceMemory,
        QStatus.NoDev => QaicError.DeviceNotFound,
        QStatus.Inval or QStatus.BadFd => QaicError.InvalidCall,
        QStatus.NoSpc => QaicError.OutOfDeviceResources,
        QStatus.TimedOut => QaicError.Timeout,
        QStatus.Unsupported => QaicError.NotSupported,
        QStatus.DataCrcError => QaicError.DataCorrupted,
        QStatus.DevError => QaicError.DeviceError,
        _ => QaicError.Internal,
    };

    // "api.CreateQueue(owner.Raw, …)" names the field; the C function is "qaic" + that. A name that was passed in is used as it is.
    private static string Function(string call)
    {
        int end = call.IndexOf('(', StringComparison.Ordinal);
        if (end < 0)
        {
            return call;
        }

        int start = call.LastIndexOf('.', end) + 1;
        return "qaic" + call[start..end];
    }

    private static bool Says(string? said, params ReadOnlySpan<string> phrases)
    {
        foreach (string phrase in phrases)
        {
            if (said?.Contains(phrase, StringComparison.OrdinalIgnoreCase) == true)
            {
                return true;
            }
        }

        return false;
    }

    internal static string Remedy(QaicError error) => error switch
    {
        QaicError.DeviceNotFound => "Check the device id and that the card is ready (qaic-util -q).",
        QaicError.PermissionDenied => "The user must be in the group that owns the device nodes (usually 'qaic').",
        QaicError.DeviceBusy => "Try again later, or lower the number of inferences in flight.",
        QaicError.OutOfDeviceResources => "Lower NumActivations or NumCores, dispose sessions and models of this process that are not needed any more, or free the cores that other processes hold.",
        QaicError.OutOfDeviceMemory => "Lower NumActivations or SetSize, or use a smaller network.",
        QaicError.Timeout => "The device did not answer in time; it may be overloaded or need a reset.",
        QaicError.InvalidCall => "If it persists, the library's version may not fit; its version is in the log.",
        QaicError.NotSupported => "This library or network does not support the call.",
        QaicError.ProgramNotActive => "The network has to be activated first.",
        QaicError.DataCorrupted => "Data was damaged on its way; check the card and its slot.",
        QaicError.DeviceError => "The network has to be loaded again; if it persists, reset the card.",
        _ => "See the library's log for details.",
    };
}
