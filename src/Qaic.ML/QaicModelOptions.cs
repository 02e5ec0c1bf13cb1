using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.ML;

/// <summary>What happens to a row whose float input holds NaN.</summary>
public enum NaNPolicy
{
    /// <summary>The model gets the NaN, as <c>ApplyOnnxModel</c> does. The default.</summary>
    Pass,

    /// <summary>The row is an error that names the row and the column. Rows before it are delivered.</summary>
    Error,
}

/// <summary>Everything that <c>ApplyQaicModel</c> can be told. Immutable; vary one with a <c>with</c> expression.</summary>
/// <remarks>One of <see cref="ModelPath"/> and <see cref="Model"/> must be given; the rest has defaults.</remarks>
public sealed record QaicModelOptions
{
    /// <summary>An <c>.onnx</c> file, a QPC file, or a directory that holds <c>programqpc.bin</c>.</summary>
    public string? ModelPath { get; init; }

    /// <summary>An ONNX model or a QPC, read to its end when the estimator is created. The caller disposes it.</summary>
    public Stream? Model { get; init; }

    /// <summary>Input columns. Empty (the default): one for each of the model's inputs, named like it.</summary>
    public IReadOnlyList<string> InputColumns { get; init; } = [];

    /// <summary>Output columns, in this order. Empty (the default): one for each of the model's outputs, named like it.</summary>
    public IReadOnlyList<string> OutputColumns { get; init; } = [];

    /// <summary>The model's input for an input column, by column, where the two are not named alike.</summary>
    public IReadOnlyDictionary<string, string> InputTensors { get; init; } = new Dictionary<string, string>();

    /// <summary>The model's output for an output column, by column, where the two are not named alike.</summary>
    public IReadOnlyDictionary<string, string> OutputTensors { get; init; } = new Dictionary<string, string>();

    /// <summary>Options of compilation, activation and session. Values of the model's symbolic dimensions go into <see cref="QaicOptions.OnnxDefineSymbol"/>.</summary>
    public QaicOptions Options { get; init; } = QaicOptions.Default;

    /// <summary>
    /// Quantizes the network with this profile, which <c>CalibrateQaicModel</c> made from the same model, batch size and node precision file. Null (the default): as <see cref="Options"/> say.
    /// Instead of <see cref="QaicOptions.LoadProfile"/> and its likes, not beside them.
    /// </summary>
    public QuantizationProfile? Profile { get; init; }

    /// <summary>How many rows of the data <c>Fit</c> profiles at most, 1 or more, where the options make it quantize by the data; null for all. Default: 512.</summary>
    /// <remarks>
    /// A hundred to five hundred rows are usual: more hardly change the ranges. If there are more, so many are chosen uniformly by <see cref="CalibrationSeed"/> and used in the order of
    /// the data. Rows that are not chosen are passed over without computing their columns; data that does not know its number of rows is counted first.
    /// </remarks>
    public int? CalibrationRows { get; init; } = 512;

    /// <summary>Seed of the choice of rows. The same seed chooses the same rows of as many.</summary>
    public int CalibrationSeed { get; init; }

    /// <summary>Is told how far profiling has come. Null (the default): none.</summary>
    public IProgress<ProfilingProgress>? CalibrationProgress { get; init; }

    /// <summary>Ends <c>Fit</c> while it compiles or profiles, with an <see cref="OperationCanceledException"/>; also <c>GetOutputSchema</c> while it compiles. Not saved with a model.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Where to run. Null (the default): what <see cref="QaicOptions.Backend"/> asks for. Not saved with a model.</summary>
    public Platform? Platform { get; init; }

    /// <summary>Receives the runtime's log. Null (the default): the log of the <c>MLContext</c>. Not saved with a model.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    /// <summary>What happens to a row whose float input holds NaN.</summary>
    public NaNPolicy NaNPolicy { get; init; }

    /// <summary>Whether an output of one element per row becomes a scalar column, which is what ML.NET's evaluators want, instead of a vector of one element.</summary>
    public bool SqueezeOutputs { get; init; }
}
