using System.Reflection;
using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class FaultPlanTests : SimulatedMachineTest
{
    [TestMethod]
    public void Every_function_of_the_table_is_there_and_can_fail()
    {
        string[] fields = [.. typeof(QaicApi).GetFields(BindingFlags.Public | BindingFlags.Instance).Select(f => f.Name)];
        CollectionAssert.AreEquivalent(fields, FaultPlan.Functions.ToArray());
        foreach (string field in fields)
        {
            Assert.AreNotEqual(0, (nint)typeof(QaicApi).GetField(field)!.GetValue(Api)!, field);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void A_call_fails_as_planned_and_the_same_call_succeeds_when_the_fault_is_gone(string function)
    {
        // The planned status is one that no function gives by itself.
        string qpc = Write(new TestQpc());
        using (ApiLife life = new(Api))
        {
            using Fault fault = Faults.FailCall(function, 42, "Planned.");
            life.Run(Platform.FirstQid, qpc);
            Assert.AreEqual((function, (QStatus)42), life.Calls[^1]);
            Assert.AreEqual("Planned.", SimulatedApi.LastError);
            Assert.AreEqual(1, fault.Hits);
        }

        using ApiLife whole = new ApiLife(Api).Run(Platform.FirstQid, qpc);
        Assert.IsTrue(whole.Calls.TrueForAll(c => c.Status == QStatus.Success), string.Join(", ", whole.Calls));
        CollectionAssert.AreEquivalent(FaultPlan.Functions.ToArray(), whole.Calls.Select(c => c.Function).Distinct().ToArray());
    }

    [TestMethod]
    public void Only_the_planned_occurrence_fails_and_its_message_is_logged_on_the_callers_thread()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        using Fault fault = Faults.FailCall("EnqueueExecObj", (int)QStatus.Busy, "The queue is full.", occurrence: 2);
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(QStatus.Busy, exec.Enqueue(client.Queue));
        Assert.AreEqual((Environment.CurrentManagedThreadId, QLogLevel.Error, "The queue is full."), client.Log.Last());
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(1, fault.Hits);
    }

    [TestMethod]
    public unsafe void A_held_call_goes_on_when_the_fault_is_released()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        using Fault hold = Faults.HoldCall("LoadProgram");
        Task<QStatus> load = Task.Run(() => Api.LoadProgram(program));
        Await(hold.WhenHit);
        Assert.AreEqual(0, Engine.Loads);
        hold.Release();
        Await(load);
        TableClient.Check(load.Result);
        Assert.AreEqual(1, Engine.Loads);
    }

    [TestMethod]
    public unsafe void A_call_that_finds_its_program_released_does_nothing()
    {
        using TableClient client = Client(new TestQpc { ConstantsBytes = 1 << 20 });
        nint program = client.Program(activate: false);
        using Fault hold = Faults.HoldCall("RunActivationCmd");
        Task<QStatus> activate = Task.Run(() => Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull));
        Await(hold.WhenHit);
        TableClient.Check(client.Release(program));
        hold.Release();
        Await(activate);
        Assert.AreEqual(QStatus.BadFd, activate.Result);
        Assert.AreEqual((16, 32692ul << 10), ((int)Resources().NspFree, Resources().DramFree));
    }

    [TestMethod]
    public unsafe void A_program_or_group_that_a_call_works_on_is_not_released()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        TestGroup group = new(client);
        group.Add();
        foreach ((nint handle, Func<QStatus> call) in new (nint, Func<QStatus>)[] { (program, () => Api.LoadProgram(program)), (group.Handle, group.Enable) })
        {
            using ManualResetEventSlim inside = new(), leave = new();
            Engine.OnLoad = () =>
            {
                inside.Set();
                Await(leave.WaitHandle);
            };
            Task<QStatus> load = Task.Run(call);
            Await(inside.WaitHandle);
            QStatus release = client.Release(handle);
            leave.Set();
            Await(load);
            Assert.AreEqual(QStatus.Inval, release);
            Assert.Contains("have not returned", client.LastLog);
            TableClient.Check(load.Result);
            TableClient.Check(client.Release(handle));
        }
    }

    [TestMethod]
    public unsafe void What_the_engine_says_of_a_load_is_told_under_no_lock()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        Engine.Remark = "A weight is not used.";
        QStatus status = QStatus.Error;
        client.OnLogged = line =>
        {
            if (line == Engine.Remark)
            {
                // On another thread, which would wait for the program's lock.
                Task<QStatus> descriptor = Task.Run(() =>
                {
                    QData data;
                    return Api.ProgramGetIoDescriptor(program, &data);
                });
                Await(descriptor);
                status = descriptor.Result;
            }
        };
        TableClient.Check(Api.LoadProgram(program));
        TableClient.Check(status);
        Assert.AreEqual(Engine.Remark, client.LastLog);
    }

    [TestMethod]
    public void An_inference_that_fails_on_the_device_puts_its_program_into_the_error_state()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec failing = client.Exec(program), behind = client.Exec(program), other = client.Exec(client.Program());
        failing.Output().Fill(-1);
        using Fault hold = Faults.HoldInference(occurrence: 1);
        using Fault fail = Faults.FailInference(occurrence: 1);
        TableClient.Check(failing.Enqueue(client.Queue));
        TableClient.Check(behind.Enqueue(client.Queue));
        hold.Release();
        Assert.AreEqual(QStatus.DevError, failing.Wait());
        Assert.AreEqual(-1, failing.Output()[0]);
        Assert.AreEqual(QStatus.DevError, behind.Wait());
        Assert.Contains("error state 100", client.LastLog);
        Assert.AreEqual(QStatus.DevError, failing.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.DevError, Deactivate(program));
        TableClient.Check(other.Run(client.Queue));
        Assert.Contains("error state 100", client.Errors.Single());
        TableClient.Check(client.Release(failing.Handle));
        TableClient.Check(client.Release(behind.Handle));
        TableClient.Check(client.Release(program));
        Assert.AreEqual(15, Resources().NspFree);
    }

    [TestMethod]
    public void The_error_callback_has_returned_before_a_waiter_hears_of_the_failure()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec failing = client.Exec(program), behind = client.Exec(program);
        using ManualResetEventSlim inside = new(), leave = new();
        client.OnErrorTold = () =>
        {
            inside.Set();
            Await(leave.WaitHandle);
        };
        using Fault hold = Faults.HoldInference(occurrence: 1);
        using Fault fail = Faults.FailInference(occurrence: 1);
        TableClient.Check(failing.Enqueue(client.Queue));
        TableClient.Check(behind.Enqueue(client.Queue));
        hold.Release();
        Await(inside.WaitHandle);
        (QStatus, QStatus, QStatus) meanwhile = (failing.Wait(0), behind.Wait(0), failing.SetData());
        leave.Set();
        Assert.AreEqual((QStatus.TimedOut, QStatus.TimedOut, QStatus.Inval), meanwhile);
        Assert.AreEqual((QStatus.DevError, QStatus.DevError), (failing.Wait(), behind.Wait()));
    }

    [TestMethod]
    public void An_error_callback_may_wait_for_what_failed_and_release_it_all()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec failing = client.Exec(program), behind = client.Exec(program);
        TestEvent done = new(client);
        using ManualResetEventSlim told = new();
        QStatus[] statuses = [];
        client.OnErrorTold = () =>
        {
            statuses = [failing.Wait(), done.Wait(), client.Release(failing.Handle), client.Release(behind.Handle), client.Release(done.Handle), client.Release(program)];
            told.Set();
        };
        using Fault hold = Faults.HoldInference(occurrence: 1);
        using Fault fail = Faults.FailInference(occurrence: 1);
        TableClient.Check(failing.Enqueue(client.Queue));
        TableClient.Check(done.Enqueue(behind, client.Queue));
        hold.Release();
        Await(told.WaitHandle);
        CollectionAssert.AreEqual(new[] { QStatus.DevError, QStatus.DevError, QStatus.Success, QStatus.Success, QStatus.Success, QStatus.Success }, statuses);
        TableClient.Check(client.Exec(client.Program()).Run(client.Queue));
    }

    [TestMethod]
    public unsafe void A_context_is_released_when_its_error_callback_has_returned()
    {
        using TableClient client = Client();
        nint program = client.Program(), context = client.Context;
        TestExec failing = client.Exec(program);
        using ManualResetEventSlim inside = new(), returned = new();
        bool? hasReturned = null;
        client.OnErrorTold = () =>
        {
            inside.Set();

            // A release that waits does not return meanwhile, however long that is.
            hasReturned = returned.Wait(TimeSpan.FromMilliseconds(200));
        };
        using Fault fail = Faults.FailInference(occurrence: 1);
        TableClient.Check(failing.Enqueue(client.Queue));
        Await(inside.WaitHandle);
        foreach (nint handle in new[] { failing.Handle, program, client.Queue, client.Qpc, context })
        {
            TableClient.Check(client.Release(handle));
        }

        returned.Set();
        Assert.IsFalse(hasReturned);
    }

    [TestMethod]
    public void A_status_that_is_no_device_error_fails_that_inference_alone()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        using Fault fault = Faults.FailInference((int)QStatus.DataCrcError, "CRC", occurrence: 1);
        Assert.AreEqual(QStatus.DataCrcError, exec.Run(client.Queue));
        Assert.AreEqual("CRC", client.LastLog);
        TableClient.Check(exec.Run(client.Queue));
    }

    [TestMethod]
    public unsafe void A_lost_device_fails_what_is_in_flight_and_answers_no_call()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec running = client.Exec(program), queued = client.Exec(program);
        using Fault hold = Faults.HoldInference();
        TableClient.Check(running.Enqueue(client.Queue));
        TableClient.Check(queued.Enqueue(client.Queue));
        Await(hold.WhenHit);
        Faults.LoseDevice(0);
        Assert.AreEqual(QStatus.DevError, running.Wait());
        Assert.AreEqual(QStatus.DevError, queued.Wait());
        int qid = client.Qid;
        nint made;
        QDevInfo info;
        QResourceInfo resources;
        TableClient.Check(Api.GetDeviceInfo(qid, &info));
        Assert.AreEqual(QDevStatus.Error, info.DevStatus);
        (string Name, QStatus Status)[] calls =
        [
            ("GetResourceInfo", Api.GetResourceInfo(qid, &resources)),
            ("CreateContext", Api.CreateContext(&made, null, 1, &qid, null, 0, null, 0)),
            ("CreateQueue", Api.CreateQueue(client.Context, &made, null, qid)),
            ("CreateProgram", Api.CreateProgram(client.Context, &made, null, qid, null, client.Qpc)),
            ("LoadProgram", Api.LoadProgram(program)),
            ("UnloadProgram", Api.UnloadProgram(program)),
            ("Activate", Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull)),
            ("CreateExecObj", Api.CreateExecObj(client.Context, &made, null, program, null, null, null)),
            ("ExecObjSetData", running.SetData()),
            ("EnqueueExecObj", running.Enqueue(client.Queue)),
        ];
        foreach ((string name, QStatus status) in calls)
        {
            Assert.AreEqual(QStatus.NoDev, status, name);
        }
    }

    [TestMethod]
    public unsafe void A_device_that_is_back_is_empty_and_takes_the_program_again()
    {
        using TableClient client = Client(new TestQpc { ConstantsBytes = 1 << 20 });
        nint program = client.Program();
        TestExec old = client.Exec(program);
        Faults.LoseDevice(0);
        Faults.RestoreDevice(0);
        Assert.AreEqual(16, Resources().NspFree);
        Assert.AreEqual(32692ul << 10, Resources().DramFree);
        Assert.AreEqual(QStatus.DevError, old.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.Inval, Deactivate(program));
        TableClient.Check(Api.LoadProgram(program));
        TableClient.Check(Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull));
        TableClient.Check(client.Exec(program).Run(client.Queue));
        TableClient.Check(client.Release(old.Handle));
        Assert.AreEqual((15, (32691ul << 10) - 1), ((int)Resources().NspFree, Resources().DramFree));
        Assert.AreEqual(2, Engine.Loads);
    }

    [TestMethod]
    public void A_plan_is_told_of_mistakes()
    {
        Assert.Contains("LoadProgram", Assert.ThrowsExactly<ArgumentException>(() => Faults.FailCall("LoadProgramme", 300)).Message);
        Assert.ThrowsExactly<ArgumentException>(() => Faults.FailCall("3", 300));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Faults.FailCall("LoadProgram", 0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Faults.FailInference(occurrence: 0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Faults.DelayInference(TimeSpan.Zero));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Faults.LoseDevice(1));
    }

    [TestMethod]
    public unsafe void A_device_may_be_lost_before_the_machine_is_made()
    {
        FaultPlan plan = new();
        plan.LoseDevice(0);
        SimulatedPlatform platform = new(new SimulatedPlatformOptions { Engine = Engine, Faults = plan });
        QResourceInfo info;
        Assert.AreEqual(QStatus.NoDev, platform.Api.GetResourceInfo(platform.FirstQid, &info));
        plan.RestoreDevice(0);
        TableClient.Check(platform.Api.GetResourceInfo(platform.FirstQid, &info));
    }

    public static IEnumerable<object[]> Names() => FaultPlan.Functions.Select(name => new object[] { name });

    private unsafe QStatus Deactivate(nint program) => Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull);
}
