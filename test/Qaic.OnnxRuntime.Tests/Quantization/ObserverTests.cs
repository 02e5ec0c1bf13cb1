using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;
using Qaic.TestSupport;
using static Qaic.OnnxRuntime.Tests.Quantization.ObservedModels;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class ObserverTests
{
    [TestMethod]
    public void Every_activation_is_counted_batch_by_batch()
    {
        float[][] rows = Rows(12);
        FloatGraph graph = Prepare(Integers(4));
        QuantizationProfile profile = Observe(graph, Samples(rows), new QaicOptions { NumHistogramBins = 64 });

        float[][] x = [.. rows.Chunk(4).Select(Flat)];
        float[][] relu = [.. x.Select(batch => Relu(batch))];
        float[][] twice = [.. relu.Select(batch => Array.ConvertAll(batch, v => 2 * v))];
        AssertSeen(profile, graph, "x", 64, x);
        AssertSeen(profile, graph, "relu", 64, relu);
        AssertSeen(profile, graph, "twice", 64, twice);
        Assert.IsFalse(graph.Activations.Any(a => a.Tensor == "product"), "what an activation function hides is not observed");
        Assert.AreEqual(x.SelectMany(v => v).Min(), profile.Find(NameOf(graph, "x"))!.Minimum);
        Assert.AreEqual(twice.SelectMany(v => v).Max(), profile.Find(NameOf(graph, "twice"))!.Maximum);
    }

    [TestMethod]
    public void What_is_rearranged_has_the_statistics_of_its_source()
    {
        FloatGraph graph = Prepare(Integers(4));
        QuantizationProfile profile = Observe(graph, Samples(Rows(8)));
        foreach (string moved in new[] { "turned", "flat" })
        {
            Assert.AreEqual(
                Bits(profile.Find(NameOf(graph, "relu"))!).Replace(NameOf(graph, "relu"), NameOf(graph, moved), StringComparison.Ordinal), Bits(profile.Find(NameOf(graph, moved))!), moved);
        }

        using var network = new ObservedNetwork(graph.Model, [.. graph.Activations.Select(a => a.Tensor)], NullLogger.Instance, CancellationToken.None);
        CollectionAssert.AreEqual(new[] { "x", "relu", "twice" }, network.Tensors.Select(t => t.Name).ToArray(), "the others are not computed twice");
    }

    [TestMethod]
    public void The_profile_has_the_hash_and_the_version_of_its_making_and_leaves_the_model_alone()
    {
        FloatGraph graph = Prepare(Integers(4));
        byte[] before = graph.Model.ToBytes();
        QuantizationProfile profile = Observe(graph, Samples(Rows(8)));
        Assert.AreEqual(graph.Hash, profile.GraphHash);
        Assert.AreEqual(QuantizationProfile.OwnToolsVersion, profile.ToolsVersion);
        Assert.HasCount(graph.Activations.Count + graph.Constants.Count, profile.Tensors);
        CollectionAssert.AreEqual(before, graph.Model.ToBytes());
    }

    [TestMethod, DataRow(4, 1), DataRow(12, 3), DataRow(13, 4)]
    public void Constants_are_counted_once_per_inference(int rows, int batches)
    {
        FloatGraph graph = Prepare(Integers(4));
        TensorStatistics weights = Observe(graph, Samples(Rows(rows))).Find(graph.Constants.Single(c => c.Tensor == "w").ProfileName)!;
        Assert.AreEqual(6.0 * batches, weights.Total);
        Assert.AreEqual((-2f, 4f), (weights.Minimum, weights.Maximum));
    }

    [TestMethod]
    public void A_histogram_has_512_bins_unless_the_options_say_otherwise()
    {
        FloatGraph graph = Prepare(Integers(4));
        Assert.IsTrue(Observe(graph, Samples(Rows(4))).Tensors.All(t => t.Counts.Length == 512));
        Assert.IsTrue(Observe(graph, Samples(Rows(4)), new QaicOptions { NumHistogramBins = 100 }).Tensors.All(t => t.Counts.Length == 100));
    }

    [TestMethod]
    public void The_last_batch_is_filled_with_the_first_rows()
    {
        float[][] rows = Rows(9);
        FloatGraph graph = Prepare(Integers(4));
        QuantizationProfile profile = Observe(graph, Samples(rows));
        AssertSeen(profile, graph, "x", 512, Flat(rows[..4]), Flat(rows[4..8]), Flat([rows[8], rows[0], rows[1], rows[2]]));
    }

    [TestMethod]
    public void Fewer_rows_than_a_batch_are_repeated()
    {
        float[][] rows = Rows(3);
        FloatGraph graph = Prepare(Integers(8));
        QuantizationProfile profile = Observe(graph, Samples(rows));
        AssertSeen(profile, graph, "x", 512, Flat([.. rows, .. rows, .. rows[..2]]));
    }

    [TestMethod]
    public void It_does_not_matter_how_rows_are_packed_into_samples()
    {
        float[][] rows = Rows(21);
        FloatGraph graph = Prepare(Integers(4));
        string expected = Bits(Observe(graph, Samples(rows)));
        foreach (int[] sizes in new[] { new[] { 21 }, [4, 4, 4, 4, 4, 1], [1, 9, 0, 2, 9], [20, 1] })
        {
            int next = 0;
            var samples = sizes.Select(size => Sample(Tensor.Create(Flat(rows[next..(next += size)]), size, 3))).ToList();
            Assert.AreEqual(expected, Bits(Observe(graph, samples)), string.Join(", ", sizes));
        }
    }

    [TestMethod]
    public void Without_a_common_leading_dimension_a_sample_is_an_inference()
    {
        ModelProto model = Graphs.Model(
            [Graphs.Node("MatMul", ["a", "b"], ["c"])],
            [Graphs.Value("a", Graphs.Float, 2, 3), Graphs.Value("b", Graphs.Float, 3, 1)],
            [Graphs.Value("c", Graphs.Float, 2, 1)]);
        FloatGraph graph = Prepare(model);
        Dictionary<string, Tensor>[] samples = [.. new[] { 1f, 5f }.Select(k => new Dictionary<string, Tensor>
        {
            ["a"] = Tensor.Create([k, 2 * k, 3 * k, 4, 5, 6], 2, 3),
            ["b"] = Tensor.Create([1f, 1f, 2f], 3, 1),
        })];
        var told = new List<ProfilingProgress>();
        QuantizationProfile profile = Observe(graph, samples, progress: new Told(told.Add));
        AssertSeen(profile, graph, "c", 512, [9, 21], [45, 21]);
        CollectionAssert.AreEqual(new[] { new ProfilingProgress(1, 3), new ProfilingProgress(2, 3) }, told);

        samples[1]["a"] = Tensor.Create([1f, 2, 3], 3);
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => Observe(graph, samples)).Message, "Sample 1: input 'a' is Float32[3], but should be Float32[2, 3], because the inputs have no batch in common.");
    }

    [TestMethod]
    public void A_tensor_whose_size_depends_on_the_data_is_counted_as_far_as_it_goes()
    {
        FloatGraph graph = Prepare(Positions());
        QuantizationProfile profile = Observe(graph, Samples([[0, 5, 0], [7, 0, 9], [0, 0, 0]]), new QaicOptions { ProfilingThreads = 2 });
        AssertSeen(profile, graph, "where", 512, [0, 1], [0, 0, 0, 2], []);
    }

    [TestMethod]
    public void A_tensor_that_never_has_an_element_is_left_out_with_a_warning()
    {
        FloatGraph graph = Prepare(Positions());
        var log = new MessageList();
        QuantizationProfile profile = Observe(graph, Samples([[0, 0, 0], [0, 0, 0]]), logger: log);
        Assert.IsNull(profile.Find(NameOf(graph, "where")));
        Assert.IsNotNull(profile.Find(NameOf(graph, "x")));
        Assert.IsTrue(log.Messages.Any(m => m.StartsWith("Warning Tensor 'where' of test.onnx never had an element", StringComparison.Ordinal)), string.Join('\n', log.Messages));
    }

    [TestMethod]
    public void A_model_that_computes_nothing_with_float_has_the_statistics_of_its_inputs()
    {
        FloatGraph graph = Prepare(Graphs.Model([Graphs.Node("ArgMax", ["x"], ["best"])], [Graphs.Value("x", Graphs.Float, 2, 3)], [Graphs.Value("best", Graphs.Int64, 1, 3)]));
        QuantizationProfile profile = Observe(graph, Samples(Rows(4)));
        Assert.HasCount(1, profile.Tensors);
        Assert.AreEqual(12.0, profile.Tensors.Single().Total);
    }

    [TestMethod]
    public void An_infinite_constant_is_left_out_with_a_warning()
    {
        // As causal masks are written: the infinities never leave Where.
        ModelProto model = Graphs.Model(
            [Graphs.Node("Less", ["x", "mask"], ["below"]), Graphs.Node("Where", ["below", "zero", "x"], ["y"])],
            [Graphs.Value("x", Graphs.Float, 1, 3)],
            [Graphs.Value("y", Graphs.Float, 1, 3)],
            Graphs.Weights("mask", [3], [0, float.NegativeInfinity, 2]),
            Graphs.Weights("zero", [1], [0]));
        FloatGraph graph = Prepare(model);
        var log = new MessageList();
        QuantizationProfile profile = Observe(graph, Samples([[-1, -5, 4]]), logger: log);
        AssertSeen(profile, graph, "y", 512, [0, -5, 4]);
        Assert.IsNull(profile.Find(graph.Constants.Single(c => c.Tensor == "mask").ProfileName));
        Assert.IsTrue(log.Messages.Any(m => m.Contains("Constant 'mask' of test.onnx is minus infinity at element 1", StringComparison.Ordinal)), string.Join('\n', log.Messages));
    }

    [TestMethod]
    public void Weights_in_a_file_beside_the_model_are_observed_as_those_inside()
    {
        using var directory = TemporaryDirectory.Create();
        float[] values = [.. Enumerable.Range(0, 96).Select(i => (float)(i % 7))];
        File.WriteAllBytes(Path.Combine(directory.Path, "w.bin"), System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray());
        NodeProto[] nodes = [Graphs.Node("MatMul", ["x", "w"], ["y"])];
        string inside = Graphs.Save(Graphs.Model(nodes, [Graphs.Value("x", Graphs.Float, 2, 3)], [Graphs.Value("y", Graphs.Float, 2, 32)], Graphs.Weights("w", [3, 32], values)), directory.Path, "inside.onnx");
        string beside = Graphs.Save(Graphs.Model(nodes, [Graphs.Value("x", Graphs.Float, 2, 3)], [Graphs.Value("y", Graphs.Float, 2, 32)], Graphs.External("w", [3, 32], "w.bin")), directory.Path, "beside.onnx");
        string[] profiles = [.. new[] { inside, beside }.Select(path =>
        {
            OnnxModel model = OnnxModel.Load(path);
            using ExternalData files = model.ExternalData;
            QuantizationProfile profile = Observe(FloatGraph.Prepare(model), Samples(Rows(5)));
            return string.Join('\n', profile.Tensors.Select(Bits));
        })];
        Assert.AreEqual(profiles[0], profiles[1]);
        StringAssert.Contains(profiles[0], "w:0 ");
    }

    [TestMethod, DataRow("digits_cnn"), DataRow("resnet8"), DataRow("langid_s32")]
    public void Trained_models_are_seen_as_ONNX_Runtime_computes_them(string name)
    {
        TestModel model = ModelManifest.Get(name);
        const int Batch = 8;
        IReadOnlyDictionary<string, Tensor>[] samples = [.. model.CalibrationSamples().Take(2 * Batch)];
        FloatGraph graph = Prepare(model.Path, Batch);
        QuantizationProfile profile = Observe(graph, samples);

        // Another session, whose outputs nobody but this test has asked for, without a buffer that is used twice.
        OnnxModel open = graph.Model.Clone();
        open.Graph.ValueInfo.Clear();
        HashSet<string> inputs = [.. open.Graph.Input.Select(i => i.Name)];
        open.Graph.Output.Clear();
        open.Graph.Output.Add(graph.Activations.Where(a => !inputs.Contains(a.Tensor)).Select(a => new ValueInfoProto { Name = a.Tensor }));
        using var session = new OrtSession(open.ToBytes(), [], 0, NullLogger.Instance, CancellationToken.None);
        var seen = new Dictionary<string, List<float[]>>();
        foreach (IReadOnlyDictionary<string, Tensor>[] batch in samples.Chunk(Batch))
        {
            Dictionary<string, Npy> feeds = model.Inputs.ToDictionary(i => i, i => new Npy(
                batch[0][i].ElementType, [Batch, .. batch[0][i].Shape], [.. batch.SelectMany(s => s[i].Bytes.ToArray())]));
            foreach ((string tensor, Npy values) in Runs.Once(session, feeds).Concat(feeds))
            {
                seen.TryAdd(tensor, []);
                seen[tensor].Add(values.ToSingles());
            }
        }

        foreach (ProfiledTensor activation in graph.Activations)
        {
            TensorStatistics actual = profile.Find(activation.ProfileName)!;
            float[] all = [.. seen[activation.Tensor].SelectMany(v => v)];
            float tolerance = 1e-5f * Math.Max(Math.Abs(all.Min()), Math.Abs(all.Max()));
            Assert.AreEqual(all.Min(), actual.Minimum, tolerance, activation.Tensor);
            Assert.AreEqual(all.Max(), actual.Maximum, tolerance, activation.Tensor);
            Assert.AreEqual(all.Length, actual.Total, activation.Tensor);
        }

        // Where nothing is rearranged the two sessions are the same, and so is every bit.
        foreach (ProfiledTensor activation in graph.Activations.Where(a => inputs.Contains(a.Tensor) || name == "digits_cnn"))
        {
            Assert.AreEqual(Bits(activation.ProfileName, 512, seen[activation.Tensor]), Bits(profile.Find(activation.ProfileName)!), activation.Tensor);
        }
    }

    /// <summary>Where x is not 0, as float: a tensor of any size.</summary>
    private static ModelProto Positions() => Graphs.Model(
        [Graphs.Node("NonZero", ["x"], ["index"]), Graphs.Node("Cast", ["index"], ["where"], new AttributeProto { Name = "to", I = Graphs.Float, Type = AttributeProto.Types.AttributeType.Int })],
        [Graphs.Value("x", Graphs.Float, 1, 3)],
        [Graphs.Value("where", Graphs.Float, 2, "n")]);

    private static float[] Flat(float[][] rows) => [.. rows.SelectMany(r => r)];

    private static string NameOf(FloatGraph graph, string tensor) => graph.Activations.Single(a => a.Tensor == tensor).ProfileName;

    private static void AssertSeen(QuantizationProfile profile, FloatGraph graph, string tensor, int bins, params float[][] batches) =>
        Assert.AreEqual(Bits(NameOf(graph, tensor), bins, batches), Bits(profile.Find(NameOf(graph, tensor))!), tensor);
}
