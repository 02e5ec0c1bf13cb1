using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class ResourceTests : SimulatedMachineTest
{
    private SimulatedCardOptions[] _cards = [new()];

    private protected override SimulatedPlatformOptions Options => new() { Engine = Engine, Cards = _cards };

    [TestMethod]
    public void An_idle_Pro_card_reports_what_its_driver_reports()
    {
        QResourceInfo info = Resources();
        Assert.AreEqual((16, 16, 16, 16), ((int)info.NspTotal, (int)info.NspFree, (int)info.VcTotal, (int)info.VcFree));
        Assert.AreEqual((3072u, 3072u, 32u, 32u), (info.McidTotal, info.McidFree, info.SemTotal, info.SemFree));
        Assert.AreEqual((32692ul << 10, 32692ul << 10), (info.DramTotal, info.DramFree), "KiB");
    }

    [TestMethod]
    public void Loading_takes_memory_and_activation_the_rest()
    {
        using TableClient client = Client(new TestQpc { Cores = 3, ConstantsBytes = 64 << 20 });
        nint program = client.Program(activate: false);
        Assert.AreEqual(QStatus.Success, Load(program));
        QResourceInfo loaded = Resources();
        Assert.AreEqual((32692ul - 64 << 10) - 1, loaded.DramFree, "constants, and the three bytes of the ELF");
        Assert.AreEqual(16, loaded.NspFree);
        Assert.AreEqual(QStatus.Success, Activate(program));
        QResourceInfo active = Resources();
        Assert.AreEqual((13, 15, 3069u, 30u), ((int)active.NspFree, (int)active.VcFree, active.McidFree, active.SemFree));
    }

    [TestMethod]
    public void Programs_of_one_QPC_share_its_constants_and_one_engine_network()
    {
        using TableClient client = Client(new TestQpc { ConstantsBytes = 1 << 30 });
        nint[] programs = [client.Program(), client.Program(), client.Program()];
        Assert.AreEqual(1, Engine.Loads);
        Assert.AreEqual((32692ul - 1024 << 10) - 1, Resources().DramFree);
        Array.ForEach(programs, p => TableClient.Check(client.Release(p)));
        Assert.AreEqual(0, Engine.LiveNetworks);
        TableClient.Check(Load(client.Program(activate: false)));
        Assert.AreEqual(2, Engine.Loads);
    }

    [TestMethod]
    [DataRow(16, 2, 8)]
    [DataRow(14, 2, 7)]
    [DataRow(14, 4, 3)]
    [DataRow(64, 1, 16)]
    public void Activations_fit_until_cores_or_channels_run_out(int cores, int perNetwork, int fit)
    {
        _cards = [new() { Cores = cores }];
        using TableClient client = Client(new TestQpc { Cores = perNetwork });
        nint surplus = client.Program(activate: false);
        nint[] programs = [.. Enumerable.Range(0, fit).Select(_ => client.Program())];
        TableClient.Check(Load(surplus));
        Assert.AreEqual(QStatus.DevError, Activate(surplus));
        Assert.Contains(fit == 16 ? "(device status -14)" : "Failed to allocate NSP resources (device status -13)", client.LastLog);
        TableClient.Check(client.Release(programs[0]));
        TableClient.Check(Activate(surplus));
    }

    [TestMethod]
    public void Multicast_ids_and_semaphores_run_out_too()
    {
        _cards = [new() { MulticastIds = 3 }, new() { Semaphores = 3 }];
        foreach ((int device, string words) in new[] { (0, "-12"), (1, "-15") })
        {
            using TableClient client = Client(new TestQpc { Cores = 2 }, device);
            nint surplus = client.Program(activate: false);
            client.Program();
            Assert.AreEqual(QStatus.DevError, Activate(surplus));
            Assert.Contains($"activate failed: Failed to allocate {(device == 0 ? "MCID" : "semaphore")} resources (device status {words})", client.LastLog);
            Assert.AreEqual(QStatus.DevError, Create(client));
            Assert.Contains($"does not satisfy the resource requirements", client.LastLog);
        }
    }

    [TestMethod]
    public void A_network_that_does_not_fit_into_the_memory_is_refused_and_nothing_is_taken()
    {
        _cards = [new() { DramMegabytes = 100 }];
        using TableClient client = Client(new TestQpc { ConstantsBytes = (100 << 20) + 1 });
        Assert.AreEqual(QStatus.DevError, Load(client.Program(activate: false)));
        Assert.Contains("Memory resource exhausted (device status -4)", client.LastLog);
        Assert.AreEqual((100ul << 10, 0), (Resources().DramFree, Engine.Loads));

        // The constants fit exactly, the device program no longer does.
        using TableClient exact = Client(new TestQpc { ConstantsBytes = 100 << 20 });
        Assert.AreEqual(QStatus.DevError, Load(exact.Program(activate: false)));
        Assert.AreEqual((100ul << 10, 0), (Resources().DramFree, Engine.LiveNetworks));
    }

    [TestMethod]
    public void Cards_have_resources_of_their_own()
    {
        _cards = [new() { Cores = 1 }, new() { Cores = 1 }];
        using TableClient first = Client(), second = Client(device: 1);
        TableClient.Check(first.Exec(first.Program()).Run(first.Queue));
        TableClient.Check(second.Exec(second.Program()).Run(second.Queue));
        Assert.AreEqual((0, 0), ((int)Resources(0).NspFree, (int)Resources(1).NspFree));
    }

    [TestMethod]
    [DataRow(0, 16, "Cores")]
    [DataRow(65, 16, "Cores")]
    [DataRow(16, 256, "VirtualChannels")]
    public void Impossible_cards_are_refused(int cores, int channels, string named)
    {
        SimulatedPlatformOptions options = new() { Engine = Engine, Cards = [new() { Cores = cores, VirtualChannels = channels }] };
        Assert.AreEqual(named, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new SimulatedPlatform(options)).ParamName);
        Assert.ThrowsExactly<ArgumentException>(() => new SimulatedPlatform(new SimulatedPlatformOptions { Engine = Engine, Cards = [] }));
    }

    [TestMethod]
    public void A_program_that_the_card_is_too_small_for_cannot_be_made()
    {
        _cards = [new() { Cores = 14 }];
        using TableClient client = Client(new TestQpc { Cores = 16 });
        Assert.AreEqual(QStatus.DevError, Create(client));
        Assert.Contains("Device 0 does not satisfy the resource requirements of program", client.LastLog);
        Assert.Contains("16 AI cores needed, 14 free", client.LastLog);
    }

    [TestMethod]
    public void Programs_that_were_made_in_time_may_take_turns_by_activation()
    {
        using TableClient client = Client(new TestQpc { Cores = 16 });
        nint first = client.Program(activate: false), second = client.Program(activate: false);
        foreach (nint program in new[] { first, second, first })
        {
            TableClient.Check(Activate(program));
            TestExec exec = client.Exec(program);
            TableClient.Check(exec.Run(client.Queue));
            TableClient.Check(client.Release(exec.Handle));
            TableClient.Check(Deactivate(program));
        }
    }

    [TestMethod]
    public void One_QPC_is_in_the_cards_memory_once_for_all_contexts()
    {
        using TableClient first = Client(new TestQpc { ConstantsBytes = 1 << 30 }), second = Client();
        first.Program();
        TableClient.Check(Load(second.Program(activate: false, qpc: first.Qpc)));
        Assert.AreEqual((1, (32692ul - 1024 << 10) - 1), (Engine.Loads, Resources().DramFree));
        second.Dispose();
        Assert.AreEqual(1, Engine.LiveNetworks);
    }

    private unsafe QStatus Create(TableClient client)
    {
        nint made;
        return Api.CreateProgram(client.Context, &made, null, client.Qid, null, client.Qpc);
    }

    private unsafe QStatus Deactivate(nint program) => Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull);

    private unsafe QStatus Load(nint program) => Api.LoadProgram(program);

    private unsafe QStatus Activate(nint program) => Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull);
}
