using Microsoft.Extensions.Logging;

namespace Qaic.Compilation;

/// <summary>Turns an ONNX model into a QPC.</summary>
public interface ICompiler
{
    /// <summary>Name of the compiler for people: <c>qaic-exec</c>, <c>embedded</c>.</summary>
    string Name { get; }

    /// <summary>Version of the compiler; part of a cached result's identity.</summary>
    string Version { get; }

    /// <summary>Compiles a model into <c>programqpc.bin</c> in <paramref name="outputDirectory"/>.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="outputDirectory">Directory of the result; created if it is missing. An existing QPC in it is replaced, and only by a complete one.</param>
    /// <param name="options">Compile-stage options; others are ignored.</param>
    /// <param name="logger">Receives the compiler's remarks.</param>
    /// <param name="cancellationToken">Ends the compilation and removes what it began to write.</param>
    /// <returns>Path of the QPC file.</returns>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="CompilationException">The model or an option cannot be compiled; the message names the tensor, node, symbol or option.</exception>
    string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken);
}
