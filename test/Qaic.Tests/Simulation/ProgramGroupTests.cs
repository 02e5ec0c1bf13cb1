using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>What only a simulated card can show: who runs when, faults, and the time of a switch.</summary>
[TestClass]
public sealed class ProgramGroupTests : SimulatedMachineTest
{
    private static readonly TestQpc s_wholeCard = new() { Cores = 16 };

    private SimulatedCardOptions _card = new();

    private protected override SimulatedPlatformOptions Options => new() { Engine = Engine, Cards = [_card], TimeProvider = Clock };

    [TestMethod]
    public void Programs_that_have_work_alternate_and_only_one_is_on_the_cores()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client, execs: 5);
        List<float> order = [];
        Engine.OnRun = execution => order.Add(First(execution));
        using (Fault hold = Faults.HoldInference(occurrence: 1))
        {
            foreach (TestExec exec in (TestExec[])[.. first, .. second])
            {
                exec.Input().Fill(Array.IndexOf(first, exec) is int i && i >= 0 ? 10 + i : 20 + Array.IndexOf(second, exec));
                TableClient.Check(exec.Enqueue(group.Queue));
            }

            Await(hold.WhenHit);
        }

        Array.ForEach(first, e => TableClient.Check(e.Wait()));
        Array.ForEach(second, e => TableClient.Check(e.Wait()));
        CollectionAssert.AreEqual(new float[] { 10, 20, 11, 21, 12, 22, 13, 23, 14, 24 }, order);
        Assert.AreEqual((1, 9), (Engine.MaxConcurrency, Switches(group)));
    }

    [TestMethod]
    public void A_program_that_stays_alone_does_not_switch()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client);
        for (int i = 0; i < 3; i++)
        {
            TableClient.Check(first[0].Run(group.Queue));
        }

        Assert.AreEqual(0, Switches(group));
        TableClient.Check(second[0].Run(group.Queue));
        Assert.AreEqual(1, Switches(group));
    }

    [TestMethod]
    public void Without_oversubscription_programs_that_fit_run_side_by_side()
    {
        using TableClient client = Client(new TestQpc { Cores = 8 });
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client, isOversubscribed: false);
        using Barrier both = new(2);
        Engine.OnRun = _ => Assert.IsTrue(both.SignalAndWait(TimeSpan.FromSeconds(30)), "The other program did not run meanwhile.");
        TableClient.Check(first[0].Enqueue(group.Queue));
        TableClient.Check(second[0].Enqueue(group.Queue));
        TableClient.Check(first[0].Wait());
        TableClient.Check(second[0].Wait());
        Assert.AreEqual((0, 0), (Switches(group), (int)Resources().NspFree));
    }

    [TestMethod]
    [DataRow(0u, 15)]
    [DataRow(1u, 8)]
    public void A_switch_takes_the_time_of_its_protocol_on_a_paced_card(uint protocol, int milliseconds)
    {
        _card = new() { Pacing = new() { PerInference = TimeSpan.FromMilliseconds(2), PerRow = TimeSpan.Zero, TurnAround = TimeSpan.Zero, HostToDeviceBytesPerSecond = double.PositiveInfinity, DeviceToHostBytesPerSecond = double.PositiveInfinity, CoefficientOfVariation = 0 } };
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client, protocol: protocol);
        foreach ((TestExec exec, int expected) in new[] { (first[0], 2), (first[0], 2), (second[0], 2 + milliseconds), (second[0], 2), (first[0], 2 + milliseconds) })
        {
            DateTimeOffset start = Clock.GetUtcNow();
            TableClient.Check(exec.Enqueue(group.Queue));
            Clock.AdvanceToNext(TimeSpan.FromSeconds(1));
            TableClient.Check(exec.Wait());
            Assert.AreEqual(TimeSpan.FromMilliseconds(expected), Clock.GetUtcNow() - start);
        }
    }

    [TestMethod]
    public void Disabled_by_force_what_is_in_flight_ends_with_an_error_and_the_cores_are_free()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client);
        using Fault hold = Faults.HoldInference();
        first[0].Output().Fill(-1);
        TableClient.Check(first[0].Enqueue(group.Queue));
        TableClient.Check(second[0].Enqueue(group.Queue));
        Await(hold.WhenHit);
        TableClient.Check(group.Disable(force: true, microseconds: 0));
        Assert.AreEqual(QStatus.Error, first[0].Wait());
        Assert.Contains("disabled by force", client.LastLog);
        Assert.AreEqual(QStatus.Error, second[0].Wait());
        Assert.AreEqual((-1f, 16), (first[0].Output()[0], (int)Resources().NspFree));
        hold.Dispose();
        TableClient.Check(group.Enable());
        Assert.AreEqual(QStatus.DevError, first[0].Enqueue(group.Queue));
    }

    [TestMethod]
    public void Enabled_again_after_it_was_disabled_by_force_its_cores_are_idle()
    {
        _card = new() { Pacing = new() { PerInference = TimeSpan.FromMilliseconds(2), PerRow = TimeSpan.Zero, TurnAround = TimeSpan.Zero, HostToDeviceBytesPerSecond = double.PositiveInfinity, DeviceToHostBytesPerSecond = double.PositiveInfinity, CoefficientOfVariation = 0 } };
        using TableClient client = Client(s_wholeCard);
        TestGroup group = new(client);
        nint program = group.Add();
        TableClient.Check(group.Enable());
        TestExec ended = client.Exec(program);
        TableClient.Check(ended.Enqueue(group.Queue));
        Clock.WaitUntilArmed(TimeSpan.FromMilliseconds(2));
        TableClient.Check(group.Disable(force: true));
        TableClient.Check(client.Release(ended.Handle));
        TableClient.Check(group.Enable());
        TestExec exec = client.Exec(program);
        DateTimeOffset start = Clock.GetUtcNow();
        TableClient.Check(exec.Enqueue(group.Queue));
        Clock.AdvanceToNext(TimeSpan.FromSeconds(1));
        TableClient.Check(exec.Wait());
        Assert.AreEqual(TimeSpan.FromMilliseconds(2), Clock.GetUtcNow() - start);
    }

    [TestMethod]
    public void A_callback_that_hears_of_a_switch_may_release_the_inference_that_it_is_for()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client, execs: 2);
        TableClient.Check(SetLevel(client));
        TableClient.Check(first[0].Run(group.Queue));
        using ManualResetEventSlim released = new();
        QStatus status = QStatus.Error;
        client.OnLogged = line =>
        {
            if (line.Contains("switches from program", StringComparison.Ordinal))
            {
                client.OnLogged = null;
                status = client.Release(second[0].Handle);
                released.Set();
            }
        };
        TableClient.Check(second[0].Enqueue(group.Queue));
        Await(released.WaitHandle);
        TableClient.Check(status);
        TableClient.Check(second[1].Run(group.Queue));

        unsafe QStatus SetLevel(TableClient client) => Api.SetLogLevel(client.Context, QLogLevel.Debug);
    }

    [TestMethod]
    public void Disabled_without_force_it_waits_for_what_is_in_flight_and_takes_nothing_new()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client);
        using Fault hold = Faults.HoldInference();
        TableClient.Check(first[0].Enqueue(group.Queue));
        Await(hold.WhenHit);
        Assert.AreEqual(QStatus.Busy, group.Disable(microseconds: 0));
        Task<QStatus> disable = Task.Run(() => group.Disable(microseconds: 2_000_000));
        Clock.WaitUntilArmed(TimeSpan.FromSeconds(2));
        Assert.AreEqual(QStatus.Inval, second[0].Enqueue(group.Queue));
        Assert.Contains("being disabled", client.LastLog);
        hold.Release();
        Await(disable);
        TableClient.Check(disable.Result);
        TableClient.Check(first[0].Wait());
        Assert.AreEqual(16, Resources().NspFree);
    }

    [TestMethod]
    public void A_group_that_was_not_disabled_in_time_goes_on()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client);
        using Fault hold = Faults.HoldInference();
        TableClient.Check(first[0].Enqueue(group.Queue));
        Await(hold.WhenHit);
        Task<QStatus> disable = Task.Run(() => group.Disable(microseconds: 2_000_000));
        Clock.WaitUntilArmed(TimeSpan.FromSeconds(2));
        Clock.Advance(TimeSpan.FromSeconds(2));
        Await(disable);
        Assert.AreEqual(QStatus.TimedOut, disable.Result);
        TableClient.Check(second[0].Enqueue(group.Queue));
        hold.Release();
        TableClient.Check(first[0].Wait());
        TableClient.Check(second[0].Wait());
        TableClient.Check(group.Disable());
    }

    [TestMethod]
    public void A_program_in_the_error_state_leaves_the_others_running_and_ends_with_a_group_disabled_by_force()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, TestExec[] second) = Group(client);
        using (Faults.FailInference(occurrence: 1))
        {
            Assert.AreEqual(QStatus.DevError, first[0].Run(group.Queue));
        }

        TableClient.Check(second[0].Run(group.Queue));
        Assert.AreEqual(QStatus.DevError, first[0].Enqueue(group.Queue));
        Assert.AreEqual(QStatus.DevError, group.Disable());
        Assert.Contains("error state 100; disable its group by force", client.LastLog);
        TableClient.Check(second[0].Run(group.Queue));
        TableClient.Check(group.Disable(force: true));
        TableClient.Check(client.Release(first[0].Handle));
        TableClient.Check(group.Enable());
        Assert.AreEqual(0, Resources().NspFree);
    }

    [TestMethod]
    public unsafe void A_lost_device_switches_its_groups_off_and_takes_them_again_when_it_is_back()
    {
        using TableClient client = Client(new TestQpc { Cores = 16, ConstantsBytes = 1 << 20 });
        TestGroup group = new(client);
        nint program = group.Add();
        TableClient.Check(group.Enable());
        TestExec exec = client.Exec(program), queued = client.Exec(program);
        using Fault hold = Faults.HoldInference();
        TableClient.Check(exec.Enqueue(group.Queue));
        TableClient.Check(queued.Enqueue(group.Queue));
        Await(hold.WhenHit);
        Faults.LoseDevice(0);
        Assert.AreEqual(QStatus.DevError, exec.Wait());
        Assert.AreEqual(QStatus.DevError, queued.Wait());
        Assert.AreEqual(QStatus.NoDev, group.Enable());
        Assert.AreEqual(QStatus.NoDev, group.Disable(force: true));
        Assert.AreEqual(QStatus.NoDev, group.TryAdd(client.Qpc, out _));
        nint made, queue;
        Assert.AreEqual(QStatus.NoDev, TestGroup.Create(client, true, 0, &made, &queue));
        hold.Dispose();
        Faults.RestoreDevice(0);
        Assert.AreEqual((16, 32692ul << 10), ((int)Resources().NspFree, Resources().DramFree));
        Assert.AreEqual(QStatus.Inval, group.Disable());
        TableClient.Check(group.Enable());
        TableClient.Check(client.Exec(program).Run(group.Queue));
    }

    [TestMethod]
    public void A_device_that_is_lost_while_a_group_waits_to_be_disabled_ends_the_wait()
    {
        using TableClient client = Client(s_wholeCard);
        (TestGroup group, TestExec[] first, _) = Group(client);
        using Fault hold = Faults.HoldInference();
        TableClient.Check(first[0].Enqueue(group.Queue));
        Await(hold.WhenHit);
        Task<QStatus> disable = Task.Run(() => group.Disable(microseconds: 2_000_000));
        Clock.WaitUntilArmed(TimeSpan.FromSeconds(2));
        Faults.LoseDevice(0);
        Await(disable);
        Assert.AreEqual(QStatus.NoDev, disable.Result);
        Faults.RestoreDevice(0);
        Assert.AreEqual(16, Resources().NspFree);
    }

    [TestMethod]
    public void Programs_of_a_group_must_fit_into_the_memory_together_or_none_is_loaded()
    {
        _card = new() { DramMegabytes = 100 };
        using TableClient client = Client(new TestQpc { Cores = 16, ConstantsBytes = 60 << 20 });
        nint other = client.OpenQpc(Write(new TestQpc { Cores = 4, ConstantsBytes = 60 << 20 }));
        TestGroup group = new(client);
        group.Add();
        group.Add(other);
        Assert.AreEqual(QStatus.DevError, group.Enable());
        Assert.Contains("Memory resource exhausted", client.LastLog);
        Assert.AreEqual((16, 100ul << 10, 0), ((int)Resources().NspFree, Resources().DramFree, Engine.LiveNetworks));
    }

    [TestMethod]
    public void A_QPC_for_several_devices_is_refused()
    {
        using TableClient client = Client(new TestQpc { With = "mdp_meta_info" });
        Assert.AreEqual(QStatus.Unsupported, new TestGroup(client).TryAdd(client.Qpc, out nint program));
        Assert.Contains("several devices", client.LastLog);
        Assert.AreEqual(0, program);
    }

    private static (TestGroup Group, TestExec[] First, TestExec[] Second) Group(TableClient client, int execs = 1, bool isOversubscribed = true, uint protocol = 0)
    {
        TestGroup group = new(client, isOversubscribed, protocol);
        nint first = group.Add(), second = group.Add();
        TableClient.Check(group.Enable());
        return (group, [.. Enumerable.Range(0, execs).Select(_ => client.Exec(first))], [.. Enumerable.Range(0, execs).Select(_ => client.Exec(second))]);
    }

    private static int Switches(TestGroup group) => SimulatedApi.Handles.TryGet(group.Handle, out SimulatedProgramGroup? found, out _) ? found.Switches : -1;

    private static unsafe float First(DoublingEngine.DoublingExecution execution) => *(float*)execution.Tensors[0].Address;
}
