using System.Diagnostics;
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
    private static string Tool => Path.Combine(AppContext.BaseDirectory, "Qaic.Cli.dll");

    [TestMethod]
    public async Task Colours_are_off_in_a_file_and_the_exit_code_is_the_tools()
    {
        using Process good = Start("options", "mos");
        using Process table = Start("options");
        using Process wrong = Start("exec", "-x");

        string text = await table.StandardOutput.ReadToEndAsync(TestContext.CancellationToken);
        string error = await wrong.StandardError.ReadToEndAsync(TestContext.CancellationToken);
        await Task.WhenAll(good.WaitForExitAsync(TestContext.CancellationToken), table.WaitForExitAsync(TestContext.CancellationToken), wrong.WaitForExitAsync(TestContext.CancellationToken));

        Assert.AreEqual((0, 0, 1), (good.ExitCode, table.ExitCode, wrong.ExitCode));
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

        using Process run = Start("run", Cnn, "--backend", "sim", "--input-list", list, "-o", At("out"), "--output-format", "csv");
        Task<string> error = run.StandardError.ReadToEndAsync(TestContext.CancellationToken);
        await Task.WhenAny(begun.Task, run.WaitForExitAsync(TestContext.CancellationToken));
        Interrupt(run);
        await run.WaitForExitAsync(TestContext.CancellationToken);

        Assert.AreEqual(QaicTool.Interrupted, run.ExitCode, await error);
        Assert.IsTrue(begun.Task.IsCompleted, "it had begun to write");
        Assert.HasCount(0, Directory.GetFiles(At("out")));
    }

    [TestMethod]
    public async Task Interrupted_while_it_runs_for_a_time_exec_ends_as_well()
    {
        using Process run = Start("exec", $"-m={Cnn}", "-time=3600", $"-aic-binary-dir={At("qpc")}");
        Task<string> error = run.StandardError.ReadToEndAsync(TestContext.CancellationToken);
        string? line;
        do
        {
            line = await run.StandardOutput.ReadLineAsync(TestContext.CancellationToken);
        }
        while (line?.StartsWith("Generated", StringComparison.Ordinal) == false);
        Interrupt(run);
        await run.WaitForExitAsync(TestContext.CancellationToken);

        Assert.AreEqual(QaicTool.Interrupted, run.ExitCode, await error);
    }

    [TestMethod]
    public void Stands_in_for_the_vendors_compiler_as_a_program()
    {
        string script = Written("qaic-exec", $"#!/bin/sh\nexec dotnet '{Tool}' exec \"$@\"\n");
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
        using Process list = Start("exec", "-operators-supported=onnx");
        using Process other = Start("exec", "-operators-supported=caffe");
        await Task.WhenAll(list.WaitForExitAsync(TestContext.CancellationToken), other.WaitForExitAsync(TestContext.CancellationToken));

        Assert.AreEqual((QaicTool.Success, QaicTool.WrongUsage), (list.ExitCode, other.ExitCode));
        CollectionAssert.Contains(File.ReadAllLines(At("OnnxSupportedOperators.txt")), "Conv");
    }

    private Process Start(params string[] args)
    {
        // A shell that starts tests in the background has its children ignore the signal.
        var start = new ProcessStartInfo("env", ["--default-signal=INT", "dotnet", Tool, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = At() };
        return Process.Start(start)!;
    }

    private static void Interrupt(Process process)
    {
        using var kill = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }
}
