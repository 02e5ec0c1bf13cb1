using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Tests.Support;

namespace Qaic.Tests.Compilation;

[TestClass]
public sealed class CompileCacheKeyTests : IDisposable
{
    private readonly CompileCacheWorkshop _workshop = new();
    private readonly string _model;
    private readonly QaicOptions _options;

    public CompileCacheKeyTests()
    {
        _model = _workshop.Model("m.onnx", "weights.bin");
        _workshop.File("weights.bin", "weights");
        _options = new() { CustomIoListFile = _workshop.File("io.yaml", "precision"), CompilerArguments = [$"-some-list={_workshop.File("raw.txt", "raw")}"] };
    }

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _workshop.Dispose();

    [TestMethod]
    public void The_same_things_have_the_same_key() => Assert.AreEqual(Key(), Key());

    [TestMethod]
    [DataRow("m.onnx"), DataRow("weights.bin"), DataRow("io.yaml"), DataRow("raw.txt")]
    public void Another_byte_in_a_file_is_another_key(string file)
    {
        string before = Key();
        string path = Path.Combine(_workshop.Root, file);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        Assert.AreNotEqual(before, Key());
    }

    [TestMethod]
    public void The_raw_tensors_that_an_input_list_names_count()
    {
        string list = _workshop.File("list.txt", "a.raw,b.raw\n./c.raw\n");
        string[] tensors = [.. new[] { "a.raw", "b.raw", "c.raw" }.Select(name => _workshop.File(name, name))];
        QaicOptions options = new() { CompilerArguments = [$"-input-list-file={list}"] };
        var keys = new HashSet<string> { Key(options) };
        foreach (string tensor in tensors)
        {
            File.AppendAllText(tensor, "x");
            Assert.IsTrue(keys.Add(Key(options)), tensor);
        }
    }

    [TestMethod]
    public void An_input_list_counts_by_the_data_of_each_inference_and_not_by_where_it_lies()
    {
        Array.ForEach(["a.raw", "b.raw", "c.raw"], name => _workshop.File(name, name));
        Directory.CreateDirectory(Path.Combine(_workshop.Root, "copy"));
        Array.ForEach(["a.raw", "b.raw", "c.raw"], name => File.Copy(Path.Combine(_workshop.Root, name), Path.Combine(_workshop.Root, "copy", name)));
        string Of(string list) => Key(new QaicOptions { InputListFile = _workshop.File("list.txt", list) });
        string key = Of("a.raw,b.raw\nc.raw\n");
        Assert.AreEqual(key, Of(" copy/a.raw , b.raw\r\n\r\n" + Path.Combine(_workshop.Root, "copy", "c.raw")));
        Assert.HasCount(5, new HashSet<string> { key, Of("a.raw\nb.raw,c.raw\n"), Of("a.raw,b.raw,c.raw"), Of("b.raw,a.raw\nc.raw"), Of("a.raw,b.raw\nmissing.raw") });
        File.AppendAllText(Path.Combine(_workshop.Root, "c.raw"), "x");
        Assert.AreNotEqual(key, Of("a.raw,b.raw\nc.raw\n"));
    }

    [TestMethod]
    public void Every_value_of_a_compile_option_is_another_key()
    {
        ImmutableDictionary<string, int> symbols = ImmutableDictionary<string, int>.Empty;
        QaicOptions[] all =
        [
            new(), new() { NumCores = 1 }, new() { NumCores = 2 }, new() { BatchSize = 1 }, new() { BatchSize = 2 },
            new() { OnnxDefineSymbol = symbols.Add("N", 1) }, new() { OnnxDefineSymbol = symbols.Add("N", 2) }, new() { OnnxDefineSymbol = symbols.Add("M", 1) },
            new() { OnnxDefineSymbol = symbols.Add("N", 1).Add("M", 1) },
            new() { Specializations = [symbols.Add("N", 1)] }, new() { Specializations = [symbols.Add("N", 1), symbols.Add("N", 2)] },
            new() { Specializations = [symbols.Add("N", 1).Add("M", 2)] }, new() { Specializations = [symbols.Add("N", 1), symbols.Add("M", 2)] },
            new() { CompilerArguments = ["-a"] }, new() { CompilerArguments = ["-a", "-b"] }, new() { CompilerArguments = ["-a -b"] },
            new() { CustomIoListFile = _options.CustomIoListFile }, new() { NetworkSpecializationConfig = _options.CustomIoListFile },
        ];
        Assert.HasCount(all.Length, all.Select(Key).Distinct().ToList());
    }

    [TestMethod]
    public void The_order_of_a_dictionary_does_not_count()
    {
        string[] names = [.. Enumerable.Range(0, 50).Select(i => $"s{i}")];
        var forth = names.Aggregate(ImmutableDictionary<string, int>.Empty, (map, name) => map.Add(name, 1));
        var back = names.Reverse().Aggregate(ImmutableDictionary<string, int>.Empty.WithComparers(StringComparer.OrdinalIgnoreCase), (map, name) => map.Add(name, 1));
        Assert.AreEqual(Key(new() { OnnxDefineSymbol = forth }), Key(new() { OnnxDefineSymbol = back }));
    }

    [TestMethod]
    public void Options_that_compilation_does_not_read_do_not_count() =>
        Assert.AreEqual(Key(), Key(_options with { NumActivations = 7, SetSize = 9, DeviceId = 3, OutputDirectory = "x", CacheLimitMiB = 5, EnableMetrics = true, Backend = QaicBackend.Simulated }));

    [TestMethod]
    public void Where_the_files_are_does_not_count_but_the_models_name_does()
    {
        string before = Key();
        DirectoryInfo elsewhere = Directory.CreateDirectory(Path.Combine(_workshop.Root, "elsewhere"));
        foreach (string file in Directory.GetFiles(_workshop.Root))
        {
            File.Copy(file, Path.Combine(elsewhere.FullName, Path.GetFileName(file)));
        }

        string copy = Path.Combine(elsewhere.FullName, "m.onnx");
        QaicOptions options = _options with { CustomIoListFile = Path.Combine(elsewhere.FullName, "io.yaml") };
        Assert.AreEqual(before, Key(options, model: copy));
        File.Move(copy, copy.Replace("m.onnx", "n.onnx", StringComparison.Ordinal));
        Assert.AreNotEqual(before, Key(options, model: Path.Combine(elsewhere.FullName, "n.onnx")), "a network without a name is called by its file");
    }

    [TestMethod]
    public void Another_compiler_or_version_is_another_key()
    {
        string[] keys = [Key(), Key(compiler: new CountingCompiler { Name = "other" }), Key(compiler: new CountingCompiler { Version = "2" }), Key(compiler: new SteppedCompiler("") { })];
        Assert.HasCount(4, keys.Distinct().ToList());
    }

    [TestMethod]
    public void Options_that_the_compiler_takes_from_the_environment_count()
    {
        string before = Key();
        Environment.SetEnvironmentVariable("QAIC_COMPILER_OPTS_UNSUPPORTED", "-debug-glow");
        try
        {
            Assert.AreNotEqual(before, Key());
        }
        finally
        {
            Environment.SetEnvironmentVariable("QAIC_COMPILER_OPTS_UNSUPPORTED", null);
        }
    }

    [TestMethod]
    [DataRow("-dump-profile=p.yaml"), DataRow("-mdp-dump-partition-config=p.json"), DataRow("-write-output-dir=x"), DataRow("-aic-binary-dir=x")]
    public void Arguments_that_write_further_files_bypass_the_cache(string argument)
    {
        Assert.IsNull(CompileCacheKey.Of(new CountingCompiler(), _model, new() { CompilerArguments = [argument] }, Digests(), out string reason, TestContext.CancellationToken));
        Assert.Contains(argument, reason);
    }

    [TestMethod]
    public void An_option_that_writes_a_further_file_has_it_written_every_time()
    {
        var compiler = new CountingCompiler();
        var log = new RecordingLogger();
        QaicOptions options = new() { DumpCustomIoConfigTemplateFile = Path.Combine(_workshop.Root, "template.yaml") };
        for (int i = 1; i <= 2; i++)
        {
            using CacheEntry entry = _workshop.Cache().Get(compiler, _model, options, log);
            Assert.IsFalse(entry.IsHit);
            Assert.AreEqual(i, compiler.Compiled);
            Assert.Contains("dump_custom_io_config_template_file", log.Of(LogLevel.Debug).Last());
        }

        Assert.IsEmpty(_workshop.EntryPaths);
    }

    [TestMethod]
    public void A_model_that_cannot_be_understood_is_left_to_the_compiler()
    {
        string model = _workshop.File("broken.onnx", "no protobuf");
        Assert.IsNull(CompileCacheKey.Of(new CountingCompiler(), model, new(), Digests(), out string reason, TestContext.CancellationToken));
        Assert.Contains("broken.onnx", reason);
    }

    [TestMethod]
    [DataRow("missing.bin"), DataRow("/dev/zero"), DataRow("."), DataRow("")]
    public void External_data_that_is_no_file_is_left_to_the_compiler(string location)
    {
        string model = _workshop.Model("external.onnx", location);
        Assert.IsNull(CompileCacheKey.Of(new CountingCompiler(), model, new(), Digests(), out string reason, TestContext.CancellationToken));
        Assert.Contains($"'{location}'", reason);
    }

    [TestMethod]
    public void External_data_is_found_wherever_a_tensor_can_be()
    {
        // Each line: the path of fields from the model down to a tensor.
        int[][] places =
        [
            [7, 5], [7, 15, 1], [7, 15, 2], [7, 1, 5, 5], [7, 1, 5, 10], [7, 1, 5, 22, 1], [7, 1, 5, 23, 2], [7, 1, 5, 6, 5], [7, 1, 5, 11, 1, 5, 6, 1, 5, 5],
            [20, 1, 5], [20, 2, 1, 5, 5], [25, 7, 5, 5], [25, 7, 5, 6, 5], [25, 11, 5],
        ];
        var model = new WireWriter();
        for (int i = 0; i < places.Length; i++)
        {
            Nest(model, places[i], $"place{i}.bin");
        }

        string path = Path.Combine(_workshop.Root, "everywhere.onnx");
        File.WriteAllBytes(path, model.ToArray());
        CollectionAssert.AreEquivalent(Enumerable.Range(0, places.Length).Select(i => $"place{i}.bin").ToArray(), OnnxFiles.ExternalLocations(path).ToArray());

        // Cut anywhere it is a damaged model or a shorter one, never a crash.
        byte[] bytes = model.ToArray();
        for (int length = 1; length < bytes.Length; length++)
        {
            File.WriteAllBytes(path, bytes[..length]);
            try
            {
                Assert.IsLessThanOrEqualTo(places.Length, OnnxFiles.ExternalLocations(path).Count);
            }
            catch (QpcFormatException)
            {
            }
        }
    }

    [TestMethod]
    public void Graphs_that_nest_without_end_are_refused()
    {
        var model = new WireWriter();
        Nest(model, [7, .. Enumerable.Repeat(new[] { 1, 5, 6 }, 200).SelectMany(p => p), 5], "deep.bin");
        string path = Path.Combine(_workshop.Root, "deep.onnx");
        File.WriteAllBytes(path, model.ToArray());
        Assert.Contains("nest", Assert.ThrowsExactly<QpcFormatException>(() => OnnxFiles.ExternalLocations(path)).Message);
    }

    private static void Nest(WireWriter writer, ReadOnlySpan<int> fields, string location)
    {
        int[] inner = fields[1..].ToArray();
        writer.Message(fields[0], message =>
        {
            if (inner.Length == 0)
            {
                CompileCacheWorkshop.OnnxTensor(message, location);
            }
            else
            {
                Nest(message, inner, location);
            }
        });
    }

    private FileDigests Digests() => new(Path.Combine(_workshop.Root, "digests"), TimeProvider.System);

    private string Key(QaicOptions options) => Key(options, null);

    private string Key(QaicOptions? options = null, string? model = null, ICompiler? compiler = null) =>
        CompileCacheKey.Of(compiler ?? new CountingCompiler(), model ?? _model, options ?? _options, Digests(), out string reason, TestContext.CancellationToken) ?? throw new AssertFailedException(reason);
}
