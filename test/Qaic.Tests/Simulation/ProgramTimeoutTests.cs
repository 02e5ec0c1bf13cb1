using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class ProgramTimeoutTests : SimulatedMachineTest
{
    private protected override SimulatedPlatformOptions Options => new() { Engine = Engine, TimeProvider = Clock };

    [TestMethod]
    public void A_wait_ends_by_the_machines_clock()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        using Fault hold = Faults.HoldInference();
        TableClient.Check(exec.Enqueue(client.Queue));
        Task<QStatus> wait = Task.Run(() => exec.Wait(1_500_000));
        Clock.WaitUntilArmed(TimeSpan.FromMilliseconds(1500));
        Clock.Advance(TimeSpan.FromMilliseconds(1499));
        Assert.IsFalse(wait.IsCompleted);
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        Await(wait);
        Assert.AreEqual(QStatus.TimedOut, wait.Result);
        hold.Release();
        TableClient.Check(exec.Wait());
    }

    [TestMethod]
    [DataRow(null, null, 30_000)]
    [DataRow(0u, 5u, 30_000)]
    [DataRow(1000u, 0u, 1_000)]
    [DataRow(60_000u, 2u, 180_000)]
    public unsafe void An_inference_that_outlasts_all_retries_fails_and_takes_its_program_along(uint? timeoutMs, uint? retries, int limitMs)
    {
        using TableClient client = Client();
        nint program = client.Program(timeoutMs: timeoutMs, retries: retries);
        TestExec late = client.Exec(program), behind = client.Exec(program);
        late.Output().Fill(-1);
        using Fault hold = Faults.HoldInference();
        TableClient.Check(late.Enqueue(client.Queue));
        TableClient.Check(behind.Enqueue(client.Queue));
        Await(hold.WhenHit);
        Clock.Advance(TimeSpan.FromMilliseconds(limitMs - 1));
        Assert.AreEqual(QStatus.TimedOut, late.Wait(0));
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.AreEqual(QStatus.Error, late.Wait());
        Assert.Contains("SubmitRetryTimeoutMs", client.LastLog);
        Assert.AreEqual(QStatus.Error, behind.Wait());
        Assert.AreEqual(-1, late.Output()[0]);
        Assert.AreEqual(QStatus.DevError, late.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.DevError, Api.UnloadProgram(program));
        Assert.Contains("error state 100", client.LastLog);
    }

    [TestMethod]
    public void The_limit_is_for_each_inference_not_for_all_together()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program(timeoutMs: 1000, retries: 0));
        for (int i = 0; i < 5; i++)
        {
            using Fault hold = Faults.HoldInference();
            TableClient.Check(exec.Enqueue(client.Queue));
            Await(hold.WhenHit);
            Clock.Advance(TimeSpan.FromMilliseconds(900));
            hold.Release();
            TableClient.Check(exec.Wait());
        }
    }

    [TestMethod]
    public void A_delayed_inference_arrives_when_the_clock_says_so()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(2);
        using Fault delay = Faults.DelayInference(TimeSpan.FromSeconds(3), occurrence: 2);
        TableClient.Check(exec.Run(client.Queue));
        TableClient.Check(exec.Enqueue(client.Queue));
        Await(delay.WhenHit);
        Clock.Advance(TimeSpan.FromMilliseconds(2999));
        Assert.AreEqual(QStatus.TimedOut, exec.Wait(0));
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        TableClient.Check(exec.Wait());
        Assert.AreEqual(4, exec.Output()[0]);
        Assert.AreEqual(1, delay.Hits);
    }

    [TestMethod]
    public void A_delayed_call_returns_when_the_clock_says_so()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        using Fault delay = Faults.DelayCall("qaicLoadProgram", TimeSpan.FromSeconds(2));
        Task<QStatus> load = Task.Run(() => Load(program));
        Await(delay.WhenHit);
        Assert.IsFalse(load.IsCompleted);
        Clock.Advance(TimeSpan.FromSeconds(2));
        Await(load);
        TableClient.Check(load.Result);
    }

    private unsafe QStatus Load(nint program) => Api.LoadProgram(program);
}
