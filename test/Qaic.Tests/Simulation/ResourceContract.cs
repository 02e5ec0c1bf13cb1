using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>How every library shares a device's cores out; a subclass chooses it. The network takes one core, and nothing else uses the device.</summary>
public abstract unsafe class ResourceContract
{
    private protected abstract QaicApi Api { get; }

    /// <summary>QPC of a network with one input and one output of four floats, on one core.</summary>
    private protected abstract string QpcPath { get; }

    private protected abstract int Qid { get; }

    private TableClient Client() => new(Api, Qid, QpcPath);

    [TestMethod]
    public void Activations_beyond_the_cores_and_channels_fail_and_fit_when_another_is_gone()
    {
        using TableClient client = Client();
        QResourceInfo idle = Resources();
        int fit = Math.Min(idle.NspFree, idle.VcFree);
        nint[] programs = [.. Enumerable.Range(0, fit + 1).Select(_ => client.Program(activate: false))];
        Array.ForEach(programs[..fit], p => TableClient.Check(Activate(p)));
        Assert.AreEqual(0, Math.Min(Resources().NspFree, Resources().VcFree));
        Assert.AreEqual(QStatus.DevError, Activate(programs[fit]));
        Assert.Contains("Failed to allocate", client.LastLog);
        TableClient.Check(client.Exec(programs[0]).Run(client.Queue));
        TableClient.Check(Api.RunActivationCmd(programs[1], QAicActivationCmd.DeactivateFull));
        TableClient.Check(Activate(programs[fit]));
        TableClient.Check(client.Exec(programs[fit]).Run(client.Queue));
        Array.ForEach(programs[1..fit], p => TableClient.Check(client.Release(p)));
        Assert.AreEqual(idle.NspFree - 2, Resources().NspFree);
    }

    [TestMethod]
    public void A_program_cannot_be_made_while_the_cores_that_it_needs_are_taken()
    {
        using TableClient client = Client();
        QResourceInfo idle = Resources();
        nint[] programs = [.. Enumerable.Range(0, Math.Min(idle.NspFree, idle.VcFree)).Select(_ => client.Program())];
        nint made = 1;
        Assert.AreEqual(QStatus.DevError, Api.CreateProgram(client.Context, &made, null, Qid, null, client.Qpc));
        Assert.AreEqual(0, made);
        Assert.Contains("does not satisfy the resource requirements", client.LastLog);
        TableClient.Check(client.Release(programs[0]));
        TableClient.Check(client.Exec(client.Program()).Run(client.Queue));
    }

    [TestMethod]
    public void Two_contexts_share_the_device()
    {
        using TableClient first = Client(), second = Client();
        QResourceInfo idle = Resources();
        nint mine = first.Program();
        TestExec theirs = second.Exec(second.Program());
        Assert.AreEqual(idle.NspFree - 2, Resources().NspFree);
        TableClient.Check(theirs.Run(second.Queue));
        TableClient.Check(first.Release(mine));
        first.Dispose();
        TableClient.Check(theirs.Run(second.Queue));
        Assert.AreEqual(idle.NspFree - 1, Resources().NspFree);
    }

    [TestMethod]
    public void A_program_belongs_to_its_context()
    {
        using TableClient first = Client(), second = Client();
        nint exec;
        Assert.AreEqual(QStatus.Inval, Api.CreateExecObj(second.Context, &exec, null, first.Program(), null, null, null));
        Assert.AreEqual(0, exec);
    }

    [TestMethod]
    public void Programs_of_one_QPC_are_activations_of_their_own_and_keep_it_open()
    {
        using TableClient client = Client();
        TestExec[] execs = [.. Enumerable.Range(0, 4).Select(_ => client.Exec(client.Program()))];
        Array.ForEach(execs, e => TableClient.Check(e.Enqueue(client.Queue)));
        Array.ForEach(execs, e => TableClient.Check(e.Wait()));
        Assert.AreEqual(QStatus.Inval, Api.CloseQpc(client.Qpc));
    }

    private QStatus Activate(nint program) => Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull);

    private QResourceInfo Resources()
    {
        QResourceInfo info;
        TableClient.Check(Api.GetResourceInfo(Qid, &info));
        return info;
    }
}
