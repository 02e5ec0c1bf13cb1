using System.Runtime.CompilerServices;
using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class SimulatedPlatformTests : SimulatedMachineTest
{
    [TestMethod]
    public void A_platform_says_what_computes()
    {
        Assert.AreEqual("simulated card (doubling)", Platform.Name);
        Assert.IsTrue(Platform.IsSimulated);
        Assert.ThrowsExactly<NotSupportedException>(() => Platform.Compiler, "the engine's own compiler");
    }

    [TestMethod]
    public void Without_an_engine_the_error_says_what_to_reference()
    {
        // This test project does not reference the engine's assembly.
        QaicException e = Assert.ThrowsExactly<QaicException>(() => new SimulatedPlatform(new SimulatedPlatformOptions()));
        Assert.AreEqual(QaicError.LibraryNotAvailable, e.Error);
        Assert.Contains("Reference the package Qaic.OnnxRuntime", e.Message);
    }

    [TestMethod]
    public unsafe void Machines_do_not_see_each_others_devices_objects_or_faults()
    {
        SimulatedPlatform other = new(new SimulatedPlatformOptions { Engine = Engine, Cards = [new() { Cores = 14 }, new()] });
        using TableClient here = Client();
        using TableClient there = new(other.Api, other.FirstQid + 1, Write(new TestQpc()));
        using Fault fault = Faults.FailInference();
        Assert.AreEqual((2, 2), (Platform.LiveObjects, other.LiveObjects));
        TableClient.Check(there.Exec(there.Program()).Run(there.Queue));
        Assert.AreEqual(QStatus.DevError, here.Exec(here.Program()).Run(here.Queue));
        int[] mixed = [Platform.FirstQid, other.FirstQid];
        int[] twice = [other.FirstQid, other.FirstQid];
        nint context;
        fixed (int* qids = mixed, same = twice)
        {
            Assert.AreEqual(QStatus.Inval, Api.CreateContext(&context, null, 2, qids, null, 0, null, 0));
            Assert.AreEqual(QStatus.Inval, Api.CreateContext(&context, null, 2, same, null, 0, null, 0));
        }
    }

    [TestMethod]
    public void A_device_that_is_not_there_is_named_as_the_machines_user_counts_and_so_are_those_that_are()
    {
        SimulatedPlatform two = new(new SimulatedPlatformOptions { Engine = Engine, Cards = [new(), new()] });
        SimulatedPlatform one = new(new SimulatedPlatformOptions { Engine = Engine });
        Assert.AreNotEqual(0, two.FirstQid);
        string path = Write(new TestQpc());
        using (var session = new Session(path, new() { DeviceId = 5 }, two))
        {
            Assert.Contains("There is no device 5; the simulated machine has devices 0 to 1.", Assert.ThrowsExactly<QaicException>(session.Setup).Message);
        }

        using (var session = new Session(path, new() { DeviceId = 1 }, one))
        {
            Assert.Contains("There is no device 1; the simulated machine has device 0 only.", Assert.ThrowsExactly<QaicException>(session.Setup).Message);
        }
    }

    [TestMethod]
    public unsafe void A_context_of_one_device_does_not_reach_the_machines_other_devices()
    {
        SimulatedPlatform two = new(new SimulatedPlatformOptions { Engine = Engine, Cards = [new(), new()] });
        using TableClient client = new(two.Api, two.FirstQid, Write(new TestQpc()));
        using TableClient second = new(two.Api, two.FirstQid + 1, Write(new TestQpc()));
        nint made;
        Assert.AreEqual(QStatus.Inval, two.Api.CreateQueue(client.Context, &made, null, two.FirstQid + 1));
        TestExec exec = second.Exec(second.Program());
        Assert.AreEqual(QStatus.Inval, exec.Enqueue(client.Queue), "a queue of another device");
        Assert.AreEqual(QStatus.Inval, two.Api.CreateExecObj(client.Context, &made, null, second.Program(), null, null, null), "a program of another context");
    }

    [TestMethod]
    public void A_machine_that_nobody_uses_is_forgotten_and_its_QIDs_are_used_again()
    {
        HashSet<int> ranges = [];
        for (int i = 0; i < 50; i++)
        {
            ranges.Add(MakeAndForget());
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.IsLessThan(50, ranges.Count);
    }

    [TestMethod]
    public void The_handles_of_many_objects_are_distinct_and_never_come_back()
    {
        using TableClient client = Client();
        HashSet<nint> handles = [];
        for (int i = 0; i < 20; i++)
        {
            nint[] programs = [.. Enumerable.Range(0, 100).Select(_ => client.Program(activate: false))];
            Assert.IsTrue(Array.TrueForAll(programs, handles.Add));
            Array.ForEach(programs, p => TableClient.Check(client.Release(p)));
        }
    }

    [TestMethod]
    public void Creating_and_releasing_from_four_threads_leaves_nothing_behind()
    {
        using TableClient client = Client();
        nint[] programs = [client.Program(), client.Program()];
        int failures = 0;
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() => Churn(client, programs[t % 2], ref failures)))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        Assert.AreEqual(0, failures);
        Assert.AreEqual(0, Engine.LiveExecutions);
    }

    [TestMethod]
    public void A_session_runs_on_it_and_survives_the_loss_of_its_device()
    {
        using Session session = new(Write(new TestQpc()), null, Platform);
        float[] output = new float[4];
        session.Run<float, float>([1, 2, 3, 4], output);
        CollectionAssert.AreEqual(new float[] { 2, 4, 6, 8 }, output);
        Faults.LoseDevice(0);
        Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>([1, 2, 3, 4], output));
        Faults.RestoreDevice(0);
        session.Run<float, float>([5, 6, 7, 8], output);
        CollectionAssert.AreEqual(new float[] { 10, 12, 14, 16 }, output);
    }

    private unsafe void Churn(TableClient client, nint program, ref int failures)
    {
        for (int i = 0; i < 500; i++)
        {
            nint handle;
            bool ok = Api.CreateExecObj(client.Context, &handle, null, program, null, null, null) == 0;
            TestExec exec = new(Api, handle, 1, 4);
            exec.Input().Fill(i);
            ok &= exec.SetData() == 0 && exec.Enqueue(client.Queue) == 0;

            // Every other one is released in flight.
            ok &= i % 2 == 0 || (exec.Wait() == 0 && exec.Output()[0] == 2 * i);
            ok &= Api.ReleaseExecObj(handle) == 0;
            if (!ok)
            {
                Interlocked.Increment(ref failures);
            }

            GC.KeepAlive(exec);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int MakeAndForget() => new SimulatedPlatform(new SimulatedPlatformOptions { Engine = Engine }).FirstQid;
}
