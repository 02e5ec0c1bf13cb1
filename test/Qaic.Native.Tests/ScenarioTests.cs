using System.Diagnostics;
using Qaic.Native.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Native.Tests;

/// <summary>What only a C program in a process of its own can show; the programs check, and say on stderr what is not as it has to be.</summary>
[TestClass]
public sealed class ScenarioTests
{
    [TestMethod]
    [DataRow("whole_life", DisplayName = "Everything that is created can be released")]
    [DataRow("garbage", DisplayName = "The upper halves of registers do not matter")]
    [DataRow("faults", DisplayName = "Faults strike, hold, are counted, and go; a device is lost and comes back")]
    [DataRow("nonsense", DisplayName = "No function lets an exception out")]
    [DataRow("race", DisplayName = "Eight threads may make the first call")]
    [DataRow("unload", DisplayName = "dlclose does not hurt a program that is linked to the library")]
    [DataRow("log_calls", DisplayName = "A log callback in the middle of a load may use another program")]
    [DataRow("leave", DisplayName = "A program may end with an inference on the card")]
    [DataRow("leave_busy", DisplayName = "A program may end with four threads in the library")]
    public void Scenario(string name)
    {
        CProgram.Result result = CProgram.Scenarios().Run([name, Networks.Negation]).Succeeded();
        Assert.AreEqual(name == "nonsense" ? 1 : 0, result.Output.Count(c => c == '\n'), $"The library writes nothing to stdout: {result.Output}");
        if (name.StartsWith("leave", StringComparison.Ordinal))
        {
            Assert.AreEqual("", result.Errors, "nothing runs into what is destroyed at the end");
        }
    }

    [TestMethod]
    public void A_program_that_opens_the_library_by_a_relative_name_may_change_its_directory_and_close_it_during_an_inference() =>
        Assert.AreEqual("", CProgram.Loader().Run([DropInLibrary.Directory, Networks.Negation]).Succeeded().Errors);

    [TestMethod]
    public void Nothing_is_written_to_stderr_while_nothing_fails() => Assert.AreEqual("", CProgram.Scenarios().Run(["whole_life", Networks.Negation]).Succeeded().Errors);

    [TestMethod]
    public void The_older_generation_takes_seven_arguments_and_calls_back_with_two() =>
        CProgram.Scenarios().Run(["old_generation", Networks.Negation], ("QAIC_SIM_LIBRARY_GENERATION", "7")).Succeeded();

    [TestMethod]
    public void The_environment_says_how_many_devices_there_are_and_what_they_have()
    {
        string output = CProgram.Scenarios().Run(["devices", "-"], ("QAIC_SIM_CARDS", "2"), ("QAIC_SIM_CORES", "14"), ("QAIC_SIM_DRAM_MB", "1024")).Succeeded().Output;
        Assert.AreEqual("0: AIC100 (simulated), 14 cores, 1048576 KiB\n1: AIC100 (simulated), 14 cores, 1048576 KiB\n2 devices, then 5\n", output);
        Assert.Contains("1 devices, then 5\n", CProgram.Scenarios().Run(["devices", "-"], ("QAIC_SIM_CARDS", "")).Succeeded().Output, "an empty value is none");
    }

    [TestMethod]
    [DataRow("QAIC_SIM_CARDS", "0", "1 to 32768")]
    [DataRow("QAIC_SIM_CARDS", "two", "1 to 32768")]
    [DataRow("QAIC_SIM_CORES", "65", "1 to 64")]
    [DataRow("QAIC_SIM_DRAM_MB", "-5", "1 to 2147483647")]
    [DataRow("QAIC_SIM_LIBRARY_GENERATION", "9", "7 to 8")]
    public void A_bad_value_is_told_once_on_stderr_and_every_call_is_refused(string name, string value, string range)
    {
        CProgram.Result result = CProgram.Scenarios().Run(["devices", "-"], (name, value)).Succeeded();
        Assert.AreEqual("0 devices, then 6\n", result.Output);
        Assert.AreEqual(1, result.Errors.Count(c => c == '\n'), result.Errors);
        Assert.Contains($"{name}={value}", result.Errors);
        Assert.Contains(range, result.Errors);
    }

    [TestMethod]
    public void Without_ONNX_Runtime_beside_it_the_library_says_what_is_missing()
    {
        string lonely = Directory.CreateDirectory(Path.Combine(Scratch.Directory, "lonely")).FullName;
        File.Copy(DropInLibrary.Path, Path.Combine(lonely, "libQAic.so"), overwrite: true);
        CProgram.Result result = CProgram.Scenarios().Run(["devices", "-"], ("LD_LIBRARY_PATH", lonely)).Succeeded();
        Assert.AreEqual("0 devices, then 500\n", result.Output);
        Assert.Contains($"{lonely}/libonnxruntime.so is missing", result.Errors);
    }

    [TestMethod]
    public void Two_processes_at_once_have_a_machine_each()
    {
        string scenarios = CProgram.Scenarios().Path;
        Process[] processes = [.. Enumerable.Range(0, 2).Select(_ => CProgram.Start(scenarios, ["whole_life", Networks.Negation]))];
        Array.ForEach(processes, p => CProgram.Finish(p).Succeeded());
        Array.ForEach(processes, p => p.Dispose());
    }

    [TestMethod]
    public void Signals_that_the_runtime_takes_are_those_that_the_header_names()
    {
        string[] lines = CProgram.Scenarios().Run(["signals", Networks.Negation]).Succeeded().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        CollectionAssert.AreEqual(new[] { "8 Floating point exception", "11 Segmentation fault", "ignored 13 Broken pipe", "34 real-time" }, lines, string.Join(", ", lines));
    }

    [TestMethod]
    public void Valgrind_finds_no_error_and_nothing_that_is_lost()
    {
        string[] arguments =
        [
            "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", "--error-exitcode=9",
            $"--suppressions={Path.Combine(Repository.Root, "test", "Qaic.Native.Tests", "Native", "runtime.supp")}", CProgram.Scenarios().Path, "whole_life", Networks.Negation,
        ];

        // Valgrind has less room for addresses than the collector reserves.
        CProgram.Result result = CProgram.Run(CProgram.Tool("valgrind"), arguments, ("DOTNET_GCHeapHardLimit", "0x8000000"));
        Assert.AreEqual(0, result.ExitCode, result.Errors);
        Assert.Contains("definitely lost: 0 bytes", result.Errors);
    }
}
