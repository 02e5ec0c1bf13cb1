using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Runs data through a prepared model and keeps a histogram of every tensor, in memory that does not grow with the data.</summary>
internal static partial class ActivationObserver
{
    /// <summary>Bins of a histogram unless the options say otherwise; the vendor's number.</summary>
    public const int DefaultBins = 512;

    /// <summary>Runs all samples through the model.</summary>
    /// <param name="graph">The prepared model. It is not changed.</param>
    /// <param name="samples">See <see cref="IProfilingCompiler.Profile"/>.</param>
    /// <param name="options">Histogram bins and threads.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="progress">Is told after each batch, in their order, on the calling thread.</param>
    /// <param name="cancellationToken">Ends the profiling.</param>
    /// <returns>Statistics of every activation and constant. They do not depend on the number of threads.</returns>
    /// <exception cref="ArgumentException">A sample does not fit the model, or there is none.</exception>
    /// <exception cref="CompilationException">The model cannot be run, does not compute in float32, or yields NaN or infinity.</exception>
    /// <exception cref="OperationCanceledException">The profiling was cancelled.</exception>
    public static QuantizationProfile Observe(
        FloatGraph graph,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        cancellationToken.ThrowIfCancellationRequested();
        List<(string Name, RunningHistogram Seen)> constants = Constants(graph, Bins(options), logger);
        using ObservedNetwork network = Load(graph, logger, cancellationToken);
        using var run = new ObservationRun(network, Bins(options), options.ProfilingThreads ?? 1, isInline: true, progress, logger, cancellationToken);
        run.Feed(samples);
        return Profile(graph, run, constants, logger);
    }

    /// <summary>The same for data that arrives asynchronously. Batches run on threads of their own, and progress comes on the thread that the data arrives on.</summary>
    /// <inheritdoc cref="Observe"/>
    public static async Task<QuantizationProfile> ObserveAsync(
        FloatGraph graph,
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILogger logger,
        IProgress<ProfilingProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        cancellationToken.ThrowIfCancellationRequested();

        // A large model takes seconds to load, which its caller need not wait for.
        (List<(string Name, RunningHistogram Seen)> constants, ObservedNetwork observed) = await Task.Run(
            () => (Constants(graph, Bins(options), logger), Load(graph, logger, cancellationToken)), cancellationToken).ConfigureAwait(false);
        using ObservedNetwork network = observed;
        using var run = new ObservationRun(network, Bins(options), options.ProfilingThreads ?? 1, isInline: false, progress, logger, cancellationToken);
        await run.FeedAsync(samples).ConfigureAwait(false);
        return Profile(graph, run, constants, logger);
    }

    private static ObservedNetwork Load(FloatGraph graph, ILogger logger, CancellationToken cancellationToken)
    {
        FloatModels.Check(graph);
        return new(graph.Model, [.. graph.Activations.Select(a => a.Tensor)], logger, cancellationToken);
    }

    private static int Bins(QaicOptions options) => options.NumHistogramBins ?? DefaultBins;

    // Each is the same in every inference, so it is counted once.
    private static List<(string Name, RunningHistogram Seen)> Constants(FloatGraph graph, int bins, ILogger logger)
    {
        var constants = new List<(string, RunningHistogram)>();
        foreach (ProfiledTensor constant in graph.Constants)
        {
            float[] values = graph.Values(constant.Tensor);
            var seen = new RunningHistogram(bins);
            int index = seen.Add(values);
            if (index >= 0)
            {
                // A mask, for example, whose infinities never leave the nodes that use it. If they do, the activation says so.
                NotFinite(logger, constant.Tensor, graph.Model.Source, SampleBatcher.Name(values[index]), index);
            }
            else if (values.Length > 0)
            {
                constants.Add((constant.ProfileName, seen));
            }
        }

        return constants;
    }

    private static QuantizationProfile Profile(FloatGraph graph, ObservationRun run, List<(string Name, RunningHistogram Seen)> constants, ILogger logger)
    {
        var tensors = new List<TensorStatistics>(graph.Activations.Count + constants.Count);
        for (int i = 0; i < graph.Activations.Count; i++)
        {
            if (run.HasSeen(i))
            {
                tensors.Add(run.Seen(i).ToStatistics(graph.Activations[i].ProfileName));
            }
            else
            {
                AlwaysEmpty(logger, graph.Activations[i].Tensor, graph.Model.Source);
            }
        }

        tensors.AddRange(constants.Select(c => c.Seen.ToStatistics(c.Name, run.Batches)));
        Profiled(logger, graph.Model.Source, run.Rows, run.Batches, graph.Activations.Count, constants.Count);
        return new QuantizationProfile(QuantizationProfile.OwnToolsVersion, graph.Hash, tensors);
    }

    [LoggerMessage(EventId = 4102, Level = LogLevel.Warning, Message = "Constant '{Tensor}' of {Model} is {Value} at element {Index}; it has no range, so the profile leaves it out")]
    private static partial void NotFinite(ILogger logger, string tensor, string model, string value, int index);

    [LoggerMessage(EventId = 4103, Level = LogLevel.Warning, Message = "Tensor '{Tensor}' of {Model} never had an element; it has no range, so the profile leaves it out")]
    private static partial void AlwaysEmpty(ILogger logger, string tensor, string model);

    [LoggerMessage(EventId = 4104, Level = LogLevel.Debug, Message = "Profiled {Model} with {Rows} rows in {Batches} batches: {Activations} activations, {Constants} constants")]
    private static partial void Profiled(ILogger logger, string model, long rows, long batches, int activations, int constants);
}
