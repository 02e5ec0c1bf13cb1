using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests;

[TestClass]
public sealed class QaicDeviceTests : IDisposable
{
    private const string TwoDevices = """{"device_info":[{"qid":0,"dev_status":"Ready","sku_type":"PCIe Pro","board_serial":"S0"},{"qid":1,"dev_status":"Busy","board_serial":"S1","nsp_total":14,"nsp_free":0}]}""";

    private static readonly QaicUtil s_none = new(null, TimeSpan.FromSeconds(1));
    private readonly FakeSysfs _machine = new();

    public void Dispose() => _machine.Dispose();

    [TestMethod]
    public void The_library_the_kernel_and_the_tool_complete_each_other()
    {
        _machine.Add("0000:c1:00.0", accel: "accel0", temperature: "50000", power: "20000000", limit: "75000000");
        _machine.Add("0000:41:00.0", accel: "accel1", temperature: "40000", power: "10000000", limit: "75000000");
        QaicDevice[] devices = [.. DeviceList.Cards(() => NativeFake.Build("FAKE_DEVICES=2").Platform, _machine.Sysfs(), Util(TwoDevices), out QaicException? failure)];
        Assert.IsNull(failure);
        Assert.AreEqual(
            new QaicDevice(0, DeviceState.Ready)
            {
                Sku = "PCIe Pro",
                Cores = 16,
                FreeCores = 16,
                MemoryBytes = 32L << 30,
                FreeMemoryBytes = 16L << 30,
                Serial = "S0",
                Temperature = 40,
                Power = 10,
                PowerLimit = 75,
                PciAddress = "0000:41:00.0",
                DeviceNode = Path.Combine(_machine.Root, "dev/accel/accel1"),
            },
            devices[0]);
        Assert.AreEqual((DeviceState.Ready, "S1", 16, "0000:c1:00.0"), (devices[1].State, devices[1].Serial, devices[1].Cores, devices[1].PciAddress), "what the library says counts");
    }

    [TestMethod]
    public void A_simulated_card_behind_a_library_is_no_card_of_the_machine()
    {
        _machine.Add("0000:41:00.0", temperature: "41000");
        QaicDevice device = DeviceList.Cards(() => NativeFake.Build("FAKE_VARIANT=\"simulated\"").Platform, _machine.Sysfs(), Util(TwoDevices), out _).Single();
        Assert.AreEqual((true, "simulated", 16), (device.IsSimulated, device.Sku, device.Cores));
        Assert.AreEqual((null, null, null), (device.Temperature, device.Serial, device.DeviceNode));
        Assert.IsFalse(NativeFake.Build().Platform.GetDevices().Single().IsSimulated);
    }

    [TestMethod]
    public void The_address_that_the_tool_says_counts_more_than_the_position()
    {
        _machine.Add("0000:41:00.0", temperature: "41000");
        _machine.Add("0000:c1:00.0", temperature: "71000");
        QaicDevice[] known = [new(0, DeviceState.Ready), new(1, DeviceState.Ready)];
        IReadOnlyList<QaicDevice> devices = DeviceList.Merge(known, _machine.Sysfs().Devices(), Util("""[{"qid":0,"pci_address":"0000:C1:00.0"},{"qid":1,"pci_address":"0000:41:00.0"}]"""));
        CollectionAssert.AreEqual(new double?[] { 71, 41 }, devices.Select(d => d.Temperature).ToArray());
    }

    [TestMethod]
    public void The_address_that_the_library_says_counts_if_the_kernel_knows_it()
    {
        _machine.Add("0000:41:00.0", temperature: "41000");
        _machine.Add("0000:c1:00.0", temperature: "71000");
        IReadOnlyList<QaicDevice> known = NativeFake.Build("FAKE_DEVICES=3", "FAKE_PCI_BUS=0xc1").Platform.GetDevices();
        IReadOnlyList<QaicDevice> devices = DeviceList.Merge(known, _machine.Sysfs().Devices(), s_none);
        CollectionAssert.AreEqual(new double?[] { 71, null, null }, devices.Select(d => d.Temperature).ToArray(), "three devices and two addresses have no common positions");
    }

    [TestMethod]
    public void A_device_in_error_whose_node_may_not_be_opened_is_a_missing_group()
    {
        _machine.Add("0000:41:00.0", accel: "accel0");
        QaicDevice[] known = [new(0, DeviceState.Error) { Problem = "The device is in error state; reset it." }];
        QaicDevice device = DeviceList.Merge(known, new Sysfs(_machine.Root, _ => false).Devices(), s_none).Single();
        Assert.Contains("group that owns the node", device.Problem!);
    }

    [TestMethod]
    public void Cards_without_a_library_are_listed_with_what_is_missing()
    {
        _machine.Add("0000:41:00.0", accel: "accel0", temperature: "30000");
        QaicDevice device = DeviceList.Cards(() => Platform.Native("/nowhere/libQAic.so"), _machine.Sysfs(), s_none, out QaicException? failure).Single();
        Assert.AreEqual((0, DeviceState.Error, 30.0), (device.Id, device.State, device.Temperature!.Value));
        Assert.Contains("/nowhere/libQAic.so", device.Problem!);
        Assert.AreEqual(QaicError.LibraryNotAvailable, failure!.Error);
        Assert.IsFalse(device.MayRun);
    }

    [TestMethod]
    public void Cards_that_the_library_does_not_list_say_why()
    {
        _machine.Add("0000:41:00.0", driver: false);
        QaicDevice device = DeviceList.Cards(() => NativeFake.Build("FAKE_DEVICES=0").Platform, _machine.Sysfs(), s_none, out _).Single();
        Assert.Contains("modprobe qaic", device.Problem!);
    }

    [TestMethod]
    public void Without_any_card_the_tool_is_not_run()
    {
        string trace = Path.Combine(_machine.Root, "ran");
        var util = new QaicUtil(FakeProgram.Write(_machine.Root, $"touch '{trace}'"), TimeSpan.FromSeconds(30));
        Assert.IsEmpty(DeviceList.Cards(() => NativeFake.Build("FAKE_DEVICES=0").Platform, _machine.Sysfs(), util, out _));
        Assert.IsFalse(File.Exists(trace));
    }

    [TestMethod]
    [DataRow("QS_BUSY"), DataRow("QS_AGAIN")]
    public void A_device_that_is_held_by_somebody_is_busy_and_worth_a_try(string status)
    {
        QaicDevice device = NativeFake.Build($"FAKE_ASK_STATUS={status}").Platform.GetDevices().Single();
        Assert.AreEqual(DeviceState.Busy, device.State);
        Assert.IsTrue(device.MayRun);
        Assert.IsNotNull(device.Problem);
    }

    [TestMethod]
    public void A_state_that_the_library_does_not_tell_is_the_tools() =>
        Assert.AreEqual(DeviceState.Busy, DeviceList.Merge([new(1, DeviceState.Unknown)], [], Util(TwoDevices)).Single().State);

    [TestMethod]
    public void Simulated_devices_are_what_they_were_configured_as()
    {
        SimulatedPlatform platform = Platform.Simulated(new() { Cards = [new() { Cores = 14, DramMegabytes = 16384, Serial = "S" }, new()], Engine = new DoublingEngine() });
        IReadOnlyList<QaicDevice> devices = QaicDevice.List(platform);
        Assert.AreEqual(new QaicDevice(0, DeviceState.Ready) { IsSimulated = true, Sku = "simulated", Serial = "S", Cores = 14, FreeCores = 14, MemoryBytes = 16L << 30, FreeMemoryBytes = 16L << 30 }, devices[0]);
        Assert.AreEqual(("simulated-1", 16), (devices[1].Serial, devices[1].Cores));
        platform.Faults.LoseDevice(1);
        Assert.AreEqual(DeviceState.Error, QaicDevice.List(platform)[1].State);
    }

    [TestMethod]
    public void A_backend_that_does_not_exist_is_refused() => Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => QaicDevice.List((QaicBackend)9));

    private QaicUtil Util(string json) => new(FakeProgram.Write(_machine.Root, $"cat <<'END'\n{json}\nEND"), TimeSpan.FromSeconds(30));
}
