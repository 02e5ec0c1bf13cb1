using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class FloatGraphTests
{
    public static IEnumerable<object[]> Models => ModelManifest.Models.Select(m => new object[] { m.Name });

    [TestMethod, DynamicData(nameof(Models))]
    public void A_prepared_model_computes_what_it_did_before(string name)
    {
        TestModel model = ModelManifest.Get(name);
        int rows = Math.Min(64, model.RowCount);
        FloatGraph graph = Profiles.Prepare(name, rows);
        Assert.IsFalse(graph.Model.Graph.Node.Any(n => n.OpType is "BatchNormalization" or "Constant" or "Identity"), "nothing is left that computes nothing");
        using OrtSession before = Profiles.Session(Profiles.Fixed(OnnxModel.Load(model.Path), rows)), after = Profiles.Session(graph.Model);
        (Dictionary<string, Npy> expected, Dictionary<string, Npy> actual) = (First(before, model), First(after, model));
        foreach (string output in model.Outputs)
        {
            float worst = expected[output].ToSingles().Zip(actual[output].ToSingles(), (a, b) => Math.Abs(a - b)).Max();
            Assert.IsTrue(worst <= 1e-4f, $"{output} differs by {worst}");
        }
    }

    [TestMethod]
    public void Normalisation_is_folded_and_activation_functions_belong_to_their_layers()
    {
        FloatGraph graph = Profiles.Prepare("digits_cnn", 4);
        Assert.AreEqual("Conv Relu Conv Relu MaxPool Flatten Gemm", string.Join(' ', graph.Model.Graph.Node.Select(n => n.OpType)));
        string[] inner = [.. graph.Model.Graph.Node.Where(n => n.OpType == "Conv").Select(n => n.Output[0])];
        CollectionAssert.AreEquivalent(inner, graph.Fused.Keys.ToArray());
        Assert.IsFalse(graph.Activations.Any(a => inner.Contains(a.Tensor)), "what is between a layer and its activation function is not observed");
        Assert.AreEqual("image", graph.Activations[0].Tensor);
        Assert.HasCount(6, graph.Activations);
    }

    [TestMethod]
    public void Only_float_tensors_are_activations()
    {
        FloatGraph graph = Profiles.Prepare("langid_s32", 2);
        Assert.IsFalse(graph.Activations.Any(a => a.Tensor is "input_ids" or "attention_mask"));
        Assert.IsTrue(graph.Activations.All(a => graph.Tensors[a.Tensor].IsFloat));
        CollectionAssert.AreEqual(new[] { 2, 4, 32, 32 }, graph.Tensors["/layers.0/att/Softmax_output_0"].Shape);
        Assert.IsEmpty(Profiles.Prepare("digits_cnn_fp16", 2).Activations, "half is not float");
    }

    [TestMethod]
    public void Names_follow_the_vendors_rules()
    {
        NodeProto first = Graphs.Node("Neg", ["883"], ["y/1"]), second = Graphs.Node("Neg", ["y/1"], ["z"]), third = Graphs.Node("Split", ["z"], ["a", "b"]);
        (second.Name, third.Name) = ("y.1", "cut");
        FloatGraph graph = Prepare(Graphs.Model([first, second, third], [Graphs.Value("883", 1, 2)], [Graphs.Value("a", 1, 1), Graphs.Value("b", 1, 1)]));
        Assert.AreEqual("A883:0 y_1:0 y_1__1:0 cut:0 cut:1", string.Join(' ', graph.Activations.Select(a => a.ProfileName)));
    }

    [TestMethod]
    public void The_hash_is_of_this_network_at_this_batch_size_with_these_weights()
    {
        ulong hash = Profiles.Prepare("wine_mlp", 4).Hash;
        Assert.AreEqual(hash, Profiles.Prepare("wine_mlp", 4).Hash);
        Assert.AreNotEqual(hash, Profiles.Prepare("wine_mlp", 5).Hash);
        OnnxModel changed = OnnxModel.Load(Repository.Model("wine_mlp"));
        TensorProto weight = changed.Graph.Initializer.First(t => t.HasRawData && t.DataType == 1);
        byte[] bytes = weight.RawData.ToByteArray();
        bytes[0] ^= 1;
        weight.RawData = Google.Protobuf.ByteString.CopyFrom(bytes);
        Assert.AreNotEqual(hash, FloatGraph.Prepare(Profiles.Fixed(changed, 4)).Hash);
    }

    [TestMethod, DataRow(0, false), DataRow(1, false), DataRow(0, true)]
    public void Normalisation_behind_a_fully_connected_layer_is_folded(int transB, bool withoutBias)
    {
        var gemm = Graphs.Node("Gemm", withoutBias ? ["x", "w"] : ["x", "w", "c"], ["g"], NodeAttributes.Int("transB", transB), NodeAttributes.Float("alpha", 0.5f), NodeAttributes.Float("beta", 2));
        ModelProto model = Graphs.Model(
            [gemm, Norm("g", "y")], [Graphs.Value("x", 1, 2, 3)], [Graphs.Value("y", 1, 2, 2)],
            [Graphs.Weights("w", transB != 0 ? [2, 3] : [3, 2], [1, -2, 3, 4, 5, -6]), Graphs.Weights("c", [2], [0.5f, -1]), .. NormParameters(2)]);
        AssertSame(model, new() { ["x"] = [1, 2, -3, 0.5f, 0, 4] }, expectedNodes: "Gemm");
    }

    [TestMethod, DataRow(1), DataRow(2)]
    public void Normalisation_behind_a_transposed_convolution_is_folded(int groups)
    {
        var conv = Graphs.Node("ConvTranspose", ["x", "w"], ["g"], NodeAttributes.Int("group", groups));
        int channels = 2 * groups;
        ModelProto model = Graphs.Model(
            [conv, Norm("g", "y")], [Graphs.Value("x", 1, 1, 2, 1, 1)], [Graphs.Value("y", 1, 1, channels, 2, 1)],
            [Graphs.Weights("w", [2, 2, 2, 1], [1, -2, 3, 4, 5, -6, 7, 8]), .. NormParameters(channels)]);
        AssertSame(model, new() { ["x"] = [1, -3] }, expectedNodes: "ConvTranspose");
    }

    [TestMethod]
    public void Shared_weights_are_folded_for_one_layer_only()
    {
        ModelProto model = Graphs.Model(
            [Graphs.Node("Gemm", ["x", "w"], ["g"]), Norm("g", "y"), Graphs.Node("Gemm", ["x", "w"], ["z"])],
            [Graphs.Value("x", 1, 1, 2)], [Graphs.Value("y", 1, 1, 2), Graphs.Value("z", 1, 1, 2)], [Graphs.Weights("w", [2, 2], [1, 2, 3, 4]), .. NormParameters(2)]);
        AssertSame(model, new() { ["x"] = [1, -3] }, expectedNodes: "Gemm Gemm");
    }

    [TestMethod]
    public void A_layer_that_others_read_too_keeps_its_normalisation()
    {
        ModelProto model = Graphs.Model(
            [Graphs.Node("Gemm", ["x", "w"], ["g"]), Norm("g", "y"), Graphs.Node("Neg", ["g"], ["z"])],
            [Graphs.Value("x", 1, 1, 2)], [Graphs.Value("y", 1, 1, 2), Graphs.Value("z", 1, 1, 2)], [Graphs.Weights("w", [2, 2], [1, 2, 3, 4]), .. NormParameters(2)]);
        AssertSame(model, new() { ["x"] = [1, -3] }, expectedNodes: "Gemm BatchNormalization Neg");
    }

    [TestMethod]
    public void Identity_goes_wherever_it_is_and_outputs_keep_their_names()
    {
        ModelProto model = Graphs.Model(
            [
                Graphs.Node("Identity", ["x"], ["a"]), Graphs.Node("Neg", ["a"], ["b"]), Graphs.Node("Identity", ["b"], ["y"]), Graphs.Node("Dropout", ["b"], ["d"]),
                Graphs.Node("Abs", ["d"], ["z"]), Graphs.Node("Identity", ["x"], ["same"]),
            ],
            [Graphs.Value("x", 1, 2)], [Graphs.Value("y", 1, 2), Graphs.Value("z", 1, 2), Graphs.Value("same", 1, 2)]);
        AssertSame(model, new() { ["x"] = [1, -3] }, expectedNodes: "Neg Abs Identity");
    }

    [TestMethod]
    public void What_branches_read_follows_the_tensors_new_name()
    {
        var then = new GraphProto { Name = "then", Node = { Graphs.Node("Neg", ["a"], ["t"]) }, Output = { Graphs.Value("t", 1, 2) } };
        var other = new GraphProto { Name = "else", Node = { Graphs.Node("Identity", ["a"], ["e"]) }, Output = { Graphs.Value("e", 1, 2) } };
        NodeProto branch = Graphs.Node(
            "If", ["c"], ["y"], new AttributeProto { Name = "then_branch", G = then, Type = AttributeProto.Types.AttributeType.Graph }, new AttributeProto { Name = "else_branch", G = other, Type = AttributeProto.Types.AttributeType.Graph });
        ModelProto model = Graphs.Model(
            [Graphs.Node("Identity", ["x"], ["a"]), Graphs.Node("ReduceSum", ["x"], ["s"], NodeAttributes.Int("keepdims", 0)), Graphs.Node("Greater", ["s", "zero"], ["c"]), branch],
            [Graphs.Value("x", 1, 2)], [Graphs.Value("y", 1, 2)], Graphs.Weights("zero", [], [0]));
        AssertSame(model, new() { ["x"] = [1, -3] }, expectedNodes: "ReduceSum Greater If");
        AssertSame(model, new() { ["x"] = [1, 3] }, expectedNodes: "ReduceSum Greater If");
    }

    [TestMethod]
    public void Values_are_found_raw_typed_and_in_another_file()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory();
        try
        {
            float[] values = [.. Enumerable.Range(0, 64).Select(i => i / 8f)];
            File.WriteAllBytes(Path.Combine(directory.FullName, "w.bin"), System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray());
            var typed = new TensorProto { Name = "b", DataType = 1, Dims = { 64 }, FloatData = { values } };
            var half = new TensorProto { Name = "d", DataType = 10, Dims = { 2 }, Int32Data = { BitConverter.HalfToUInt16Bits((Half)1.5), BitConverter.HalfToUInt16Bits((Half)(-2)) } };
            ModelProto proto = Graphs.Model(
                [Graphs.Node("Sum", ["x", "a", "b", "c"], ["y"]), Graphs.Node("Constant", [], ["k"], NodeAttributes.Float("value_float", 4)), Graphs.Node("Mul", ["y", "k"], ["z"])],
                [Graphs.Value("x", 1, 64)], [Graphs.Value("z", 1, 64)], Graphs.Weights("a", [64], values), typed, Graphs.External("c", [64], "w.bin"), half);
            FloatGraph graph = FloatGraph.Prepare(OnnxModel.Load(Graphs.Save(proto, directory.FullName)));
            foreach (string name in new[] { "a", "b", "c" })
            {
                CollectionAssert.AreEqual(values, graph.Values(name), name);
            }

            CollectionAssert.AreEqual(new[] { 4f }, graph.Values("k"));
            CollectionAssert.AreEqual(new[] { 1.5f, -2 }, graph.Values("d"));
            Assert.AreEqual("a:0 b:0 c:0 k:0", string.Join(' ', graph.Constants.Select(c => c.ProfileName)));
            graph.Model.ExternalData.Dispose();
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static Dictionary<string, Npy> First(OrtSession session, TestModel model) =>
        Runs.Once(session, session.Inputs.ToDictionary(i => i.Name, i => Rows(model.Input(i.Name), i.Shape[0])));

    private static Npy Rows(Npy array, int rows) => new(array.Type, [rows, .. array.Shape[1..]], array.RowSlice(0, rows).ToArray());

    private static FloatGraph Prepare(ModelProto model) => FloatGraph.Prepare(OnnxModel.Parse(Google.Protobuf.MessageExtensions.ToByteArray(model), "test"));

    private static NodeProto Norm(string x, string y) => Graphs.Node("BatchNormalization", [x, "scale", "shift", "mean", "variance"], [y], NodeAttributes.Float("epsilon", 0.1f));

    private static TensorProto[] NormParameters(int channels) =>
    [
        Graphs.Weights("scale", [channels], [.. Enumerable.Range(0, channels).Select(c => 1f - c)]),
        Graphs.Weights("shift", [channels], [.. Enumerable.Range(0, channels).Select(c => c + 0.25f)]),
        Graphs.Weights("mean", [channels], [.. Enumerable.Range(0, channels).Select(c => 2f - c)]),
        Graphs.Weights("variance", [channels], [.. Enumerable.Range(0, channels).Select(c => c + 0.5f)]),
    ];

    private static void AssertSame(ModelProto model, Dictionary<string, float[]> inputs, string expectedNodes)
    {
        OnnxModel original = OnnxModel.Parse(Google.Protobuf.MessageExtensions.ToByteArray(model), "test");
        FloatGraph graph = FloatGraph.Prepare(original.Clone());
        Assert.AreEqual(expectedNodes, string.Join(' ', graph.Model.Graph.Node.Select(n => n.OpType)));
        Dictionary<string, Npy> arrays = inputs.ToDictionary(
            i => i.Key,
            i => new Npy(ElementType.Float32, [.. original.Inputs.Single(o => o.Name == i.Key).Shape!.Select(d => (int)d.Value!)], System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(i.Value).ToArray()));
        using OrtSession before = Profiles.Session(original), after = Profiles.Session(graph.Model);
        (Dictionary<string, Npy> expected, Dictionary<string, Npy> actual) = (Runs.Once(before, arrays), Runs.Once(after, arrays));
        CollectionAssert.AreEquivalent(expected.Keys, actual.Keys);
        foreach ((string name, Npy output) in expected)
        {
            float worst = output.ToSingles().Zip(actual[name].ToSingles(), (a, b) => Math.Abs(a - b)).Max();
            Assert.IsTrue(worst <= 1e-5f, $"{name} differs by {worst}");
        }
    }
}
