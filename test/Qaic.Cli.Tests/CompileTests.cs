using System.Text.Json;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Compilation;
using Qaic.Options;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class CompileTests : ToolTest
{
    [TestMethod]
    public void Compiles_into_a_directory_and_records_the_options()
    {
        string output = Ok("compile", Cnn, "--backend", "sim", "--convert-to-fp16", "--aic-num-cores", "4", "--mos", "1,2", "--batchsize", "8", "-o", At("qpc"));

        StringAssert.Contains(output, At("qpc", QpcFile.FileName));
        StringAssert.Contains(output, "[8, 1, 8, 8]");
        using var qpc = QpcFile.Open(At("qpc"));
        IReadOnlyDictionary<string, string> options = CompilationRecord.Read(qpc)!.Options;
        Assert.AreEqual("true 4 [1, 2] 8", $"{options["convert_to_fp16"]} {options["aic_num_cores"]} {options["mos"]} {options["batch_size"]}");
    }

    [TestMethod]
    public void Finds_what_is_compiled_already_in_the_cache()
    {
        string cache = $"cache_dir={At("cache")}";
        using var first = JsonDocument.Parse(Ok("compile", Cnn, "--backend", "sim", "--set", cache, "--json"));
        using var second = JsonDocument.Parse(Ok("compile", Cnn, "--backend", "sim", "--set", cache, "--json"));

        Assert.IsFalse(first.RootElement.GetProperty("cached").GetBoolean());
        Assert.IsTrue(second.RootElement.GetProperty("cached").GetBoolean());
        Assert.AreEqual(first.RootElement.GetProperty("qpc").GetString(), second.RootElement.GetProperty("qpc").GetString());
        Assert.AreEqual(new FileInfo(second.RootElement.GetProperty("qpc").GetString()!).Length, second.RootElement.GetProperty("bytes").GetInt64());
    }

    [TestMethod]
    public void Options_of_the_command_line_win_over_the_file()
    {
        string file = Written("options.yaml", "aic_num_cores: 2\nbatch_size: 3\nbackend: sim\n");

        Ok("compile", Cnn, "--options", file, "--set", "aic_num_cores=6", "--no-cache", "-o", At("qpc"));

        using var qpc = QpcFile.Open(At("qpc"));
        NetworkDescriptor network = qpc.ReadNetworkDescriptor();
        Assert.AreEqual((6u, 3), (network.NumCores, network.BatchSize));
    }

    [TestMethod]
    public void Symbols_are_repeated_and_may_hold_blanks()
    {
        Ok("compile", Repository.Model("langid_dyn"), "--backend", "sim", "--onnx-define-symbol", "batch,2", "--onnx-define-symbol", "sequence,16", "-o", At("qpc"));

        using var qpc = QpcFile.Open(At("qpc"));
        CollectionAssert.AreEqual(new[] { 2, 16 }, qpc.ReadNetworkDescriptor().Inputs[0].Initial.Dims);
    }

    [TestMethod]
    public void Every_compile_option_of_the_table_is_an_option_of_the_command()
    {
        string help = Ok("compile", "--help");

        foreach (OptionInfo option in OptionTable.All.Where(o => o.Stage == OptionStage.Compile))
        {
            StringAssert.Contains(help, $"--{option.Keyword.Replace('_', '-')}");
            StringAssert.Contains(help, option.Help[..Math.Min(option.Help.Length, 30)]);
        }
    }

    [TestMethod]
    [DataRow(1, "Option 'aic_num_cores' must be 1 to 16", "--aic-num-cores", "17")]
    [DataRow(1, "There is no option 'aic_num_core'", "--set", "aic_num_core=4")]
    [DataRow(1, "has no value. Write --set key=value", "--set", "aic_num_cores")]
    [DataRow(1, "is there twice", "--set", "aic_num_cores=1", "--aic-num-cores", "2")]
    [DataRow(1, "exclude each other", "--convert-to-fp16", "--convert-to-quantize")]
    [DataRow(1, "needs a place", "--no-cache")]
    [DataRow(1, "which needs none", "--library", "libQAic.so")]
    public void A_wrong_option_is_named_and_nothing_is_compiled(int expected, string message, params string[] options)
    {
        (int code, string output, string error) = Run(["compile", Cnn, "--backend", "sim", .. options]);

        Assert.AreEqual((expected, ""), (code, output));
        StringAssert.Contains(error, message);
    }

    [TestMethod]
    public void A_model_that_cannot_be_compiled_is_a_failure_with_its_reason()
    {
        (int code, _, string error) = Run("compile", Repository.Model("langid_dyn"), "--backend", "sim", "-o", At("qpc"));
        (int missing, _, string noModel) = Run("compile", At("no.onnx"), "--backend", "sim", "-o", At("qpc"));

        Assert.AreEqual(QaicTool.Failure, code);
        StringAssert.Contains(error, "'sequence', which has no value");
        Assert.AreEqual(QaicTool.Failure, missing);
        StringAssert.Contains(noModel, "no.onnx");
        Assert.IsFalse(File.Exists(At("qpc", QpcFile.FileName)));
    }
}
