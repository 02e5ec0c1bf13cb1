using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

// Events: the inference that an event is enqueued with completes it; waiters go on, callbacks are called.
public abstract unsafe partial class TableContract
{
    [TestMethod]
    public void An_event_completes_when_its_inference_does_and_calls_back_once_on_a_thread_of_the_library()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        TableClient.Check(done.Add(user: 7));
        exec.Input().Fill(3);
        TableClient.Check(done.Enqueue(exec, client.Queue));
        TableClient.Check(done.Wait());
        Assert.AreEqual(Expected(3), exec.Output()[0]);
        done.AwaitCall();
        TableClient.Check(exec.Wait(0));
        TableClient.Check(done.Remove());
        (int function, nint handle, QAicEventCompletionType type, int user, int thread) = done.Calls.Single();
        Assert.AreEqual((1, done.Handle, QAicEventCompletionType.DeviceComplete, 7), (function, handle, type, user));
        Assert.AreNotEqual(Environment.CurrentManagedThreadId, thread);
    }

    [TestMethod]
    public void Every_callback_is_called_once_per_completion_and_a_function_may_be_there_twice()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        TableClient.Check(done.Add(function: 1, user: 1));
        TableClient.Check(done.Add(function: 2, user: 2));
        TableClient.Check(done.Add(function: 1, user: 3));
        for (int i = 1; i <= 3; i++)
        {
            TableClient.Check(done.Clear());
            TableClient.Check(done.Enqueue(exec, client.Queue));
            TableClient.Check(done.Wait());
        }

        // Removal waits for the calls that are due.
        TableClient.Check(done.Remove(1));
        TableClient.Check(done.Remove(2));
        Assert.AreEqual("1:1 1:1 1:1 1:3 1:3 1:3 2:2 2:2 2:2", string.Join(' ', done.Calls.Select(c => $"{c.Function}:{c.User}").Order()));
        TableClient.Check(done.Clear());
        TableClient.Check(done.Enqueue(exec, client.Queue));
        TableClient.Check(done.Wait());
        TableClient.Check(client.Release(done.Handle));
        Assert.HasCount(9, done.Calls, "removed callbacks are not called");
    }

    [TestMethod]
    public void A_callback_that_is_added_to_a_complete_event_is_called_at_once()
    {
        using TableClient client = Client();
        TestEvent done = new(client);
        TableClient.Check(done.Enqueue(client.Exec(client.Program()), client.Queue));
        TableClient.Check(done.Wait());
        TableClient.Check(done.Add());
        done.AwaitCall();
        Assert.AreNotEqual(Environment.CurrentManagedThreadId, done.Calls.Single().Thread);
        TableClient.Check(done.Clear());
        TableClient.Check(done.Add(function: 2));
        TableClient.Check(done.Remove(2));
        Assert.HasCount(1, done.Calls, "a cleared event is not complete");
    }

    [TestMethod]
    public void A_callback_that_is_not_there_can_be_removed_without_an_error_in_the_log()
    {
        using TableClient client = Client();
        TestEvent done = new(client);
        TableClient.Check(done.Add(function: 2));
        Assert.AreEqual(QStatus.Inval, done.Remove(1));
        Assert.IsFalse(client.Log.Any(l => l.Level == QLogLevel.Error), client.LastLog);
        TableClient.Check(done.Remove(2));
    }

    [TestMethod]
    public void A_complete_event_is_enqueued_again_only_when_it_was_cleared_and_a_fresh_one_may_be_cleared_too()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        TableClient.Check(done.Clear());
        TableClient.Check(done.Enqueue(exec, client.Queue));
        TableClient.Check(done.Wait());
        TableClient.Check(done.Wait());
        Assert.AreEqual(QStatus.Inval, done.Enqueue(exec, client.Queue));
        Assert.Contains("lear", client.LastLog);
        TableClient.Check(exec.Run(client.Queue));
        TableClient.Check(done.Clear());
        TableClient.Check(done.Enqueue(exec, client.Queue));
        TableClient.Check(done.Wait());
    }

    [TestMethod]
    public void A_wait_for_an_event_without_an_inference_is_refused_as_it_might_never_end()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        Assert.AreEqual(QStatus.Inval, done.Wait());
        TableClient.Check(done.Enqueue(exec, client.Queue));
        TableClient.Check(done.Wait());
        TableClient.Check(done.Clear());
        Assert.AreEqual(QStatus.Inval, done.Wait());
    }

    [TestMethod]
    public void An_event_in_flight_can_neither_be_enqueued_nor_cleared_nor_released()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec exec = client.Exec(program), other = client.Exec(program);
        TestEvent done = new(client);
        using (Hold())
        {
            TableClient.Check(done.Enqueue(exec, client.Queue));
            Assert.AreEqual(QStatus.Inval, done.Enqueue(other, client.Queue));
            Assert.AreEqual(QStatus.Inval, done.Clear());
            Assert.AreEqual(QStatus.Inval, client.Release(done.Handle));
            Assert.Contains("in flight", client.LastLog);
        }

        TableClient.Check(done.Wait());
        TableClient.Check(other.Run(client.Queue));
        TableClient.Check(client.Release(done.Handle));
    }

    [TestMethod]
    public void An_enqueue_that_is_refused_leaves_its_event_as_it_was()
    {
        using TableClient client = Client();
        nint exec;
        TableClient.Check(Api.CreateExecObj(client.Context, &exec, null, client.Program(), null, null, null));
        client.Own(exec, e => Api.ReleaseExecObj(e));
        TestEvent done = new(client);
        TableClient.Check(done.Add());
        Assert.AreEqual(QStatus.Inval, Api.EnqueueExecObj(client.Queue, exec, done.Handle), "no data");
        Assert.AreEqual(QStatus.Inval, done.Wait());
        TableClient.Check(client.Release(done.Handle));
        Assert.IsEmpty(done.Calls);
    }

    [TestMethod]
    public void A_failed_inference_completes_its_event_with_its_status()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        TableClient.Check(done.Add());
        FailNextInference(QStatus.DataCrcError, "CRC");
        TableClient.Check(done.Enqueue(exec, client.Queue));
        Assert.AreEqual(QStatus.DataCrcError, done.Wait());
        Assert.AreEqual(QStatus.DataCrcError, exec.Wait());
        done.AwaitCall();
        Assert.HasCount(1, done.Calls);
        TableClient.Check(done.Clear());
        TableClient.Check(done.Enqueue(exec, client.Queue));
        TableClient.Check(done.Wait());
    }

    [TestMethod]
    public void A_callback_may_bind_other_buffers_and_enqueue_again_with_the_same_event()
    {
        const int Count = 200;
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        using ManualResetEventSlim end = new();
        List<float> results = [];
        nint queue = client.Queue;
        done.OnCall = _ =>
        {
            // As clients do: each inference clears the event, removes the callback, from itself, and adds it again.
            results.Add(exec.Output()[2]);
            bool isDone = results.Count == Count
                || done.Clear() != 0 || done.Remove() != 0 || done.Add() != 0 || exec.SetData() != 0 || !Fill(exec, results.Count) || done.Enqueue(exec, queue) != 0;
            if (isDone)
            {
                end.Set();
            }
        };
        TableClient.Check(done.Add());
        Fill(exec, 0);
        TableClient.Check(done.Enqueue(exec, queue));
        Assert.IsTrue(end.Wait(TimeSpan.FromSeconds(30)), "The chain of callbacks broke.");
        TableClient.Check(client.Release(done.Handle));
        CollectionAssert.AreEqual(Enumerable.Range(0, Count).Select(i => Expected(i)).ToArray(), results);

        static bool Fill(TestExec exec, float x)
        {
            exec.Input().Fill(x);
            return true;
        }
    }

    [TestMethod]
    public void A_callback_may_release_its_event_and_the_execution_object()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        QStatus[] statuses = [];
        done.OnCall = _ => statuses = [client.Release(done.Handle), client.Release(exec.Handle), done.Wait(), exec.Wait()];
        TableClient.Check(done.Add());
        TableClient.Check(done.Enqueue(exec, client.Queue));
        done.AwaitCall();
        CollectionAssert.AreEqual(new[] { QStatus.Success, QStatus.Success, QStatus.BadFd, QStatus.BadFd }, statuses);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void When_a_callback_was_removed_or_its_event_released_it_runs_no_more(bool remove)
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestEvent done = new(client);
        using ManualResetEventSlim inside = new(), returned = new();
        bool? hasReturned = null;
        done.OnCall = _ =>
        {
            // A removal that waits does not return meanwhile, however long that is.
            inside.Set();
            hasReturned = returned.Wait(TimeSpan.FromMilliseconds(100));
        };
        TableClient.Check(done.Add());
        TableClient.Check(done.Enqueue(exec, client.Queue));
        Assert.IsTrue(inside.Wait(TimeSpan.FromSeconds(30)), "The callback did not come.");
        TableClient.Check(remove ? done.Remove() : client.Release(done.Handle));
        returned.Set();
        done.AwaitCall();
        Assert.IsFalse(hasReturned);
    }

    [TestMethod]
    public void An_event_of_another_context_is_refused()
    {
        using TableClient client = Client(), other = Client();
        TestEvent foreign = new(other);
        TestExec exec = client.Exec(client.Program());
        Assert.AreEqual(QStatus.Inval, foreign.Enqueue(exec, client.Queue));
        Assert.AreEqual(QStatus.BadFd, Api.EnqueueExecObj(client.Queue, exec.Handle, exec.Handle), "a handle of another kind");
        TableClient.Check(exec.Run(client.Queue));
    }

    [TestMethod]
    public void Waiters_of_the_event_and_of_the_execution_object_hear_of_it_at_the_same_moment()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        for (int i = 0; i < 500; i++)
        {
            TestEvent done = new(client);
            TableClient.Check(done.Enqueue(exec, client.Queue));
            TableClient.Check(i % 2 == 0 ? done.Wait() : exec.Wait());
            TableClient.Check(i % 2 == 0 ? exec.Wait(0) : client.Release(done.Handle));
        }
    }

    [TestMethod]
    public void Four_threads_get_one_callback_per_inference()
    {
        const int Count = 2_000;
        using TableClient client = Client();
        nint[] programs = [client.Program(), client.Program()];
        TestExec[] execs = [.. Enumerable.Range(0, 8).Select(i => client.Exec(programs[i % 2]))];
        TestEvent[] events = [.. execs.Select(_ => new TestEvent(client))];
        int[] called = new int[execs.Length];
        for (int i = 0; i < execs.Length; i++)
        {
            events[i].OnCall = user => Interlocked.Increment(ref called[user]);
            TableClient.Check(events[i].Add(user: i));
        }

        nint queue = client.Queue;
        int wrong = 0;
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
        {
            for (int i = 0; i < Count; i++)
            {
                int a = 2 * t, b = a + 1;
                execs[a].Input().Fill(i);
                execs[b].Input().Fill(-i);
                bool ok = events[a].Enqueue(execs[a], queue) == 0 && events[b].Enqueue(execs[b], queue) == 0 && events[a].Wait() == 0 && events[b].Wait() == 0
                    && events[a].Clear() == 0 && events[b].Clear() == 0;
                if (!ok || execs[a].Output().ContainsAnyExcept(Expected(i)) || execs[b].Output().ContainsAnyExcept(Expected(-i)))
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        Array.ForEach(events, e => TableClient.Check(client.Release(e.Handle)));
        Assert.AreEqual(0, wrong);
        CollectionAssert.AreEqual(Enumerable.Repeat(Count, 8).ToArray(), called);
    }
}
