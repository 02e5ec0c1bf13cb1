using Microsoft.Extensions.Logging;
using Qaic.Quantization;

namespace Qaic.Compilation;

/// <summary>How far profiling has come.</summary>
/// <remarks>A compiler in this process runs rows as they come. One that is a program of its own gets them as files: it first reports the rows that were written, with 0 tensors, then nothing
/// while it runs, and at the end all rows with the tensors of the profile.</remarks>
/// <param name="Samples">Rows that have run through the network or, as long as <paramref name="Tensors"/> is 0, that are ready for it.</param>
/// <param name="Tensors">Tensors that are observed; 0 while rows are only being written.</param>
public readonly record struct ProfilingProgress(long Samples, int Tensors);

/// <summary>A compiler that can watch data run through a network.</summary>
public interface IProfilingCompiler : ICompiler
{
    /// <summary>Runs data through a model and keeps, of every tensor, the range and a histogram.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="samples">
    /// The data: per element all inputs by name, each with the model's shape and any number of rows (the same for all), or without the leading dimension, which is one row.
    /// Read once, in order, on the calling thread.
    /// </param>
    /// <param name="options">Compile-stage options: batch size and symbols, histogram bins, threads, node precision.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="progress">Is told after each batch; null for none.</param>
    /// <param name="cancellationToken">Ends the profiling.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">A sample lacks an input, or one is of the wrong type or shape, or holds NaN or infinity; the message names sample and tensor. Or there is no sample.</exception>
    /// <exception cref="CompilationException">The model cannot be run.</exception>
    QuantizationProfile Profile(
        string modelPath,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken);

    /// <summary>The same for data that arrives asynchronously.</summary>
    /// <inheritdoc cref="Profile"/>
    Task<QuantizationProfile> ProfileAsync(
        string modelPath,
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken);
}
