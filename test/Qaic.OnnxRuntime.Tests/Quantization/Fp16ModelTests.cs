using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>The trained models, in FP16.</summary>
[TestClass]
public sealed class Fp16ModelTests
{
    // Of the largest magnitude among the outputs. A unit in the last place of FP16 is 2^-10 of a number; the errors of a few layers add up to less than four halves of it.
    private const float RoundingBound = 2e-3f;

    private static readonly QaicOptions s_fp16 = QaicOptions.Default with { ConvertToFp16 = true };

    private static readonly ConcurrentDictionary<string, Dictionary<string, Npy>> s_full = new();

    public static IEnumerable<object[]> FloatModels => ModelManifest.Models.Where(m => !m.IsLowPrecision).Select(m => new object[] { m.Name });

    // langid_dyn computes what langid_s32 does, digits_cnn_b8 what digits_cnn does.
    public static IEnumerable<object[]> DifferentModels => FloatModels.Where(m => m[0] is not ("langid_dyn" or "digits_cnn_b8"));

    [TestMethod, DynamicData(nameof(FloatModels))]
    public void Accuracy_stays_and_outputs_are_halves_within_rounding_of_single_precision(string name)
    {
        TestModel test = ModelManifest.Get(name);
        (Dictionary<string, Npy> half, PrecisionRecord? record) = Run(test, s_fp16);
        Assert.AreEqual("FP16", record!.Precision);
        Assert.IsNotEmpty(record.Fp16Nodes);
        Assert.IsEmpty(record.Fp32Nodes);
        AssertRounded(test, InFull(test), half, RoundingBound);
    }

    [TestMethod, DynamicData(nameof(DifferentModels))]
    public void With_every_activation_rounded_accuracy_stays_as_well(string name)
    {
        TestModel test = ModelManifest.Get(name);
        (Dictionary<string, Npy> half, _) = Run(test, s_fp16 with { SimulateFp16Activations = true });
        AssertRounded(test, InFull(test), half, 3 * RoundingBound);
    }

    [TestMethod, DynamicData(nameof(FloatModels))]
    public void Weights_take_half_the_room(string name)
    {
        TestModel test = ModelManifest.Get(name);
        using var full = new Network(test, null);
        using var half = new Network(test, s_fp16);

        // Each starts at a multiple of 64 bytes.
        Assert.IsTrue(half.WeightBytes <= (full.WeightBytes / 2) + (64 * half.WeightCount), $"{full.WeightBytes} bytes became {half.WeightBytes}");
        Assert.IsGreaterThan(0, half.WeightBytes);
    }

    [TestMethod, DynamicData(nameof(FloatModels))]
    public void Nothing_but_the_borders_is_cast_when_the_network_runs(string name)
    {
        var model = OnnxModel.Load(Repository.Model(name));
        OptimizedGraph before = OptimizedGraph.Of(model);
        int borders = model.Inputs.Concat(model.Outputs).Count(t => t.DataType == 1);
        Fp16Rewriter.Apply(model, s_fp16, NullLogger.Instance);
        OptimizedGraph after = OptimizedGraph.Of(model);
        Assert.AreEqual(before["Cast"] + (2 * borders), after["Cast"], $"casts of weights are folded: {after}");
        Assert.AreEqual(WithoutCasts(before), WithoutCasts(after), "the same kernels as in single precision");

        static string WithoutCasts(OptimizedGraph graph) =>
            string.Join(", ", graph.Operators.Where(o => o.Key != "Cast").OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => $"{o.Key} {o.Value}"));
    }

    [TestMethod]
    public void A_model_in_float16_stays_as_it_is()
    {
        var model = OnnxModel.Load(Repository.Model("digits_cnn_fp16"));
        byte[] before = model.ToBytes();
        PrecisionRecord record = Fp16Rewriter.Apply(model, s_fp16 with { SimulateFp16Activations = true }, NullLogger.Instance);
        CollectionAssert.AreEqual(before, model.ToBytes());
        Assert.AreEqual("FP16", record.Precision);
        Assert.HasCount(model.Graph.Node.Count, record.Fp16Nodes);
    }

    [TestMethod]
    [DataRow("digits_cnn_qdq", false)]
    [DataRow("digits_cnn_qdq", true)]
    [DataRow("resnet8_qdq", false)]
    [DataRow("resnet8_qdq", true)]
    public void A_quantized_model_keeps_its_integer_kernels(string name, bool everyActivation)
    {
        var model = OnnxModel.Load(Repository.Model(name));
        OptimizedGraph before = OptimizedGraph.Of(model);
        string[] scales = [.. model.Graph.Node.Where(n => n.OpType is "QuantizeLinear" or "DequantizeLinear").Select(n => n.Input[1])];
        PrecisionRecord record = Fp16Rewriter.Apply(model, s_fp16 with { SimulateFp16Activations = everyActivation }, NullLogger.Instance);
        Assert.IsTrue(scales.All(scale => model.Graph.Initializer.Single(t => t.Name == scale).DataType == 1), "scales say what integers mean; they are not rounded");
        OptimizedGraph after = OptimizedGraph.Of(model);
        Assert.AreEqual(before["QLinearConv"], after["QLinearConv"], $"{before} became {after}");
        Assert.AreEqual(before["QLinearAdd"], after["QLinearAdd"]);
        Assert.AreEqual(before["QGemm"], after["QGemm"]);
        Assert.AreEqual("INT8+FP16", record.Precision);
        Assert.IsTrue(record.QuantizedNodes.Count >= before["QLinearConv"] && !record.QuantizedNodes.Intersect(record.Fp16Nodes).Any());
    }

    [TestMethod]
    public void A_network_in_fp16_travels_in_a_qpc_of_half_the_size_and_gives_the_same_outputs()
    {
        TestModel test = ModelManifest.Get("resnet8");
        var model = OnnxModel.Load(test.Path);
        (Dictionary<string, Npy> expected, _) = Run(test, s_fp16);
        Fp16Rewriter.Apply(model, s_fp16, NullLogger.Instance);
        string folder = Directory.CreateTempSubdirectory("qaic-fp16-").FullName;
        try
        {
            string path = Path.Combine(folder, "model.onnx");
            File.WriteAllBytes(path, model.ToBytes());
            using var full = Bench.Of(test.Path, QaicOptions.Default with { BatchSize = 8 });
            using var half = Bench.Of(path, QaicOptions.Default with { BatchSize = 8 });
            Assert.IsLessThan(0.55 * new FileInfo(full.QpcPath).Length, new FileInfo(half.QpcPath).Length);
            test.Input(test.Inputs[0]).RowSlice(0, 8).CopyTo(half.Input(0));
            half.Execution.Run();
            Assert.IsTrue(half.Output(0).SequenceEqual(expected[test.Outputs[0]].RowSlice(0, 8)), "the weights come from the container, in half precision");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Dictionary<string, Npy> InFull(TestModel test) => s_full.GetOrAdd(test.Name, _ => Run(test, null).Outputs);

    private static (Dictionary<string, Npy> Outputs, PrecisionRecord? Record) Run(TestModel test, QaicOptions? options)
    {
        using var network = new Network(test, options);
        return (Runs.All(network.Session, test), network.Record);
    }

    private static void AssertRounded(TestModel test, Dictionary<string, Npy> full, Dictionary<string, Npy> half, float bound)
    {
        foreach (string output in test.Outputs)
        {
            float[] values = half[output].ToSingles();
            Assert.IsTrue(values.All(v => (float)(Half)v == v), $"{test.Name}.{output} consists of numbers of FP16");
            float[] expected = full[output].ToSingles();
            float largest = expected.Max(Math.Abs);
            float worst = expected.Zip(values, (a, b) => float.IsNaN(a - b) ? float.PositiveInfinity : Math.Abs(a - b)).Max();

            // A probability moves by a quarter of what its logit moves at most; the logit is larger than the probability.
            float allowed = output == test.Outputs[0] && output != "probability" ? bound : 4 * bound;
            Assert.IsTrue(worst <= allowed * largest, $"{test.Name}.{output}: the largest difference is {worst}, {worst / largest:E1} of the largest value; allowed is {allowed:E1}");
            Assert.IsGreaterThan(0, worst, "rounding shows");
        }

        double difference = test.AccuracyOf(half[test.Outputs[0]]) - test.AccuracyOf(full[test.Outputs[0]]);
        Assert.IsTrue(Math.Abs(difference) <= 0.001, $"{test.Name}: top-1 changed by {100 * difference:F2} points");
    }

    /// <summary>A trained model in a session, as the simulated card would have it.</summary>
    private sealed class Network : IDisposable
    {
        private readonly WeightSegment _weights;

        public Network(TestModel test, QaicOptions? options)
        {
            var model = OnnxModel.Load(test.Path);
            Record = options is null ? null : Fp16Rewriter.Apply(model, options, NullLogger.Instance);
            _weights = WeightSegment.Extract(model);
            byte[] bytes = model.ToBytes();
            Session = new OrtSession(bytes, _weights.InMemory(), 0, NullLogger.Instance, CancellationToken.None);
        }

        public OrtSession Session { get; }

        public PrecisionRecord? Record { get; }

        public long WeightBytes => _weights.Length;

        public int WeightCount => _weights.Weights.Count;

        public void Dispose()
        {
            Session.Dispose();
            _weights.Dispose();
        }
    }
}
