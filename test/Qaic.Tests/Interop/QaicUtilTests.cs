using Qaic.Interop;

namespace Qaic.Tests.Interop;

[TestClass]
public sealed class QaicUtilTests : IDisposable
{
    private const long GiB = 1L << 30;

    internal const string Json = """
        {"device_info": [
          {"qid": 1, "dev_status": "Busy", "sku_type": "PCIe Ultra", "nsp_total": 16, "nsp_free": 2, "resource": {"dram_total": "33554432 KB", "dram_free": "16777216 KB"}},
          {"qid": 0, "dev_status": "Ready", "sku_type": "PCIe Ultra", "nsp_total": 16, "nsp_free": 16, "Board serial": "ABC123", "PCI Address": "0000:41:00.0", "fw_version": "1.2.3"},
        ]}
        """;

    internal const string Text = """
        QID 0
        	Status:Ready
        	PCI Address:0000:41:00.0
        	HW Serial:0x1f
        	FW Version:1.10.0.193
        	Dram Total:32692 MB
        	Dram Free:30000 MB
        	Nsp Total:14
        	Nsp Free:10
        	Sku Type:PCIe
        	Board serial:ABC123
        	SoC temperature(degree C):41
        	Board power(Watts):18.5
        	TDP Cap(Watts):75
        QID 1
        	Status:Error
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-test-");

    public void Dispose() => _directory.Delete(recursive: true);

    [TestMethod]
    public void Json_is_read_by_names_that_are_compared_loosely_at_any_depth()
    {
        IReadOnlyList<QaicUtilDevice> devices = QaicUtil.Parse(Json);
        Assert.AreEqual(
            new QaicUtilDevice(0) { State = DeviceState.Ready, Sku = "PCIe Ultra", Cores = 16, FreeCores = 16, Serial = "ABC123", PciAddress = "0000:41:00.0", Firmware = "1.2.3" }, devices[0]);
        Assert.AreEqual(
            new QaicUtilDevice(1) { State = DeviceState.Busy, Sku = "PCIe Ultra", Cores = 16, FreeCores = 2, MemoryBytes = 32 * GiB, FreeMemoryBytes = 16 * GiB }, devices[1]);
    }

    [TestMethod]
    public void The_text_for_people_is_read_as_well()
    {
        IReadOnlyList<QaicUtilDevice> devices = QaicUtil.Parse(Text);
        Assert.AreEqual(
            new QaicUtilDevice(0)
            {
                State = DeviceState.Ready,
                PciAddress = "0000:41:00.0",
                Firmware = "1.10.0.193",
                MemoryBytes = 32692L << 20,
                FreeMemoryBytes = 30000L << 20,
                Cores = 14,
                FreeCores = 10,
                Sku = "PCIe",
                Serial = "ABC123",
                Temperature = 41,
                Power = 18.5,
                PowerLimit = 75,
            },
            devices[0]);
        Assert.AreEqual(new QaicUtilDevice(1) { State = DeviceState.Error }, devices[1]);
    }

    [TestMethod]
    [DataRow(""), DataRow("[error][LogCommon][getDeviceIds:#41] No valid device found"), DataRow("{"), DataRow("[[[[1]]]]"), DataRow("{\"qid\":\"x\"}"), DataRow("{\"qid\":null}"), DataRow("{\"qid\":1e99}"), DataRow("QID"), DataRow("QID :"), DataRow(":\n:\nQID x\n:y")]
    public void Garbage_is_no_device(string output) => Assert.IsEmpty(QaicUtil.Parse(output));

    [TestMethod]
    public void Cut_anywhere_the_output_tells_less_and_never_fails()
    {
        foreach (string whole in new[] { Json, Text })
        {
            for (int length = 0; length < whole.Length; length++)
            {
                Assert.IsLessThanOrEqualTo(2, QaicUtil.Parse(whole[..length]).Count);
            }
        }
    }

    [TestMethod]
    public void Figures_that_make_no_sense_are_unknown()
    {
        QaicUtilDevice device = QaicUtil.Parse("""{"qid":0,"nsp_total":-3,"nsp_free":7,"dram_total":"NaN","dram_free":1e300,"sku_type":"N/A","board_power":"hot"}""").Single();
        Assert.AreEqual(new QaicUtilDevice(0), device);
    }

    [TestMethod]
    public void A_tool_that_writes_json_into_the_file_is_understood() =>
        Assert.HasCount(2, Util($"while [ $# -gt 1 ]; do [ \"$1\" = -j ] && file=$2; shift; done; cat > \"$file\" <<'END'\n{Json}\nEND").Devices());

    [TestMethod]
    public void A_tool_that_prints_json_is_understood() => Assert.HasCount(2, Util($"cat <<'END'\n{Json}\nEND").Devices());

    [TestMethod]
    public void A_tool_that_does_not_know_json_is_asked_for_its_text() => Assert.AreEqual("ABC123", Util($"[ $# = 1 ] || exit 255\ncat <<'END'\n{Text}\nEND").Devices()[0].Serial);

    [TestMethod]
    [DataRow("exit 1"), DataRow("echo garbage; exit 0"), DataRow("kill -9 $$"), DataRow("head -c 3000000 /dev/zero; exit 1")]
    public void A_tool_that_fails_tells_nothing(string script) => Assert.IsEmpty(Util(script).Devices());

    [TestMethod]
    public void A_tool_that_hangs_is_ended_with_everything_it_has_started()
    {
        string pids = Path.Combine(_directory.FullName, "pids");
        Assert.IsEmpty(Util($"sleep 1000 &\necho $! >> '{pids}'\necho $$ >> '{pids}'\nwait", TimeSpan.FromMilliseconds(300)).Devices());
        foreach (string pid in File.ReadAllLines(pids))
        {
            Assert.IsTrue(SpinWait.SpinUntil(() => HasEnded(pid), TimeSpan.FromSeconds(30)), $"process {pid} is alive");
        }
    }

    [TestMethod]
    public void A_tool_that_is_missing_or_no_program_is_no_error()
    {
        Assert.IsEmpty(new QaicUtil(null, TimeSpan.FromSeconds(1)).Devices());
        Assert.IsEmpty(new QaicUtil(Path.Combine(_directory.FullName, "none"), TimeSpan.FromSeconds(1)).Devices());
        string data = Path.Combine(_directory.FullName, "data");
        File.WriteAllText(data, "no program");
        Assert.IsEmpty(new QaicUtil(data, TimeSpan.FromSeconds(1)).Devices());
    }

    [TestMethod]
    public void A_tool_answers_in_the_language_of_programs() =>
        Assert.AreEqual("C.UTF-8", Util("printf 'QID 0\\n\\tBoard serial:%s\\n' \"$LC_ALL\"").Devices().Single().Serial);

    [TestMethod]
    public void It_is_looked_for_in_the_SDK_and_in_absolute_directories_of_PATH_and_has_to_be_executable()
    {
        string program = FakeProgram.Write(_directory.FullName, "exit 0");
        string[] directories = [.. new[] { "data", "path", "sdk" }.Select(d => _directory.CreateSubdirectory(d).FullName)];
        string[] tools = [.. directories.Select(d => Path.Combine(d, "qaic-util"))];
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, directories[1]);
        File.WriteAllText(tools[0], "no program");
        File.Copy(program, tools[1]);
        Assert.IsNull(QaicUtil.Search(directories[2], null));
        Assert.IsNull(QaicUtil.Search(directories[2], $"{relative}{Path.PathSeparator}{directories[0]}{Path.PathSeparator}"));
        Assert.AreEqual(tools[1], QaicUtil.Search(directories[2], $"{directories[0]}{Path.PathSeparator}{directories[1]}"));
        File.Copy(program, tools[2]);
        Assert.AreEqual(tools[2], QaicUtil.Search(directories[2], directories[1]));
    }

    private static bool HasEnded(string pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/status").Contains("State:\tZ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }

    private QaicUtil Util(string script, TimeSpan? limit = null) => new(FakeProgram.Write(_directory.FullName, script), limit ?? TimeSpan.FromSeconds(30));
}

internal static class FakeProgram
{
    /// <summary>Writes a shell script that can be run.</summary>
    public static string Write(string directory, string script)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("The vendor's tools are programs for Linux, and so are their stand-ins.");
            return "";
        }

        string path = Path.Combine(directory, $"program-{Guid.NewGuid():n}");
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
