using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>What every library that has program groups has to do; a subclass chooses it. The network has one input and one output of four floats, and takes all cores of the device.</summary>
public abstract unsafe class ProgramGroupContract
{
    private protected abstract QaicApi Api { get; }

    /// <summary>QPC of the network, on all cores.</summary>
    private protected abstract string QpcPath { get; }

    private protected abstract int Qid { get; }

    /// <summary>What the network computes of one element.</summary>
    private protected abstract float Expected(float x);

    private TableClient Client() => new(Api, Qid, QpcPath);

    [TestMethod]
    public void Two_programs_that_need_the_whole_card_do_not_run_side_by_side()
    {
        using TableClient client = Client();
        nint early = client.Program(activate: false), late;
        TableClient.Check(client.Exec(client.Program()).Run(client.Queue));
        Assert.AreEqual(QStatus.DevError, Api.RunActivationCmd(early, QAicActivationCmd.ActivateFull));
        Assert.AreEqual(QStatus.DevError, Api.CreateProgram(client.Context, &late, null, Qid, null, client.Qpc));
        Assert.AreEqual(0, late);
        Assert.Contains("does not satisfy the resource requirements", client.LastLog);
    }

    [TestMethod]
    public void In_a_group_they_take_turns()
    {
        using TableClient client = Client();
        nint other = client.OpenQpc(QpcPath);
        TestGroup group = new(client);
        nint[] programs = [group.Add(), group.Add(), group.Add(other)];
        TableClient.Check(group.Enable());
        TestExec[] execs = [.. programs.Select(p => client.Exec(p))];
        for (int i = 0; i < 60; i++)
        {
            TestExec exec = execs[i % 5 % 3];
            exec.Input().Fill(i);
            TableClient.Check(exec.Run(group.Queue));
            Assert.AreEqual(Expected(i), exec.Output()[3]);
        }
    }

    [TestMethod]
    public void Threads_that_feed_different_programs_get_the_results_of_their_own_inputs()
    {
        using TableClient client = Client();
        TestGroup group = new(client);
        nint[] programs = [group.Add(), group.Add()];
        TableClient.Check(group.Enable());
        TestExec[] execs = [.. Enumerable.Range(0, 4).Select(i => client.Exec(programs[i % 2]))];
        int wrong = 0;
        Thread[] threads = [.. execs.Select((exec, t) => new Thread(() =>
        {
            for (int i = 0; i < 2_000; i++)
            {
                float x = t * 10_000 + i;
                exec.Input().Fill(x);
                if (exec.Run(group.Queue) != 0 || exec.Output().ContainsAnyExcept(Expected(x)))
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        Assert.AreEqual(0, wrong);
    }

    [TestMethod]
    public void A_group_takes_the_cores_of_its_largest_program_once_and_gives_them_back()
    {
        using TableClient client = Client();
        QResourceInfo before = Resources();
        TestGroup group = new(client);
        group.Add();
        group.Add();
        Assert.AreEqual(before, Resources());
        TableClient.Check(group.Enable());
        Assert.AreEqual((0, before.VcFree - 1), (Resources().NspFree, Resources().VcFree));
        TableClient.Check(group.Disable());
        Assert.AreEqual(before, Resources());
        TableClient.Check(group.Enable());
        TableClient.Check(client.Release(group.Handle));
        Assert.AreEqual(before, Resources());
    }

    [TestMethod]
    public void Without_oversubscription_each_program_needs_cores_of_its_own()
    {
        using TableClient client = Client();
        QResourceInfo before = Resources();
        TestGroup group = new(client, isOversubscribed: false);
        nint only = group.Add();
        TableClient.Check(group.Enable());
        TestExec exec = client.Exec(only);
        TableClient.Check(exec.Run(group.Queue));
        TableClient.Check(client.Release(exec.Handle));
        TableClient.Check(group.Disable());
        group.Add();
        Assert.AreEqual(QStatus.DevError, group.Enable());
        Assert.AreEqual(before, Resources());
    }

    [TestMethod]
    public void Without_properties_a_group_is_not_oversubscribed()
    {
        using TableClient client = Client();
        nint handle, queue, program;
        TableClient.Check(Api.CreateProgramGroup(client.Context, &handle, &queue, null, null, Qid));
        client.Own(handle, g => Api.ReleaseProgramGroup(g));
        TableClient.Check(Api.ProgramGroupAddProgram(handle, client.Qpc, &program, null));
        TableClient.Check(Api.ProgramGroupAddProgram(handle, client.Qpc, &program, null));
        Assert.AreEqual(QStatus.DevError, Api.ProgramGroupEnable(handle));
    }

    [TestMethod]
    public void The_group_owns_its_queue_and_its_programs()
    {
        using TableClient client = Client();
        TestGroup group = new(client);
        nint program = group.Add();
        Assert.AreEqual(QStatus.Inval, Api.ReleaseQueue(group.Queue));
        Assert.Contains("belongs to the program group 'turns'", client.LastLog);
        Assert.AreEqual(QStatus.Inval, Api.ReleaseProgram(program));
        Assert.Contains("belongs to the program group 'turns'", client.LastLog);
        Assert.AreEqual(QStatus.Inval, Api.CloseQpc(client.Qpc));
        Assert.AreEqual(QStatus.Inval, Api.ReleaseContext(client.Context));
        TableClient.Check(client.Release(group.Handle));
        Assert.AreEqual(QStatus.BadFd, Api.ReleaseQueue(group.Queue));
        Assert.AreEqual(QStatus.BadFd, Api.ReleaseProgram(program));
        Assert.AreEqual(QStatus.BadFd, Api.ProgramGroupEnable(group.Handle));
    }

    [TestMethod]
    public void Its_programs_are_loaded_and_activated_by_the_group_alone()
    {
        using TableClient client = Client();
        TestGroup group = new(client);
        nint program = group.Add(), exec;
        uint none = 0;
        (string Name, Func<QStatus> Call)[] calls =
        [
            ("load", () => Api.LoadProgram(program)),
            ("activate", () => Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull)),
            ("deactivate", () => Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull)),
            ("unload", () => Api.UnloadProgram(program)),
        ];
        Assert.AreEqual(QStatus.Inval, Api.CreateExecObj(client.Context, &exec, null, program, null, null, null));
        Assert.AreEqual(QStatus.Inval, Api.CreateExecObj(client.Context, &exec, &none, program, null, null, null));
        Assert.Contains("Enable the program group", client.LastLog);
        Array.ForEach(calls, c => Assert.AreEqual(QStatus.Inval, c.Call(), c.Name));
        TableClient.Check(group.Enable());
        Array.ForEach(calls, c => Assert.AreEqual(QStatus.Inval, c.Call(), c.Name));
        QData descriptor;
        TableClient.Check(Api.ProgramGetIoDescriptor(program, &descriptor));
        TableClient.Check(client.Exec(program).Run(group.Queue));
    }

    [TestMethod]
    public void Inferences_of_a_group_go_to_its_queue_and_others_do_not()
    {
        using TableClient client = Client();
        TestGroup group = new(client), other = new(client);
        nint program = group.Add();
        TableClient.Check(group.Enable());
        TestExec exec = client.Exec(program);
        Assert.AreEqual(QStatus.Inval, exec.Enqueue(client.Queue));
        Assert.Contains("go to the group's queue", client.LastLog);
        Assert.AreEqual(QStatus.Inval, exec.Enqueue(other.Queue));
        TableClient.Check(client.Release(exec.Handle));
        TableClient.Check(group.Disable());
        TestExec free = client.Exec(client.Program());
        Assert.AreEqual(QStatus.Inval, free.Enqueue(group.Queue));
        TableClient.Check(free.Run(client.Queue));
    }

    [TestMethod]
    public void Enable_and_disable_want_the_state_that_they_undo_and_programs_are_added_to_a_group_that_is_off()
    {
        using TableClient client = Client();
        TestGroup group = new(client);
        Assert.AreEqual(QStatus.Inval, group.Enable());
        Assert.Contains("has no programs", client.LastLog);
        Assert.AreEqual(QStatus.Inval, group.Disable());
        Assert.AreEqual(QStatus.Inval, group.Disable(force: true));
        group.Add();
        TableClient.Check(group.Enable());
        TableClient.Check(group.Enable());
        Assert.AreEqual(QStatus.Inval, group.TryAdd(client.Qpc, out nint refused));
        Assert.AreEqual(0, refused);
        TableClient.Check(group.Disable());
        nint added = group.Add();
        TableClient.Check(group.Enable());
        TableClient.Check(client.Exec(added).Run(group.Queue));
    }

    [TestMethod]
    public void A_group_with_living_execution_objects_cannot_be_released_but_disabled()
    {
        using TableClient client = Client();
        TestGroup group = new(client);
        nint program = group.Add();
        TableClient.Check(group.Enable());
        TestExec old = client.Exec(program);
        TableClient.Check(old.Run(group.Queue));
        Assert.AreEqual(QStatus.Inval, Api.ReleaseProgramGroup(group.Handle));
        Assert.Contains("Release them first", client.LastLog);
        TableClient.Check(group.Disable());
        Assert.AreEqual(QStatus.Inval, Api.ReleaseProgramGroup(group.Handle));
        Assert.AreNotEqual(QStatus.Success, old.Enqueue(group.Queue));
        TableClient.Check(group.Enable());
        Assert.AreNotEqual(QStatus.Success, old.Enqueue(group.Queue));
        TableClient.Check(client.Exec(program).Run(group.Queue));
    }

    [TestMethod]
    public void Null_and_invented_handles_and_impossible_properties_are_refused()
    {
        using TableClient client = Client();
        TestGroup group = new(client);
        nint made = 0, queue = 0;
        foreach ((nint handle, QStatus expected) in new[] { ((nint)0, QStatus.Inval), (0x1234567, QStatus.BadFd), (client.Queue, QStatus.BadFd) })
        {
            Assert.AreEqual(expected, Api.CreateProgramGroup(handle, &made, &queue, null, null, Qid));
            Assert.AreEqual(expected, Api.ProgramGroupAddProgram(handle, client.Qpc, &made, null));
            Assert.AreEqual(expected, Api.ProgramGroupAddProgram(group.Handle, handle, &made, null));
            Assert.AreEqual(expected, Api.ProgramGroupEnable(handle));
            Assert.AreEqual(expected, Api.ProgramGroupDisable(handle, 1, 0));
            Assert.AreEqual(expected, Api.ReleaseProgramGroup(handle));
        }

        Assert.AreEqual(QStatus.Inval, Api.ProgramGroupPropertiesInitDefault(null));
        Assert.AreEqual(QStatus.Inval, Api.CreateProgramGroup(client.Context, null, &queue, null, null, Qid));
        Assert.AreEqual(QStatus.Inval, Api.CreateProgramGroup(client.Context, &made, null, null, null, Qid));
        Assert.AreEqual(QStatus.Inval, Api.ProgramGroupAddProgram(group.Handle, client.Qpc, null, null));
        Assert.AreEqual(QStatus.Inval, TestGroup.Create(client, true, 2, &made, &queue));
        Assert.AreEqual(QStatus.NoDev, Api.CreateProgramGroup(client.Context, &made, &queue, null, null, Qid + 999));
        Assert.AreEqual((0, 0), (made, queue));
    }

    private QResourceInfo Resources()
    {
        QResourceInfo info;
        TableClient.Check(Api.GetResourceInfo(Qid, &info));
        return info;
    }
}
