using System.Runtime.InteropServices;
using Qaic.Hosts;
using Qaic.Tests.Support;

namespace Qaic.Tests.Hosts;

/// <summary>What a diagnosis says of machines of every kind.</summary>
[TestClass]
public sealed class HostDiagnosisTests : IDisposable
{
    private readonly FakeHost _host = new();

    public void Dispose() => _host.Dispose();

    [TestMethod]
    public void A_machine_without_a_card_and_an_SDK_is_well_and_runs_on_the_simulated_card()
    {
        HostDiagnosis diagnosis = _host.Diagnose();
        Assert.IsEmpty(diagnosis.Checks.Where(c => c.Status is HostCheckStatus.Problem || (c.Status == HostCheckStatus.Warning && c.Name != "system")), string.Join('\n', diagnosis.Checks));
        Assert.IsEmpty(diagnosis.Devices);
        Assert.AreEqual((true, false, true), (diagnosis.CanRun(QaicBackend.Auto), diagnosis.CanRun(QaicBackend.Aic), diagnosis.CanRun(QaicBackend.Simulated)));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => diagnosis.CanRun((QaicBackend)9));
    }

    [TestMethod]
    public void A_machine_with_a_card_and_everything_it_needs_is_well_and_runs_on_the_card()
    {
        _host.AddCard();
        _host.AddSdk();
        _host.Write("etc/group", "root:x:0:\nqaic:x:27:anna,ben\n");
        _host.AddProgram("opt/qti-aic/exec/qaic-compile", "case $1 in -version) echo 1.20.9;; *) echo '-aic-binary-dir=<dir> -mos=<n> ai100';; esac\n");
        _host.Write("opt/qti-aic/dev/lib/x86_64/libQAicCompiler.so", "");
        _host.AddProgram("opt/qti-aic/tools/qaic-util", "printf 'QID 0\\n\\tStatus:Ready\\n\\tBoard serial:ABC123\\n'\n");
        _host.Set("QAIC_LIB", NativeFake.Build().Path);

        HostDiagnosis diagnosis = _host.Diagnose();

        Assert.IsTrue(diagnosis.Checks.All(c => c.Status == HostCheckStatus.Ok), string.Join('\n', diagnosis.Checks));
        Assert.IsTrue(diagnosis.CanRun(QaicBackend.Aic));
        Assert.AreEqual((DeviceState.Ready, "ABC123"), (diagnosis.Devices.Single().State, diagnosis.Devices[0].Serial));
        AssertCheck(_host.Check("PCI devices"), HostCheckStatus.Ok, "0000:41:00.0 AIC100, driver qaic");
        AssertCheck(_host.Check("kernel module"), HostCheckStatus.Ok, "qaic 1.20.2 is loaded; mhi_timeout_ms=2000");
        AssertCheck(_host.Check("SDK"), HostCheckStatus.Ok, "apps 1.20.9, platform 1.20.9");
        AssertCheck(_host.Check("library"), HostCheckStatus.Ok, "version 10.7, patch '3', variant 'fake'");
        AssertCheck(_host.Check("compiler"), HostCheckStatus.Ok, "qaic-compile (the SDK's directory), 1.20.9, 2 options");
        AssertCheck(_host.Check("devices"), HostCheckStatus.Ok, "device 0: Ready, 16 of 16 cores free");
    }

    [TestMethod]
    public void A_card_that_is_broken_does_not_stop_the_automatic_backend_but_the_cards()
    {
        _host.AddCard();
        _host.Set("QAIC_LIB", NativeFake.Build("FAKE_DEVICE_STATUS=DEVICE_ERROR").Path);
        HostDiagnosis diagnosis = _host.Diagnose();
        Assert.AreEqual((true, false), (diagnosis.CanRun(QaicBackend.Auto), diagnosis.CanRun(QaicBackend.Aic)));
        AssertCheck(_host.Check("devices"), HostCheckStatus.Problem, "device 0: Error", "reset it");
    }

    [TestMethod]
    public void An_SDK_without_a_card_asks_whether_there_ought_to_be_one()
    {
        _host.AddSdk();
        AssertCheck(_host.Check("PCI devices"), HostCheckStatus.Warning, "The SDK is installed", "lspci -d 17cb:");
    }

    [TestMethod]
    public void A_system_without_sysfs_is_no_problem()
    {
        Directory.Delete(_host.In("sys"), recursive: true);
        AssertCheck(_host.Check("PCI devices"), HostCheckStatus.NotApplicable, "no sysfs");
    }

    [TestMethod]
    public void A_card_without_a_driver_needs_the_module()
    {
        _host.AddCard(driver: false);
        AssertCheck(_host.Check("PCI devices"), HostCheckStatus.Problem, "AIC100, no driver", "modprobe qaic");
        AssertCheck(_host.Check("kernel module"), HostCheckStatus.Problem, "not loaded", "6.4");
        AssertCheck(_host.Check("device nodes"), HostCheckStatus.NotApplicable, "no driver");
        AssertCheck(_host.Check("SDK"), HostCheckStatus.Problem, "There is no", "Install the Cloud AI Platform SDK");
    }

    [TestMethod]
    public void A_card_that_a_virtual_machine_has_is_told_from_one_without_a_driver()
    {
        _host.AddCard(driver: false);
        Directory.CreateDirectory(_host.In("sys/bus/pci/drivers/vfio-pci"));
        Directory.CreateSymbolicLink(_host.In($"sys/bus/pci/devices/{FakeHost.Address}/driver"), _host.In("sys/bus/pci/drivers/vfio-pci"));
        AssertCheck(_host.Check("PCI devices"), HostCheckStatus.Problem, "driver vfio-pci", $"echo {FakeHost.Address} > ");
    }

    [TestMethod]
    public void A_link_that_is_narrower_than_card_and_slot_could_be_is_a_warning()
    {
        _host.AddCard();
        string directory = $"sys/bus/pci/devices/{FakeHost.Address}";
        foreach ((string file, string text) in new[] { ("current_link_speed", "8.0 GT/s PCIe"), ("current_link_width", "4"), ("max_link_speed", "16.0 GT/s PCIe"), ("max_link_width", "8") })
        {
            _host.Write($"{directory}/{file}", text);
        }

        AssertCheck(_host.Check("PCI link"), HostCheckStatus.Warning, "runs at 8.0 GT/s PCIe ×4 of 16.0 GT/s PCIe ×8", "slot");
        _host.Write($"{directory}/current_link_speed", "16.0 GT/s PCIe");
        _host.Write($"{directory}/current_link_width", "8");
        Assert.IsFalse(_host.Diagnose().Checks.Any(c => c.Name == "PCI link"));
    }

    [TestMethod]
    [DataRow(1, true), DataRow(16, true), DataRow(17, false), DataRow(0, false)]
    public void Interrupts_that_have_to_be_shared_are_a_warning(int count, bool isWarning)
    {
        _host.AddCard();
        for (int i = 0; i < count; i++)
        {
            _host.Write($"sys/bus/pci/devices/{FakeHost.Address}/msi_irqs/{i}", "msi");
        }

        HostCheck? found = _host.Diagnose().Checks.SingleOrDefault(c => c.Name == "interrupts");
        Assert.AreEqual(isWarning, found is not null);
        if (found is not null)
        {
            AssertCheck(found, HostCheckStatus.Warning, $"{count} of 17", "IOMMU");
        }
    }

    [TestMethod]
    public void Nodes_that_are_not_in_the_container_have_to_be_passed_in()
    {
        _host.AddCard(node: false);
        AssertCheck(_host.Check("device nodes"), HostCheckStatus.Problem, "None.", "--device");
    }

    [TestMethod]
    public void A_driver_without_any_node_is_a_problem()
    {
        using var host = new FakeHost();
        host.AddCard(accel: "other");
        Directory.Delete(host.In("dev"), recursive: true);
        AssertCheck(host.Check("device nodes"), HostCheckStatus.Problem, "neither /dev/accel", "log");
        host.Write(".dockerenv", "");
        AssertCheck(host.Check("device nodes"), HostCheckStatus.Problem, "neither /dev/accel", "--device /dev/accel");
    }

    [TestMethod]
    public void Nodes_of_old_drivers_count()
    {
        _host.AddCard(accel: "other");
        Directory.Delete(_host.In("dev"), recursive: true);
        _host.Write("dev/qaic_aic100_0", "");
        AssertCheck(_host.Check("device nodes"), HostCheckStatus.Ok, "qaic_aic100_0");
        _host.MayOpen = false;
        AssertCheck(_host.Check("device nodes"), HostCheckStatus.Problem, "may not read and write", "group qaic");
    }

    [TestMethod]
    public void Another_makers_accelerator_is_left_alone()
    {
        _host.AddCard();
        _host.Write("dev/accel/accel7", "");
        Assert.DoesNotContain("accel7", _host.Check("device nodes").Found);
    }

    [TestMethod]
    public void Without_a_card_another_makers_accelerator_is_none_either()
    {
        _host.MayOpen = false;
        _host.Write("dev/accel/accel0", "");
        _host.Write("dev/accel/accel1", "");
        _host.Write("sys/class/accel/accel0/device/vendor", "0x8086\n");
        AssertCheck(_host.Check("device nodes"), HostCheckStatus.NotApplicable, "None");
        AssertCheck(_host.Check("group qaic"), HostCheckStatus.NotApplicable, "no device node");
        _host.Write("sys/class/accel/accel1/device/vendor", "0x17cb\n");
        HostCheck nodes = _host.Check("device nodes");
        AssertCheck(nodes, HostCheckStatus.Problem, "accel1");
        Assert.DoesNotContain("accel0", nodes.Found);
    }

    [TestMethod]
    public void The_simulated_card_behind_a_library_is_not_taken_for_a_real_one()
    {
        string path = NativeFake.Build("FAKE_VARIANT=\"simulated\"").Path;
        _host.Set("QAIC_LIB", path);
        HostDiagnosis diagnosis = _host.Diagnose();
        Assert.AreEqual((false, path, true, true), (diagnosis.HasCard, diagnosis.SimulatedLibrary, diagnosis.CanRun(QaicBackend.Aic), diagnosis.CanRun(QaicBackend.Auto)));
        AssertCheck(_host.Check("library"), HostCheckStatus.Ok, "variant 'simulated': the simulated card, not the vendor's library");
        AssertCheck(_host.Check("compiler"), HostCheckStatus.NotApplicable, "has a compiler of its own");
        _host.Set("QAIC_LIB", NativeFake.Build("FAKE_VARIANT=\"simulated\"", "FAKE_DEVICES=0").Path);
        diagnosis = _host.Diagnose();
        Assert.AreEqual((null, false), (diagnosis.SimulatedLibrary, diagnosis.CanRun(QaicBackend.Aic)));
    }

    [TestMethod]
    public void A_file_of_the_kernel_is_read_without_much_memory_and_whole()
    {
        string text = string.Concat(Enumerable.Repeat("0123456789", 5_000));
        _host.Write("long", text);
        _host.Write("short", "0x17cb\n");
        var host = new Host { Root = _host.Root };
        Assert.AreEqual(text, host.Text("long"));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.AreEqual("0x17cb", host.Text("short"));
        Assert.IsLessThan(100_000, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    [DataRow("qaic:x:27:", "1000", false, HostCheckStatus.Ok, "belongs to it (number 27)", null, DisplayName = "member")]
    [DataRow("qaic:x:55:anna", "1000", false, HostCheckStatus.Problem, "anna is a member, but this process began before", "newgrp qaic", DisplayName = "not signed in again")]
    [DataRow("qaic:x:55:annabel,ben", "1000", false, HostCheckStatus.Problem, "anna is not a member", "sudo usermod -aG qaic anna", DisplayName = "no member")]
    [DataRow("qaic:x:55:ben", "1000", true, HostCheckStatus.NotApplicable, "can be opened without", null, DisplayName = "no member, open nodes")]
    [DataRow("audio:x:55:anna", "1000", false, HostCheckStatus.Problem, "There is no such group", "udev", DisplayName = "no group")]
    [DataRow("audio:x:55:anna", "1000", true, HostCheckStatus.NotApplicable, "There is none", null, DisplayName = "no group, open nodes")]
    [DataRow("audio:x:55:anna", "0", false, HostCheckStatus.Ok, "root", null, DisplayName = "root")]
    public void The_groups_part_in_it_is_told(string group, string uid, bool mayOpen, HostCheckStatus status, string found, string? remedy)
    {
        _host.AddCard();
        _host.MayOpen = mayOpen;
        _host.Write("etc/group", $"root:x:0:\n{group}\n");
        _host.Write("proc/self/status", $"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t1000\t1000\nGroups:\t27 1000 \n");
        AssertCheck(_host.Check("group qaic"), status, found, remedy);
        AssertCheck(_host.Check("device nodes"), mayOpen ? HostCheckStatus.Ok : HostCheckStatus.Problem, "accel0");
    }

    [TestMethod]
    [DataRow("qaic:x:55:ben", "--group-add 55")]
    [DataRow("", "getent group qaic")]
    public void In_a_container_the_group_comes_from_the_host(string group, string remedy)
    {
        _host.AddCard();
        _host.MayOpen = false;
        _host.Write("etc/group", group);
        _host.Write("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n");
        AssertCheck(_host.Check("group qaic"), HostCheckStatus.Problem, "", remedy);
        Assert.Contains("in a container", _host.Check("system").Found);
    }

    [TestMethod]
    public void Packages_of_different_releases_are_a_warning()
    {
        _host.AddSdk(apps: "1.21", platform: "1.20");
        AssertCheck(_host.Check("SDK"), HostCheckStatus.Warning, "apps 1.21.9, platform 1.20.9", "same release");
    }

    [TestMethod]
    [DataRow("not xml", "of unknown version")]
    [DataRow("<!DOCTYPE a [<!ENTITY e 'x'>]><versions>&e;</versions>", "of unknown version")]
    [DataRow("<versions><ci_build><base_version>1.5</base_version></ci_build></versions>", "apps 1.5,")]
    [DataRow("<versions/>", "of unknown version")]
    public void A_version_file_is_read_as_far_as_it_can_be(string xml, string found)
    {
        _host.Write("opt/qti-aic/versions/apps.xml", xml);
        Assert.Contains(found, _host.Check("SDK").Found);
    }

    [TestMethod]
    public void An_SDK_that_tells_no_version_is_a_warning()
    {
        Directory.CreateDirectory(_host.In("opt/qti-aic"));
        AssertCheck(_host.Check("SDK"), HostCheckStatus.Warning, "tells no version", "install the packages");
    }

    [TestMethod]
    public void A_library_that_was_chosen_and_is_not_there_is_the_choices_problem()
    {
        _host.Set("QAIC_LIB", "/nowhere/libQAic.so");
        AssertCheck(_host.Check("library"), HostCheckStatus.Problem, "/nowhere/libQAic.so (QAIC_LIB): no such file", "correct it, or unset it");
    }

    [TestMethod]
    public void A_card_without_a_library_needs_one()
    {
        _host.AddCard();
        AssertCheck(_host.Check("library"), HostCheckStatus.Problem, "opt/qti-aic/dev/lib/x86_64/libQAic.so (the SDK's directory): no such file", "Platform SDK");
        AssertCheck(_host.Check("devices"), HostCheckStatus.Problem, "device 0: Error", "The library is not loaded");
        AssertCheck(_host.Check("qaic-util"), HostCheckStatus.Warning, "Not installed", "tools");
        AssertCheck(_host.Check("compiler"), HostCheckStatus.Warning, "Neither qaic-compile nor qaic-exec is in", "given as QPC");
    }

    [TestMethod]
    public void A_library_that_cannot_be_loaded_says_what_the_loader_says()
    {
        _host.AddSdk();
        _host.Write("opt/qti-aic/dev/lib/x86_64/libQAic.so", "text");
        AssertCheck(_host.Check("library"), HostCheckStatus.Problem, "libQAic.so (the SDK's directory): ", "ldd");
    }

    [TestMethod]
    public void A_library_that_lacks_what_a_session_needs_names_the_functions()
    {
        _host.Set("QAIC_LIB", NativeFake.Build(NativeFake.Without("qaicEnqueueExecObj"), NativeFake.Without("qaicCreateContext")).Path);
        AssertCheck(_host.Check("library"), HostCheckStatus.Problem, "lacks qaicCreateContext, qaicEnqueueExecObj", "unset it");
    }

    [TestMethod]
    public void A_library_of_an_older_generation_says_what_is_lost()
    {
        _host.Set("QAIC_LIB", NativeFake.Build(NativeFake.Without("qaicExecObjSetDataExt"), NativeFake.Without("qaicGetResourceInfo")).Path);
        AssertCheck(_host.Check("library functions"), HostCheckStatus.Warning, "Without qaicExecObjSetDataExt (networks for several shapes), qaicGetResourceInfo (free cores and memory); of a generation before SDK 1.11", "newer SDK");
    }

    [TestMethod]
    public void On_an_architecture_without_a_library_there_is_none_to_find()
    {
        _host.Architecture = Architecture.RiscV64;
        AssertCheck(_host.Check("library"), HostCheckStatus.NotApplicable, "There is no libQAic.so for RiscV64");
        AssertCheck(_host.Check("system"), HostCheckStatus.Warning, "RiscV64", "x86-64 and AArch64");
    }

    [TestMethod]
    public void A_library_without_devices_is_a_warning_and_the_simulated_card_is_used()
    {
        _host.Set("QAIC_LIB", NativeFake.Build("FAKE_DEVICES=0").Path);
        AssertCheck(_host.Check("devices"), HostCheckStatus.Warning, "The library knows none", "Simulated");
        Assert.IsFalse(_host.Diagnose().HasCard);
    }

    [TestMethod]
    public void A_compiler_that_is_no_program_is_a_problem()
    {
        _host.AddProgram("opt/qti-aic/exec/qaic-exec", "", executable: false);
        AssertCheck(_host.Check("compiler"), HostCheckStatus.Problem, "qaic-exec (the SDK's directory): not executable", "Make it executable");
    }

    [TestMethod]
    public void A_compiler_that_was_chosen_and_is_not_there_is_the_choices_problem()
    {
        _host.Set("QAIC_COMPILER", "/nowhere/qaic-compile");
        AssertCheck(_host.Check("compiler"), HostCheckStatus.Problem, "QAIC_COMPILER is '/nowhere/qaic-compile'", "unset it");
    }

    [TestMethod]
    public void A_compiler_that_does_not_help_is_a_warning_and_so_is_its_missing_library()
    {
        _host.AddProgram("opt/qti-aic/exec/qaic-compile", "echo 'error while loading shared libraries' >&2; exit 127\n");
        AssertCheck(_host.Check("compiler"), HostCheckStatus.Warning, "its help cannot be read", "ldd");
        AssertCheck(_host.Check("compiler library"), HostCheckStatus.Warning, "libQAicCompiler.so", "QAIC_COMPILER_LIB");
        _host.Set("QAIC_COMPILER_LIB", "/nowhere/libQAicCompiler.so");
        AssertCheck(_host.Check("compiler library"), HostCheckStatus.Problem, "/nowhere", "unset it");
        _host.Write("mine.so", "");
        _host.Set("QAIC_COMPILER_LIB", _host.In("mine.so"));
        AssertCheck(_host.Check("compiler library"), HostCheckStatus.Ok, "mine.so (QAIC_COMPILER_LIB)");
    }

    [TestMethod]
    public void A_compiler_for_another_processor_is_a_problem()
    {
        _host.AddProgram("opt/qti-aic/exec/qaic-compile", "");
        File.WriteAllBytes(_host.In("opt/qti-aic/exec/qaic-compile"), [0x7f, (byte)'E', (byte)'L', (byte)'F', 9, 9]);
        AssertCheck(_host.Check("compiler"), HostCheckStatus.Problem, "qaic-compile", "another processor");
    }

    [TestMethod]
    public void Without_a_simulated_card_and_a_card_nothing_can_run()
    {
        _host.Simulated = static () => throw new TypeInitializationException("OrtEnv", new DllNotFoundException("libonnxruntime.so: cannot open shared object file"));
        HostDiagnosis diagnosis = _host.Diagnose();
        Assert.AreEqual((false, false, false), (diagnosis.CanRun(QaicBackend.Auto), diagnosis.CanRun(QaicBackend.Aic), diagnosis.CanRun(QaicBackend.Simulated)));
        AssertCheck(_host.Check("simulated card"), HostCheckStatus.Problem, "DllNotFoundException: libonnxruntime.so", "glibc");
    }

    [TestMethod]
    public void A_processor_without_VNNI_is_slow_on_quantized_networks()
    {
        _host.Write("proc/cpuinfo", "model name\t: Old CPU\nflags\t\t: fpu avx2\n");
        AssertCheck(_host.Check("processor"), HostCheckStatus.Warning, "Old CPU: avx2.", "VNNI");
        _host.Architecture = Architecture.Arm64;
        _host.Write("proc/cpuinfo", "Features\t: fp asimddp\n");
        AssertCheck(_host.Check("processor"), HostCheckStatus.Ok, "asimddp");
        File.Delete(_host.In("proc/cpuinfo"));
        AssertCheck(_host.Check("processor"), HostCheckStatus.NotApplicable, "does not tell");
    }

    [TestMethod]
    public void The_caches_place_size_and_space_are_told_and_it_is_not_made()
    {
        AssertCheck(_host.Check("compile cache"), HostCheckStatus.Ok, $"{_host.In("cache")}: 0 networks, 0 MiB of at most 16 GiB; ");
        Assert.IsFalse(Directory.Exists(_host.In("cache")));
    }

    [TestMethod]
    public void A_disk_that_is_nearly_full_is_a_warning()
    {
        AssertCheck(_host.Check("compile cache"), HostCheckStatus.Ok, "64.0 GiB free on the disk");
        _host.FreeSpace = 500L << 20;
        AssertCheck(_host.Check("compile cache"), HostCheckStatus.Warning, "0.5 GiB free on the disk", "'qaic cache clear'");
    }

    [TestMethod]
    public void A_cache_that_cannot_be_written_to_is_a_problem()
    {
        _host.Write("file", "");
        _host.Set("QAIC_CACHE_DIR", _host.In("file"));
        AssertCheck(_host.Check("compile cache"), HostCheckStatus.Problem, "cannot be written to", "QAIC_CACHE_DIR");
        _host.Set("QAIC_CACHE_DIR", _host.In("file/cache"));
        AssertCheck(_host.Check("compile cache"), HostCheckStatus.Problem, $"{_host.In("file/cache")} cannot be written to: {_host.In("file")} is a file", "cache_dir");
    }

    [TestMethod]
    public void Variables_that_change_something_are_listed()
    {
        _host.Set("LD_LIBRARY_PATH", "/x");
        AssertCheck(_host.Check("environment"), HostCheckStatus.Ok, "LD_LIBRARY_PATH=/x");
        _host.Set("QAIC_COMPILER_OPTS_UNSUPPORTED", "-debug-glow");
        AssertCheck(_host.Check("environment"), HostCheckStatus.Warning, "-debug-glow", "unset it");
    }

    [TestMethod]
    public void Nothing_that_is_well_has_a_remedy_and_every_problem_has_one()
    {
        _host.AddCard(node: false);
        _host.Write("etc/group", "qaic:x:55:");
        _host.Set("QAIC_COMPILER", "/nowhere/x");
        foreach (HostCheck check in _host.Diagnose().Checks)
        {
            Assert.AreEqual(check.Status is HostCheckStatus.Problem or HostCheckStatus.Warning, check.Remedy is not null, check.ToString());
        }
    }

    [TestMethod]
    public void This_machine_can_be_looked_at()
    {
        HostDiagnosis diagnosis = HostDiagnosis.Run();
        Assert.AreEqual(diagnosis.HasCard || diagnosis.SimulatedLibrary is not null, diagnosis.CanRun(QaicBackend.Aic));
        Assert.HasCount(diagnosis.Checks.Count, diagnosis.Checks.Select(c => c.Name).Distinct().ToArray());
    }

    private static void AssertCheck(HostCheck check, HostCheckStatus status, string found, string? remedy = null)
    {
        Assert.AreEqual(status, check.Status, check.ToString());
        Assert.Contains(found, check.Found);
        if (remedy is not null)
        {
            Assert.IsNotNull(check.Remedy, check.ToString());
            Assert.Contains(remedy, check.Remedy);
        }
    }
}
