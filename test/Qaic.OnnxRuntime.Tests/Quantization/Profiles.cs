using Microsoft.Extensions.Logging.Abstractions;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Prepared models and profiles of them, made by running the model once with every activation as an output.</summary>
internal static class Profiles
{
    private const int BatchSize = 32;

    private static readonly Dictionary<string, QuantizationProfile> s_profiles = [];

    /// <summary>A prepared model of the test data, for so many rows.</summary>
    public static FloatGraph Prepare(string name, int rows) => FloatGraph.Prepare(Fixed(OnnxModel.Load(Repository.Model(name)), rows));

    /// <summary>A model whose batch is fixed, if it leaves it open.</summary>
    public static OnnxModel Fixed(OnnxModel model, int rows)
    {
        bool isOpen = model.Inputs.Any(i => i.Shape!.Any(d => d.IsFree));
        ShapeBinding.Fix(model, !isOpen ? QaicOptions.Default : Engine.TrainedModelTests.OptionsFor(Path.GetFileNameWithoutExtension(model.Source)) with { BatchSize = rows });
        return model;
    }

    /// <summary>A session for a model; it is not changed.</summary>
    public static OrtSession Session(OnnxModel model, NetworkSettings? settings = null)
    {
        var copy = model.Clone();
        using var weights = WeightSegment.Extract(copy);
        return new OrtSession(copy.ToBytes(), weights.InMemory(), 0, NullLogger.Instance, CancellationToken.None, settings);
    }

    /// <summary>Range and histogram of every activation of a prepared model.</summary>
    public static QuantizationProfile Make(FloatGraph graph, IReadOnlyDictionary<string, Npy> inputs, int bins = 512)
    {
        OnnxModel watched = graph.Model.Clone();
        HashSet<string> outputs = [.. watched.Graph.Output.Select(o => o.Name), .. watched.Graph.Input.Select(i => i.Name)];
        watched.Graph.Output.Add(graph.Activations.Where(a => outputs.Add(a.Tensor)).Select(a => new ValueInfoProto { Name = a.Tensor }));
        using OrtSession session = Session(watched);
        Dictionary<string, Npy> seen = Runs.Once(session, inputs);
        var statistics = new List<TensorStatistics>();
        foreach (ProfiledTensor activation in graph.Activations)
        {
            var histogram = new RunningHistogram(bins);
            Assert.AreEqual(-1, histogram.Add(seen.GetValueOrDefault(activation.Tensor, inputs.GetValueOrDefault(activation.Tensor)!).ToSingles()), activation.Tensor);
            statistics.Add(histogram.ToStatistics(activation.ProfileName));
        }

        return new QuantizationProfile(QuantizationProfile.OwnToolsVersion, graph.Hash, statistics);
    }

    /// <summary>A profile of the calibration rows of a model of the test data, as it is made for users; made once.</summary>
    public static QuantizationProfile Calibrate(TestModel model)
    {
        if (!s_profiles.TryGetValue(model.Name, out QuantizationProfile? profile))
        {
            s_profiles[model.Name] = profile = ActivationObserver.Observe(
                Prepare(model.Name, BatchSize), model.CalibrationSamples(), QaicOptions.Default, NullLogger.Instance, null, CancellationToken.None);
        }

        return profile;
    }

    /// <summary>A model of the test data, quantized, for its test rows.</summary>
    public static (FloatGraph Graph, Qaic.Compilation.PrecisionRecord Record) Quantize(TestModel model, QuantizationProfile profile, QaicOptions options, NodePrecision? precision = null)
    {
        FloatGraph graph = Prepare(model.Name, model.RowCount);
        return (graph, QdqRewriter.Apply(graph, profile, null, precision ?? NodePrecision.None, options, NullLogger.Instance));
    }

    /// <summary>Ratio of signal to noise, in decibel.</summary>
    public static double Sqnr(float[] expected, float[] actual)
    {
        double signal = 0, noise = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            signal += (double)expected[i] * expected[i];
            noise += ((double)expected[i] - actual[i]) * ((double)expected[i] - actual[i]);
        }

        return 10 * Math.Log10(signal / noise);
    }
}
