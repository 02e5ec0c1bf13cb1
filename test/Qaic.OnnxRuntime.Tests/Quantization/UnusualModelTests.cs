using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.TestSupport;
using static Qaic.OnnxRuntime.Tests.Onnx.Graphs;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Models as exporters leave them: with constants that nothing reads, shapes of another batch, long chains of nodes that do nothing.</summary>
[TestClass]
public sealed class UnusualModelTests : IDisposable
{
    private static readonly Platform s_platform = Platform.Simulated();

    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();
    private readonly MessageList _log = new();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    [DataRow("FP32", 8), DataRow("FP16", 8), DataRow("INT8", 8), DataRow("FP32", 3), DataRow("FP16", 3), DataRow("INT8", 3)]
    public void A_large_constant_that_nothing_reads_does_no_harm(string precision, int version)
    {
        ModelProto model = Layer();
        model.Graph.Initializer.Add(Weights("unused", [64], new float[64]));
        if (version < 4)
        {
            // Then every initializer is an input as well.
            model.IrVersion = version;
            model.Graph.Input.Add(model.Graph.Initializer.Select(t => Value(t.Name, Float, [.. t.Dims.Select(d => (object)(int)d)])));
        }

        string path = Save(model, _directory.Path);
        QaicOptions options = new() { BatchSize = 2, UseCache = false, ConvertToFp16 = precision == "FP16", ConvertToQuantize = precision == "INT8" };
        Assert.AreEqual(precision, Record(path, options).Precision);
        Assert.HasCount(2, s_platform.Profile(path, Rows(8), options with { ConvertToFp16 = false }).Tensors.Where(t => t.Name.StartsWith('x') || t.Name.StartsWith('y')).ToArray());
    }

    [TestMethod]
    public void A_model_one_of_whose_results_is_a_constant_can_be_profiled()
    {
        ModelProto model = Layer();
        model.Graph.Initializer.Add(Weights("table", [64], [.. Enumerable.Range(0, 64).Select(i => (float)i)]));
        model.Graph.Output.Add(Value("table", Float, 64));
        string path = Save(model, _directory.Path);

        Assert.IsNotNull(s_platform.Profile(path, Rows(8), new QaicOptions { BatchSize = 2 }).Find("y:0"));
        Assert.AreEqual("INT8", Record(path, new QaicOptions { BatchSize = 1, ConvertToQuantize = true }).Precision);
    }

    [TestMethod]
    [DataRow("FP32"), DataRow("FP16"), DataRow("INT8")]
    public void Inner_shapes_that_were_declared_for_another_batch_are_not_believed(string precision)
    {
        ModelProto model = Layer();
        model.Graph.Node.Insert(0, Node("Neg", ["x"], ["n"]));
        model.Graph.Node[1].Input[0] = "n";
        model.Graph.ValueInfo.Add(Value("n", Float, 1, 8));
        string path = Save(model, _directory.Path);

        PrecisionRecord record = Record(path, new QaicOptions { BatchSize = 4, ConvertToFp16 = precision == "FP16", ConvertToQuantize = precision == "INT8" });
        PrecisionRecord sets = Record(path, new QaicOptions
        {
            Specializations = [ImmutableDictionary<string, int>.Empty.Add("batch", 2), ImmutableDictionary<string, int>.Empty.Add("batch", 4)],
            ConvertToFp16 = precision == "FP16",
            ConvertToQuantize = precision == "INT8",
        });

        Assert.AreEqual((precision, precision), (record.Precision, sets.Precision));
        Assert.IsFalse(_log.Messages.Any(m => m.StartsWith("Warning", StringComparison.Ordinal) && m.Contains("shape", StringComparison.OrdinalIgnoreCase)));
    }

    [TestMethod]
    public void The_effort_for_nodes_that_do_nothing_grows_with_their_number()
    {
        long few = Effort(250), many = Effort(2000);
        Assert.IsLessThan(20 * few, many, $"8 times the nodes allocate {many} bytes, not {few}");

        static long Effort(int count)
        {
            OnnxModel model = QdqGraphs.Parse(Model(
                [Node("Neg", ["x"], ["t0"]), .. Enumerable.Range(0, count).Select(i => Node("Identity", [$"t{i}"], [$"t{i + 1}"])), Node("Abs", [$"t{count}"], ["y"])],
                [Value("x", Float, 2)], [Value("y", Float, 2)]));
            var standsFor = new Dictionary<string, string>();
            long before = GC.GetAllocatedBytesForCurrentThread();
            GraphCleanup.Clean(model, standsFor);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.AreEqual("Neg Abs", string.Join(' ', model.Graph.Node.Select(n => n.OpType)));
            Assert.AreEqual(("t0", count), (model.Graph.Node[1].Input[0], standsFor.Count));
            return allocated;
        }
    }

    [TestMethod]
    public void The_effort_for_folding_grows_with_the_number_of_layers()
    {
        long few = Effort(50), many = Effort(400);
        Assert.IsLessThan(20 * few, many, $"8 times the layers allocate {many} bytes, not {few}");

        static long Effort(int count)
        {
            TensorProto[] parameters = [Weights("w", [2, 2], [1, 0, 0, 1]), Weights("scale", [2], [1, 2]), Weights("shift", [2], [3, 4]), Weights("mean", [2], [0, 1]), Weights("variance", [2], [1, 1])];
            NodeProto[] nodes = [.. Enumerable.Range(0, count).SelectMany(i => new[]
            {
                Node("Gemm", [$"t{i}", "w"], [$"g{i}"]), Node("BatchNormalization", [$"g{i}", "scale", "shift", "mean", "variance"], [$"n{i}"]), Node("Neg", [$"n{i}"], [$"t{i + 1}"]),
            })];
            OnnxModel model = QdqGraphs.Parse(Model(nodes, [Value("t0", Float, 1, 2)], [Value($"t{count}", Float, 1, 2)], parameters));
            long before = GC.GetAllocatedBytesForCurrentThread();
            BatchNormalizationFolding.Fold(model, []);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.HasCount(2 * count, model.Graph.Node);
            Assert.HasCount(4 * count, model.Graph.Node.SelectMany(n => n.Input).Distinct(), "each layer has weights and a bias of its own");
            return allocated;
        }
    }

    [TestMethod]
    public void A_calibration_is_chosen_for_a_network_of_several_shapes()
    {
        string path = Save(Layer(), _directory.Path), rows = Path.Combine(_directory.Path, "rows");
        using (var session = new Session(path, new QaicOptions { BatchSize = 4, UseCache = false }, s_platform))
        {
            rows = InputListFile.Write(rows, [.. session.Inputs], Rows(64)).Path;
        }

        PrecisionRecord record = Record(path, new QaicOptions
        {
            Specializations = [ImmutableDictionary<string, int>.Empty.Add("batch", 1), ImmutableDictionary<string, int>.Empty.Add("batch", 4)],
            ConvertToQuantize = true,
            InputListFile = rows,
            QuantizationCalibration = QuantizationCalibration.Auto,
        });

        StringAssert.Contains(record.CalibrationReason!, record.Calibration!);
    }

    [TestMethod]
    public void Files_of_weights_are_let_go_when_preparing_fails()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("What is mapped is known on Linux only.");
        }

        string weights = Path.Combine(_directory.Path, "weights.bin");
        File.WriteAllBytes(weights, new byte[4096]);
        ModelProto model = Layer();
        model.Graph.Node.Add(Node("Add", ["y", "v"], ["z"]));
        model.Graph.Node.Add(Node("BatchNormalization", ["y", "v", "v", "v"], ["broken"]));
        model.Graph.Output.Add(Value("broken", Float, "batch", 4));
        model.Graph.Initializer.Add(External("v", [4], "weights.bin"));
        string path = Save(model, _directory.Path);

        Assert.ThrowsExactly<CompilationException>(() => new EmbeddedCompiler().Profile(path, Rows(8), new QaicOptions { BatchSize = 4 }, _log, null, CancellationToken.None));

        Assert.IsFalse(File.ReadAllText("/proc/self/maps").Contains(weights, StringComparison.Ordinal));
    }

    [TestMethod]
    public void Profiling_asynchronously_loads_the_model_on_another_thread()
    {
        // The mean over all rows: a remark of the loading says that they influence each other.
        string path = Save(
            Model([Node("ReduceMean", ["x"], ["mean"]), Node("Sub", ["x", "mean"], ["y"])], [Value("x", Float, "batch", 8)], [Value("y", Float, "batch", 8)]), _directory.Path);
        var log = new ThreadLog();

        Task<QuantizationProfile> profile = new EmbeddedCompiler().ProfileAsync(path, Later(Rows(4)), new QaicOptions(), log, null, CancellationToken.None);
        Assert.IsNotNull(profile.GetAwaiter().GetResult().Find("y:0"));

        Assert.IsNotEmpty(log.Threads);
        Assert.IsFalse(log.Threads.Contains(Environment.CurrentManagedThreadId));
    }

    [TestMethod]
    public void Rewriting_a_graph_can_be_ended()
    {
        var ended = new CancellationToken(canceled: true);
        Assert.ThrowsExactly<OperationCanceledException>(() => FloatGraph.Prepare(QdqGraphs.Parse(Layer(4)), ended));
        Assert.ThrowsExactly<OperationCanceledException>(() => TensorInference.Infer(QdqGraphs.Parse(Layer(4)), ended));
        Assert.ThrowsExactly<OperationCanceledException>(() => Fp16Rewriter.Apply(QdqGraphs.Parse(Layer(4)), QaicOptions.Default, NullLogger.Instance, ended));
        FloatGraph graph = FloatGraph.Prepare(QdqGraphs.Parse(Layer(4)));
        QuantizationProfile profile = Profiles.Make(graph, new Dictionary<string, Npy> { ["x"] = new(ElementType.Float32, [4, 8], new byte[128]) });
        Assert.ThrowsExactly<OperationCanceledException>(() => QdqRewriter.Apply(graph, profile, null, NodePrecision.None, QaicOptions.Default, NullLogger.Instance, ended));
    }

    [TestMethod]
    public void An_activation_of_more_than_2_GiB_is_refused_with_its_size()
    {
        string path = Save(
            Model([Node("Expand", ["x", "shape"], ["large"]), Node("ReduceMax", ["large"], ["y"])], [Value("x", Float, 1, 1)], [Value("y", Float, 1, 1)], Int64s("shape", 600_000, 1000)), _directory.Path);

        CompilationException e = Assert.ThrowsExactly<CompilationException>(
            () => s_platform.Profile(path, [new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[1], 1, 1) }], new QaicOptions { BatchSize = 1 }));

        StringAssert.Contains(e.Message, "large");
        StringAssert.Contains(e.Message, "2400000000 bytes");
        StringAssert.Contains(e.Message, "BatchSize");
    }

    private PrecisionRecord Record(string path, QaicOptions options)
    {
        string made = new EmbeddedCompiler().Compile(path, Path.Combine(_directory.Path, Guid.NewGuid().ToString("n")), options, _log, CancellationToken.None);
        using var qpc = QpcFile.Open(made);
        return CompilationRecord.Read(qpc)!.Precision!;
    }

    private static ModelProto Layer(object? rows = null) => Model(
        [Node("Gemm", ["x", "w"], ["y"])], [Value("x", Float, rows ?? "batch", 8)], [Value("y", Float, rows ?? "batch", 4)],
        Weights("w", [8, 4], [.. Enumerable.Range(0, 32).Select(i => MathF.Sin(i))]));

    private static IEnumerable<Dictionary<string, Tensor>> Rows(int count) =>
        Enumerable.Range(0, count).Select(row => new Dictionary<string, Tensor> { ["x"] = Tensor.Create([.. Enumerable.Range(0, 8).Select(i => MathF.Cos((row * 8) + i))]) });

    private static async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Later(IEnumerable<IReadOnlyDictionary<string, Tensor>> rows)
    {
        foreach (IReadOnlyDictionary<string, Tensor> row in rows)
        {
            await Task.Yield();
            yield return row;
        }
    }

    private sealed class ThreadLog : Microsoft.Extensions.Logging.ILogger
    {
        public HashSet<int> Threads { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => true;

        public void Log<TState>(Microsoft.Extensions.Logging.LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Threads)
            {
                Threads.Add(Environment.CurrentManagedThreadId);
            }
        }
    }
}
