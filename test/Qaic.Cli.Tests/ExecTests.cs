using System.Runtime.InteropServices;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Cli.Commands;
using Qaic.Cli.Exec;
using Qaic.Compilation;
using Qaic.OnnxRuntime;
using Qaic.Options;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class ExecTests : ToolTest
{
    [TestMethod]
    public void The_first_signal_asks_for_an_end_and_the_second_is_left_to_the_system()
    {
        using var stop = new CancellationTokenSource();
        var first = new PosixSignalContext(PosixSignal.SIGINT);
        var second = new PosixSignalContext(PosixSignal.SIGINT);
        ExecCommand.Interrupt(first, stop);
        ExecCommand.Interrupt(second, stop);
        Assert.AreEqual((true, true, false), (stop.IsCancellationRequested, first.Cancel, second.Cancel));
    }

    [TestMethod]
    public void Compiles_as_the_vendors_tool_and_says_so_in_its_words()
    {
        string output = Ok("exec", $"-m={Cnn}", "-aic-hw", "-aic-hw-version=2.0", "-convert-to-fp16", "-aic-num-cores=4", "-ols=2", $"-aic-binary-dir={At("qpc")}", "-compile-only");

        foreach (string line in new[] { $"Reading ONNX Model from {Cnn}", "Compile started ............... ", "Compiling model with FP16 precision.", $"Generated binary is present at {At("qpc")}" })
        {
            StringAssert.Contains(output, line + Environment.NewLine);
        }

        using var qpc = QpcFile.Open(At("qpc"));
        NetworkDescriptor network = qpc.ReadNetworkDescriptor();
        Assert.AreEqual((4u, 1), (network.NumCores, network.BatchSize), "one row, where nothing is said");
        Assert.AreEqual("2", CompilationRecord.Read(qpc)!.Options["ols"], "what is only for the hardware is recorded");
    }

    [TestMethod]
    public void A_profile_is_dumped_without_a_network_and_loaded_into_one()
    {
        string profile = At("profile.yaml");
        string list = InputList(rows: 16, batch: 8);
        string[] common = [$"-m={Cnn}", "-aic-hw", "-batchsize=8", "-compile-only"];

        Ok(["exec", .. common, $"-input-list-file={list}", "-num-histogram-bins=256", "-profiling-threads=1", $"-dump-profile={profile}", $"-aic-binary-dir={At("none")}", "-quantization-precision-bias=Int32"]);
        Assert.IsFalse(Directory.Exists(At("none")), "no network is made");
        Assert.AreEqual(256, QuantizationProfile.Load(profile).Tensors.Max(t => t.Counts.Length));

        Ok(["exec", .. common, $"-load-profile={profile}", "-enable-channelwise", "-quantization-precision-bias=Int32", $"-aic-binary-dir={At("qpc")}"]);
        using var qpc = QpcFile.Open(At("qpc"));
        Assert.AreEqual("INT8", CompilationRecord.Read(qpc)!.Precision!.Precision);

        (int code, _, string error) = Run("exec", $"-m={Cnn}", "-batchsize=4", $"-load-profile={profile}", "-quantization-precision-bias=Int32", $"-aic-binary-dir={At("other")}", "-compile-only");
        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.StartsWith(error, "QAIC_ERROR: Graph hash mismatch!");
    }

    [TestMethod]
    public void Several_shapes_and_a_custom_precision_are_compiled_from_their_files()
    {
        string model = Repository.Model("langid_dyn");
        string shapes = Written("s.json", """{"specializations":[{"batch":"1","sequence":"16"},{"batch":"1","sequence":"32"}]}""");

        Ok("exec", $"-m={model}", $"-network-specialization-config={shapes}", $"-dump-custom-IO-config-template={At("io.yaml")}", "-compile-only");
        StringAssert.Contains(File.ReadAllText(At("io.yaml")), "IOName: input_ids");

        Ok("exec", $"-m={model}", $"-network-specialization-config={shapes}", $"-custom-IO-list-file={Written("logits.yaml", " - IOName: logits\n   Precision: float16\n")}", $"-aic-binary-dir={At("qpc")}", "-compile-only");
        using var qpc = QpcFile.Open(At("qpc"));
        Assert.HasCount(2, qpc.ReadNetworkDescriptor().AllowedShapes);
        Assert.AreEqual(ElementType.Float16, qpc.ReadNetworkDescriptor().Outputs[0].Transformed.Type);
    }

    [TestMethod]
    public void Without_compile_only_runs_the_list_and_writes_what_a_session_computes()
    {
        string list = InputList(rows: 3, batch: 1);

        string output = Ok("exec", $"-m={Cnn}", $"-input-list-file={list}", "-num-iter=4", $"-write-output-dir={At("out")}", "-write-output-start-iter=1", "-write-output-num-samples=3", "-aic-num-of-activations=2", $"-aic-binary-dir={At("qpc")}");

        StringAssert.Matches(output, new(@"InferenceCnt 4 TotalDuration \d+us BatchSize 1 Inf/Sec \d+\.\d{3}"));
        CollectionAssert.AreEquivalent(
            new[] { "logits-activation-0-inf-1.bin", "logits-activation-0-inf-2.bin", "logits-activation-0-inf-3.bin" }, Directory.GetFiles(At("out")).Select(Path.GetFileName).ToArray());
        using var session = new Session(At("qpc"), new QaicOptions { Backend = QaicBackend.Simulated });
        var rows = Npy.Load(DigitRows);
        foreach ((int inference, int row) in new[] { (1, 1), (2, 2), (3, 0) })
        {
            float[] logits = new float[10];
            session.Run<float, float>(rows.As<float>().Slice(row * 64, 64), logits);
            byte[] expected = System.Runtime.InteropServices.MemoryMarshal.AsBytes(logits.AsSpan()).ToArray();
            CollectionAssert.AreEqual(expected, File.ReadAllBytes(At("out", $"logits-activation-0-inf-{inference}.bin")), $"inference {inference}");
        }
    }

    [TestMethod]
    public void More_outputs_than_inferences_are_refused_as_the_runner_refuses_them()
    {
        (int code, _, string error) = Run("exec", $"-m={Cnn}", "-num-iter=1", $"-write-output-dir={At("out")}", "-write-output-start-iter=5", $"-aic-binary-dir={At("qpc")}");

        Assert.AreEqual(QaicTool.WrongUsage, code);
        StringAssert.Contains(error, "The sum of write-output-start-iter(5) and write-output-num-samples(1) should be <= numInf(1).");
    }

    [TestMethod]
    [DataRow("-h"), DataRow("-help"), DataRow("--help"), DataRow("-u"), DataRow("--usage")]
    public void Help_lists_every_flag(string flag)
    {
        string help = Ok("exec", flag);

        foreach (string name in OptionTable.All.Select(o => o.Flag).OfType<string>().Concat(ExecFlag.All.Select(f => f.Name)))
        {
            StringAssert.Contains(help, $"-{name}");
        }

        Assert.AreEqual(flag.EndsWith('u') || flag.EndsWith("usage", StringComparison.Ordinal), help.Contains("default: ", StringComparison.Ordinal) && help.Contains("Compute in FP16", StringComparison.Ordinal));
    }

    [TestMethod]
    public void Version_is_that_of_the_embedded_compiler() => StringAssert.Contains(Ok("exec", "-version"), new EmbeddedCompiler().Version);

    [TestMethod]
    public void An_older_binary_is_not_overwritten()
    {
        Directory.CreateDirectory(At("qpc"));
        string old = Written(Path.Combine("qpc", "constants.bin"), "old");

        (int code, _, string error) = Run("exec", $"-m={Cnn}", $"-aic-binary-dir={At("qpc")}", "-compile-only");

        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "Delete the directory first");
        Assert.AreEqual("old", File.ReadAllText(old));
        Assert.IsFalse(File.Exists(At("qpc", QpcFile.FileName)));
    }

    [TestMethod]
    public void A_missing_symbol_and_a_missing_model_are_named()
    {
        (int code, _, string error) = Run("exec", $"-m={Repository.Model("langid_dyn")}", "-onnx-define-symbol=batch,1", $"-aic-binary-dir={At("qpc")}", "-compile-only");
        (int without, _, string noModel) = Run("exec", "-aic-hw");

        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "-onnx-define-symbol=sequence,");
        Assert.AreEqual(QaicTool.WrongUsage, without);
        StringAssert.Contains(noModel, "-m=<path>");
    }

    [TestMethod]
    public void ONNX_Runtime_knows_every_operator_that_is_listed()
    {
        var compiler = new EmbeddedCompiler();
        var unknown = new List<string>();
        foreach (string name in OnnxOperators.Names.Append("NoSuchOperator"))
        {
            try
            {
                compiler.Compile(Written("op.onnx", OneNode(name)), At("op"), QaicOptions.Default, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, TestContext.CancellationToken);
            }
            catch (CompilationException e) when (e.Message.Contains("is not a registered function/op", StringComparison.Ordinal) || e.Message.Contains("No Op registered", StringComparison.Ordinal))
            {
                unknown.Add(name);
            }
            catch (CompilationException)
            {
                // It has other inputs or attributes; the operator is known.
            }
        }

        Assert.AreEqual("NoSuchOperator", string.Join(", ", unknown));
    }

    // ModelProto with ir_version, opset_import and a graph of one node, one float input and one output.
    private static byte[] OneNode(string op)
    {
        byte[] Field(int number, byte[] content) => [(byte)((number << 3) | 2), .. Length(content.Length), .. content];
        byte[] Text(int number, string text) => Field(number, System.Text.Encoding.UTF8.GetBytes(text));
        byte[] Number(int number, byte value) => [(byte)(number << 3), value];
        static byte[] Length(int length) => length < 128 ? [(byte)length] : [(byte)(length | 128), (byte)(length >> 7)];
        byte[] type = Field(1, [.. Number(1, 1), .. Field(2, Field(1, Number(1, 2)))]);
        byte[] node = [.. Text(1, "x"), .. Text(2, "y"), .. Text(4, op)];
        byte[] graph = [.. Field(1, node), .. Text(2, "g"), .. Field(11, [.. Text(1, "x"), .. Field(2, type)]), .. Field(12, Text(1, "y"))];
        return [.. Number(1, 9), .. Field(7, graph), .. Field(8, Number(2, 20))];
    }

    // Raw files of the first rows of the digits, and their list.
    private string InputList(int rows, int batch)
    {
        var digits = Npy.Load(DigitRows);
        var files = new List<string>();
        for (int at = 0; at < rows; at += batch)
        {
            files.Add(Written($"rows{at}.raw", digits.RowSlice(at, batch).ToArray()));
        }

        return Written("list.txt", string.Join('\n', files) + "\n");
    }
}
