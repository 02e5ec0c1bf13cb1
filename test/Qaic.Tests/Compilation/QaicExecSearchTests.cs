using Qaic.Compilation;
using Qaic.Options;
using Qaic.Tests.Support;

namespace Qaic.Tests.Compilation;

/// <summary>Where the vendor's compiler is looked for, what its help is read as, and which options belong to which of its runs.</summary>
[TestClass]
public sealed class QaicExecSearchTests
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public void The_newer_tool_comes_first_everywhere_and_path_comes_last() => Assert.AreEqual(
        "/sdk/exec/qaic-compile (the SDK's directory), /sdk/exec/qaic-exec (the SDK's directory), /a/qaic-compile (PATH), /b/qaic-compile (PATH), /a/qaic-exec (PATH), /b/qaic-exec (PATH)",
        string.Join(", ", QaicExecCandidate.For(null, "-", "", "/a:.::/b:relative:/a", "/sdk/exec")));

    [TestMethod]
    public void A_choice_is_the_only_place_and_the_options_comes_before_the_environments()
    {
        Assert.AreEqual("/x/tool (the option)", string.Join(", ", QaicExecCandidate.For("/x/tool", "the option", "/y/tool", "/a")));
        Assert.AreEqual("/y/tool (QAIC_COMPILER)", string.Join(", ", QaicExecCandidate.For(null, "-", "/y/tool", "/a")));
        Assert.AreEqual(
            $"{_directory.FullName}/qaic-compile (QAIC_COMPILER), {_directory.FullName}/qaic-exec (QAIC_COMPILER)", string.Join(", ", QaicExecCandidate.For(null, "-", _directory.FullName, "/a")));
        Assert.AreEqual(
            $"{Path.GetFullPath("qaic-exec")} (QAIC_COMPILER), /a/qaic-exec (PATH)", string.Join(", ", QaicExecCandidate.For(null, "-", "qaic-exec", "/a")));
    }

    [TestMethod]
    public void An_error_lists_every_place_why_it_is_not_there_and_what_to_do()
    {
        string exec = Path.Combine(_directory.FullName, "qaic-exec");
        File.WriteAllText(exec, "");
        Directory.CreateDirectory(Path.Combine(_directory.FullName, "qaic-compile"));
        QaicOptions options = new() { CompilerPath = _directory.FullName };
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => QaicExecCompiler.Find(options));
        Assert.AreEqual(CompilationError.CompilerUnavailable, e.Error);
        Assert.StartsWith(
            $"The vendor's compiler was not found. Looked at: {_directory.FullName}/qaic-compile (option CompilerPath, compiler_path): a directory, not a program; "
            + $"{exec} (option CompilerPath, compiler_path): not executable (chmod +x). ",
            e.Message);
        Assert.Contains("QAIC_COMPILER", e.Message);
        Assert.IsFalse(QaicExecCompiler.TryFind(options, out QaicExecCompiler? none, out string? reason));
        Assert.IsNull(none);
        Assert.AreEqual(e.Message, reason);
        Assert.Contains("/no/where (the path that was given): no such file", Assert.ThrowsExactly<CompilationException>(() => new QaicExecCompiler("/no/where")).Message);
        Assert.ThrowsExactly<ArgumentException>(() => new QaicExecCompiler(" "));
    }

    [TestMethod]
    public void In_a_directory_with_both_the_newer_one_is_taken()
    {
        FakeCompiler old = new(_directory.FullName);
        string directory = Path.GetDirectoryName(old.Path)!;
        Assert.AreEqual("qaic-exec", new QaicExecCompiler(directory).Name);
        File.Copy(old.Path, Path.Combine(directory, "qaic-compile"));
        QaicExecCompiler compiler = new(directory);
        Assert.AreEqual(("qaic-compile", Path.Combine(directory, "qaic-compile")), (compiler.Name, compiler.Path));
    }

    [TestMethod]
    [DataRow("  -aic-binary-dir=<dir>   Directory\n  -v, -vv, -vvv  more\n-m|--model <path>\n[-aic-hw] (see -stats-level), pre-processing x-y", "aic-binary-dir aic-hw m model stats-level v vv vvv")]
    [DataRow("usage: tool -aic-binary-dir DIR", "aic-binary-dir")]
    [DataRow("Invalid option -h. Use -help, or --help for list of options.", null)]
    [DataRow("", null)]
    [DataRow("BINARY\u0000\u0001-x -y -z", null)]
    public void Every_word_of_a_help_that_looks_like_a_flag_counts(string help, string? expected) =>
        Assert.AreEqual(expected, QaicExecCapabilities.ParseHelp(help) is { } flags ? string.Join(' ', flags.Order(StringComparer.Ordinal)) : null);

    [TestMethod]
    public void What_describes_the_graph_goes_into_both_runs_what_profiles_into_the_first_and_what_quantizes_into_the_second()
    {
        IReadOnlyList<QaicExecRun> runs = QaicExecPlan.For(
            "/m.onnx",
            Options(
                "-onnx-define-symbol=a + 1,2", "-batchsize=8", "-output-node-name=ArgMax", "-node-precision-info=p.yaml", "-dump-profile=out/profile.yaml", "-input-list-file=list.txt",
                "-num-histogram-bins=512", "-profiling-threads=8", "-quantization-precision=Int8", "-quantization-calibration=Percentile", "-enable-channelwise", "-aic-num-cores=4", "-mos=1,2"),
            "2.0", compileOnly: true, "/out");
        Assert.AreEqual(
            "-m=/m.onnx|-onnx-define-symbol=a + 1,2|-batchsize=8|-output-node-name=ArgMax|-node-precision-info=p.yaml|-input-list-file=list.txt|-num-histogram-bins=512|-profiling-threads=8|-dump-profile=/out/profile.yaml",
            string.Join('|', runs[0].Texts));
        Assert.AreEqual(("/out/profile.yaml", "out/profile.yaml"), (runs[0].Output, runs[0].Destination));
        Assert.AreEqual(
            "-m=/m.onnx|-aic-hw|-aic-hw-version=2.0|-onnx-define-symbol=a + 1,2|-batchsize=8|-output-node-name=ArgMax|-node-precision-info=p.yaml|-quantization-precision=Int8|-quantization-calibration=Percentile"
            + "|-enable-channelwise|-aic-num-cores=4|-mos=1,2|-load-profile=out/profile.yaml|-aic-binary-dir=/out/qpc|-compile-only",
            string.Join('|', runs[1].Texts));
        Assert.AreEqual(("/out/qpc/programqpc.bin", null), (runs[1].Output, runs[1].Destination));
        Assert.HasCount(2, runs);
    }

    [TestMethod]
    public void One_run_keeps_the_options_of_profiling_when_it_profiles_and_quantizes_in_one_go() => Assert.AreEqual(
        "-m=/m.onnx|-aic-hw|-aic-hw-version=ai100|-convert-to-quantize|-input-list-file=list.txt|-profiling-threads=8|-aic-binary-dir=/out/qpc",
        string.Join('|', QaicExecPlan.For("/m.onnx", Options("-convert-to-quantize", "-input-list-file=list.txt", "-profiling-threads=8"), "ai100", compileOnly: false, "/out").Single().Texts));

    [TestMethod]
    public void What_the_options_say_themselves_is_not_said_twice() => Assert.AreEqual(
        "-m=/m.onnx|-aic-hw|-aic-hw-version=ai200|-compile-only|-aic-binary-dir=/out/qpc",
        string.Join('|', QaicExecPlan.For("/m.onnx", Options("-aic-hw", "-aic-hw-version=ai200", "-compile-only"), "2.0", compileOnly: true, "/out").Single().Texts));

    [TestMethod]
    public void A_template_comes_first_then_the_profile_then_the_compilation() => CollectionAssert.AreEqual(
        new[] { "make a template of the custom I/O of", "profile", "compile" },
        QaicExecPlan.For("/m.onnx", Options("-dump-profile=p", "-dump-custom-IO-config-template=t"), "2.0", compileOnly: true, "/out").Select(r => r.Purpose).ToArray());

    private static CompilerArgument[] Options(params string[] texts) => [.. texts.Select(t => new CompilerArgument("an_option", t.TrimStart('-').Split('=')[0], t))];
}
