using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Models that are profiled, and samples for them.</summary>
internal static class ObservedModels
{
    /// <summary>A model with fixed shapes, prepared.</summary>
    public static FloatGraph Prepare(ModelProto model) => FloatGraph.Prepare(OnnxModel.Parse(model.ToByteArray(), "test.onnx"));

    /// <summary>A model of the test data in batches of some rows, prepared.</summary>
    public static FloatGraph Prepare(string path, int batchSize)
    {
        OnnxModel model = OnnxModel.Load(path);
        ShapeBinding.Fix(model, new QaicOptions { BatchSize = batchSize });
        return FloatGraph.Prepare(model);
    }

    /// <summary>relu = max(0, x × w) and more of it: a Transpose, a Reshape of that, a sum. All values are integers, so every order of computing gives the same.</summary>
    public static ModelProto Integers(int batchSize) => Graphs.Model(
        [
            Graphs.Node("MatMul", ["x", "w"], ["product"]),
            Graphs.Node("Relu", ["product"], ["relu"]),
            Graphs.Node("Transpose", ["relu"], ["turned"]),
            Graphs.Node("Reshape", ["turned", "shape"], ["flat"]),
            Graphs.Node("Add", ["flat", "flat"], ["twice"]),
        ],
        [Graphs.Value("x", Graphs.Float, batchSize, 3)],
        [Graphs.Value("twice", Graphs.Float, 2 * batchSize)],
        Graphs.Weights("w", [3, 2], [1, -2, 3, 1, -1, 4]),
        Graphs.Int64s("shape", -1));

    /// <summary>What <see cref="Integers"/> computes of its input, one row after the other.</summary>
    public static float[] Relu(ReadOnlySpan<float> x)
    {
        float[] result = new float[x.Length / 3 * 2];
        for (int row = 0; row < x.Length / 3; row++)
        {
            ReadOnlySpan<float> v = x.Slice(3 * row, 3);
            result[2 * row] = Math.Max(0, v[0] + (3 * v[1]) - v[2]);
            result[(2 * row) + 1] = Math.Max(0, (-2 * v[0]) + v[1] + (4 * v[2]));
        }

        return result;
    }

    /// <summary>Rows of three integers. Their range grows, so that the order of batches matters.</summary>
    public static float[][] Rows(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(row => new float[] { random.Next(-9, 10) * (row + 1), random.Next(-9, 10), random.Next(-5, 6) * (row + 2) })];
    }

    /// <summary>A sample per row, without the leading dimension.</summary>
    public static IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples(IEnumerable<float[]> rows, string input = "x") =>
        rows.Select(row => Sample(Tensor.Create(row), input));

    public static IReadOnlyDictionary<string, Tensor> Sample(Tensor tensor, string input = "x") => new Dictionary<string, Tensor> { [input] = tensor };

    public static QuantizationProfile Observe(
        FloatGraph graph,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions? options = null,
        IProgress<ProfilingProgress>? progress = null,
        ILogger? logger = null,
        CancellationToken cancellationToken = default) =>
        ActivationObserver.Observe(graph, samples, options ?? QaicOptions.Default, logger ?? NullLogger.Instance, progress, cancellationToken);

    /// <summary>A profile to the last bit.</summary>
    public static string Bits(QuantizationProfile profile) => string.Join('\n', profile.Tensors.Select(Bits).Prepend($"{profile.GraphHash:X}"));

    public static string Bits(TensorStatistics tensor) =>
        $"{tensor.Name} {BitConverter.SingleToUInt32Bits(tensor.Minimum):X} {BitConverter.SingleToUInt32Bits(tensor.Maximum):X} {string.Join(' ', tensor.Counts.ToArray())}";

    /// <summary>What a histogram says that sees these batches one after the other.</summary>
    public static string Bits(string name, int bins, params IEnumerable<float[]> batches)
    {
        var histogram = new RunningHistogram(bins);
        foreach (float[] batch in batches)
        {
            Assert.AreEqual(-1, histogram.Add(batch));
        }

        return Bits(histogram.ToStatistics(name));
    }

    /// <summary>Progress that tells at once, on the thread that reports.</summary>
    public sealed class Told(Action<ProfilingProgress> action) : IProgress<ProfilingProgress>
    {
        public void Report(ProfilingProgress value) => action(value);
    }
}
