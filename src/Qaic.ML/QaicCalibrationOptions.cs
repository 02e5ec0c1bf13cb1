using Microsoft.Extensions.Logging;
using Qaic.Compilation;

namespace Qaic.ML;

/// <summary>Everything that <c>CalibrateQaicModel</c> can be told. Immutable; vary one with a <c>with</c> expression.</summary>
/// <remarks>One of <see cref="ModelPath"/> and <see cref="Model"/> must be given; the rest has defaults.</remarks>
public sealed record QaicCalibrationOptions
{
    /// <summary>An <c>.onnx</c> file.</summary>
    public string? ModelPath { get; init; }

    /// <summary>An ONNX model, read to its end when the estimator is created. The caller disposes it.</summary>
    public Stream? Model { get; init; }

    /// <summary>Input columns. Empty (the default): one for each of the model's inputs, named like it.</summary>
    public IReadOnlyList<string> InputColumns { get; init; } = [];

    /// <summary>The model's input for an input column, by column, where the two are not named alike.</summary>
    public IReadOnlyDictionary<string, string> InputTensors { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// The options that the model will be compiled with. Those that decide how values run through it matter here: batch size and symbols, <see cref="QaicOptions.NumHistogramBins"/>,
    /// <see cref="QaicOptions.ProfilingThreads"/>, <see cref="QaicOptions.NodePrecisionInfoFile"/>. <see cref="QaicOptions.DumpProfile"/> receives the profile;
    /// <see cref="QaicOptions.InputListFile"/> and <see cref="QaicOptions.LoadProfile"/> do not count, since the rows make the profile.
    /// </summary>
    public QaicOptions Options { get; init; } = QaicOptions.Default;

    /// <summary>How many rows to use, 1 or more. Null (the default): all. A few hundred are usual; memory does not grow with them.</summary>
    /// <remarks>
    /// If there are more, so many are chosen uniformly by <see cref="Seed"/> and used in the order of the data. Rows that are not chosen are passed over without computing their columns;
    /// data that does not know its number of rows is counted first.
    /// </remarks>
    public int? RowLimit { get; init; }

    /// <summary>Seed of the choice of rows. The same seed chooses the same rows of as many.</summary>
    public int Seed { get; init; }

    /// <summary>Where to profile. Null (the default): what <see cref="QaicOptions.Backend"/> asks for.</summary>
    public Platform? Platform { get; init; }

    /// <summary>Receives the runtime's log. Null (the default): the log of the <c>MLContext</c>.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    /// <summary>Is told after each batch. Null (the default): none.</summary>
    public IProgress<ProfilingProgress>? Progress { get; init; }

    /// <summary>Ends <c>Fit</c> while it compiles or profiles.</summary>
    public CancellationToken CancellationToken { get; init; }
}
