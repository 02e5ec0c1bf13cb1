using Qaic.Compilation;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

/// <summary>A bench whose networks are written down: what they answer depends on options and precisions alone.</summary>
internal sealed class ScriptedBench : IVariantBench
{
    public string ModelName => "scripted.onnx";

    public IReadOnlyList<ModelNode> ModelNodes { get; init; } = [];

    public IEnumerable<ModelWeight> ModelWeights { get; init; } = [];

    /// <summary>What comes out for each held-out row; null options for float32.</summary>
    public required Func<QaicOptions, NodePrecision?, IReadOnlyList<float[]>> Answers { get; init; }

    public PrecisionRecord Record { get; init; } = new() { Precision = "INT8" };

    /// <summary>The rows that each profile was made of.</summary>
    public List<List<IReadOnlyDictionary<string, Tensor>>> Profiled { get; } = [];

    /// <summary>Everything that was compiled, in order.</summary>
    public List<(QaicOptions Options, QuantizationProfile? Profile, NodePrecision? Precision, int Rows)> Runs { get; } = [];

    public IReadOnlyList<ModelNode> Nodes(QaicOptions options) => ModelNodes;

    public IEnumerable<ModelWeight> Weights(QaicOptions options) => ModelWeights;

    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Rows(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options) => samples;

    /// <summary>How often samples were put together.</summary>
    public int Stacked { get; private set; }

    public IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Stack(IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options)
    {
        Stacked++;
        return samples;
    }

    public QuantizationProfile Profile(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options, CancellationToken cancellationToken)
    {
        Profiled.Add([.. samples]);
        return new QuantizationProfile(QuantizationProfile.OwnToolsVersion, 1, Statistics);
    }

    public IReadOnlyList<TensorStatistics> Statistics { get; init; } = [];

    public VariantRun Run(
        QaicOptions options,
        QuantizationProfile? profile,
        NodePrecision? precision,
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples,
        CancellationToken cancellationToken)
    {
        Runs.Add((options, profile, precision, samples.Count));
        bool isFloat = profile is null && options.LoadProfile is null && !options.ConvertToFp16;
        IReadOnlyList<float[]> rows = Answers(options, precision);
        return new VariantRun([new OutputRows("y", [.. rows.SelectMany(r => r)], [rows[0].Length], rows.Count)], isFloat ? null : Record, 1024);
    }

    /// <summary>Rows of one number each.</summary>
    public static AccuracyData Data(int calibration, int heldOut, IReadOnlyList<int>? labels = null) => new(Samples(calibration), Samples(heldOut)) { Labels = labels };

    public static IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Samples(int count) =>
        [.. Enumerable.Range(0, count).Select(i => (IReadOnlyDictionary<string, Tensor>)new Dictionary<string, Tensor> { ["x"] = Tensor.Create([(float)i]) })];
}
