using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Interop;

[TestClass]
public sealed class DeviceProbeTests
{
    private const long GiB = 1L << 30;

    [TestMethod]
    public void Devices_are_listed_by_id_with_their_resources()
    {
        IReadOnlyList<QaicDevice> devices = NativeFake.Build("FAKE_DEVICES=3").Platform.GetDevices();
        CollectionAssert.AreEqual(new[] { 0, 1, 2 }, devices.Select(d => d.Id).ToArray());
        Assert.AreEqual(new QaicDevice(2, DeviceState.Ready) { Cores = 16, FreeCores = 16, MemoryBytes = 32 * GiB, FreeMemoryBytes = 16 * GiB }, devices[2]);
        Assert.AreEqual("device 2: Ready, 16 of 16 cores free", devices[2].ToString());
    }

    [TestMethod]
    public void A_library_that_counts_memory_in_megabytes_is_understood() =>
        Assert.AreEqual(32 * GiB, NativeFake.Build("FAKE_DRAM_TOTAL=32768").Platform.GetDevices()[0].MemoryBytes);

    [TestMethod]
    public void A_library_whose_device_info_is_much_larger_does_no_harm() =>
        Assert.AreEqual(DeviceState.Ready, NativeFake.Build("FAKE_DEVINFO_SIZE=12000").Platform.GetDevices().Single().State);

    [TestMethod]
    public void No_devices_are_an_empty_list() => Assert.IsEmpty(NativeFake.Build("FAKE_DEVICES=0").Platform.GetDevices());

    [TestMethod]
    [DataRow("DEVICE_INITIALIZING", DeviceState.Initializing, "still starting")]
    [DataRow("DEVICE_ERROR", DeviceState.Error, "error state")]
    public void A_device_that_is_not_ready_says_what_is_wrong(string status, DeviceState state, string problem)
    {
        QaicDevice device = NativeFake.Build($"FAKE_DEVICE_STATUS={status}").Platform.GetDevices().Single();
        Assert.AreEqual(state, device.State);
        Assert.Contains(problem, device.Problem!);
    }

    [TestMethod]
    public void A_state_that_nobody_knows_is_unknown()
    {
        QaicDevice device = NativeFake.Build("FAKE_DEVICE_STATUS=77").Platform.GetDevices().Single();
        Assert.AreEqual(DeviceState.Unknown, device.State);
        Assert.IsTrue(device.MayRun, "its resources can be asked for");
    }

    [TestMethod]
    public void A_device_that_may_not_be_opened_is_listed_with_the_remedy()
    {
        QaicDevice device = NativeFake.Build("FAKE_ASK_STATUS=QS_PERM").Platform.GetDevices().Single();
        Assert.AreEqual(DeviceState.Error, device.State);
        Assert.Contains("qaicGetDeviceInfo returned 1 (Perm)", device.Problem!);
        Assert.Contains("group", device.Problem!);
    }

    [TestMethod]
    public void A_library_that_refuses_for_every_number_is_not_asked_for_ever() =>
        Assert.HasCount(8, NativeFake.Build("FAKE_ASK_STATUS=QS_PERM", "FAKE_DEVICES=2147483647").Platform.GetDevices());

    [TestMethod]
    public void Resources_alone_tell_that_a_device_is_there()
    {
        QaicDevice device = NativeFake.Build(NativeFake.Without("qaicGetDeviceInfo")).Platform.GetDevices().Single();
        Assert.AreEqual((DeviceState.Unknown, 16), (device.State, device.Cores));
    }

    [TestMethod]
    public void The_state_alone_is_enough()
    {
        QaicDevice device = NativeFake.Build(NativeFake.Without("qaicGetResourceInfo")).Platform.GetDevices().Single();
        Assert.AreEqual(new QaicDevice(0, DeviceState.Ready), device);
    }

    [TestMethod]
    public void A_library_that_cannot_tell_says_so()
    {
        Platform platform = NativeFake.Build(NativeFake.Without("qaicGetDeviceInfo"), NativeFake.Without("qaicGetResourceInfo")).Platform;
        Assert.AreEqual(QaicError.NotSupported, Assert.ThrowsExactly<QaicException>(platform.GetDevices).Error);
    }

    [TestMethod]
    [DataRow(0, 0, 33554432L, 1L, null, null)]
    [DataRow(65, 1, 33554432L, 1L, null, null)]
    [DataRow(16, 17, 33554432L, 1L, null, null)]
    [DataRow(16, 3, 5L, 1L, 16, null)]
    [DataRow(16, 3, 33554432L, 33554433L, 16, null)]
    [DataRow(16, 3, 1048576L, 1L, 16, GiB)]
    [DataRow(16, 3, 1024L, 1L, 16, GiB)]
    [DataRow(16, 3, 1073741825L, 1L, 16, null)]
    public void Figures_are_believed_only_where_they_are_plausible(int cores, int free, long memory, long freeMemory, int? expectedCores, long? expectedMemory)
    {
        QResourceInfo figures = new() { NspTotal = (byte)cores, NspFree = (byte)free, DramTotal = (ulong)memory, DramFree = (ulong)freeMemory };
        QaicDevice device = DeviceProbe.WithResources(new QaicDevice(0, DeviceState.Ready), figures);
        Assert.AreEqual(expectedCores, device.Cores);
        Assert.AreEqual(expectedMemory, device.MemoryBytes);
    }

    [TestMethod]
    public void A_simulated_machine_lists_its_own_cards_only()
    {
        SimulatedPlatform two = Platform.Simulated(new() { Cards = [new(), new() { Cores = 14 }], Engine = new DoublingEngine() });
        SimulatedPlatform one = Platform.Simulated(new() { Engine = new DoublingEngine() });
        CollectionAssert.AreEqual(new[] { "device 0: Ready, 16 of 16 cores free", "device 1: Ready, 14 of 14 cores free" }, two.GetDevices().Select(d => d.ToString()).ToArray());
        Assert.AreEqual(0, one.GetDevices().Single().Id);
    }
}
