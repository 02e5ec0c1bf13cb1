using System.Globalization;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class QdqTrainedModelTests
{
    private static readonly QaicOptions s_perChannel = new() { EnableChannelwise = true, EnableRowwise = true, QuantizationSchemaActivations = QuantizationSchema.Asymmetric };
    private static readonly QaicOptions s_perTensor = new() { QuantizationSchemaActivations = QuantizationSchema.Asymmetric, QuantizationSchemaConstants = QuantizationSchema.Symmetric };

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("digits_cnn", 2, 1)]
    [DataRow("digits_mlp", 0, 3)]
    [DataRow("wine_mlp", 0, 3)]
    [DataRow("resnet8", 9, 1)]
    [DataRow("dwsep", 11, 1)]
    [DataRow("dwsep_balanced", 11, 1)]
    public void All_convolutions_and_fully_connected_layers_run_on_integers(string name, int convolutions, int layers)
    {
        TestModel model = ModelManifest.Get(name);
        QuantizationProfile profile = Profiles.Calibrate(model);
        foreach (QaicOptions options in new[] { s_perChannel, new QaicOptions() })
        {
            OptimizedGraph graph = OptimizedGraph.Of(Profiles.Quantize(model, profile, options).Graph.Model);
            TestContext.WriteLine($"{graph}");
            Assert.AreEqual(convolutions, graph["QLinearConv"], graph.ToString());
            Assert.AreEqual(layers, graph["QGemm"], graph.ToString());
            Assert.AreEqual(0, graph["Conv"] + graph["FusedConv"] + graph["Gemm"] + graph["FusedGemm"] + graph["MatMul"] + graph["Relu"], graph.ToString());
        }
    }

    [TestMethod]
    public void A_transformers_matrix_products_run_on_integers()
    {
        TestModel model = ModelManifest.Get("langid_s32");
        OptimizedGraph graph = OptimizedGraph.Of(Profiles.Quantize(model, Profiles.Calibrate(model), s_perChannel).Graph.Model);
        TestContext.WriteLine($"{graph}");
        Assert.AreEqual(0, graph["MatMul"] + graph["Gemm"] + graph["FusedMatMul"], graph.ToString());
        Assert.AreEqual(17, graph["QLinearMatMul"] + graph["MatMulIntegerToFloat"] + graph["QGemm"], graph.ToString());
    }

    // SQNR in decibel of table B (minmax): activations asymmetric, weights per tensor; the same per channel; then symmetric_with_uint8, weights per channel.
    [TestMethod]
    [DataRow("digits_cnn", 32.4, 38.9, 38.9)]
    [DataRow("digits_mlp", 39.2, 40.2, 40.2)]
    [DataRow("digits_multihead", 37.6, 38.9, 38.9)]
    [DataRow("wine_mlp", 28.8, 28.8, 28.9)]
    [DataRow("resnet8", 35.6, 37.7, 37.3)]
    [DataRow("dwsep", 3.5, 15.0, 15.0)]
    [DataRow("dwsep_balanced", 13.5, 35.1, 35.1)]
    [DataRow("langid_s32", 40.0, 40.2, 39.5)]
    public void Noise_is_that_of_another_implementation_at_most_one_decibel_more(string name, double perTensor, double perChannel, double unsignedSchema)
    {
        TestModel model = ModelManifest.Get(name);
        QuantizationProfile profile = Profiles.Calibrate(model);
        float[] reference = model.Reference(model.Outputs[0]).ToSingles();
        var tooNoisy = new List<string>();
        (QaicOptions, double)[] figures =
        [
            (s_perChannel, perChannel),
            (s_perTensor, perTensor),
            (s_perChannel with { QuantizationSchemaActivations = QuantizationSchema.SymmetricWithUInt8 }, unsignedSchema),
        ];
        bool isLarge = name is "resnet8" or "langid_s32";
        foreach ((QaicOptions options, double expected) in figures.Take(Campaign.Size(isLarge ? 1 : figures.Length, figures.Length)))
        {
            (FloatGraph graph, _) = Profiles.Quantize(model, profile, options);
            using OrtSession session = Profiles.Session(graph.Model);
            Npy logits = Runs.All(session, model)[model.Outputs[0]];
            double sqnr = Profiles.Sqnr(reference, logits.ToSingles());
            TestContext.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} {sqnr:F1} dB (table {expected:F1}), top-1 {model.AccuracyOf(logits):P2} of {model.Accuracy:P2}"));
            if (sqnr < expected - 1)
            {
                tooNoisy.Add(string.Create(CultureInfo.InvariantCulture, $"{sqnr:F1} dB, expected {expected:F1}"));
            }
        }

        Assert.IsEmpty(tooNoisy, string.Join("; ", tooNoisy));
    }

    [TestMethod, DataRow("digits_cnn"), DataRow("digits_mlp")]
    public void Integer_kernels_give_what_float_kernels_on_rounded_numbers_give(string name)
    {
        TestModel model = ModelManifest.Get(name);
        (FloatGraph graph, Qaic.Compilation.PrecisionRecord record) = Profiles.Quantize(model, Profiles.Calibrate(model), s_perChannel);
        using OrtSession integers = Profiles.Session(graph.Model), floats = Profiles.Session(graph.Model, new NetworkSettings(FakeQuantization: true));
        float[] left = Runs.All(integers, model)[model.Outputs[0]].ToSingles(), right = Runs.All(floats, model)[model.Outputs[0]].ToSingles();

        // The logits themselves are float; a step of an 8 bit result would be this large.
        float step = (left.Max() - left.Min()) / 255;
        float worst = left.Zip(right, (a, b) => Math.Abs(a - b)).Max();
        TestContext.WriteLine($"{name}: {worst / step} steps; {record.Tensors.Count} tensors");
        Assert.IsTrue(worst <= step, $"the largest difference is {worst / step} steps");
    }
}
