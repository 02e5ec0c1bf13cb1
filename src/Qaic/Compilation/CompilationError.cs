namespace Qaic.Compilation;

/// <summary>Why a compilation failed, for programs to act on.</summary>
public enum CompilationError
{
    /// <summary>None of the others; the message and <see cref="CompilationException.OutputTail"/> tell more.</summary>
    Other,

    /// <summary>There is no compiler, or it cannot be started.</summary>
    CompilerUnavailable,

    /// <summary>The compiler does not know an option, or one of its values.</summary>
    UnknownOption,

    /// <summary>The model cannot be read, or is not one.</summary>
    ModelLoad,

    /// <summary>The model has an operator, or a form of one, that the compiler does not know.</summary>
    UnsupportedOperator,

    /// <summary>The compiler read the model and finds its own graph of it faulty.</summary>
    GraphVerification,

    /// <summary>A symbolic dimension has no value.</summary>
    MissingSymbol,

    /// <summary>The quantization profile belongs to another graph, batch size or tool version.</summary>
    ProfileMismatch,

    /// <summary>The compiler does not understand the file with the shape sets.</summary>
    SpecializationFormat,

    /// <summary>Memory of the machine that compiles ran out, or the system ended the compiler for it.</summary>
    OutOfMemory,

    /// <summary>A signal ended the compiler.</summary>
    Crashed,

    /// <summary>The time limit passed, and the compiler was ended.</summary>
    Timeout,

    /// <summary>The compiler reports success and has not written what it was asked for.</summary>
    NoOutput,

    /// <summary>What the compiler wrote is no QPC, or a damaged one.</summary>
    DamagedOutput,
}
