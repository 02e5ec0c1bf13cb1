using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Tests.Support;

namespace Qaic.Tests.Compilation;

/// <summary>What the vendor's compiler is given, and what becomes of what it makes.</summary>
[TestClass]
public sealed class QaicExecCompilerTests
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    [DataRow("qaic-exec", FakeCompiler.Help, "ai100", " -compile-only")]
    [DataRow("qaic-exec", FakeCompiler.OldHelp, "2.0", " -compile-only")]
    [DataRow("qaic-exec", null, "2.0", " -compile-only")]
    [DataRow("qaic-compile", FakeCompiler.Help, "ai100", "")]
    [DataRow("qaic-compile", null, "ai100", "")]
    [DataRow("wrapper.sh", FakeCompiler.OldHelp, "2.0", " -compile-only")]
    [DataRow("wrapper.sh", "-aic-binary-dir=<dir> -aic-num-cores", "2.0", "")]
    [DataRow("wrapper.sh", null, "2.0", " -compile-only")]
    public void The_tool_gets_exactly_the_arguments_of_its_generation(string name, string? help, string hardware, string compileOnly)
    {
        FakeCompiler fake = new(_directory.FullName, name: name, help: help);
        string qpc = Compile(fake, new() { NumCores = 4 });
        Assert.AreEqual(Path.Combine(Target, "programqpc.bin"), qpc);
        string[] arguments = fake.Arguments();
        string binaries = arguments.Single(a => a.StartsWith("-aic-binary-dir=", StringComparison.Ordinal));
        Assert.AreEqual($"-m={Model()} -aic-hw -aic-hw-version={hardware} -aic-num-cores=4 {binaries}{compileOnly}", string.Join(' ', arguments));
        using var file = QpcFile.Open(qpc);
        Assert.AreEqual("programqpc.bin", string.Join(' ', Entries(Target)));
    }

    [TestMethod]
    public void Blanks_quotes_and_operators_reach_the_tool_as_they_are()
    {
        using RecordingLogger logger = new();
        string model = Model("a model's $HOME; *.onnx");
        FakeCompiler fake = new(_directory.FullName);
        string[] raw = ["-onnx-define-symbol=past_sequence_length + 1,128", "-x=\"two  words\" `id` $(id) \\"];
        new QaicExecCompiler(fake.Path).Compile(model, Target, new() { CompilerArguments = [.. raw], HardwareVersion = "ai200" }, logger, default);
        string[] arguments = fake.Arguments();
        Assert.AreEqual($"-m={model}", arguments[0]);
        CollectionAssert.AreEqual(raw, arguments.Intersect(raw).ToArray());
        Assert.Contains("-aic-hw-version=ai200", arguments);
        Assert.HasCount(7, arguments);
        Assert.Contains(@"'-onnx-define-symbol=past_sequence_length + 1,128'", logger.Of(LogLevel.Information).First());
    }

    [TestMethod]
    public void The_culture_of_the_user_changes_nothing()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("de-DE") { NumberFormat = { NegativeSign = "minus", NumberGroupSeparator = " " } };
        try
        {
            FakeCompiler fake = new(_directory.FullName, $"echo \"$LC_ALL\" > \"$here/locale\"; cp \"${{config:=$(printf '%s\\n' \"$@\" | sed -n 's/^-network-specialization-config=//p')}}\" \"$here/config\"\n{FakeCompiler.Compiles}");
            Compile(fake, new()
            {
                NumCores = 14,
                Specializations =
                [
                    ImmutableDictionary<string, int>.Empty.Add("seq_len", 12345).Add("batch_size", 1),
                    ImmutableDictionary<string, int>.Empty.Add("seq_len", 1).Add("batch_size", 1),
                ],
            });
            Assert.AreEqual("""{"specializations":[{"batch_size":"1","seq_len":"12345"},{"batch_size":"1","seq_len":"1"}]}""", File.ReadAllText(fake.Beside("config")));
            Assert.AreEqual("C.UTF-8", File.ReadAllText(fake.Beside("locale")).Trim());
            Assert.Contains("-aic-num-cores=14", fake.Arguments());
            Assert.AreEqual("programqpc.bin", string.Join(' ', Entries(Target)));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [TestMethod]
    public void Shape_sets_by_file_and_in_code_are_refused_together()
    {
        FakeCompiler fake = new(_directory.FullName);
        ArgumentException e = Assert.ThrowsExactly<ArgumentException>(() => Compile(fake, new() { NetworkSpecializationConfig = "a.json", Specializations = [ImmutableDictionary<string, int>.Empty.Add("n", 1)] }));
        Assert.Contains("network_specialization_config", e.Message);
    }

    [TestMethod]
    public void A_flag_that_the_help_does_not_have_is_refused_with_tool_version_option_and_flag()
    {
        FakeCompiler fake = new(_directory.FullName, help: FakeCompiler.OldHelp);
        QaicOptions options = new() { Specializations = [ImmutableDictionary<string, int>.Empty.Add("n", 1)] };
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(fake, options));
        Assert.AreEqual(CompilationError.UnknownOption, e.Error);
        Assert.StartsWith($"qaic-exec Qaic Exec 1.20.0 ({fake.Path}) has no flag -network-specialization-config, which is from option Specializations (specializations). ", e.Message);
        Assert.Contains("CompilerArguments (compiler_args)", e.Message);
        Assert.AreEqual(0, fake.Runs);
        Assert.IsFalse(Directory.Exists(Target));
    }

    [TestMethod]
    public void Raw_arguments_and_tools_without_readable_help_are_not_gated()
    {
        FakeCompiler old = new(_directory.FullName, help: FakeCompiler.OldHelp);
        Compile(old, new() { CompilerArguments = ["-brand-new"] });
        FakeCompiler silent = new(_directory.FullName, help: null, version: null);
        Compile(silent, new() { Specializations = [ImmutableDictionary<string, int>.Empty.Add("n", 1)] });
        Assert.AreEqual((1, 1), (old.Runs, silent.Runs));
        QaicExecCompiler compiler = new(silent.Path);
        Assert.IsNull(compiler.Knows("aic-hw"));
        Assert.StartsWith("unknown version; ", compiler.Version);
    }

    [TestMethod]
    public void An_executable_is_asked_once_until_it_changes()
    {
        FakeCompiler fake = new(_directory.FullName);
        Compile(fake);
        QaicExecCompiler compiler = new(fake.Path);
        string version = compiler.Version;
        Assert.IsTrue(compiler.Knows("onnx-define-symbol"));
        Assert.IsFalse(compiler.Knows("sub-functions"));
        Assert.AreEqual("-version -h -u", fake.Asked);
        Assert.StartsWith("Qaic Exec 1.20.0; ", version);
        Assert.AreEqual(version, new QaicExecCompiler(fake.Path).Version);
        File.AppendAllText(fake.Path, "\n# patched\n");
        Assert.AreNotEqual(version, compiler.Version);
        Assert.AreEqual("-version -h -u -version -h -u", fake.Asked);
    }

    [TestMethod]
    public void The_version_covers_the_library_and_the_environment_that_change_the_result()
    {
        FakeCompiler fake = new(_directory.FullName);
        QaicExecCompiler compiler = new(fake.Path);
        string plain = compiler.Version;
        string library = Path.Combine(_directory.FullName, "libother.so");
        File.WriteAllText(library, "ELF");
        Assert.Contains("libQAicCompiler.so 3 bytes", With("QAIC_COMPILER_LIB", library, () => compiler.Version));
        Assert.Contains("-loader-inline-all=0", With("QAIC_COMPILER_OPTS_UNSUPPORTED", "-loader-inline-all=0", () => compiler.Version));
        string beside = Directory.CreateDirectory(Path.Combine(_directory.FullName, "dev", "lib", "x86_64")).FullName;
        File.WriteAllText(Path.Combine(beside, "libQAicCompiler.so"), "library");
        Assert.AreEqual($"{plain}; libQAicCompiler.so 7 bytes", compiler.Version[..(plain.Length + 28)]);
    }

    [TestMethod]
    public void An_old_result_stays_until_a_whole_one_replaces_it_and_what_lies_about_is_not_in_the_way()
    {
        Directory.CreateDirectory(Target);
        string qpc = new TestQpc { Elements = 8 }.Write(Target);
        File.Move(qpc, Path.Combine(Target, "programqpc.bin"));
        File.WriteAllText(Path.Combine(Target, "constants.bin"), "old");
        byte[] old = File.ReadAllBytes(Path.Combine(Target, "programqpc.bin"));
        FakeCompiler half = new(_directory.FullName, "mkdir \"$out\"; head -c 100 \"$here/good.bin\" > \"$out/programqpc.bin\"; echo half > \"$out/constants.bin\"; exit 255");
        Assert.ThrowsExactly<CompilationException>(() => Compile(half));
        FakeCompiler cut = new(_directory.FullName, "mkdir \"$out\"; head -c 100 \"$here/good.bin\" > \"$out/programqpc.bin\"; echo done");
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(cut));
        Assert.AreEqual((CompilationError.DamagedOutput, 0, "done"), (e.Error, e.ExitCode, e.OutputTail));
        CollectionAssert.AreEqual(old, File.ReadAllBytes(Path.Combine(Target, "programqpc.bin")));
        Assert.AreEqual("old", File.ReadAllText(Path.Combine(Target, "constants.bin")));

        string abandoned = Directory.CreateDirectory(Path.Combine(Target, "qaic-abandoned")).FullName;
        File.WriteAllText(Path.Combine(abandoned, ".owner"), "of a process that was killed");
        File.SetLastWriteTimeUtc(Path.Combine(abandoned, ".owner"), DateTime.UtcNow.AddMinutes(-2));
        FakeCompiler whole = new(_directory.FullName, $"{FakeCompiler.Compiles}\necho new > \"$out/constants.bin\"; mkdir \"$out/logs\"; echo l > \"$out/logs/l\"");
        Compile(whole);
        Compile(whole);
        CollectionAssert.AreEqual(File.ReadAllBytes(whole.Beside("good.bin")), File.ReadAllBytes(Path.Combine(Target, "programqpc.bin")));
        Assert.AreEqual("new\n", File.ReadAllText(Path.Combine(Target, "constants.bin")));
        Assert.AreEqual("constants.bin logs programqpc.bin", string.Join(' ', Entries(Target)));
    }

    [TestMethod]
    public void Success_without_a_file_is_an_error_that_says_so()
    {
        FakeCompiler fake = new(_directory.FullName, "echo 'Compile started ...'");
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(fake));
        Assert.AreEqual((CompilationError.NoOutput, 0), (e.Error, e.ExitCode));
        Assert.StartsWith($"qaic-exec Qaic Exec 1.20.0 ({fake.Path}) could not compile '{Model()}': it reports success", e.Message);
        Assert.IsFalse(Directory.Exists(Target), "what the compilation began to write is removed");
        CollectionAssert.AreEqual(fake.Arguments(), e.Arguments.ToArray());
    }

    [TestMethod]
    public void A_profile_is_made_first_and_then_compiled_with()
    {
        FakeCompiler fake = new(_directory.FullName);
        string profile = Path.Combine(_directory.FullName, "profiles", "p.yaml");
        Compile(fake, new() { CompilerArguments = [$"-dump-profile={profile}", "-input-list-file=list.txt", "-profiling-threads=8", "-quantization-schema-activations=asymmetric"] });
        Assert.AreEqual(2, fake.Runs);
        Assert.AreEqual($"-m={Model()} -input-list-file=list.txt -profiling-threads=8 -quantization-schema-activations=asymmetric", string.Join(' ', fake.Arguments(0)[..^1]));
        Assert.StartsWith("-dump-profile=", fake.Arguments(0)[^1]);
        Assert.AreEqual(
            $"-m={Model()} -aic-hw -aic-hw-version=ai100 -quantization-schema-activations=asymmetric -load-profile={profile}", string.Join(' ', fake.Arguments(1)[..^2]));
        Assert.AreEqual("GraphPreLowerHash: 1\n", File.ReadAllText(profile));
        Assert.HasCount(1, Directory.GetFiles(Path.GetDirectoryName(profile)!));
    }

    [TestMethod]
    public void Template_and_profile_by_their_options_take_a_run_each_before_the_one_that_compiles()
    {
        FakeCompiler fake = new(_directory.FullName, help: null);
        string profile = Path.Combine(_directory.FullName, "p.yaml");
        string template = Path.Combine(_directory.FullName, "t.yaml");
        QaicOptions options = new()
        {
            DumpProfile = profile,
            InputListFile = "list.txt",
            ProfilingThreads = 8,
            QuantizationPrecision = QuantizationPrecision.Int8,
            NodePrecisionInfoFile = "nodes.yaml",
            NumCores = 2,
        };
        Compile(fake, options);
        Assert.AreEqual(2, fake.Runs);
        Assert.AreEqual($"-m={Model()} -node-precision-info=nodes.yaml -input-list-file=list.txt -profiling-threads=8", string.Join(' ', fake.Arguments(0)[..^1]));
        Assert.AreEqual("GraphPreLowerHash: 1\n", File.ReadAllText(profile));

        Compile(fake, options with { DumpCustomIoConfigTemplateFile = template });
        Assert.AreEqual(5, fake.Runs);
        Assert.AreEqual($"-m={Model()} -aic-hw -aic-hw-version=2.0 -node-precision-info=nodes.yaml -quantization-precision=Int8 -aic-num-cores=2", string.Join(' ', fake.Arguments(2)[..^1]));
        Assert.StartsWith("-dump-custom-IO-config-template=", fake.Arguments(2)[^1]);
        CollectionAssert.AreEqual(fake.Arguments(0)[..^1], fake.Arguments(3)[..^1]);
        Assert.AreEqual(
            $"-m={Model()} -aic-hw -aic-hw-version=2.0 -node-precision-info=nodes.yaml -quantization-precision=Int8 -aic-num-cores=2 -load-profile={profile}", string.Join(' ', fake.Arguments(4)[..^2]));
        CollectionAssert.AreEqual(fake.Arguments(1)[..^2], fake.Arguments(4)[..^2]);
        Assert.AreEqual(" - IOName: x0\n", File.ReadAllText(template));
    }

    [TestMethod]
    public void A_profile_run_that_fails_ends_the_compilation_and_leaves_an_old_profile_as_it_was()
    {
        string profile = Path.Combine(_directory.FullName, "p.yaml");
        File.WriteAllText(profile, "old");
        FakeCompiler fake = new(_directory.FullName, "[ -n \"$profile\" ] && { echo half > \"$profile\"; echo 'no such list' >&2; exit 1; }");
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(fake, new() { CompilerArguments = [$"-dump-profile={profile}"] }));
        Assert.Contains($"could not profile '{Model()}': it ended with exit code 1. It says last: no such list", e.Message);
        Assert.AreEqual(("old", 1), (File.ReadAllText(profile), fake.Runs));
    }

    [TestMethod]
    public void A_template_is_made_in_a_run_of_its_own_without_a_directory_for_binaries()
    {
        FakeCompiler fake = new(_directory.FullName);
        string template = Path.Combine(_directory.FullName, "t.yaml");
        Compile(fake, new() { NumCores = 2, CompilerArguments = [$"-dump-custom-IO-config-template={template}", "-custom-IO-list-file=io.yaml"] });
        Assert.AreEqual(2, fake.Runs);
        Assert.AreEqual($"-m={Model()} -aic-hw -aic-hw-version=ai100 -aic-num-cores=2", string.Join(' ', fake.Arguments(0)[..^1]));
        Assert.AreEqual($"-m={Model()} -aic-hw -aic-hw-version=ai100 -aic-num-cores=2 -custom-IO-list-file=io.yaml", string.Join(' ', fake.Arguments(1)[..^2]));
        Assert.AreEqual(" - IOName: x0\n", File.ReadAllText(template));
    }

    [TestMethod]
    [DataRow("-aic-binary-dir=elsewhere", "OutputDirectory")]
    [DataRow("-m=other.onnx", "CompilerArguments (compiler_args)")]
    [DataRow("-dump-profile=", "-dump-profile=<path>")]
    [DataRow("-dump-profile", "-dump-profile=<path>")]
    public void Raw_arguments_that_cannot_be_are_refused_before_anything_runs(string argument, string expected)
    {
        FakeCompiler fake = new(_directory.FullName);
        Assert.Contains(expected, Assert.ThrowsExactly<ArgumentException>(() => Compile(fake, new() { CompilerArguments = [argument] })).Message);
        Assert.AreEqual(0, fake.Runs);
    }

    [TestMethod]
    public void A_missing_model_and_a_target_that_is_no_directory_are_reported_before_anything_runs()
    {
        FakeCompiler fake = new(_directory.FullName);
        QaicExecCompiler compiler = new(fake.Path);
        Assert.ThrowsExactly<FileNotFoundException>(() => compiler.Compile(Path.Combine(_directory.FullName, "no.onnx"), Target, new(), NullLogger.Instance, default));
        Assert.Contains("output_dir", Assert.ThrowsExactly<IOException>(() => compiler.Compile(Model(), fake.Path, new(), NullLogger.Instance, default)).Message);
        Assert.AreEqual(0, fake.Runs);
    }

    [TestMethod]
    public void Compilations_into_one_directory_do_not_disturb_each_other()
    {
        FakeCompiler fake = new(_directory.FullName);
        string model = Model();
        Parallel.For(0, 4, _ => new QaicExecCompiler(fake.Path).Compile(model, Target, new(), NullLogger.Instance, default));
        Assert.AreEqual((4, "-version -h -u", "programqpc.bin"), (fake.Runs, fake.Asked, string.Join(' ', Entries(Target))));
    }

    [TestMethod]
    public void A_path_in_the_options_chooses_which_compiler_is_found_and_no_other_one_for_a_compiler_that_is_there()
    {
        FakeCompiler searched = new(_directory.FullName), option = new(_directory.FullName);
        QaicOptions options = new() { CompilerPath = option.Path };
        QaicExecCompiler found = With("QAIC_COMPILER", searched.Path, () => QaicExecCompiler.Find());
        found.Compile(Model(), Target, options, NullLogger.Instance, default);
        Assert.AreEqual((searched.Path, 1, 0), (found.Path, searched.Runs, option.Runs));
        Assert.AreEqual(option.Path, With("QAIC_COMPILER", searched.Path, () => QaicExecCompiler.Find(options)).Path);
    }

    [TestMethod]
    [DataRow("n,8 n,4", "batch_size: 3", "-onnx-define-symbol=n,3")]
    [DataRow("n,8 n,4", "", "-onnx-define-symbol=n,1")]
    [DataRow("n,s n,s", "batch_size: 3\nonnx_define_symbol: {s: 5}", "-onnx-define-symbol=n,3 -onnx-define-symbol=s,5")]
    [DataRow("n,8 n,4", "batch_size: 3\nonnx_define_symbol: {n: 5}", "-onnx-define-symbol=n,5")]
    [DataRow("n,8 n,4", "batch_size: 3\ncompiler_args: ['-onnx-define-symbol=n,5']", "-onnx-define-symbol=n,5")]
    [DataRow("n,8", "compiler_args: ['-batchsize=5']", "-batchsize=5")]
    [DataRow("n,8", "batch_size: 3\nnetwork_specialization_config: s.json", "-network-specialization-config=s.json")]
    [DataRow("n,8 m,8", "batch_size: 3", "-batchsize=3")]
    [DataRow("n,8 ?,8", "batch_size: 3", "-batchsize=3")]
    [DataRow("4,8 4,n", "batch_size: 3", "-batchsize=3")]
    [DataRow("4,8", "", "")]
    [DataRow("", "batch_size: 3", "-batchsize=3")]
    [DataRow("none", "batch_size: 3", "-batchsize=3")]
    public void The_batch_is_given_by_its_symbol_or_of_a_model_without_one_by_number(string shapes, string yaml, string expected)
    {
        FakeCompiler fake = new(_directory.FullName, help: null);
        string model = shapes == "none" ? Model() : OnnxModel(shapes.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        new QaicExecCompiler(fake.Path).Compile(model, Target, QaicOptions.ParseYaml(yaml), NullLogger.Instance, default);
        string[] own = ["-m=", "-aic-", "-compile-only"];
        Assert.AreEqual(expected, string.Join(' ', fake.Arguments().Where(a => !own.Any(o => a.StartsWith(o, StringComparison.Ordinal)))));
    }

    [TestMethod]
    public void An_initializer_that_is_an_input_as_well_does_not_hide_the_batch()
    {
        FakeCompiler fake = new(_directory.FullName, help: null);
        string model = OnnxModel(["n,8", "16,8"], initializer: "x1");
        new QaicExecCompiler(fake.Path).Compile(model, Target, new() { BatchSize = 2 }, NullLogger.Instance, default);
        Assert.Contains("-onnx-define-symbol=n,2", fake.Arguments());
    }

    [TestMethod]
    public void A_tool_without_that_flag_is_not_given_a_symbol()
    {
        FakeCompiler fake = new(_directory.FullName, help: FakeCompiler.OldHelp);
        new QaicExecCompiler(fake.Path).Compile(OnnxModel(["n,8"]), Target, new(), NullLogger.Instance, default);
        Assert.AreEqual("", string.Join(' ', fake.Arguments().Where(a => a.StartsWith("-onnx-define-symbol", StringComparison.Ordinal))));
    }

    [TestMethod]
    public void A_file_that_is_no_program_is_reported_as_such()
    {
        FakeCompiler fake = new(_directory.FullName);
        File.WriteAllText(fake.Path, "\u007fELF, but not really");
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(fake));
        Assert.AreEqual(CompilationError.CompilerUnavailable, e.Error);
        Assert.Contains("cannot be started", e.Message);
        QaicExecCompiler compiler = new(fake.Path);
        File.Delete(fake.Path);
        Assert.Contains("is gone", Assert.ThrowsExactly<CompilationException>(() => compiler.Version).Message);
    }

    private string Target => Path.Combine(_directory.FullName, "out", "qpc");

    private string Compile(FakeCompiler fake, QaicOptions? options = null) => new QaicExecCompiler(fake.Path).Compile(Model(), Target, options ?? new(), NullLogger.Instance, default);

    // Inputs x0, x1 ... of these dimensions: numbers, symbols, "?" for neither.
    private string OnnxModel(string[] shapes, string? initializer = null)
    {
        var model = new WireWriter();
        model.UInt32(1, 8);
        model.Message(7, graph =>
        {
            for (int i = 0; i < shapes.Length; i++)
            {
                string[] dims = shapes[i].Split(',');
                string name = $"x{i}";
                graph.Message(11, input =>
                {
                    input.String(1, name);
                    input.Message(2, type => type.Message(1, tensor =>
                    {
                        tensor.UInt32(1, 1);
                        tensor.Message(2, shape => Array.ForEach(dims, dim => shape.Message(1, d => Dimension(d, dim))));
                    }));
                });
            }

            if (initializer is not null)
            {
                graph.Message(5, tensor => tensor.String(8, initializer));
            }
        });
        string path = Path.Combine(_directory.FullName, "symbols.onnx");
        File.WriteAllBytes(path, model.ToArray());
        return path;
    }

    private static void Dimension(WireWriter dimension, string text)
    {
        if (uint.TryParse(text, CultureInfo.InvariantCulture, out uint number))
        {
            dimension.UInt32(1, number);
        }
        else if (text != "?")
        {
            dimension.String(2, text);
        }
    }

    private string Model(string name = "model.onnx")
    {
        string path = Path.Combine(_directory.FullName, name);
        File.WriteAllText(path, "the fake does not read it");
        return path;
    }

    private static IEnumerable<string> Entries(string directory) => Directory.EnumerateFileSystemEntries(directory).Select(e => Path.GetFileName(e)).Order(StringComparer.Ordinal);

    private static T With<T>(string variable, string value, Func<T> body)
    {
        string? before = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, value);
        try
        {
            return body();
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, before);
        }
    }
}
