using Microsoft.Extensions.Logging;

namespace Qaic.Compilation;

/// <summary>The compiler of a platform that runs QPCs but makes none.</summary>
internal sealed class UnavailableCompiler(string platform) : ICompiler
{
    /// <inheritdoc/>
    public string Name => "none";

    /// <inheritdoc/>
    public string Version => "";

    /// <inheritdoc/>
    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        if (!File.Exists(modelPath))
        {
            throw new FileNotFoundException($"There is no model '{modelPath}'.", modelPath);
        }

        throw new CompilationException(
            $"'{modelPath}' is a model, and {platform} runs compiled networks only. Compile it with the vendor's tool "
            + "(qaic-compile, or qaic-exec -compile-only: -m=<model> -aic-hw -aic-hw-version=2.0 -aic-num-cores=<n> -aic-binary-dir=<directory>) and give the programqpc.bin that it writes; "
            + "or set Backend to Simulated.");
    }
}
