using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>Why a call or an inference fails: the status that C sees and the sentence that goes to the log.</summary>
internal sealed class SimulatedFailure(QStatus status, string message, Exception? cause = null) : Exception(message, cause)
{
    public QStatus Status => status;

    /// <summary>An argument or a call that is wrong in this state.</summary>
    public static SimulatedFailure Invalid(string message) => new(QStatus.Inval, message);

    /// <summary>The status of an exception that reached the boundary.</summary>
    public static QStatus StatusOf(Exception exception) => exception switch
    {
        SimulatedFailure failure => failure.Status,
        ArgumentException or FileNotFoundException or DirectoryNotFoundException => QStatus.Inval,
        UnauthorizedAccessException => QStatus.Perm,
        OutOfMemoryException => QStatus.NoMem,
        NotSupportedException => QStatus.Unsupported,

        // Also a container that cannot be read, as in the open runtime.
        _ => QStatus.Error,
    };
}
