using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.Tests.Support;

namespace Qaic.Tests.Quantization;

/// <summary>The vendor's compiler as a profiler: what it is given, and what becomes of what it writes.</summary>
[TestClass]
public sealed class ProfileByVendorTests
{
    // Keeps what it was given, and writes the profile that lies beside it.
    private const string Profiles = """
        list=$(printf '%s\n' "$@" | sed -n 's/^-input-list-file=//p')
        cp "$list" "$here/list"
        n=0
        while IFS= read -r line; do cp "${line%%,*}" "$here/raw$n"; n=$((n + 1)); done < "$list"
        cp "$here/profile" "$profile"
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public void Data_reaches_it_as_a_list_of_batches_and_its_profile_comes_back()
    {
        FakeCompiler fake = Fake();
        List<ProfilingProgress> told = [];
        QaicOptions options = new()
        {
            BatchSize = 2,
            NumHistogramBins = 256,
            NumCores = 4,
            ConvertToQuantize = true,
            QuantizationCalibration = QuantizationCalibration.Auto,
            CompilerArguments = ["-x"],
        };
        QuantizationProfile profile = new QaicExecCompiler(fake.Path).Profile(Model("n,2"), Samples(3), options, NullLogger.Instance, new Told(told), default);
        Assert.AreEqual(ProfileText.Good, ProfileText.Write(profile));
        string[] arguments = fake.Arguments();
        Assert.AreEqual($"-m={Model("n,2")} -onnx-define-symbol=n,2 -num-histogram-bins=256 -x", string.Join(' ', arguments[..^2]));
        Assert.StartsWith("-input-list-file=", arguments[^2]);
        Assert.StartsWith("-dump-profile=", arguments[^1]);
        CollectionAssert.AreEqual(new[] { 0f, 0, 1, 1 }, Floats(fake.Beside("raw0")));
        CollectionAssert.AreEqual(new[] { 2f, 2, 0, 0 }, Floats(fake.Beside("raw1")));
        Assert.AreEqual("(2, 0) (3, 2)", string.Join(' ', told.Select(p => $"({p.Samples}, {p.Tensors})")));
        Assert.IsFalse(File.Exists(arguments[^1][14..]), "the data and the profile are deleted");
        Assert.IsFalse(File.Exists(File.ReadLines(fake.Beside("list")).First()));
    }

    [TestMethod]
    public async Task Data_that_arrives_asynchronously_reaches_it_too()
    {
        FakeCompiler fake = Fake();
        QuantizationProfile profile = await new QaicExecCompiler(fake.Path).ProfileAsync(Model("n,2"), Slowly(), new(), NullLogger.Instance, null, default);
        Assert.AreEqual(2, profile.Tensors.Count);
        CollectionAssert.AreEqual(new[] { 1f, 1 }, Floats(fake.Beside("raw1")));

        static async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Slowly()
        {
            foreach (IReadOnlyDictionary<string, Tensor> sample in Samples(2))
            {
                await Task.Yield();
                yield return sample;
            }
        }
    }

    [TestMethod]
    public async Task Nothing_of_that_runs_on_the_callers_thread()
    {
        FakeCompiler fake = Fake();
        using var returned = new ManualResetEventSlim();
        Task<QuantizationProfile> profiling = new QaicExecCompiler(fake.Path).ProfileAsync(Model("n,2"), AtOnce(), new(), NullLogger.Instance, null, default);
        returned.Set();
        await profiling;

        // If the caller's thread came here, it could not let itself go on.
        async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> AtOnce()
        {
            Assert.IsTrue(returned.Wait(TimeSpan.FromSeconds(30)), "the call returns before the data is read");
            yield return Samples(1).Single();
            await Task.CompletedTask;
        }
    }

    [TestMethod]
    public void Cancelling_the_tool_is_told_with_the_callers_token()
    {
        FakeCompiler fake = new(_directory.FullName, "exec sleep 600", help: null);
        using var stop = new CancellationTokenSource();
        QaicOptions options = new() { CompileTimeout = 300 };
        var log = new CancelAtStart(stop);
        OperationCanceledException e = Assert.Throws<OperationCanceledException>(() => new QaicExecCompiler(fake.Path).Profile(Model("n,2"), Samples(1), options, log, null, stop.Token));
        Assert.AreEqual(stop.Token, e.CancellationToken);
    }

    [TestMethod]
    public void A_list_of_inputs_reaches_it_with_paths_that_it_finds()
    {
        FakeCompiler fake = new(_directory.FullName, "cp \"$(printf '%s\\n' \"$@\" | sed -n 's/^-input-list-file=//p')\" \"$here/list\"\n" + FakeCompiler.Compiles, help: null);
        string raw = Path.Combine(_directory.FullName, "a.raw"), list = Path.Combine(_directory.FullName, "list.txt");
        File.WriteAllBytes(raw, new byte[8]);
        File.WriteAllText(list, "a.raw\n");
        new QaicExecCompiler(fake.Path).Compile(Model("n,2"), Path.Combine(_directory.FullName, "out"), new() { ConvertToQuantize = true, InputListFile = list }, NullLogger.Instance, default);
        Assert.AreEqual(raw + "\n", File.ReadAllText(fake.Beside("list")));
    }

    [TestMethod]
    [DataRow("n,2", "", 1)]
    [DataRow("?,2", "", 1)]
    [DataRow("?,2", "batch_size: 3", 3)]
    [DataRow("3,2", "", 3)]
    [DataRow("n,m", "onnx_define_symbol: {n: 3, m: 2}", 3)]
    [DataRow("n,m", "batch_size: 3\nonnx_define_symbol: {m: 2}", 3)]
    [DataRow("n,2", "compiler_args: ['-onnx-define-symbol=n,3']", 3)]
    [DataRow("n,2", "compiler_args: ['-batchsize=3']", 3)]
    public void The_batch_is_the_one_that_the_tool_is_told(string shape, string yaml, int batch)
    {
        FakeCompiler fake = Fake();
        new QaicExecCompiler(fake.Path).Profile(Model(shape), Samples(1), QaicOptions.ParseYaml(yaml), NullLogger.Instance, null, default);
        Assert.HasCount(2 * batch, Floats(fake.Beside("raw0")));
    }

    [TestMethod]
    [DataRow("n,m", "", "Dimension 'm' of input 'x'", CompilationError.MissingSymbol)]
    [DataRow("n,?", "", "Dimension number 1", CompilationError.MissingSymbol)]
    [DataRow("-", "", "Input 'x' of", CompilationError.ModelLoad)]
    [DataRow("-", "batch_size: 3", "has no shape", CompilationError.ModelLoad)]
    [DataRow("2,2", "batch_size: 3", "has a batch of its own: x Float32[2, 2]", CompilationError.ModelLoad)]
    [DataRow("n,2", "specializations: [{n: 1}, {n: 2}]", "several sets of shapes", CompilationError.MissingSymbol)]
    public void What_leaves_the_layout_open_is_refused_before_anything_runs(string shape, string yaml, string expected, CompilationError error)
    {
        FakeCompiler fake = Fake();
        CompilationException e = Assert.ThrowsExactly<CompilationException>(
            () => new QaicExecCompiler(fake.Path).Profile(Model(shape), Samples(1), QaicOptions.ParseYaml(yaml), NullLogger.Instance, null, default));
        Assert.Contains(expected, e.Message);
        Assert.AreEqual((error, 0), (e.Error, fake.Runs));
    }

    [TestMethod]
    public void A_model_whose_input_has_no_shape_is_left_to_the_compiler()
    {
        FakeCompiler fake = new(_directory.FullName, help: null);
        string output = Path.Combine(_directory.FullName, "out");
        Assert.IsTrue(File.Exists(new QaicExecCompiler(fake.Path).Compile(Model("-"), output, new() { BatchSize = 3 }, NullLogger.Instance, default)));
        CollectionAssert.Contains(fake.Arguments(), "-batchsize=3");
    }

    [TestMethod]
    public void A_type_that_the_card_has_not_is_refused_by_its_number()
    {
        FakeCompiler fake = Fake();
        Assert.Contains("elements of type 11", Assert.ThrowsExactly<CompilationException>(
            () => new QaicExecCompiler(fake.Path).Profile(Model("n,2", type: 11), Samples(1), new(), NullLogger.Instance, null, default)).Message);
    }

    [TestMethod]
    public void A_model_that_is_none_and_a_missing_one_are_told_apart()
    {
        FakeCompiler fake = Fake();
        QaicExecCompiler compiler = new(fake.Path);
        string model = Path.Combine(_directory.FullName, "no.onnx");
        Assert.ThrowsExactly<FileNotFoundException>(() => compiler.Profile(model, Samples(1), new(), NullLogger.Instance, null, default));
        File.WriteAllText(model, "no model");
        Assert.Contains("no ONNX model", Assert.ThrowsExactly<CompilationException>(() => compiler.Profile(model, Samples(1), new(), NullLogger.Instance, null, default)).Message);
    }

    [TestMethod]
    public void Bad_samples_end_it_before_the_tool_runs()
    {
        FakeCompiler fake = Fake();
        QaicExecCompiler compiler = new(fake.Path);
        Assert.Contains("no sample", Assert.ThrowsExactly<ArgumentException>(() => compiler.Profile(Model("n,2"), [], new(), NullLogger.Instance, null, default)).Message);
        Assert.Contains("'x'", Assert.ThrowsExactly<ArgumentException>(() => compiler.Profile(Model("n,2"), [new Dictionary<string, Tensor>()], new(), NullLogger.Instance, null, default)).Message);
        Assert.AreEqual(0, fake.Runs);
    }

    [TestMethod]
    public void Success_with_a_damaged_profile_is_an_error_that_says_where()
    {
        FakeCompiler fake = Fake(ProfileText.Good[..300]);
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => new QaicExecCompiler(fake.Path).Profile(Model("n,2"), Samples(1), new(), NullLogger.Instance, null, default));
        Assert.AreEqual(CompilationError.DamagedOutput, e.Error);
        Assert.Contains("no profile", e.Message);
        Assert.IsInstanceOfType<QuantizationFormatException>(e.InnerException);
    }

    [TestMethod]
    public void A_run_that_fails_is_diagnosed()
    {
        FakeCompiler fake = new(_directory.FullName, "echo 'no such operator' >&2; exit 1", help: null);
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => new QaicExecCompiler(fake.Path).Profile(Model("n,2"), Samples(1), new(), NullLogger.Instance, null, default));
        Assert.Contains("could not profile", e.Message);
        Assert.Contains("no such operator", e.Message);
    }

    [TestMethod]
    public void An_automatic_calibration_is_refused_by_name_with_the_remedy()
    {
        FakeCompiler fake = new(_directory.FullName);
        CompilationException e = Assert.ThrowsExactly<CompilationException>(
            () => new QaicExecCompiler(fake.Path).Compile(Model("n,2"), Path.Combine(_directory.FullName, "out"), new() { QuantizationCalibration = QuantizationCalibration.Auto }, NullLogger.Instance, default));
        Assert.AreEqual((CompilationError.UnknownOption, 0), (e.Error, fake.Runs));
        Array.ForEach(["'auto'", "quantization_calibration", "KLMinimization", "simulated card"], part => Assert.Contains(part, e.Message));
    }

    private FakeCompiler Fake(string profile = ProfileText.Good)
    {
        FakeCompiler fake = new(_directory.FullName, Profiles, help: null);
        File.WriteAllText(fake.Beside("profile"), profile);
        return fake;
    }

    private static IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples(int rows) =>
        Enumerable.Range(0, rows).Select(i => new Dictionary<string, Tensor> { ["x"] = Tensor.Create<float>([i, i], 2) });

    private static float[] Floats(string path) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();

    // One input x and an initializer w that is an input as well.
    private string Model(string shape, uint type = 1)
    {
        var model = new WireWriter();
        model.UInt32(1, 8);
        model.Message(7, graph =>
        {
            Input(graph, "w", "7", 1);
            Input(graph, "x", shape, type);
            graph.Message(5, tensor => tensor.String(8, "w"));
        });
        string path = Path.Combine(_directory.FullName, "model.onnx");
        File.WriteAllBytes(path, model.ToArray());
        return path;
    }

    private static void Input(WireWriter graph, string name, string shape, uint type) => graph.Message(11, input =>
    {
        input.String(1, name);
        input.Message(2, value => value.Message(1, tensor =>
        {
            tensor.UInt32(1, type);
            if (shape == "-")
            {
                return;
            }

            tensor.Message(2, dims =>
            {
                foreach (string dim in shape.Split(','))
                {
                    dims.Message(1, d =>
                    {
                        if (uint.TryParse(dim, out uint length))
                        {
                            d.UInt32(1, length);
                        }
                        else if (dim != "?")
                        {
                            d.String(2, dim);
                        }
                    });
                }
            });
        }));
    });

    // The tool's start is the first thing that is logged.
    private sealed class CancelAtStart(CancellationTokenSource stop) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => stop.Cancel();
    }

    private sealed class Told(List<ProfilingProgress> told) : IProgress<ProfilingProgress>
    {
        public void Report(ProfilingProgress value) => told.Add(value);
    }
}
