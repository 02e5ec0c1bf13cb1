using System.Runtime.Versioning;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

/// <summary>The tool as a process of its own.</summary>
[TestClass]
[OSCondition(OperatingSystems.Linux)]
[UnsupportedOSPlatform("windows")]
public sealed class ToolProcessTests : ToolTest
{
    [TestMethod]
    public async Task Colours_are_off_in_a_file_and_the_exit_code_is_the_tools()
    {
        using ToolProcess good = Start("options", "mos");
        using ToolProcess table = Start("options");
        using ToolProcess wrong = Start("exec", "-x");

        string text = await table.Output.ReadToEndAsync(TestContext.CancellationToken);
        string error = await wrong.Error.ReadToEndAsync(TestContext.CancellationToken);

        CollectionAssert.AreEqual(new[] { 0, 0, 1 }, await Task.WhenAll(good.Ended(TestContext.CancellationToken), table.Ended(TestContext.CancellationToken), wrong.Ended(TestContext.CancellationToken)));
        Assert.IsFalse(text.Contains('\x1b', StringComparison.Ordinal));
        StringAssert.StartsWith(error, "Invalid option -x.");
    }

    [TestMethod]
    public async Task Interrupted_while_it_runs_it_ends_with_130_and_leaves_no_half_file()
    {
        Directory.CreateDirectory(At("out"));
        Written("rows.raw", Npy.Load(DigitRows).RowSlice(0, 32).ToArray());
        string list = Written("list.txt", string.Concat(Enumerable.Repeat("rows.raw\n", 200_000)));
        var begun = new TaskCompletionSource();
        using var watcher = new FileSystemWatcher(At("out")) { EnableRaisingEvents = true };
        watcher.Created += (_, _) => begun.TrySetResult();

        using ToolProcess run = Start("run", Cnn, "--backend", "sim", "--input-list", list, "-o", At("out"), "--output-format", "csv");
        Task<string> error = run.Error.ReadToEndAsync(TestContext.CancellationToken);
        Task<int> ended = run.Ended(TestContext.CancellationToken);
        await Task.WhenAny(begun.Task, ended);
        run.Interrupt();

        Assert.AreEqual(QaicTool.Interrupted, await ended, await error);
        Assert.IsTrue(begun.Task.IsCompleted, "it had begun to write");
        Assert.HasCount(0, Directory.GetFiles(At("out")));
    }

    [TestMethod]
    public async Task Interrupted_while_it_runs_for_a_time_exec_ends_as_well()
    {
        using ToolProcess run = Start("exec", $"-m={Cnn}", "-time=3600", $"-aic-binary-dir={At("qpc")}");
        Task<string> error = run.Error.ReadToEndAsync(TestContext.CancellationToken);
        string? line;
        do
        {
            line = await run.Output.ReadLineAsync(TestContext.CancellationToken);
        }
        while (line?.StartsWith("Generated", StringComparison.Ordinal) == false);
        run.Interrupt();

        Assert.AreEqual(QaicTool.Interrupted, await run.Ended(TestContext.CancellationToken), await error);
    }

    [TestMethod]
    public void Stands_in_for_the_vendors_compiler_as_a_program()
    {
        string script = Written("qaic-exec", $"#!/bin/sh\nexec dotnet '{ToolProcess.Tool}' exec \"$@\"\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var options = new QaicOptions { CompilerPath = script, ConvertToFp16 = true, NumCores = 5, BatchSize = 4 };

        string qpc = QaicExecCompiler.Find(options).Compile(Cnn, At("qpc"), options, NullLogger.Instance, TestContext.CancellationToken);

        using var file = QpcFile.Open(qpc);
        NetworkDescriptor network = file.ReadNetworkDescriptor();
        Assert.AreEqual((5u, 4, "FP16"), (network.NumCores, network.BatchSize, CompilationRecord.Read(file)!.Precision!.Precision));
    }

    [TestMethod]
    public async Task The_operators_that_are_supported_are_listed_in_the_working_directory()
    {
        using ToolProcess list = Start("exec", "-operators-supported=onnx");
        using ToolProcess other = Start("exec", "-operators-supported=caffe");

        CollectionAssert.AreEqual(new[] { QaicTool.Success, QaicTool.WrongUsage }, await Task.WhenAll(list.Ended(TestContext.CancellationToken), other.Ended(TestContext.CancellationToken)));
        CollectionAssert.Contains(File.ReadAllLines(At("OnnxSupportedOperators.txt")), "Conv");
    }

    private ToolProcess Start(params string[] args) => ToolProcess.Start(At(), args);
}
