using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Qpc;
using Qaic.Simulation;

namespace Qaic.OnnxRuntime.Tests.Engine;

/// <summary>Models with symbolic dimensions, compiled for several sets of shapes, against plain ONNX Runtime.</summary>
[TestClass]
public sealed class DynamicShapeTests : IDisposable
{
    private const int Vocabulary = 32;

    private static readonly (int Batch, int Sequence)[] s_shapes = [(1, 8), (1, 16), (4, 8)];

    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();
    private readonly Platform _platform = Platform.Simulated(new SimulatedPlatformOptions { Engine = new OnnxRuntimeEngine() });

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    public void One_QPC_lists_every_set_with_its_outputs_and_has_buffers_for_the_largest()
    {
        using QpcFile qpc = Compile(Encoder(), For(s_shapes));
        NetworkDescriptor network = qpc.ReadNetworkDescriptor();
        Assert.AreEqual(
            "1,8 1,8 1,8,5 1,1,5|1,16 1,16 1,16,5 1,1,5|4,8 4,8 4,8,5 4,1,5",
            string.Join('|', network.AllowedShapes.Select(set => string.Join(' ', set.Shapes.Select(s => string.Join(',', s.Dims))))));
        Assert.AreEqual("Int64 Float32 Float32 Float32", string.Join(' ', network.AllowedShapes[1].Shapes.Select(s => s.Type)));
        Assert.AreEqual("4,8 4,8 4,8,5 4,1,5", string.Join(' ', network.Inputs.Concat(network.Outputs).Select(b => string.Join(',', b.Initial.Dims))));
        Assert.AreEqual("384 In; 720 Out", string.Join("; ", network.DmaBuffers.Select(b => $"{b.Size} {b.Direction}")));
        Assert.AreEqual(4, network.BatchSize);
        Assert.AreEqual(3, IoDescriptor.FromNetwork(network).AllowedShapes.Count);
        Assert.AreEqual("specializations=batch,1;seq,8|batch,1;seq,16|batch,4;seq,8", string.Join(' ', CompilationRecord.Read(qpc)!.Options.Select(o => $"{o.Key}={o.Value}")));
    }

    [TestMethod]
    public async Task Every_set_run_side_by_side_gives_what_plain_ONNX_Runtime_gives()
    {
        string model = Graphs.Save(Encoder(), _directory.Path);
        using var plain = new InferenceSession(model);
        await using var session = new Session(model, For(s_shapes) with { NumActivations = 2, SetSize = 3 }, _platform);
        Assert.AreEqual("ids[1, 8], mask[1, 8]; ids[1, 16], mask[1, 16]; ids[4, 8], mask[4, 8]", string.Join("; ", session.AllowedShapes));
        await Parallel.ForAsync(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.CancellationToken }, async (i, cancel) =>
        {
            (int batch, int sequence) = s_shapes[i % 3];
            (long[] ids, float[] mask) = Inputs(batch * sequence, i);
            var inputs = new Dictionary<string, Tensor> { ["ids"] = Tensor.Create(ids, batch, sequence), ["mask"] = Tensor.Create(mask, batch, sequence) };
            IReadOnlyDictionary<string, Tensor> actual = i % 2 == 0 ? session.Run(inputs) : await session.RunAsync(inputs, cancel);
            Compare(plain, ids, mask, batch, sequence, actual);
        });
    }

    [TestMethod]
    public void The_vendors_JSON_file_gives_the_same_QPC_as_the_options_in_both_forms()
    {
        string file = Path.Combine(_directory.Path, "specializations.json");
        string model = Graphs.Save(Encoder(), _directory.Path);
        byte[] expected = Bytes(For(s_shapes));
        File.WriteAllText(file, """{"specializations":[{"batch":"1","seq":"8"},{"batch":"1","seq":"16"},{"batch":"4","seq":"8"}]}""");
        CollectionAssert.AreEqual(expected, Bytes(new() { NetworkSpecializationConfig = file }));
        File.WriteAllText(file, """
            {"specializations":[{"name":"short","symbols":{"batch":"1","seq":"8"}},{"name":"long","symbols":{"batch":"1","seq":"16"}},{"name":"many","symbols":{"batch":"4","seq":"8"}}]}
            """);
        CollectionAssert.AreEqual(expected, Bytes(new() { NetworkSpecializationConfig = file }));

        byte[] Bytes(QaicOptions options) => File.ReadAllBytes(new EmbeddedCompiler().Compile(model, Path.Combine(_directory.Path, "out"), options, NullLogger.Instance, TestContext.CancellationToken));
    }

    [TestMethod]
    public void Shapes_that_were_not_compiled_are_refused_with_the_list()
    {
        using var session = new Session(Graphs.Save(Encoder(), _directory.Path), For(s_shapes), _platform);
        var mixed = new Dictionary<string, Tensor> { ["ids"] = Tensor.Create(new long[8], 1, 8), ["mask"] = Tensor.Create(new float[16], 1, 16) };
        string message = Assert.ThrowsExactly<ArgumentException>(() => session.Run(mixed)).Message;
        StringAssert.Contains(message, "not compiled for ids[1, 8], mask[1, 16]. It takes 3 sets of shapes: 0: ids[1, 8], mask[1, 8]; 1: ids[1, 16], mask[1, 16]; 2: ids[4, 8], mask[4, 8].");
    }

    [TestMethod]
    public void A_QPC_of_several_shapes_opens_again_without_the_model()
    {
        string qpc = new EmbeddedCompiler().Compile(Graphs.Save(Encoder(), _directory.Path), Path.Combine(_directory.Path, "out"), For(s_shapes), NullLogger.Instance, TestContext.CancellationToken);
        using var plain = new InferenceSession(Path.Combine(_directory.Path, "model.onnx"));
        using var session = new Session(qpc, platform: _platform);
        using Inference inference = session.Rent();
        (long[] ids, float[] mask) = Inputs(16, 3);
        inference.SelectShapes(1);
        ids.CopyTo(inference.Input<long>(0));
        mask.CopyTo(inference.Input<float>(1));
        inference.Submit();
        inference.Wait();
        Assert.AreEqual(80, inference.Output<float>(0).Length);
        var outputs = new Dictionary<string, Tensor> { ["h"] = Tensor.Create(inference.Output<float>(0).ToArray(), 1, 16, 5), ["pooled"] = Tensor.Create(inference.Output<float>(1).ToArray(), 1, 1, 5) };
        Compare(plain, ids, mask, 1, 16, outputs);
    }

    [TestMethod]
    public void A_batch_that_the_entries_leave_out_is_chosen_as_without_them()
    {
        ModelProto rows = Graphs.Unary("Relu", Graphs.Value("x", Graphs.Float, "N", "seq"), Graphs.Value("y", Graphs.Float, "N", "seq"));
        Assert.AreEqual("32,4 32,4|32,6 32,6", Sets(rows, new() { Specializations = [Entry(("seq", 4)), Entry(("seq", 6))] }));
        Assert.AreEqual("3,4 3,4|3,6 3,6", Sets(rows, new() { BatchSize = 3, Specializations = [Entry(("seq", 4)), Entry(("seq", 6))] }));
        Assert.AreEqual("5,4 5,4|5,6 5,6", Sets(rows, new() { OnnxDefineSymbol = Entry(("N", 5)), Specializations = [Entry(("seq", 4)), Entry(("seq", 6))] }));
        ModelProto unnamed = Graphs.Unary("Relu", Graphs.Value("x", Graphs.Float, "", "seq"), Graphs.Value("y", Graphs.Float, "", "seq"));
        Assert.AreEqual("32,4 32,4|32,6 32,6", Sets(unnamed, new() { Specializations = [Entry(("seq", 4)), Entry(("seq", 6))] }));
        ModelProto centred = Graphs.Model(
            [Graphs.Node("ReduceMean", ["x"], ["mean"]), Graphs.Node("Sub", ["x", "mean"], ["y"])],
            [Graphs.Value("x", Graphs.Float, "N", "seq")],
            [Graphs.Value("y", Graphs.Float, "N", "seq")]);
        Assert.AreEqual("1,4 1,4|1,6 1,6", Sets(centred, new() { Specializations = [Entry(("seq", 4)), Entry(("seq", 6))] }), "its rows influence each other");
    }

    [TestMethod]
    public void Dimensions_that_all_sets_share_are_fixed_in_the_model_and_the_others_keep_their_symbols()
    {
        using QpcFile qpc = Compile(Encoder(), For((2, 8), (2, 16)));
        OnnxModel model = OnnxModel.Parse(NetworkImage.Read(qpc).Model, "section");
        Assert.AreEqual("ids int64[2, seq]; mask float[2, seq]; h float[2, seq, 5]; pooled float[2, 1, 5]", string.Join("; ", model.Inputs.Concat(model.Outputs)));
    }

    [TestMethod]
    public void Mistakes_in_the_entries_are_named_with_the_entry()
    {
        Refused(new() { Specializations = [Entry(("batch", 8))] }, "Specialization 0 (batch=8)", "no length to 'seq'", "ids int64[batch, seq]");
        Refused(new() { Specializations = [Entry(("batch", 1), ("seq", 8)), Entry(("batch", 1), ("seq", 9))], OnnxDefineSymbol = Entry(("seq", 8)) }, "Specialization 1", "'seq' is 9 here and 8 in OnnxDefineSymbol");
        Refused(new() { Specializations = [Entry(("batch", 1), ("sek", 8))] }, "no symbol 'sek'", "'batch', 'seq'", "Did you mean 'seq'?");
        Refused(new() { Specializations = [Entry(("batch", 1), ("seq", 8)), Entry(("batch", 1), ("seq", 8))] }, "entry 1", "the same as entry 0");
        Refused(new() { Specializations = [Entry(("batch", 1), ("seq", int.MaxValue))] }, "4 GiB");
    }

    [TestMethod]
    public void Entries_that_give_the_inputs_the_same_shapes_are_refused()
    {
        ModelProto model = Graphs.Model(
            [Graphs.Node("Relu", ["x"], ["y"]), Graphs.Node("Relu", ["x"], ["z"])],
            [Graphs.Value("x", Graphs.Float, 2, "seq")],
            [Graphs.Value("y", Graphs.Float, 2, "seq"), Graphs.Value("z", Graphs.Float, 2, "other")]);
        Refused(model, new() { Specializations = [Entry(("seq", 4), ("other", 4)), Entry(("seq", 4), ("other", 5))] }, "Specialization 1", "'other', which is 5");
        ModelProto free = Graphs.Model(
            [Graphs.Node("Relu", ["x"], ["y"])], [Graphs.Value("x", Graphs.Float, 2, 4)], [Graphs.Value("y", Graphs.Float, 2, 4)]);
        Refused(free, new() { Specializations = [Entry(("seq", 4))] }, "It has none");
    }

    [TestMethod]
    public void Without_specializations_nothing_is_recorded_about_them()
    {
        using QpcFile qpc = Compile(Graphs.Unary("Relu", Graphs.Value("x", Graphs.Float, 2), Graphs.Value("y", Graphs.Float, 2)), QaicOptions.Default);
        Assert.IsEmpty(qpc.ReadNetworkDescriptor().AllowedShapes);
        Assert.IsEmpty(CompilationRecord.Read(qpc)!.Options);
    }

    [TestMethod]
    public void Sets_that_contradict_the_model_are_damage()
    {
        string path = new EmbeddedCompiler().Compile(Graphs.Save(Encoder(), _directory.Path), Path.Combine(_directory.Path, "out"), For((2, 8), (2, 16)), NullLogger.Instance, TestContext.CancellationToken);
        foreach ((Action<NetworkDescriptor> damage, string word) in new (Action<NetworkDescriptor>, string)[]
        {
            (n => n.AllowedShapes[1].Shapes[0].Dims[0] = 3, "disagree on the inputs: ids Int64[3, 16] and ids Int64[2, "),
            (n => n.AllowedShapes[1].Shapes[2].Dims[2] = 6, "disagree on the outputs"),
            (n => n.AllowedShapes[0].Shapes.RemoveAt(3), "3 shapes"),
            (n => n.AllowedShapes.Clear(), "disagree on the inputs"),
        })
        {
            using QpcFile source = QpcFile.Open(path);
            NetworkDescriptor network = source.ReadNetworkDescriptor();
            damage(network);
            var writer = new QpcWriter();
            foreach (QpcSegment segment in source.Segments)
            {
                writer.Add(segment.Name, segment.Name == NetworkDescriptor.SegmentName ? network.ToBytes() : segment.Span.ToArray());
            }

            string copy = Path.Combine(_directory.Path, "copy.bin");
            writer.Write(copy);
            using QpcFile damaged = QpcFile.Open(copy);
            StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => new OnnxRuntimeEngine().Load(damaged, NullLogger.Instance)).Message, word);
        }
    }

    // ids [batch, seq] → embedding → h [batch, seq, 5]; h × mask summed over the sequence → pooled [batch, 1, 5].
    private static ModelProto Encoder()
    {
        var random = new Random(7);
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (2 * random.NextSingle()) - 1)];
        return Graphs.Model(
            [
                Graphs.Node("Gather", ["table", "ids"], ["e"]),
                Graphs.Node("MatMul", ["e", "w"], ["product"]),
                Graphs.Node("Tanh", ["product"], ["h"]),
                Graphs.Node("Unsqueeze", ["mask", "last"], ["weights"]),
                Graphs.Node("Mul", ["h", "weights"], ["masked"]),
                Graphs.Node("ReduceSum", ["masked", "sequence"], ["pooled"]),
            ],
            [Graphs.Value("ids", Graphs.Int64, "batch", "seq"), Graphs.Value("mask", Graphs.Float, "batch", "seq")],
            [Graphs.Value("h", Graphs.Float, "batch", "seq", 5), Graphs.Value("pooled", Graphs.Float, "batch", 1, 5)],
            Graphs.Weights("table", [Vocabulary, 6], Values(Vocabulary * 6)),
            Graphs.Weights("w", [6, 5], Values(30)),
            Graphs.Int64s("last", 2),
            Graphs.Int64s("sequence", 1));
    }

    private static (long[] Ids, float[] Mask) Inputs(int count, int seed)
    {
        var random = new Random(seed);
        return ([.. Enumerable.Range(0, count).Select(_ => random.NextInt64(Vocabulary))], [.. Enumerable.Range(0, count).Select(_ => random.NextSingle())]);
    }

    private static void Compare(InferenceSession plain, long[] ids, float[] mask, int batch, int sequence, IReadOnlyDictionary<string, Tensor> actual)
    {
        using IDisposableReadOnlyCollection<DisposableNamedOnnxValue> expected = plain.Run(
        [
            NamedOnnxValue.CreateFromTensor("ids", new DenseTensor<long>(ids, [batch, sequence])),
            NamedOnnxValue.CreateFromTensor("mask", new DenseTensor<float>(mask, [batch, sequence])),
        ]);
        Assert.AreEqual(expected.Count, actual.Count);
        foreach (DisposableNamedOnnxValue value in expected)
        {
            Tensor<float> tensor = value.AsTensor<float>();
            CollectionAssert.AreEqual(tensor.Dimensions.ToArray(), actual[value.Name].Shape.ToArray(), value.Name);
            float[] theirs = [.. tensor], ours = actual[value.Name].ToArray<float>();
            for (int i = 0; i < theirs.Length; i++)
            {
                Assert.AreEqual(theirs[i], ours[i], 1e-5f, $"{value.Name}[{i}] of {batch}x{sequence}");
            }
        }
    }

    private static QaicOptions For(params (int Batch, int Sequence)[] shapes) => new() { Specializations = [.. shapes.Select(s => Entry(("batch", s.Batch), ("seq", s.Sequence)))] };

    private static ImmutableDictionary<string, int> Entry(params (string Symbol, int Length)[] symbols) => symbols.ToImmutableDictionary(s => s.Symbol, s => s.Length);

    private string Sets(ModelProto model, QaicOptions options)
    {
        using QpcFile qpc = Compile(model, options);
        return string.Join('|', qpc.ReadNetworkDescriptor().AllowedShapes.Select(set => string.Join(' ', set.Shapes.Select(s => string.Join(',', s.Dims)))));
    }

    private QpcFile Compile(ModelProto model, QaicOptions options) =>
        QpcFile.Open(new EmbeddedCompiler().Compile(Graphs.Save(model, _directory.Path), Path.Combine(_directory.Path, "out"), options, NullLogger.Instance, TestContext.CancellationToken));

    private void Refused(QaicOptions options, params string[] words) => Refused(Encoder(), options, words);

    private void Refused(ModelProto model, QaicOptions options, params string[] words)
    {
        string message = Assert.ThrowsExactly<CompilationException>(() => Compile(model, options).Dispose()).Message;
        foreach (string word in words)
        {
            StringAssert.Contains(message, word);
        }
    }
}
