using Qaic.Interop;

namespace Qaic.Tests.Interop;

[TestClass]
public sealed class SysfsTests : IDisposable
{
    private readonly FakeSysfs _machine = new();

    public void Dispose() => _machine.Dispose();

    [TestMethod]
    public void Devices_come_in_the_order_of_their_addresses_with_their_sensors_and_nodes()
    {
        _machine.Add("0000:c1:00.0", accel: "accel1", temperature: "41000", power: "12500000", limit: "75000000");
        _machine.Add("0000:41:00.0", accel: "accel0", temperature: "38500", power: "9000000", limit: "75000000");
        IReadOnlyList<SysfsDevice> devices = _machine.Sysfs().Devices();
        Assert.AreEqual(new SysfsDevice("0000:41:00.0", true, Path.Combine(_machine.Root, "dev/accel/accel0"), null, 38.5, 9, 75), devices[0]);
        Assert.AreEqual(("0000:c1:00.0", 41.0, 12.5), (devices[1].Address, devices[1].Temperature!.Value, devices[1].Power!.Value));
    }

    [TestMethod]
    public void A_machine_without_cards_or_without_sysfs_has_no_devices()
    {
        Assert.IsEmpty(_machine.Sysfs().Devices());
        _machine.Add("0000:00:02.0", vendor: "0x8086", device: "0x1234", driver: false);
        Assert.IsEmpty(_machine.Sysfs().Devices());
        Assert.IsEmpty(new Sysfs(Path.Combine(_machine.Root, "none")).Devices());
    }

    [TestMethod]
    public void Only_addresses_count_among_the_drivers_files()
    {
        _machine.Add("0000:41:00.0", accel: "accel0");
        File.WriteAllText(Path.Combine(_machine.Root, "sys/bus/pci/drivers/qaic/bind"), "");
        Directory.CreateDirectory(Path.Combine(_machine.Root, "sys/bus/pci/drivers/qaic/module"));
        Assert.AreEqual("0000:41:00.0", _machine.Sysfs().Devices().Single().Address);
    }

    [TestMethod]
    [DataRow("0xa080"), DataRow("0xa100"), DataRow("0xa110")]
    public void A_card_that_no_driver_holds_is_seen_and_says_so(string device)
    {
        _machine.Add("0000:41:00.0", device: device, driver: false);
        SysfsDevice found = _machine.Sysfs().Devices().Single();
        Assert.IsFalse(found.HasDriver);
        Assert.Contains("modprobe qaic", found.Problem!);
    }

    [TestMethod]
    public void A_node_that_is_not_there_is_a_container_without_its_devices()
    {
        _machine.Add("0000:41:00.0", accel: "accel0", node: false);
        Assert.Contains("--device", _machine.Sysfs().Devices().Single().Problem!);
    }

    [TestMethod]
    public void A_node_that_may_not_be_opened_is_a_missing_group()
    {
        _machine.Add("0000:41:00.0", accel: "accel0");
        string asked = "";
        SysfsDevice found = new Sysfs(_machine.Root, node =>
        {
            asked = node;
            return false;
        }).Devices().Single();
        Assert.AreEqual(found.Node, asked);
        Assert.Contains("group that owns the node", found.Problem!);
    }

    [TestMethod]
    public void The_nodes_of_partitions_are_not_taken_for_the_device()
    {
        _machine.Add("0000:41:00.0", accel: "accel2");
        Directory.CreateDirectory(Path.Combine(_machine.Root, "sys/bus/pci/devices/0000:41:00.0/accel/accel10"));
        Assert.EndsWith("accel2", _machine.Sysfs().Devices().Single().Node!);
    }

    [TestMethod]
    [DataRow(""), DataRow("n/a"), DataRow(null)]
    public void A_sensor_that_does_not_answer_is_unknown(string? content)
    {
        _machine.Add("0000:41:00.0", accel: "accel0", temperature: content, power: content, limit: content);
        SysfsDevice found = _machine.Sysfs().Devices().Single();
        Assert.AreEqual((null, null, null), (found.Temperature, found.Power, found.PowerLimit));
    }
}

/// <summary>A tree as the kernel shows it, with links where it has links.</summary>
internal sealed class FakeSysfs : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("qaic-test-").FullName;

    public Sysfs Sysfs() => new(Root);

    public void Add(
        string address,
        string vendor = "0x17cb",
        string device = "0xa100",
        bool driver = true,
        string? accel = null,
        bool node = true,
        string? temperature = null,
        string? power = null,
        string? limit = null)
    {
        string real = Directory.CreateDirectory(Path.Combine(Root, "sys/devices/pci0000:40", address)).FullName;
        File.WriteAllText(Path.Combine(real, "vendor"), vendor + "\n");
        File.WriteAllText(Path.Combine(real, "device"), device + "\n");
        Link("sys/bus/pci/devices");
        if (driver)
        {
            Link("sys/bus/pci/drivers/qaic");
        }

        string hwmon = Directory.CreateDirectory(Path.Combine(real, "hwmon", "hwmon3")).FullName;
        foreach ((string file, string? content) in new[] { ("temp2_input", temperature), ("power1_input", power), ("power1_max", limit) })
        {
            if (content is not null)
            {
                File.WriteAllText(Path.Combine(hwmon, file), content + "\n");
            }
        }

        if (accel is not null)
        {
            Directory.CreateDirectory(Path.Combine(real, "accel", accel));
            if (node)
            {
                Directory.CreateDirectory(Path.Combine(Root, "dev/accel"));
                File.WriteAllText(Path.Combine(Root, "dev/accel", accel), "");
            }
        }

        void Link(string directory)
        {
            Directory.CreateDirectory(Path.Combine(Root, directory));
            Directory.CreateSymbolicLink(Path.Combine(Root, directory, address), real);
        }
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
