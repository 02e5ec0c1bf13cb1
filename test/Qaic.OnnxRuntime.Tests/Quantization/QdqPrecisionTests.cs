using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;
using Qaic.TestSupport;
using static Qaic.OnnxRuntime.Tests.Onnx.Graphs;
using static Qaic.OnnxRuntime.Tests.Quantization.QdqGraphs;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Which nodes are quantized, by whose parameters, and what is refused.</summary>
[TestClass]
public sealed class QdqPrecisionTests
{
    [TestMethod, DataRow("h"), DataRow("r")]
    public void A_layer_and_its_activation_function_leave_quantization_together_by_either_name(string name)
    {
        QdqGraphs graphs = Quantize(TwoLayers(), precision: new NodePrecision([], [name]));
        Assert.AreEqual(1, graphs.Check()["QGemm"]);
        CollectionAssert.AreEqual(new[] { "h", "r" }, graphs.Record.Fp32Nodes.ToArray());
        CollectionAssert.AreEqual(new[] { "y" }, graphs.Record.QuantizedNodes.ToArray());
        Assert.AreEqual(0, graphs.Quantizers("x"), "nobody else reads the input");
        Assert.AreEqual(1, graphs.Quantizers("r"));
    }

    [TestMethod]
    public void Nodes_in_FP16_are_recorded_and_rounded()
    {
        QdqGraphs graphs = Quantize(TwoLayers(), precision: new NodePrecision(["y"], []));
        OptimizedGraph optimized = graphs.Check();
        Assert.AreEqual(1, optimized["QGemm"], optimized.ToString());
        CollectionAssert.AreEqual(new[] { "y" }, graphs.Record.Fp16Nodes.ToArray());
        Assert.AreEqual("INT8+FP16", graphs.Record.Precision);
        using OrtSession session = Profiles.Session(graphs.Graph.Model);
        Assert.IsTrue(Runs.Once(session, graphs.Inputs)["y"].ToSingles().All(v => (float)(Half)v == v));
    }

    [TestMethod]
    public void Operators_leave_quantization_by_type()
    {
        QdqGraphs graphs = Quantize(TwoLayers(), new QaicOptions { KeepOriginalPrecisionForNodes = ["Gemm"] });
        Assert.IsFalse(graphs.Graph.Model.Graph.Node.Any(n => n.OpType is "QuantizeLinear" or "DequantizeLinear"));
        CollectionAssert.AreEqual(new[] { "h", "r", "y" }, graphs.Record.Fp32Nodes.ToArray());
    }

    [TestMethod]
    public void Where_every_node_has_another_precision_the_network_does_not_call_itself_INT8()
    {
        var log = new MessageList();
        QdqGraphs single = Quantize(TwoLayers(), precision: new NodePrecision([], ["h", "y"]), logger: log);
        Assert.IsFalse(single.Graph.Model.Graph.Node.Any(n => n.OpType is "QuantizeLinear" or "DequantizeLinear"));
        Assert.AreEqual(("FP32", null), (single.Record.Precision, single.Record.Schema));
        Assert.AreEqual("FP16", Quantize(TwoLayers(), precision: new NodePrecision(["h", "y"], []), logger: log).Record.Precision);
        QdqGraphs functions = Quantize(
            Model([Node("Relu", ["x"], ["r"]), Node("Sqrt", ["r"], ["y"])], [Value("x", Float, 8, 5)], [Value("y", Float, 8, 5)]), logger: log);
        Assert.HasCount(2, functions.Graph.Model.Graph.Node);
        Assert.AreEqual("FP32", functions.Record.Precision);
        Assert.HasCount(3, log.Messages.Where(m => m.Contains("Nothing of ", StringComparison.Ordinal)).ToArray());
    }

    [TestMethod]
    public void A_model_in_float16_is_refused_with_a_remedy()
    {
        FloatGraph graph = FloatGraph.Prepare(Profiles.Fixed(OnnxModel.Load(Repository.Model("digits_cnn_fp16")), 2));
        string[] messages =
        [
            Assert.ThrowsExactly<CompilationException>(() => QdqRewriter.Apply(
                graph, new QuantizationProfile("2026-11-24", graph.Hash, []), null, NodePrecision.None, QaicOptions.Default, NullLogger.Instance)).Message,
            Assert.ThrowsExactly<CompilationException>(() => ActivationObserver.Observe(graph, [], QaicOptions.Default, NullLogger.Instance, null, CancellationToken.None)).Message,
        ];
        foreach (string message in messages)
        {
            StringAssert.Contains(message, "computes in float16");
            StringAssert.Contains(message, "Export it in float32");
        }
    }

    [TestMethod]
    public void A_profile_of_other_tools_may_have_other_names_and_the_log_says_which()
    {
        FloatGraph graph = FloatGraph.Prepare(Parse(TwoLayers()));
        TensorStatistics[] seen = [.. new[] { "x:0", "h:0", "w:0", "lowered_dot:0", "CI_QP_lowered:0" }.Select(n => new TensorStatistics(n, -1, 1, [1, 1]))];
        var log = new MessageList();
        QdqRewriter.Apply(graph, new QuantizationProfile("2021-06-30", 1, seen), null, NodePrecision.None, QaicOptions.Default, log);
        string unknown = log.Messages.Single(m => m.Contains("not in test", StringComparison.Ordinal)), missing = log.Messages.Single(m => m.Contains("have no range in the profile", StringComparison.Ordinal));
        StringAssert.Contains(unknown, "1 of the 4 names");
        StringAssert.Contains(unknown, "'lowered_dot:0'");
        StringAssert.Contains(missing, "2 of the 3 activations");
    }

    [TestMethod]
    public void A_name_of_a_folded_node_means_the_layer_it_was_folded_into()
    {
        OnnxModel model = OnnxModel.Load(Repository.Model("digits_cnn"));
        string convolution = model.Graph.Node.First(n => n.OpType == "Conv").Output[0], normalisation = model.Graph.Node.First(n => n.OpType == "BatchNormalization").Output[0];
        Assert.AreNotEqual(convolution, normalisation);
        TestModel test = ModelManifest.Get("digits_cnn");
        QuantizationProfile profile = Profiles.Calibrate(test);
        foreach (string name in new[] { convolution, normalisation })
        {
            PrecisionRecord record = Profiles.Quantize(test, profile, QaicOptions.Default, new NodePrecision([], [name])).Record;
            Assert.HasCount(2, record.Fp32Nodes, "the convolution and its activation function");
        }
    }

    [TestMethod]
    public void An_unknown_name_is_refused_with_the_nearest_one()
    {
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Quantize(Layer("hidden_layer"), precision: new NodePrecision(["hidden_laier"], [])));
        StringAssert.Contains(e.Message, "'hidden_laier'");
        StringAssert.Contains(e.Message, "Did you mean 'hidden_layer'?");
    }

    [TestMethod]
    public void Tensors_that_the_profile_does_not_know_stay_float_and_the_log_says_so()
    {
        var log = new MessageList();
        QdqGraphs graphs = Quantize(TwoLayers(), without: ["r"], logger: log);
        OptimizedGraph optimized = graphs.Check();
        Assert.AreEqual(1, optimized["FusedGemm"], optimized.ToString());
        Assert.AreEqual(1, optimized["Gemm"], "rounded numbers go into the first layer, and float ones out of it: " + optimized);
        CollectionAssert.AreEqual(new[] { "h", "r" }, graphs.Record.RoundedNodes.ToArray());
        Assert.IsEmpty(graphs.Record.QuantizedNodes);
        Assert.HasCount(1, log.Messages.Where(m => m.Contains("'r'", StringComparison.Ordinal)).ToArray());
    }

    [TestMethod]
    public void A_profile_of_another_model_is_refused()
    {
        QuantizationProfile profile = Profiles.Make(FloatGraph.Prepare(Parse(Layer("other", "z"))), new Dictionary<string, Npy> { ["z"] = new(ElementType.Float32, [8, 5], new byte[160]) });
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Apply(Layer("y"), profile));
        StringAssert.Contains(e.Message, "It was made from another model");
        StringAssert.Contains(e.Message, "'z:0'");
    }

    [TestMethod]
    public void Encodings_give_the_parameters_of_tensors_and_weights()
    {
        QuantizationParameters x = new(0.05f, 3), r = new(0.125f, -128), w = new(0.0625f, 0);
        var encodings = new QuantizationEncodings([Encoding("x", x), Encoding("r", r)], [Encoding("w", w), new TensorEncoding("v", 32, true, [])]);
        QdqGraphs graphs = Quantize(TwoLayers(), encodings: encodings);
        Assert.AreEqual(1, graphs.Check(leastSqnr: 10)["QGemm"]);
        CollectionAssert.AreEqual(new[] { "y" }, graphs.Record.Fp32Nodes.ToArray(), "the weight 'v' stays float, and its layer with it");
        Assert.AreEqual((0.05f, 3), (graphs.Scale("x"), graphs.Record.Tensors.Single(t => t.Name == "x").Offsets.Single()));
        Assert.AreEqual(0.0625f, graphs.Scale("w"));
        Assert.IsNull(graphs.Record.Calibration);
    }

    [TestMethod]
    public void An_encoding_of_32_bits_leaves_a_tensor_float()
    {
        var encodings = new QuantizationEncodings([Encoding("x", new(0.05f, 0)), new TensorEncoding("r", 32, true, [])], []);
        CollectionAssert.AreEqual(new[] { "h", "r" }, Quantize(TwoLayers(), encodings: encodings).Record.RoundedNodes.ToArray());
    }

    [TestMethod]
    public void Encodings_that_cannot_be_used_are_refused()
    {
        StringAssert.Contains(Refused(new([new TensorEncoding("x", 16, true, [new(1, 0)])], [])), "16 bits");
        StringAssert.Contains(Refused(new([Encoding("nothing", new(1, 0))], [])), "have no activation");
        StringAssert.Contains(Refused(new([Encoding("x", new(1, 0))], [new TensorEncoding("w", 8, true, [new(1, 0), new(1, 0)])])), "2 pairs");

        static string Refused(QuantizationEncodings encodings) => Assert.ThrowsExactly<CompilationException>(() => Quantize(TwoLayers(), encodings: encodings)).Message;
    }

    [TestMethod]
    public void What_the_simulated_card_cannot_do_is_refused_with_a_remedy()
    {
        StringAssert.Contains(Refused(TwoLayers(), new QaicOptions { ExecuteNodesInFp16 = ["Gemm"], KeepOriginalPrecisionForNodes = ["Relu", "Gemm"] }), "one of the two");
        StringAssert.Contains(Refused(TwoLayers(), new QaicOptions { QuantizationPrecision = QuantizationPrecision.Int16 }), "8 bits only");
        ModelProto old = TwoLayers();
        old.OpsetImport[0].Version = 12;
        StringAssert.Contains(Refused(old, new QaicOptions { EnableRowwise = true }), "opset 12");
        Assert.AreEqual(2, Quantize(old, new QaicOptions()).Check()["QGemm"], "per tensor it can be done");
        ModelProto older = Model([Node("MatMul", ["x", "w"], ["y"])], [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3)], Weights("w", 5, 3));
        older.OpsetImport[0].Version = 9;
        StringAssert.Contains(Refused(older, new QaicOptions()), "Convert it");
        StringAssert.Contains(Assert.ThrowsExactly<CompilationException>(() => QdqRewriter.Apply(
            Profiles.Prepare("digits_cnn_qdq", 2), new QuantizationProfile("2026-11-24", 1, []), null, NodePrecision.None, QaicOptions.Default, NullLogger.Instance)).Message, "quantized already");

        static string Refused(ModelProto model, QaicOptions options) => Assert.ThrowsExactly<CompilationException>(() => Quantize(model, options)).Message;
    }

    [TestMethod]
    public void The_record_tells_options_and_parameters()
    {
        PrecisionRecord record = Quantize(
            TwoLayers(), new QaicOptions { EnableRowwise = true, QuantizationCalibration = QuantizationCalibration.Percentile, PercentileCalibrationValue = 99.9m, QuantizationPrecisionBias = BiasPrecision.Int32 }).Record;
        Assert.AreEqual(("symmetric_with_uint8", "symmetric_with_uint8", "Percentile", 99.9, "Int32"), (record.Schema, record.SchemaConstants, record.Calibration, record.Percentile, record.BiasPrecision));
        Assert.IsTrue(record.IsRowwise && !record.IsChannelwise && record.ProfileHash!.StartsWith("0x", StringComparison.Ordinal));
        Assert.AreEqual("x r w c v", string.Join(' ', record.Tensors.Select(t => t.Name)));
        QuantizedTensor x = record.Tensors[0], w = record.Tensors[2], c = record.Tensors[3];
        Assert.AreEqual(("x:0", "activation", "weight", "bias"), (x.ProfileName, x.Kind, w.Kind, c.Kind));
        Assert.IsNull(w.ProfileName);
        CollectionAssert.AreEqual(w.Scales.Select(s => s * x.Scales[0]).ToArray(), c.Scales.ToArray());
        Assert.IsTrue(x.Minimum < -1 && x.Maximum > 1);
    }

    [TestMethod]
    public void A_bias_stays_float_when_asked()
    {
        QdqGraphs graphs = Quantize(TwoLayers(), precision: new NodePrecision([], [], EnableFp32Bias: true));
        _ = graphs.Check();
        Assert.IsFalse(graphs.Record.Tensors.Any(t => t.Kind == "bias"));
        Assert.HasCount(1, graphs.Graph.Model.Graph.Initializer.Where(t => t.Name == "c"));
    }

    [TestMethod]
    public void One_source_of_ranges_is_needed()
    {
        Assert.ThrowsExactly<ArgumentException>(() => Apply(TwoLayers(), null));
        Assert.ThrowsExactly<ArgumentException>(() => Quantize(TwoLayers(), new QaicOptions { QuantizationCalibration = QuantizationCalibration.Auto }));
    }

    private static PrecisionRecord Apply(ModelProto model, QuantizationProfile? profile) =>
        QdqRewriter.Apply(FloatGraph.Prepare(Parse(model)), profile, null, NodePrecision.None, QaicOptions.Default, NullLogger.Instance);

    private static TensorEncoding Encoding(string tensor, QuantizationParameters parameters) => new(tensor, 8, parameters.Offset == 0, [parameters]);

    private static ModelProto TwoLayers() => Model(
        [Node("Gemm", ["x", "w", "c"], ["h"]), Node("Relu", ["h"], ["r"]), Node("Gemm", ["r", "v"], ["y"])],
        [Value("x", Float, 8, 5)], [Value("y", Float, 8, 3)], Weights("w", 5, 7), Weights("c", 7), Weights("v", 7, 3));

    private static ModelProto Layer(string result, string input = "x") =>
        Model([Node("Gemm", [input, "w"], [result])], [Value(input, Float, 8, 5)], [Value(result, Float, 8, 3)], Weights("w", 5, 3));
}
