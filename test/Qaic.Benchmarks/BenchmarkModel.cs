using Google.Protobuf;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.TestSupport;

namespace Qaic.Benchmarks;

/// <summary>A model to measure, with data to calibrate it.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Path">The <c>.onnx</c> file.</param>
/// <param name="MegaFlops">Millions of multiplications and additions per row; null if nobody counted.</param>
/// <param name="Samples">Rows, one sample each.</param>
internal sealed record BenchmarkModel(string Name, string Path, double? MegaFlops, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Samples)
{
    private const int Seed = 1;
    private const int CalibrationRows = 128;

    /// <summary>The trained models, and dense ones with random weights.</summary>
    public static IReadOnlyList<BenchmarkModel> All(string directory) =>
    [
        Dense(directory, "dense_256_1024_1024_256", 256, 1024, 1024, 256),
        Dense(directory, "dense_512_512", 512, 512, 512),
        Dense(directory, "dense_784_1024_10", 784, 1024, 10),
        .. new[] { "resnet8", "dwsep", "dwsep_balanced", "digits_cnn", "digits_multihead", "digits_mlp", "langid_s32" }.Select(Trained),
    ];

    /// <summary>Those whose names are given; all if none is.</summary>
    public static IReadOnlyList<BenchmarkModel> Chosen(string directory, string[] names)
    {
        IReadOnlyList<BenchmarkModel> all = All(directory);
        return names.Length == 0 ? all : [.. names.Select(name => all.FirstOrDefault(m => m.Name == name) ?? throw new ArgumentException($"There is no model '{name}'; there are: {string.Join(", ", all.Select(m => m.Name))}.", nameof(names)))];
    }

    private static BenchmarkModel Trained(string name)
    {
        TestModel model = ModelManifest.Get(name);
        return new BenchmarkModel(name, model.Path, 2e-6 * model.MultiplyAccumulates, model.CalibrationSamples());
    }

    // Gemm, Relu, Gemm, Relu, …, Gemm.
    private static BenchmarkModel Dense(string directory, string name, params int[] widths)
    {
        var random = new Random(Seed);
        var nodes = new List<NodeProto>();
        var weights = new List<TensorProto>();
        for (int layer = 1; layer < widths.Length; layer++)
        {
            (int from, int to) = (widths[layer - 1], widths[layer]);
            bool isLast = layer == widths.Length - 1;
            string input = layer == 1 ? "x" : $"relu{layer - 1}";
            weights.Add(Graphs.Weights($"w{layer}", [to, from], Normal(random, to * from, MathF.Sqrt(2f / from))));
            weights.Add(Graphs.Weights($"b{layer}", [to], Normal(random, to, 0.1f)));
            nodes.Add(Graphs.Node("Gemm", [input, $"w{layer}", $"b{layer}"], [isLast ? "y" : $"gemm{layer}"], new AttributeProto { Name = "transB", Type = AttributeProto.Types.AttributeType.Int, I = 1 }));
            if (!isLast)
            {
                nodes.Add(Graphs.Node("Relu", [$"gemm{layer}"], [$"relu{layer}"]));
            }
        }

        ModelProto proto = Graphs.Model([.. nodes], [Graphs.Value("x", Graphs.Float, "batch", widths[0])], [Graphs.Value("y", Graphs.Float, "batch", widths[^1])], [.. weights]);
        string path = System.IO.Path.Combine(directory, $"{name}.onnx");
        File.WriteAllBytes(path, proto.ToByteArray());
        double flops = widths.Zip(widths.Skip(1), (a, b) => 2.0 * a * b).Sum();
        return new BenchmarkModel(name, path, flops / 1e6,
            [.. Enumerable.Range(0, CalibrationRows).Select(_ => new Dictionary<string, Tensor> { ["x"] = Tensor.Create(Normal(random, widths[0], 1)) })]);
    }

    private static float[] Normal(Random random, int count, float deviation)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = deviation * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }
}
