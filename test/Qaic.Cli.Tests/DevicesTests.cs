using System.Text.Json;
using Qaic.Cli.Commands;
using Qaic.Simulation;

namespace Qaic.Cli.Tests;

[TestClass]
public sealed class DevicesTests
{
    private static readonly QaicDevice s_card = new(3, DeviceState.Error)
    {
        Problem = "It is [broken].",
        Sku = "PCIe Ultra",
        Cores = 16,
        FreeCores = 2,
        MemoryBytes = 32L << 30,
        FreeMemoryBytes = 1L << 30,
        Serial = "ABC",
        Firmware = "1.20.2",
        Temperature = 41.6,
        Power = 12.5,
        PowerLimit = 75,
        PciAddress = "0000:41:00.0",
        DeviceNode = "/dev/accel/accel3",
    };

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void A_simulated_device_is_marked_as_such()
    {
        (int code, string output, string error) = Tool.Run("devices", "--backend", "sim");
        Assert.AreEqual((QaicTool.Success, ""), (code, error));
        StringAssert.Matches(output, new(@"QID +state +type +cores free"));
        StringAssert.Matches(output, new(@"0 +Ready +simulated +16 of 16 +31\.9 of 31\.9"));
        Assert.IsFalse(output.Contains("firmware", StringComparison.Ordinal), "nobody knows any");
        JsonElement device = Tool.Json("devices", "--backend", "sim", "--json")[0];
        Assert.AreEqual((true, 16), (device.GetProperty("simulated").GetBoolean(), device.GetProperty("freeCores").GetInt32()));
    }

    [TestMethod]
    public void All_that_is_known_of_a_card_is_shown()
    {
        string text = Rendered([s_card, new QaicDevice(4, DeviceState.Ready)]);
        StringAssert.Matches(text, new(@"3 +Error +PCIe Ultra +2 of 16 +1\.0 of 32\.0 +ABC +1\.20\.2 +42 +12\.5 of 75 +0000:41:00\.0 +/dev/accel/accel3 +It is \[broken\]\."));
        StringAssert.Matches(text, new(@"(?m)^ +4 +Ready *\r?$"));
        using var json = JsonDocument.Parse(DeviceReport.ToJson(s_card).ToJsonString());
        Assert.AreEqual((12.5, "It is [broken].", false), (json.RootElement.GetProperty("power").GetDouble(), json.RootElement.GetProperty("problem").GetString(), json.RootElement.GetProperty("simulated").GetBoolean()));
        Assert.IsTrue(DeviceReport.ToJson(s_card with { IsSimulated = true })["simulated"]!.GetValue<bool>());
    }

    [TestMethod]
    public void A_card_that_was_asked_for_and_is_not_there_is_an_error()
    {
        (int code, string output, string error) = Tool.Run("devices", "--library", "/nowhere/libQAic.so");
        Assert.AreEqual((QaicTool.Failure, ""), (code, output));
        StringAssert.Contains(error, "/nowhere/libQAic.so (the path that was given): no such file");
    }

    [TestMethod]
    [DataRow("--watch", "0"), DataRow("--watch", "NaN"), DataRow("--count", "0"), DataRow("--backend", "moon")]
    public void A_command_line_that_makes_no_sense_is_refused(params string[] args) => Assert.AreEqual(QaicTool.WrongUsage, Tool.Run(["devices", .. args]).Code);

    [TestMethod]
    public void A_watch_that_is_redirected_writes_a_line_of_JSON_each_time()
    {
        (int code, string output, string error) = Tool.Run("devices", "--backend", "sim", "--watch", "0.01", "--count", "3");
        Assert.AreEqual((QaicTool.Success, ""), (code, error));
        string[] lines = output.TrimEnd().Split('\n');
        Assert.HasCount(3, lines);
        DateTimeOffset[] times = [.. lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("at").GetDateTimeOffset())];
        CollectionAssert.AreEqual(times.Order().ToArray(), times);
        Assert.AreEqual(0, JsonDocument.Parse(lines[2]).RootElement.GetProperty("devices")[0].GetProperty("id").GetInt32());
    }

    [TestMethod]
    public async Task A_watch_sees_a_device_get_lost_and_come_back()
    {
        SimulatedPlatform machine = Platform.Simulated();
        int look = 0;
        using var output = new StringWriter();
        using var error = new StringWriter();
        await new DeviceWatch(new ToolConsole(output, error, isRedirected: true), Look, TimeSpan.FromMilliseconds(1), TimeProvider.System).Run(false, 4, TestContext.CancellationToken);
        CollectionAssert.AreEqual(
            new[] { "Ready", "Error", "failed: the driver is gone", "Ready" },
            output.ToString().TrimEnd().Split('\n').Select(l => JsonDocument.Parse(l).RootElement).Select(e => e.TryGetProperty("failure", out JsonElement f) ? $"failed: {f.GetString()}" : e.GetProperty("devices")[0].GetProperty("state").GetString()).ToArray());

        IReadOnlyList<QaicDevice> Look()
        {
            switch (look++)
            {
                case 1:
                    machine.Faults.LoseDevice(0);
                    break;
                case 2:
                    throw new QaicException(QaicError.DeviceNotFound, "the driver is gone");
                case 3:
                    machine.Faults.RestoreDevice(0);
                    break;
                default:
                    break;
            }

            return QaicDevice.List(machine);
        }
    }

    [TestMethod]
    public async Task A_watch_whose_first_look_fails_is_an_error()
    {
        using var output = new StringWriter();
        var watch = new DeviceWatch(new ToolConsole(output, output, isRedirected: true), () => throw new QaicException(QaicError.DeviceNotFound, "none"), TimeSpan.FromSeconds(1), TimeProvider.System);
        await Assert.ThrowsExactlyAsync<QaicException>(() => watch.Run(true, 2, TestContext.CancellationToken));
    }

    [TestMethod]
    public async Task A_watch_ends_when_it_is_interrupted()
    {
        using var stop = new CancellationTokenSource();
        using var output = new StringWriter();
        var watch = new DeviceWatch(
            new ToolConsole(output, output, isRedirected: true),
            () =>
            {
                stop.Cancel();
                return [s_card];
            },
            TimeSpan.FromDays(1),
            TimeProvider.System);
        await watch.Run(true, null, stop.Token);
        Assert.HasCount(1, output.ToString().TrimEnd().Split('\n'), "what was seen is shown");
    }

    [TestMethod]
    public async Task On_a_terminal_a_watch_shows_tables()
    {
        using var output = new StringWriter();
        await new DeviceWatch(new ToolConsole(output, output, isRedirected: false), () => [s_card with { Problem = null }], TimeSpan.FromMilliseconds(1), TimeProvider.System).Run(false, 2, TestContext.CancellationToken);
        StringAssert.Contains(output.ToString(), "QID");
        Assert.IsFalse(output.ToString().Contains("{\"at\"", StringComparison.Ordinal));
    }

    private static string Rendered(IReadOnlyList<QaicDevice> devices)
    {
        using var output = new StringWriter();
        new ToolConsole(output, output, isRedirected: true).Terminal.Write(DeviceReport.ToTable(devices));
        return output.ToString();
    }
}
