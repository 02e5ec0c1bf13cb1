namespace Qaic.Compilation;

/// <summary>A model could not be compiled into a QPC.</summary>
public sealed class CompilationException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was wrong, where in the model or the options, and what to do.</param>
    /// <param name="innerException">The cause, if it was an exception.</param>
    public CompilationException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Why it failed.</summary>
    public CompilationError Error { get; init; }

    /// <summary>Exit code of the external compiler, 128 and the signal's number if one ended it; null when none ran or none is known.</summary>
    public int? ExitCode { get; init; }

    /// <summary>Arguments given to the external compiler; empty when none ran.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The last lines the external compiler printed; empty when none ran.</summary>
    public string OutputTail { get; init; } = "";
}
