using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Runs data through a prepared model and keeps a histogram of every tensor, in memory that does not grow with the data.</summary>
internal static class ActivationObserver
{
    /// <param name="graph">The prepared model. It is not changed.</param>
    /// <param name="samples">See <see cref="IProfilingCompiler.Profile"/>.</param>
    /// <param name="options">Histogram bins and threads.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="progress">Is told after each batch.</param>
    /// <param name="cancellationToken">Ends the profiling.</param>
    public static QuantizationProfile Observe(
        FloatGraph graph,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken) =>
        throw new NotImplementedException($"{graph}{samples}{options}{logger}{progress}{cancellationToken}");

    /// <inheritdoc cref="Observe"/>
    public static Task<QuantizationProfile> ObserveAsync(
        FloatGraph graph,
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken) =>
        throw new NotImplementedException($"{graph}{samples}{options}{logger}{progress}{cancellationToken}");
}
