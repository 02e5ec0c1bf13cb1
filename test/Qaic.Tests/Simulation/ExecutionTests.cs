using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class ExecutionTests : SimulatedMachineTest
{
    [TestMethod]
    public void Outputs_land_only_at_completion()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(3);
        exec.Output().Fill(-1);

        // Held after the computation: the device's memory has the result.
        using Fault hold = Faults.HoldInference();
        TableClient.Check(exec.Enqueue(client.Queue));
        Await(hold.WhenHit);
        CollectionAssert.AreEqual(new float[] { -1, -1, -1, -1 }, exec.Output().ToArray());
        hold.Release();
        TableClient.Check(exec.Wait());
        CollectionAssert.AreEqual(new float[] { 6, 6, 6, 6 }, exec.Output().ToArray());
    }

    [TestMethod]
    public void An_execution_object_in_flight_can_neither_be_enqueued_nor_given_other_data()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        using Fault hold = Faults.HoldInference();
        TableClient.Check(exec.Enqueue(client.Queue));
        Await(hold.WhenHit);
        Assert.AreEqual(QStatus.Inval, exec.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.Inval, exec.SetData());
        Assert.Contains("in flight", client.LastLog);
        hold.Release();
        TableClient.Check(exec.Wait());
        TableClient.Check(exec.Run(client.Queue));
    }

    [TestMethod]
    public void One_activation_runs_first_in_first_out_one_at_a_time()
    {
        using TableClient client = Client();
        nint program = client.Program();
        List<float> order = [];
        Engine.OnRun = execution => order.Add(First(execution));
        TestExec[] execs = [.. Enumerable.Range(0, 50).Select(_ => client.Exec(program))];
        using Fault hold = Faults.HoldInference(occurrence: 1);
        for (int i = 0; i < execs.Length; i++)
        {
            execs[i].Input().Fill(i);
            TableClient.Check(execs[i].Enqueue(client.Queue));
        }

        hold.Release();
        Array.ForEach(execs, e => TableClient.Check(e.Wait()));
        CollectionAssert.AreEqual(Enumerable.Range(0, 50).Select(i => (float)i).ToArray(), order);
        Assert.AreEqual(1, Engine.MaxConcurrency);
    }

    [TestMethod]
    [DataRow(0u, 4)]
    [DataRow(1u, 1)]
    [DataRow(2u, 2)]
    public void A_queue_runs_as_many_activations_at_once_as_it_has_threads(uint threads, int expected)
    {
        using TableClient client = Client(threads: threads);
        TestExec[] execs = [.. Enumerable.Range(0, 6).Select(_ => client.Exec(client.Program()))];
        using SemaphoreSlim inside = new(0);
        using ManualResetEventSlim gate = new();
        Engine.OnRun = _ =>
        {
            inside.Release();
            gate.Wait();
        };
        Array.ForEach(execs, e => TableClient.Check(e.Enqueue(client.Queue)));
        for (int i = 0; i < expected; i++)
        {
            Assert.IsTrue(inside.Wait(TimeSpan.FromSeconds(30)), $"Only {i} inferences began.");
        }

        gate.Set();
        Array.ForEach(execs, e => TableClient.Check(e.Wait()));
        Assert.AreEqual(expected, Engine.MaxConcurrency);
    }

    [TestMethod]
    public unsafe void One_activation_may_be_fed_by_several_queues()
    {
        using TableClient client = Client();
        nint program = client.Program(), other;
        TableClient.Check(Api.CreateQueue(client.Context, &other, null, client.Qid));
        client.Own(other, q => Api.ReleaseQueue(q));
        TestExec[] execs = [.. Enumerable.Range(0, 20).Select(_ => client.Exec(program))];
        for (int round = 0; round < 50; round++)
        {
            for (int i = 0; i < execs.Length; i++)
            {
                execs[i].Input().Fill(i + round);
                TableClient.Check(execs[i].Enqueue(i % 3 == 0 ? other : client.Queue));
            }

            for (int i = 0; i < execs.Length; i++)
            {
                TableClient.Check(execs[i].Wait());
                Assert.AreEqual(2 * (i + round), execs[i].Output()[1]);
            }
        }

        Assert.AreEqual(1, Engine.MaxConcurrency);
    }

    [TestMethod]
    public void A_released_queue_finishes_what_it_was_given()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec[] execs = [.. Enumerable.Range(0, 5).Select(_ => client.Exec(program))];
        using Fault hold = Faults.HoldInference(occurrence: 1);
        Array.ForEach(execs, e => TableClient.Check(e.Enqueue(client.Queue)));
        Await(hold.WhenHit);
        TableClient.Check(client.Release(client.Queue));
        hold.Release();
        Array.ForEach(execs, e => TableClient.Check(e.Wait()));
    }

    [TestMethod]
    public void Computation_and_completion_happen_on_the_cards_thread()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        string? thread = null;
        Engine.OnRun = _ => thread = Thread.CurrentThread.Name;
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual($"simulated card {client.Qid}", thread);
    }

    [TestMethod]
    public void Releasing_an_execution_object_in_flight_ends_its_inference()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec running = client.Exec(program), queued = client.Exec(program);
        using ManualResetEventSlim inside = new();
        Engine.OnRun = execution =>
        {
            inside.Set();
            Await(execution.Terminated.WaitHandle);
            throw new OperationCanceledException("terminated");
        };
        running.Output().Fill(-1);
        TableClient.Check(running.Enqueue(client.Queue));
        TableClient.Check(queued.Enqueue(client.Queue));
        Await(inside.WaitHandle);
        TableClient.Check(client.Release(queued.Handle));
        TableClient.Check(client.Release(running.Handle));
        Assert.AreEqual(-1, running.Output()[0]);
        Engine.OnRun = null;
        TableClient.Check(client.Exec(program).Run(client.Queue));
    }

    [TestMethod]
    public void Partial_inputs_are_followed_by_zeros_and_skipped_ones_keep_what_is_on_the_device()
    {
        using TableClient client = Client(new TestQpc { IsPartialAllowed = true });
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(3);
        TableClient.Check(exec.Run(client.Queue));
        TableClient.Check(exec.SetData([exec.Buffers[0] with { Size = 8 }, exec.Buffers[1]]));
        exec.Input().Fill(5);
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new float[] { 10, 10, 0, 0 }, exec.Output().ToArray());

        // Skipped both ways: the device keeps 5 5 0 0, the host keeps its output.
        exec.Output().Fill(-1);
        TableClient.Check(exec.SetData([default, default]));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new float[] { -1, -1, -1, -1 }, exec.Output().ToArray());
        TableClient.Check(exec.SetData([default, exec.Buffers[1] with { Size = 4 }]));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new float[] { 10, -1, -1, -1 }, exec.Output().ToArray());
        Assert.AreEqual(QStatus.Inval, exec.SetData([exec.Buffers[0] with { Size = 7 }, exec.Buffers[1]]), "not a whole number of elements");
    }

    [TestMethod]
    [DataRow(64)]
    [DataRow(4)]
    public void Device_memory_is_aligned_whatever_the_layout_of_the_DMA_buffers(int alignment)
    {
        using TableClient client = Client(new TestQpc { Tensors = 3, Elements = 5, Alignment = alignment });
        nint[] addresses = [];
        Engine.OnRun = execution => addresses = [.. execution.Tensors.Select(t => t.Address)];
        TestExec exec = client.Exec(client.Program(), tensors: 3, elements: 5);
        for (int i = 0; i < 3; i++)
        {
            exec.Input(i).Fill(i + 1);
        }

        TableClient.Check(exec.Run(client.Queue));
        for (int i = 0; i < 3; i++)
        {
            CollectionAssert.AreEqual(Enumerable.Repeat(2f * (i + 1), 5).ToArray(), exec.Output(i).ToArray());
        }

        Assert.AreEqual(6, addresses.Distinct().Count());
        Assert.IsTrue(addresses.All(a => a % 64 == 0));
    }

    [TestMethod]
    public void An_inference_allocates_nothing()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        nint queue = client.Queue;
        Run(1_000);

        // The best of several rounds: what the test host's other threads allocate now and then is not the card's. One object per inference would be 24 bytes each, every time.
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            Run(5_000);
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        Assert.IsLessThan(5_000, least);

        void Run(int count)
        {
            for (int i = 0; i < count; i++)
            {
                if (exec.Enqueue(queue) != 0 || exec.Wait() != 0)
                {
                    Assert.Fail(client.LastLog);
                }
            }
        }
    }

    private static unsafe float First(DoublingEngine.DoublingExecution execution) => *(float*)execution.Tensors[0].Address;
}
