namespace Qaic;

/// <summary>What went wrong on the device or in its library, for programs to act on.</summary>
public enum QaicError
{
    /// <summary>The library reported an error without a more precise status.</summary>
    Internal,

    /// <summary>The library could not be loaded or lacks a function that is needed.</summary>
    LibraryNotAvailable,

    /// <summary>No such device, or it went away.</summary>
    DeviceNotFound,

    /// <summary>The device reported an error; the program on it has to be loaded again.</summary>
    DeviceError,

    /// <summary>The device or its queue had no room at this moment.</summary>
    DeviceBusy,

    /// <summary>AI cores, virtual channels, semaphores or multicast ids are taken by other activations.</summary>
    OutOfDeviceResources,

    /// <summary>The network does not fit into the memory that is free, on the host or on the device.</summary>
    OutOfDeviceMemory,

    /// <summary>The device did not answer in time.</summary>
    Timeout,

    /// <summary>The user may not open the device.</summary>
    PermissionDenied,

    /// <summary>The library refused an argument or a call in this state.</summary>
    InvalidCall,

    /// <summary>The library or the device cannot do this.</summary>
    NotSupported,

    /// <summary>The program is not active on the device.</summary>
    ProgramNotActive,

    /// <summary>Data was damaged on its way.</summary>
    DataCorrupted,
}

/// <summary>The device or its library failed.</summary>
/// <remarks>
/// Mistakes of the caller are <see cref="ArgumentException"/> and its kin, a cancelled wait is <see cref="OperationCanceledException"/>, a failed
/// compilation <see cref="Compilation.CompilationException"/>, a damaged container <see cref="Qpc.QpcFormatException"/>. <see cref="Exception.HResult"/> is the raw QStatus, 0 if none.
/// </remarks>
public sealed class QaicException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="error">What went wrong.</param>
    /// <param name="message">What was wrong, where, and what to do.</param>
    /// <param name="status">The raw QStatus; 0 if there was none.</param>
    /// <param name="innerException">The cause, if it was an exception.</param>
    public QaicException(QaicError error, string message, int status = 0, Exception? innerException = null)
        : base(message, innerException)
    {
        Error = error;
        HResult = status;
    }

    /// <summary>What went wrong.</summary>
    public QaicError Error { get; }

    /// <summary>Whether the same call may succeed later without a change by the caller.</summary>
    public bool IsTransient => Error is QaicError.DeviceBusy or QaicError.Timeout or QaicError.DeviceError;
}
