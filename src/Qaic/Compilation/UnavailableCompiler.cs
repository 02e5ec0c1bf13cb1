using Microsoft.Extensions.Logging;

namespace Qaic.Compilation;

/// <summary>The compiler of a platform that runs QPCs but makes none, on a machine without the vendor's compiler.</summary>
/// <param name="platform">Name of the platform.</param>
/// <param name="reason">Where the vendor's compiler was looked for, and what to do.</param>
internal sealed class UnavailableCompiler(string platform, string reason) : ICompiler
{
    /// <inheritdoc/>
    public string Name => "none";

    /// <inheritdoc/>
    public string Version => "";

    /// <inheritdoc/>
    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        ArgumentNullException.ThrowIfNull(options);
        if (!File.Exists(modelPath))
        {
            throw new FileNotFoundException($"There is no model '{modelPath}'.", modelPath);
        }

        throw new CompilationException(
            $"'{modelPath}' is a model, and {platform} runs compiled networks only. {reason} Or compile it on another machine "
            + "(qaic-compile, or qaic-exec -compile-only: -m=<model> -aic-hw -aic-hw-version=2.0 -aic-num-cores=<n> -aic-binary-dir=<directory>) and give the programqpc.bin that it writes; "
            + "or set Backend to Simulated.")
        {
            Error = CompilationError.CompilerUnavailable,
        };
    }
}
