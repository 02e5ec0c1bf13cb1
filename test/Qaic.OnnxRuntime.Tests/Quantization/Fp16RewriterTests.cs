using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Small models in FP16, with numbers that show what was rounded and what was not.</summary>
[TestClass]
public sealed class Fp16RewriterTests
{
    private const int Float16 = 10;

    // No number of FP16, whose neighbours are 2^-10 apart here.
    private const float Third = 1.3333334f;

    private static readonly QaicOptions s_fp16 = QaicOptions.Default with { ConvertToFp16 = true };
    private static readonly QaicOptions s_every = s_fp16 with { SimulateFp16Activations = true };

    [TestMethod]
    public void Inputs_weights_and_outputs_are_rounded_to_nearest()
    {
        OnnxModel model = Linear([Third, 2, 4, 8]);
        PrecisionRecord record = Apply(model, s_fp16);
        float product = Half(Half(Third) * Half(1.1f));
        CollectionAssert.AreEqual(new[] { product, 2 * Half(1.1f) }, Run(model, 1.1f, 0));
        CollectionAssert.AreEqual(new[] { "y" }, record.Fp16Nodes.ToArray());
        Assert.AreEqual("FP16", record.Precision);
    }

    [TestMethod]
    public void Sums_that_overflow_are_seen_only_where_every_activation_is_rounded()
    {
        // 60000 + 60000 - 60000: fits in the end, not in between.
        OnnxModel Model() => Parse(Graphs.Model(
            [Graphs.Node("Add", ["x", "x"], ["sum"]), Graphs.Node("Sub", ["sum", "x"], ["y"])], [Graphs.Value("x", Graphs.Float, 1)], [Graphs.Value("y", Graphs.Float, 1)]));
        OnnxModel borders = Model();
        Apply(borders, s_fp16);
        CollectionAssert.AreEqual(new[] { 60000f }, Run(borders, 60000));

        OnnxModel every = Model();
        Apply(every, s_every);
        CollectionAssert.AreEqual(new[] { float.PositiveInfinity }, Run(every, 60000));
        CollectionAssert.AreEqual(new[] { 30000f }, Run(every, 30000));
    }

    [TestMethod]
    public void An_input_beyond_65504_becomes_infinite()
    {
        OnnxModel model = Parse(Graphs.Unary("Neg", Graphs.Value("x", Graphs.Float, 2), Graphs.Value("y", Graphs.Float, 2)));
        Apply(model, s_fp16);
        CollectionAssert.AreEqual(new[] { float.NegativeInfinity, -65504f }, Run(model, 70000, 65519));
    }

    [TestMethod]
    public void Constants_that_fp16_cannot_hold_are_reported_in_the_vendors_words()
    {
        var log = new MessageList();
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("MatMul", ["x", "w"], ["p"]), Graphs.Node("Add", ["p", "mask"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 1, 2)],
            [Graphs.Value("y", Graphs.Float, 1, 2)],
            Graphs.Weights("w", [2, 2], [1e-8f, 0, 65519, 5.97e-8f]),
            Graphs.Weights("mask", [1], [-3.4e38f])));
        Fp16Rewriter.Apply(model, s_fp16, log);
        string[] warnings = [.. log.Messages.Where(m => m.StartsWith("Warning", StringComparison.Ordinal))];
        Assert.HasCount(2, warnings);
        StringAssert.StartsWith(warnings[0], "Warning w contains value or values that will underflow after conversion to 16-bit floating point values.");
        StringAssert.Contains(warnings[0], "1 of 4");
        StringAssert.StartsWith(warnings[1], "Warning mask contains value or values that will overflow after conversion to 16-bit floating point values.");
        StringAssert.Contains(warnings[1], "65504");
    }

    [TestMethod]
    public void Weights_that_overflow_become_infinite()
    {
        OnnxModel model = Linear([1e6f, -1e6f, 1, 1]);
        Apply(model, s_fp16);
        CollectionAssert.AreEqual(new[] { float.PositiveInfinity, float.NegativeInfinity }, Run(model, 1, 1));
    }

    [TestMethod]
    public void Constants_in_range_give_no_warning()
    {
        var log = new MessageList();
        Fp16Rewriter.Apply(Linear([6.0e-8f, 65504, 0, float.PositiveInfinity]), s_fp16, log);
        Assert.IsFalse(log.Messages.Any(m => m.StartsWith("Warning", StringComparison.Ordinal)), string.Join("\n", log.Messages));
    }

    [TestMethod]
    public void A_single_number_in_a_formula_stays_and_gelu_is_still_recognised()
    {
        OnnxModel Gelu() => Parse(Graphs.Model(
            [
                Graphs.Node("Add", ["x", "bias"], ["a"]), Graphs.Node("Div", ["a", "root"], ["d"]), Graphs.Node("Erf", ["d"], ["e"]), Graphs.Node("Add", ["e", "one"], ["f"]),
                Graphs.Node("Mul", ["a", "f"], ["g"]), Graphs.Node("Mul", ["g", "half"], ["y"]),
            ],
            [Graphs.Value("x", Graphs.Float, 1, 4)],
            [Graphs.Value("y", Graphs.Float, 1, 4)],
            Graphs.Weights("bias", [4], [Third, Third, Third, Third]),
            Graphs.Weights("root", [], [1.4142135f]),
            Graphs.Weights("one", [1], [1]),
            Graphs.Weights("half", [], [0.5f])));
        OnnxModel model = Gelu();
        OptimizedGraph before = OptimizedGraph.Of(model);
        Assert.AreEqual(1, before["BiasGelu"] + before["Gelu"], before.ToString());
        Apply(model, s_fp16);
        OptimizedGraph after = OptimizedGraph.Of(model);
        Assert.AreEqual(before["BiasGelu"], after["BiasGelu"], after.ToString());
        Assert.AreEqual(1, model.Graph.Initializer.Single(t => t.Name == "root").DataType);
    }

    [TestMethod]
    public void The_single_bias_of_a_layer_is_rounded()
    {
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("Gemm", ["x", "w", "b"], ["y"])], [Graphs.Value("x", Graphs.Float, 1, 1)], [Graphs.Value("y", Graphs.Float, 1, 1)],
            Graphs.Weights("w", [1, 1], [1000 * Third]), Graphs.Weights("b", [1], [-1000 * Third])));
        Apply(model, s_fp16);
        CollectionAssert.AreEqual(new[] { 0f }, Run(model, 1));
        Assert.IsTrue(model.Graph.Initializer.All(t => t.DataType == Float16));
    }

    [TestMethod]
    public void Biases_stay_where_the_node_precision_file_says_so()
    {
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("Gemm", ["x", "w", "b"], ["y"])], [Graphs.Value("x", Graphs.Float, 1, 1)], [Graphs.Value("y", Graphs.Float, 1, 1)],
            Graphs.Weights("w", [1, 1], [2]), Graphs.Weights("b", [1], [Third])));
        Fp16Rewriter.Apply(model, s_fp16, new NodePrecision([], [], EnableFp32Bias: true), NullLogger.Instance);
        Assert.AreEqual(1, model.Graph.Initializer.Single(t => t.Name == "b").DataType);
        Assert.AreEqual(Float16, model.Graph.Initializer.Single(t => t.Name != "b").DataType);
    }

    [TestMethod]
    public void Sizes_bounds_and_integers_stay()
    {
        // The scales 1, 1.1 of Resize decide its output's shape: 10 * 1.1 is 11, 10 * 1.0996 is 10.
        ModelProto proto = Graphs.Model(
            [
                Graphs.Node("Resize", ["x", "", "scales"], ["r"]), Graphs.Node("Clip", ["r", "", "bound"], ["y"]),
                Graphs.Node("Gather", ["table", "index"], ["z"]),
            ],
            [Graphs.Value("x", Graphs.Float, 1, 10), Graphs.Value("index", Graphs.Int64, 1)],
            [Graphs.Value("y", Graphs.Float, 1, 11), Graphs.Value("z", Graphs.Int64, 1)],
            Graphs.Weights("scales", [2], [1, 1.1001f]),
            Graphs.Weights("bound", [], [Third]),
            Graphs.Int64s("table", 100000, 3));
        OnnxModel model = Parse(proto);
        PrecisionRecord record = Apply(model, s_every);
        CollectionAssert.AreEqual(new[] { 1, 1, 7 }, model.Graph.Initializer.Select(t => t.DataType).ToArray());
        CollectionAssert.AreEqual(new[] { "r", "y" }, record.Fp16Nodes.ToArray(), "a node of integers has no such precision");
        using var session = new OrtSession(model.ToBytes(), [], 0, NullLogger.Instance, CancellationToken.None);
        CollectionAssert.AreEqual(new[] { 1, 11 }, session.Outputs[0].Shape);
    }

    [TestMethod]
    public void Nodes_that_keep_their_precision_read_and_give_numbers_in_full()
    {
        OnnxModel Model() => Parse(Graphs.Model(
            [Graphs.Node("Mul", ["x", "w"], ["full"]), Graphs.Node("Sub", ["x", "w"], ["half"])],
            [Graphs.Value("x", Graphs.Float, 2)], [Graphs.Value("full", Graphs.Float, 2), Graphs.Value("half", Graphs.Float, 2)], Graphs.Weights("w", [2], [Third, 3])));
        foreach (bool byName in new[] { false, true })
        {
            foreach (QaicOptions options in new[] { s_fp16, s_every })
            {
                OnnxModel model = Model();
                PrecisionRecord record = byName
                    ? Fp16Rewriter.Apply(model, options, new NodePrecision([], ["full"]), NullLogger.Instance)
                    : Apply(model, options with { KeepOriginalPrecisionForNodes = ["Mul"] });
                CollectionAssert.AreEqual(new[] { "full" }, record.Fp32Nodes.ToArray());
                CollectionAssert.AreEqual(new[] { "half" }, record.Fp16Nodes.ToArray());
                Dictionary<string, Npy> outputs = Outputs(model, [1.1f, 5]);
                CollectionAssert.AreEqual(new[] { 1.1f * Third, 15 }, outputs["full"].ToSingles());
                CollectionAssert.AreEqual(new[] { Half(Half(1.1f) - Half(Third)), 2 }, outputs["half"].ToSingles());
            }
        }
    }

    [TestMethod]
    public void A_node_named_for_fp16_is_so_although_its_operator_keeps_its_precision()
    {
        OnnxModel model = Linear([Third, 2, 4, 8]);
        PrecisionRecord record = Fp16Rewriter.Apply(model, s_fp16 with { KeepOriginalPrecisionForNodes = ["MatMul"] }, new NodePrecision(["y"], []), NullLogger.Instance);
        Assert.IsEmpty(record.Fp32Nodes);
        Assert.AreEqual(Half(Third), Run(model, 1, 0)[0]);
    }

    [TestMethod]
    public void An_unknown_node_is_an_error_that_names_the_nearest()
    {
        var error = Assert.ThrowsExactly<CompilationException>(() => Fp16Rewriter.Apply(
            OnnxModel.Load(Repository.Model("digits_mlp")), s_fp16, new NodePrecision([], ["logit"]), NullLogger.Instance));
        StringAssert.Contains(error.Message, "'logit'");
        StringAssert.Contains(error.Message, "did you mean 'logits'?");
    }

    [TestMethod]
    public void Choices_that_contradict_each_other_are_errors()
    {
        StringAssert.Contains(
            Assert.ThrowsExactly<CompilationException>(() => Apply(Linear([1, 1, 1, 1]), s_fp16 with { ExecuteNodesInFp16 = ["MatMul"], KeepOriginalPrecisionForNodes = ["MatMul"] })).Message,
            "keep_original_precision_for_nodes");
        StringAssert.Contains(
            Assert.ThrowsExactly<CompilationException>(() => Fp16Rewriter.Apply(Linear([1, 1, 1, 1]), s_fp16, new NodePrecision(["y"], ["y"]), NullLogger.Instance)).Message, "'y'");
    }

    [TestMethod]
    public void Constant_nodes_become_stored_halves_and_shared_ones_serve_both_sides()
    {
        var values = new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = Graphs.Weights("", [2], [Third, 3]) };
        var list = new AttributeProto { Name = "value_floats", Type = AttributeProto.Types.AttributeType.Floats, Floats = { Third, 1 } };
        OnnxModel model = Parse(Graphs.Model(
            [
                Graphs.Node("Constant", [], ["c"], values), Graphs.Node("Constant", [], ["d"], list), Graphs.Node("Mul", ["x", "c"], ["full"]),
                Graphs.Node("Add", ["x", "c"], ["sum"]), Graphs.Node("Add", ["sum", "d"], ["half"]),
            ],
            [Graphs.Value("x", Graphs.Float, 2)],
            [Graphs.Value("full", Graphs.Float, 2), Graphs.Value("half", Graphs.Float, 2), Graphs.Value("c", Graphs.Float, 2)]));
        Apply(model, s_fp16 with { KeepOriginalPrecisionForNodes = ["Mul"] });
        Assert.AreEqual(2, model.Graph.Initializer.Count(t => t.DataType == Float16));
        Dictionary<string, Npy> outputs = Outputs(model, [1, 0]);
        CollectionAssert.AreEqual(new[] { Third, 0 }, outputs["full"].ToSingles());
        CollectionAssert.AreEqual(new[] { Half(1 + (2 * Half(Third))), 4 }, outputs["half"].ToSingles());
    }

    [TestMethod]
    public void A_weight_that_is_an_output_and_an_input_that_is_one_stay_valid()
    {
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("MatMul", ["x", "w"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 1, 2)],
            [Graphs.Value("y", Graphs.Float, 1, 2), Graphs.Value("w", Graphs.Float, 2, 2), Graphs.Value("x", Graphs.Float, 1, 2)],
            Graphs.Weights("w", [2, 2], [Third, 0, 0, 1])));
        Apply(model, s_every);
        using var session = new OrtSession(model.ToBytes(), [], 0, NullLogger.Instance, CancellationToken.None);
        Dictionary<string, Npy> outputs = Runs.Once(session, new Dictionary<string, Npy> { ["x"] = Array([1, 2], [1, 2]) });
        Assert.AreEqual(Half(Third), outputs["w"].ToSingles()[0]);
        CollectionAssert.AreEqual(new[] { Half(Third), 2 }, outputs["y"].ToSingles());
    }

    [TestMethod]
    [DataRow(3)]
    [DataRow(8)]
    public void Initializers_that_are_inputs_as_well_are_no_inputs_of_the_result(int version)
    {
        ModelProto proto = Graphs.Model(
            [Graphs.Node("MatMul", ["x", "w"], ["y"])], [Graphs.Value("x", Graphs.Float, 1, 2), Graphs.Value("w", Graphs.Float, 2, 2)], [Graphs.Value("y", Graphs.Float, 1, 2)],
            Graphs.Weights("w", [2, 2], [Third, 0, 0, 1]));
        proto.IrVersion = version;
        OnnxModel model = Parse(proto);
        Apply(model, s_fp16);
        CollectionAssert.AreEqual(new[] { Half(Third), 2 }, Run(model, 1, 2));
        Assert.AreEqual(1, OptimizedGraph.Of(model).Model.Graph.Node.Count(n => n.OpType is "MatMul" or "Gemm"));
        Assert.AreEqual(4, OptimizedGraph.Of(model)["Cast"], "the cast of the weight is folded");
    }

    [TestMethod]
    public void Weights_in_other_files_are_converted()
    {
        string folder = Directory.CreateTempSubdirectory("qaic-fp16-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "w.bin"), MemoryMarshal.AsBytes<float>([0, Third, 0, 0, 1]).ToArray());
            ModelProto proto = Linear([0, 0, 0, 0]).Proto;
            proto.Graph.Initializer[0] = Graphs.External("w", [2, 2], "w.bin", offset: 4);
            var model = OnnxModel.Load(Graphs.Save(proto, folder));
            using (model.ExternalData)
            {
                Apply(model, s_fp16);
                CollectionAssert.AreEqual(new[] { Half(Third), 2 }, Run(model, 1, 2));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestMethod]
    public void Damaged_weights_are_named()
    {
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("MatMul", ["x", "w"], ["y"])], [Graphs.Value("x", Graphs.Float, 1, 8)], [Graphs.Value("y", Graphs.Float, 1, 8)], Graphs.Weights("w", [8, 8], new float[63])));
        StringAssert.Contains(Assert.ThrowsExactly<CompilationException>(() => Apply(model, s_fp16)).Message, "'w'");
    }

    [TestMethod]
    public void A_model_without_standard_operators_gets_those_that_round()
    {
        ModelProto proto = Graphs.Unary("Gelu", Graphs.Value("x", Graphs.Float, 1), Graphs.Value("y", Graphs.Float, 1));
        proto.Graph.Node[0].Domain = proto.OpsetImport[0].Domain = "com.microsoft";
        proto.OpsetImport[0].Version = 1;
        OnnxModel model = Parse(proto);
        Apply(model, s_fp16);
        float y = Run(model, Third)[0];
        Assert.AreEqual(Half(y), y);
        Assert.AreEqual(1.2125f, y, 2e-3f);
    }

    [TestMethod]
    public void Operators_too_old_to_round_are_refused_with_the_remedy()
    {
        ModelProto proto = Linear([1, 2, 3, 4]).Proto;
        proto.OpsetImport[0].Version = 5;
        StringAssert.Contains(Assert.ThrowsExactly<CompilationException>(() => Apply(Parse(proto), s_fp16)).Message, "version 5");
    }

    [TestMethod]
    public void Branches_have_rounded_weights_and_read_rounded_values_from_outside()
    {
        GraphProto Branch(string op) => new()
        {
            Name = op,
            Node = { Graphs.Node(op, ["x", op + "_w"], [op + "_t"]), Graphs.Node("Add", [op + "_t", "shared"], [op + "_y"]) },
            Output = { Graphs.Value(op + "_y", Graphs.Float, 2) },
            Initializer = { Graphs.Weights(op + "_w", [2], [Third, 3]) },
        };
        var log = new MessageList();
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("If", ["c"], ["y"], Attribute("then_branch", Branch("Mul")), Attribute("else_branch", Branch("Sub")))],
            [Graphs.Value("x", Graphs.Float, 2), Graphs.Value("c", Graphs.Bool)],
            [Graphs.Value("y", Graphs.Float, 2)],
            Graphs.Weights("shared", [2], [Third, 0])));
        Fp16Rewriter.Apply(model, s_fp16, log);
        Assert.IsTrue(log.Messages.Any(m => m.StartsWith("Information 2 weights inside subgraphs", StringComparison.Ordinal)), string.Join("\n", log.Messages));
        using var session = new OrtSession(model.ToBytes(), [], 0, NullLogger.Instance, CancellationToken.None);
        float[] y = Runs.Once(session, new Dictionary<string, Npy> { ["x"] = Array([2], [1.1f, 5]), ["c"] = new Npy(ElementType.UInt8, [], [1]) })["y"].ToSingles();
        CollectionAssert.AreEqual(new[] { Half((Half(1.1f) * Half(Third)) + Half(Third)), 15 }, y);

        static AttributeProto Attribute(string name, GraphProto graph) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Graph, G = graph };
    }

    [TestMethod]
    public void Rounding_waits_for_the_activation_function_so_that_the_two_stay_one_kernel()
    {
        OnnxModel model = OnnxModel.Load(Repository.Model("digits_cnn_b8"));
        OptimizedGraph before = OptimizedGraph.Of(model);
        Apply(model, s_every);
        OptimizedGraph after = OptimizedGraph.Of(model);
        Assert.AreEqual(before["Relu"], after["Relu"], $"{before} became {after}");

        // Input, two convolutions with Relu, the last layer; pooling and flattening round nothing.
        Assert.AreEqual(2 * 4, after["Cast"], after.ToString());
    }

    [TestMethod]
    public void A_clip_whose_bounds_are_no_halves_comes_after_the_rounding()
    {
        OnnxModel Model(float bound) => Parse(Graphs.Model(
            [Graphs.Node("Exp", ["x"], ["e"]), Graphs.Node("Clip", ["e", "", "bound"], ["c"]), Graphs.Node("Neg", ["c"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 1)], [Graphs.Value("y", Graphs.Float, 1)], Graphs.Weights("bound", [], [bound])));
        foreach ((float bound, int casts) in new[] { (6f, 2), (Third, 3) })
        {
            OnnxModel model = Model(bound);
            Apply(model, s_every);
            Assert.AreEqual(2 * casts, model.Graph.Node.Count(n => n.OpType == "Cast"));
            Assert.AreEqual(-Half(bound), Run(model, 8)[0]);
        }
    }

    [TestMethod]
    public void Chosen_nodes_of_a_network_are_rounded_and_the_others_are_not()
    {
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("Mul", ["x", "w"], ["a"]), Graphs.Node("Add", ["a", "w"], ["b"]), Graphs.Node("Mul", ["b", "w"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 2)], [Graphs.Value("y", Graphs.Float, 2), Graphs.Value("b", Graphs.Float, 2)], Graphs.Weights("w", [2], [Third, 3])));
        Fp16Rewriter.Round(model, [model.Graph.Node[1]], keepsBiases: false, NullLogger.Instance);
        float sum = Half(Half(1.1f * Third) + Half(Third));
        Dictionary<string, Npy> outputs = Outputs(model, [1.1f, 5]);
        CollectionAssert.AreEqual(new[] { sum, 18 }, outputs["b"].ToSingles());
        CollectionAssert.AreEqual(new[] { sum * Third, 54 }, outputs["y"].ToSingles());
    }

    [TestMethod]
    public void No_nodes_leave_the_model_as_it_is()
    {
        OnnxModel model = Linear([Third, 2, 4, 8]);
        byte[] before = model.ToBytes();
        Fp16Rewriter.Round(model, [], keepsBiases: false, NullLogger.Instance);
        CollectionAssert.AreEqual(before, model.ToBytes());
    }

    [TestMethod]
    public void Names_that_are_taken_are_not_taken_twice()
    {
        OnnxModel model = Parse(Graphs.Model(
            [Graphs.Node("Neg", ["x"], ["x__fp16"]), Graphs.Node("Mul", ["x__fp16", "w"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 2)], [Graphs.Value("y", Graphs.Float, 2)], Graphs.Weights("w", [2], [Third, 3]), Graphs.Weights("w__fp16", [2], [0, 0])));
        model.Graph.Node[0].Name = "x__rounded__cast";
        Apply(model, s_every);
        CollectionAssert.AreEqual(new[] { Half(-Half(1.1f) * Half(Third)), -6 }, Run(model, 1.1f, 2));
    }

    [TestMethod]
    public void Doubles_stay_doubles()
    {
        OnnxModel model = Parse(Graphs.Model(
            [
                Graphs.Node("Cast", ["x"], ["d"], new AttributeProto { Name = "to", Type = AttributeProto.Types.AttributeType.Int, I = Graphs.Double }), Graphs.Node("Mul", ["d", "w"], ["y"]),
            ],
            [Graphs.Value("x", Graphs.Float, 2)],
            [Graphs.Value("y", Graphs.Double, 2)],
            new TensorProto { Name = "w", DataType = Graphs.Double, Dims = { 2 }, DoubleData = { 4d / 3, 1 } }));
        PrecisionRecord record = Apply(model, s_every);
        CollectionAssert.AreEqual(new[] { "d" }, record.Fp16Nodes.ToArray());
        Assert.AreEqual(Graphs.Double, model.Graph.Initializer[0].DataType);
    }

    private static float Half(float value) => (float)(System.Half)value;

    // y = x W, of two rows and columns.
    private static OnnxModel Linear(float[] weights) => Parse(Graphs.Model(
        [Graphs.Node("MatMul", ["x", "w"], ["y"])], [Graphs.Value("x", Graphs.Float, 1, 2)], [Graphs.Value("y", Graphs.Float, 1, 2)], Graphs.Weights("w", [2, 2], weights)));

    private static OnnxModel Parse(ModelProto proto) => OnnxModel.Parse(proto.ToByteArray(), "test.onnx");

    private static PrecisionRecord Apply(OnnxModel model, QaicOptions options) => Fp16Rewriter.Apply(model, options, NullLogger.Instance);

    private static Npy Array(int[] shape, float[] values) => new(ElementType.Float32, shape, MemoryMarshal.AsBytes<float>(values).ToArray());

    private static float[] Run(OnnxModel model, params float[] x) => Outputs(model, x)["y"].ToSingles();

    private static Dictionary<string, Npy> Outputs(OnnxModel model, float[] x)
    {
        OnnxModel copy = model.Clone();
        using var weights = WeightSegment.Extract(copy);
        using var session = new OrtSession(copy.ToBytes(), weights.InMemory(), 0, NullLogger.Instance, CancellationToken.None);
        return Runs.Once(session, new Dictionary<string, Npy> { ["x"] = Array(session.Inputs[0].Shape, x) });
    }
}
