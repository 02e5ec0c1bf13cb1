using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>How events end when inferences do not end by themselves: only a simulated card can be made to do all of it.</summary>
[TestClass]
public sealed class EventTests : SimulatedMachineTest
{
    private protected override SimulatedPlatformOptions Options => new() { Engine = Engine, TimeProvider = Clock };

    [TestMethod]
    public void A_lost_device_completes_the_events_of_what_is_in_flight()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec running = client.Exec(program), queued = client.Exec(program);
        TestEvent first = new(client), second = new(client);
        TableClient.Check(first.Add());
        TableClient.Check(second.Add());
        using Fault hold = Faults.HoldInference();
        TableClient.Check(first.Enqueue(running, client.Queue));
        TableClient.Check(second.Enqueue(queued, client.Queue));
        Await(hold.WhenHit);
        Faults.LoseDevice(0);
        Assert.AreEqual(QStatus.DevError, first.Wait());
        Assert.AreEqual(QStatus.DevError, second.Wait());
        first.AwaitCall();
        second.AwaitCall();
        Assert.AreNotEqual(Environment.CurrentManagedThreadId, first.Calls.Single().Thread, "not on the thread that lost the device");

        // The host's objects outlive the device.
        TableClient.Check(first.Clear());
        Assert.AreEqual(QStatus.NoDev, first.Enqueue(running, client.Queue));
        Assert.AreEqual(QStatus.Inval, first.Wait());
    }

    [TestMethod]
    public void A_program_that_fails_completes_the_events_of_what_is_behind()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec failing = client.Exec(program), behind = client.Exec(program);
        TestEvent first = new(client), second = new(client);
        TableClient.Check(second.Add());
        using Fault hold = Faults.HoldInference(occurrence: 1);
        using Fault fail = Faults.FailInference(occurrence: 1);
        TableClient.Check(first.Enqueue(failing, client.Queue));
        TableClient.Check(second.Enqueue(behind, client.Queue));
        hold.Release();
        Assert.AreEqual(QStatus.DevError, second.Wait());
        Assert.Contains("error state 100", client.LastLog);
        Assert.AreEqual(QStatus.DevError, first.Wait());
        second.AwaitCall();
        TableClient.Check(first.Clear());
        Assert.AreEqual(QStatus.DevError, first.Enqueue(failing, client.Queue));
        TableClient.Check(client.Release(first.Handle));
    }

    [TestMethod]
    public void An_inference_beyond_its_time_completes_its_event_once_although_it_goes_on()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program(timeoutMs: 100, retries: 0));
        TestEvent done = new(client);
        TableClient.Check(done.Add());
        using Fault hold = Faults.HoldInference();
        TableClient.Check(done.Enqueue(exec, client.Queue));
        Await(hold.WhenHit);
        Clock.Advance(TimeSpan.FromMilliseconds(101));
        Assert.AreEqual(QStatus.Error, done.Wait());
        done.AwaitCall();
        hold.Release();
        TableClient.Check(client.Release(exec.Handle));
        TableClient.Check(client.Release(done.Handle));
        Assert.HasCount(1, done.Calls);
    }

    [TestMethod]
    public void Releasing_an_execution_object_in_flight_completes_its_event()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec running = client.Exec(program), queued = client.Exec(program);
        TestEvent first = new(client), second = new(client);
        TableClient.Check(first.Add());
        TableClient.Check(second.Add());
        using Fault hold = Faults.HoldInference();
        TableClient.Check(first.Enqueue(running, client.Queue));
        TableClient.Check(second.Enqueue(queued, client.Queue));
        Await(hold.WhenHit);
        Assert.AreEqual(QStatus.Inval, client.Release(first.Handle));
        TableClient.Check(client.Release(queued.Handle));
        TableClient.Check(client.Release(running.Handle));
        Assert.AreEqual((QStatus.Inval, QStatus.Inval), (first.Wait(), second.Wait()));
        TableClient.Check(client.Release(first.Handle));
        TableClient.Check(client.Release(second.Handle));

        // Release waits for the calls that are due, and this thread is none of the library's.
        Assert.AreEqual((1, 1), (first.Calls.Count, second.Calls.Count));
        Assert.IsFalse(first.Calls.Concat(second.Calls).Any(c => c.Thread == Environment.CurrentManagedThreadId));
    }

    [TestMethod]
    public void A_callback_that_takes_its_time_holds_up_neither_the_card_nor_other_events()
    {
        using TableClient client = Client(threads: 1);
        nint program = client.Program();
        TestExec exec = client.Exec(program), other = client.Exec(program);
        TestEvent slow = new(client), quick = new(client);
        using ManualResetEventSlim inside = new(), leave = new();
        slow.OnCall = _ =>
        {
            inside.Set();
            Await(leave.WaitHandle);
        };
        TableClient.Check(slow.Add());
        TableClient.Check(quick.Add());
        TableClient.Check(slow.Enqueue(exec, client.Queue));
        Await(inside.WaitHandle);
        TableClient.Check(exec.Run(client.Queue));
        TableClient.Check(quick.Enqueue(other, client.Queue));
        quick.AwaitCall();
        leave.Set();
        slow.AwaitCall();
    }

    [TestMethod]
    public void A_callback_may_wait_for_other_inferences_and_for_its_own_event()
    {
        using TableClient client = Client(threads: 1);
        nint program = client.Program();
        TestExec exec = client.Exec(program), other = client.Exec(program);
        TestEvent done = new(client);
        QStatus[] statuses = [];
        nint queue = client.Queue;
        done.OnCall = _ =>
        {
            if (statuses.Length == 0)
            {
                statuses = [other.Run(queue), done.Clear(), done.Enqueue(exec, queue), done.Wait()];
            }
        };
        TableClient.Check(done.Add());
        TableClient.Check(done.Enqueue(exec, queue));
        done.AwaitCall();
        done.AwaitCall();
        CollectionAssert.AreEqual(new QStatus[4], statuses);
    }

    [TestMethod]
    public void Callbacks_of_two_events_may_release_each_others()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec[] execs = [client.Exec(program), client.Exec(program)];
        TestEvent[] events = [new(client), new(client)];
        using Barrier both = new(2);
        QStatus[] statuses = [QStatus.Error, QStatus.Error];
        for (int i = 0; i < 2; i++)
        {
            // Both are inside when each releases the other: to wait would be to wait for ever.
            events[i].OnCall = me =>
            {
                Assert.IsTrue(both.SignalAndWait(TimeSpan.FromSeconds(30)));
                statuses[me] = Release(events[1 - me].Handle);
            };
            TableClient.Check(events[i].Add(user: i));
            TableClient.Check(events[i].Enqueue(execs[i], client.Queue));
        }

        events[0].AwaitCall();
        events[1].AwaitCall();
        CollectionAssert.AreEqual(new[] { QStatus.Success, QStatus.Success }, statuses);
        client.Forget(events[0].Handle);
        client.Forget(events[1].Handle);

        unsafe QStatus Release(nint handle) => Api.ReleaseEvent(handle);
    }

    [TestMethod]
    public void Any_number_is_taken_as_the_completion_type_and_given_back()
    {
        using TableClient client = Client();
        TestEvent done = new(client, (QAicEventCompletionType)5);
        TableClient.Check(done.Add());
        TableClient.Check(done.Enqueue(client.Exec(client.Program()), client.Queue));
        done.AwaitCall();
        Assert.AreEqual((QAicEventCompletionType)5, done.Calls.Single().Type);
    }
}
