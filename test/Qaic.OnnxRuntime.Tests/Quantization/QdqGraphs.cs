using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>A small graph before and after it was quantized, with random data.</summary>
internal sealed record QdqGraphs(OnnxModel Float, FloatGraph Graph, PrecisionRecord Record, IReadOnlyDictionary<string, Npy> Inputs)
{
    private static readonly QaicOptions s_perChannel = new() { EnableChannelwise = true, EnableRowwise = true };

    /// <summary>Quantizes a model with a profile of data from a normal distribution.</summary>
    /// <param name="model">The model; its shapes are fixed.</param>
    /// <param name="options">Null for parameters per channel.</param>
    /// <param name="precision">Nodes that are not quantized.</param>
    /// <param name="without">Activations that the profile does not know.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="encodings">What replaces the profile.</param>
    public static QdqGraphs Quantize(
        ModelProto model, QaicOptions? options = null, NodePrecision? precision = null, string[]? without = null, ILogger? logger = null, QuantizationEncodings? encodings = null)
    {
        OnnxModel original = Parse(model);
        var inputs = original.Inputs.ToDictionary(i => i.Name, i => Normal([.. i.Shape!.Select(d => (int)d.Value!)], i.Name.Length));
        FloatGraph graph = FloatGraph.Prepare(original.Clone());
        QuantizationProfile profile = Profiles.Make(graph, inputs);
        if (without is not null)
        {
            HashSet<string> names = [.. graph.Activations.Where(a => without.Contains(a.Tensor)).Select(a => a.ProfileName)];
            profile = new QuantizationProfile(profile.ToolsVersion, profile.GraphHash, profile.Tensors.Where(t => !names.Contains(t.Name)));
        }

        PrecisionRecord record = QdqRewriter.Apply(graph, encodings is null ? profile : null, encodings, precision ?? NodePrecision.None, options ?? s_perChannel, logger ?? NullLogger.Instance);
        return new QdqGraphs(original, graph, record, inputs);
    }

    public static OnnxModel Parse(ModelProto model) => OnnxModel.Parse(Google.Protobuf.MessageExtensions.ToByteArray(model), "test");

    /// <summary>The graph as ONNX Runtime runs it, after the results were compared: to the float model's, and to those of float kernels on rounded numbers.</summary>
    public OptimizedGraph Check(double leastSqnr = 25)
    {
        using OrtSession before = Profiles.Session(Float), integers = Profiles.Session(Graph.Model), rounded = Profiles.Session(Graph.Model, new NetworkSettings(FakeQuantization: true));
        Dictionary<string, Npy> expected = Runs.Once(before, Inputs), actual = Runs.Once(integers, Inputs), fake = Runs.Once(rounded, Inputs);
        CollectionAssert.AreEqual(expected.Keys, actual.Keys, "outputs keep their names and order");
        foreach ((string name, Npy output) in expected)
        {
            (float[] exact, float[] integer, float[] floating) = (output.ToSingles(), actual[name].ToSingles(), fake[name].ToSingles());
            double sqnr = Profiles.Sqnr(exact, integer);
            Assert.IsTrue(sqnr >= leastSqnr, $"{name}: {sqnr:F1} dB");
            float step = (exact.Max() - exact.Min()) / 255, worst = integer.Zip(floating, (a, b) => Math.Abs(a - b)).Max();
            Assert.IsTrue(worst <= 1.01f * step, $"{name}: integer and float kernels differ by {worst / step} steps");
        }

        return OptimizedGraph.Of(Graph.Model);
    }

    /// <summary>The scale that was chosen for a tensor.</summary>
    public float Scale(string tensor) => Record.Tensors.Single(t => t.Name == tensor).Scales.Single();

    /// <summary>Nodes that quantize a tensor, or what it is called where it is also an output.</summary>
    public int Quantizers(string tensor) => Graph.Model.Graph.Node.Count(n => n.OpType == "QuantizeLinear" && (n.Input[0] == tensor || n.Input[0] == tensor + "_float"));

    public static TensorProto Weights(string name, params int[] dims) => Graphs.Weights(name, [.. dims.Select(d => (long)d)], Normal(dims, name.Length + dims[0]).ToSingles());

    public static NodeProto Conv(string x, string w, string y, string? bias = null, int group = 1) =>
        Graphs.Node("Conv", bias is null ? [x, w] : [x, w, bias], [y], NodeAttributes.Int("group", group), new AttributeProto { Name = "pads", Type = AttributeProto.Types.AttributeType.Ints, Ints = { 1, 1, 1, 1 } });

    private static Npy Normal(int[] shape, int seed)
    {
        var random = new Random(seed);
        float[] values = new float[shape.Aggregate(1, (a, b) => a * b)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return new Npy(ElementType.Float32, shape, MemoryMarshal.AsBytes<float>(values).ToArray());
    }
}
