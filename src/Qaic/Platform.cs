using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Interop;
using Qaic.Simulation;

namespace Qaic;

/// <summary>Where sessions run: which library answers, and which compiler makes its QPCs.</summary>
/// <remarks>Thread-safe; sessions share one. Nothing above it asks whether it is simulated, except to tell the user.</remarks>
public abstract class Platform
{
    private protected Platform()
    {
    }

    /// <summary>For people: <c>simulated card (ONNX Runtime 1.31.1)</c>, <c>libQAic.so 10.0 (/opt/qti-aic/dev/lib/x86_64/libQAic.so)</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Whether the card is a simulated one.</summary>
    public abstract bool IsSimulated { get; }

    /// <summary>Compiler that makes QPCs for this platform.</summary>
    public abstract ICompiler Compiler { get; }

    /// <summary>The library's functions.</summary>
    internal abstract QaicApi Api { get; }

    /// <summary>Added to a device id to make the library's QID. 0 for the real library; a simulated machine has a range of its own, so that several live in one process.</summary>
    internal virtual int FirstQid => 0;

    /// <summary>Whether context creation certainly takes a user value for the log callback (SDK 1.8 and later). The older generation would call that value as a function.</summary>
    internal virtual bool TakesLogUser => false;

    /// <summary>The vendor's library.</summary>
    /// <param name="libraryPath">Path of <c>libQAic.so</c>; null: <c>QAIC_LIB</c>, then <c>/opt/qti-aic/dev/lib/&lt;arch&gt;</c>, then the loader's path.</param>
    /// <exception cref="QaicException"><see cref="QaicError.LibraryNotAvailable"/>: with the paths that were tried and what to do.</exception>
    public static Platform Native(string? libraryPath = null) => throw new NotImplementedException();

    /// <summary>A simulated machine.</summary>
    public static SimulatedPlatform Simulated(SimulatedPlatformOptions? options = null) => new(options ?? new());

    /// <summary>The platform that <paramref name="backend"/> asks for. The automatic choice is made once per process.</summary>
    public static Platform Select(QaicBackend backend, ILogger? logger = null)
    {
        logger ??= NullLogger.Instance;
        throw new NotImplementedException();
    }
}
