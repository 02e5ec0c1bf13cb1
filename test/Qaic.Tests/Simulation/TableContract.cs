using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>What every table of the C functions has to do, whoever fills it. The network has one input and one output of four floats; a subclass chooses the library.</summary>
public abstract unsafe partial class TableContract
{
    private protected abstract QaicApi Api { get; }

    /// <summary>QPC of the network, on one core.</summary>
    private protected abstract string QpcPath { get; }

    private protected abstract int Qid { get; }

    /// <summary>What the network computes of one element.</summary>
    private protected abstract float Expected(float x);

    /// <summary>Holds inferences on the device until the result is disposed. A device that cannot be held has no opinion on what needs it.</summary>
    private protected virtual IDisposable Hold()
    {
        Assert.Inconclusive("This device cannot be held.");
        return null!;
    }

    /// <summary>Makes the next inference fail, and that one alone.</summary>
    private protected virtual void FailNextInference(QStatus status, string message) => Assert.Inconclusive("This device cannot be made to fail.");

    private TableClient Client() => new(Api, Qid, QpcPath);

    [TestMethod]
    public void An_inference_computes_the_network()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        foreach (float x in new[] { 1f, -2.5f, 1e9f })
        {
            exec.Input().Fill(x);
            TableClient.Check(exec.Run(client.Queue));
            CollectionAssert.AreEqual(Enumerable.Repeat(Expected(x), 4).ToArray(), exec.Output().ToArray());
        }
    }

    [TestMethod]
    public void Buffers_are_bound_once_and_used_by_every_later_inference()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(1);
        TableClient.Check(exec.Run(client.Queue));
        exec.Input().Fill(7);
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(Expected(7), exec.Output()[0]);
    }

    [TestMethod]
    public void A_second_SetData_replaces_the_buffers()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TestExec other = client.Exec(client.Program());
        exec.Input().Fill(1);
        TableClient.Check(exec.Run(client.Queue));
        TableClient.Check(exec.SetData(other.Buffers));
        other.Input().Fill(5);
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(Expected(5), other.Output()[3]);
        Assert.AreEqual(Expected(1), exec.Output()[3]);
    }

    [TestMethod]
    public void The_descriptor_names_the_buffers_inputs_first()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        QData data;
        TableClient.Check(Api.ProgramGetIoDescriptor(program, &data));
        IoSet set = IoDescriptor.Parse(new ReadOnlySpan<byte>(data.Data, (int)data.Size)).SelectedSet;
        CollectionAssert.AreEqual(new[] { DmaDirection.In, DmaDirection.Out }, set.Bindings.Select(b => b.Direction).ToArray());
        CollectionAssert.AreEqual(new[] { 16u, 16u }, set.Bindings.Select(b => b.Size).ToArray());
    }

    [TestMethod]
    public void Buffer_info_and_QPC_info_agree_with_the_descriptor()
    {
        using TableClient client = Client();
        QAicIoBufferInfo* buffers;
        QAicQpcInfo* qpc;
        TableClient.Check(Api.ProgramGetIoBufferInfo(client.Program(activate: false), &buffers));
        TableClient.Check(Api.QpcGetInfo(client.Qpc, &qpc));
        Assert.AreEqual(2u, buffers->NumBufferMappings);
        Assert.AreEqual((uint)QAicBufferIoType.Output, buffers->BufferMappings[1].IoType);
        Assert.AreEqual(16u, buffers->BufferMappings[1].Size);
        Assert.AreEqual(1u, qpc->NumPrograms);
        Assert.AreEqual(1u, qpc->ProgramInfo->NumCores);
        Assert.AreEqual(
            Marshal.PtrToStringUTF8((nint)buffers->BufferMappings[0].BufferName), Marshal.PtrToStringUTF8((nint)qpc->ProgramInfo->IoBufferInfo.BufferMappings[0].BufferName));
    }

    [TestMethod]
    public void Version_device_and_resources_can_be_asked_for()
    {
        ushort major, minor;
        byte* patch, variant;
        QDevInfo* info = (QDevInfo*)NativeMemory.AllocZeroed(QDevInfo.Capacity);
        QResourceInfo resources;
        TableClient.Check(Api.GetAicVersion(&major, &minor, &patch, &variant));
        TableClient.Check(Api.GetDeviceInfo(Qid, info));
        TableClient.Check(Api.GetResourceInfo(Qid, &resources));
        Assert.IsTrue(major > 0 && patch != null && variant != null);
        Assert.AreEqual(QDevStatus.Ready, info->DevStatus);
        Assert.AreEqual(Qid, info->Qid);
        Assert.AreEqual(resources.NspTotal, info->ResourceInfo.NspTotal);
        Assert.IsTrue(resources.NspTotal is > 0 and <= 64 && resources.NspFree <= resources.NspTotal && resources.DramFree <= resources.DramTotal);
        NativeMemory.Free(info);
    }

    [TestMethod]
    public void Activation_takes_cores_and_deactivation_gives_them_back()
    {
        using TableClient client = Client();
        QResourceInfo before, active, after;
        TableClient.Check(Api.GetResourceInfo(Qid, &before));
        nint program = client.Program();
        TableClient.Check(Api.GetResourceInfo(Qid, &active));
        TableClient.Check(Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull));
        TableClient.Check(Api.UnloadProgram(program));
        TableClient.Check(Api.GetResourceInfo(Qid, &after));
        Assert.AreEqual(before.NspFree - 1, active.NspFree);
        Assert.AreEqual(before.VcFree - 1, active.VcFree);
        Assert.AreEqual(before, after);
    }

    [TestMethod]
    public void An_execution_object_activates_its_program_unless_told_otherwise_and_the_last_one_deactivates_it()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        QResourceInfo idle, active;
        TableClient.Check(Api.GetResourceInfo(Qid, &idle));
        TestExec first = client.Exec(program), second = client.Exec(program);
        TableClient.Check(second.Run(client.Queue));
        TableClient.Check(client.Release(first.Handle));
        TableClient.Check(second.Run(client.Queue));
        TableClient.Check(client.Release(second.Handle));
        TableClient.Check(Api.GetResourceInfo(Qid, &active));
        Assert.AreEqual(idle.NspFree, active.NspFree);
    }

    [TestMethod]
    public void Without_the_automatic_property_the_program_has_to_be_active()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        uint none = 0;
        nint exec = 1;
        Assert.AreEqual(QStatus.Inval, Api.CreateExecObj(client.Context, &exec, &none, program, null, null, null));
        Assert.AreEqual(0, exec);
        TableClient.Check(Api.LoadProgram(program));
        Assert.AreEqual(QStatus.Inval, Api.CreateExecObj(client.Context, &exec, &none, program, null, null, null));
        Assert.Contains("not active", client.LastLog);
    }

    [TestMethod]
    public void Load_and_activate_may_be_repeated_and_activate_loads()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        TableClient.Check(Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull));
        TableClient.Check(Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull));
        TableClient.Check(Api.LoadProgram(program));
        TableClient.Check(client.Exec(program).Run(client.Queue));
    }

    [TestMethod]
    public void Deactivate_and_unload_want_the_state_that_they_undo()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false);
        Assert.AreEqual(QStatus.Inval, Api.UnloadProgram(program));
        Assert.AreEqual(QStatus.Inval, Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull));
        TableClient.Check(Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull));
        Assert.AreEqual(QStatus.Inval, Api.UnloadProgram(program));
        Assert.AreEqual(QStatus.Inval, Api.RunActivationCmd(program, (QAicActivationCmd)7));
    }

    [TestMethod]
    public void A_program_with_living_execution_objects_can_neither_be_deactivated_nor_unloaded()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec exec = client.Exec(program);
        Assert.AreEqual(QStatus.Inval, Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull));
        Assert.Contains("Cannot deactivate program, it has active ExecObj", client.LastLog);
        Assert.AreEqual(QStatus.Inval, Api.UnloadProgram(program));
        TableClient.Check(client.Release(exec.Handle));
        TableClient.Check(Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull));
        TableClient.Check(Api.UnloadProgram(program));
    }

    [TestMethod]
    public void An_object_with_living_children_cannot_be_released()
    {
        using TableClient client = Client();
        nint program = client.Program();
        client.Exec(program);
        Assert.AreEqual(QStatus.Inval, Api.ReleaseProgram(program));
        Assert.AreEqual(QStatus.Inval, Api.CloseQpc(client.Qpc));
        Assert.AreEqual(QStatus.Inval, Api.ReleaseContext(client.Context));
    }

    [TestMethod]
    public void An_active_program_gives_everything_back_when_it_is_released()
    {
        using TableClient client = Client();
        QResourceInfo before, after;
        TableClient.Check(Api.GetResourceInfo(Qid, &before));
        TableClient.Check(client.Release(client.Program()));
        TableClient.Check(Api.GetResourceInfo(Qid, &after));
        Assert.AreEqual(before, after);
    }

    [TestMethod]
    public void Enqueue_without_data_is_refused()
    {
        using TableClient client = Client();
        nint exec;
        TableClient.Check(Api.CreateExecObj(client.Context, &exec, null, client.Program(), null, null, null));
        client.Own(exec, e => Api.ReleaseExecObj(e));
        Assert.AreEqual(QStatus.Inval, Api.EnqueueExecObj(client.Queue, exec, 0));
        Assert.Contains("no data", client.LastLog);
    }

    [TestMethod]
    public void A_wait_without_a_submission_is_refused_and_a_repeated_one_has_the_same_result()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        Assert.AreEqual(QStatus.Inval, exec.Wait());
        TableClient.Check(exec.Run(client.Queue));
        TableClient.Check(exec.Wait());
        TableClient.Check(exec.Wait(0));
    }

    [TestMethod]
    public void Buffers_of_the_wrong_number_size_or_type_are_refused()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        Assert.AreEqual(QStatus.Inval, exec.SetData(exec.Buffers.AsSpan(0, 1)));
        Assert.AreEqual(QStatus.Inval, exec.SetData([.. exec.Buffers, exec.Buffers[0]]));
        foreach (nuint size in new nuint[] { 0, 12, 15, 17, 20, nuint.MaxValue })
        {
            QBuffer wrong = exec.Buffers[0];
            wrong.Size = size;
            Assert.AreEqual(QStatus.Inval, exec.SetData([wrong, exec.Buffers[1]]), $"input of {size} bytes");
            wrong = exec.Buffers[1];
            wrong.Size = size;
            Assert.AreEqual(QStatus.Inval, exec.SetData([exec.Buffers[0], wrong]), $"output of {size} bytes");
        }

        Assert.AreEqual(QStatus.Inval, exec.SetData([new QBuffer { Size = 16 }, exec.Buffers[1]]));
        Assert.AreEqual(QStatus.Unsupported, exec.SetData([exec.Buffers[0], exec.Buffers[1] with { Type = QBufferType.DmaBuf }]));
        TableClient.Check(exec.Run(client.Queue));
    }

    [TestMethod]
    public void Null_handles_are_refused_by_every_function_that_takes_one()
    {
        foreach ((string name, Func<nint, QStatus> call) in HandleCalls())
        {
            Assert.AreEqual(QStatus.Inval, call(0), name);
        }
    }

    [TestMethod]
    public void A_hundred_thousand_invented_handles_are_refused()
    {
        using TableClient client = Client();
        client.Exec(client.Program());
        (string Name, Func<nint, QStatus> Call)[] calls = HandleCalls();
        Random random = new(4711);
        for (int i = 0; i < 100_000; i++)
        {
            // All bits, small numbers like a file descriptor, and neighbours of live handles in turn.
            nint handle = (i % 3) switch { 0 => (nint)random.NextInt64(long.MinValue, long.MaxValue), 1 => random.Next(1, 100_000), _ => client.Context + random.Next(1 << 8, 1 << 20) };
            (string name, Func<nint, QStatus> call) = calls[i % calls.Length];
            Assert.AreEqual(QStatus.BadFd, call(handle), $"{name}(0x{handle:x})");
        }
    }

    [TestMethod]
    public void A_handle_of_another_kind_or_of_a_released_object_is_refused()
    {
        nint stale;
        using (TableClient client = Client())
        {
            stale = client.Context;
            Assert.AreEqual(QStatus.BadFd, Api.LoadProgram(client.Context));
            Assert.AreEqual(QStatus.BadFd, Api.ReleaseContext(client.Queue));
            Assert.AreEqual(QStatus.BadFd, Api.EnqueueExecObj(client.Qpc, client.Exec(client.Program()).Handle, 0));
        }

        foreach ((string name, Func<nint, QStatus> call) in HandleCalls())
        {
            Assert.AreEqual(QStatus.BadFd, call(stale), name);
        }
    }

    [TestMethod]
    public void Null_pointers_are_refused_by_every_function_that_takes_one()
    {
        using TableClient client = Client();
        nint program = client.Program(), exec = client.Exec(program).Handle, made = 0;
        int qid = Qid;
        ushort number;
        byte* text;
        QBuffer buffer;
        (string Name, QStatus Status)[] results =
        [
            ("CreateContext", Api.CreateContext(null, null, 1, &qid, null, 0, null, 0)),
            ("CreateContext devices", Api.CreateContext(&made, null, 1, null, null, 0, null, 0)),
            ("CreateQueue", Api.CreateQueue(client.Context, null, null, Qid)),
            ("OpenQpcFile", Api.OpenQpcFile(null, (byte*)&qid)),
            ("OpenQpcFile path", Api.OpenQpcFile(&made, null)),
            ("OpenQpc", Api.OpenQpc(null, (byte*)&qid, 4, 1)),
            ("OpenQpc bytes", Api.OpenQpc(&made, null, 4, 1)),
            ("ProgramPropertiesInitDefault", Api.ProgramPropertiesInitDefault(null)),
            ("CreateProgram", Api.CreateProgram(client.Context, null, null, Qid, null, client.Qpc)),
            ("CreateProgram qpc", Api.CreateProgram(client.Context, &made, null, Qid, null, 0)),
            ("ProgramGetIoDescriptor", Api.ProgramGetIoDescriptor(program, null)),
            ("CreateExecObj", Api.CreateExecObj(client.Context, null, null, program, null, null, null)),
            ("CreateExecObj program", Api.CreateExecObj(client.Context, &made, null, 0, null, null, null)),
            ("ExecObjSetData", Api.ExecObjSetData(exec, 2, null)),
            ("CreateEvent", Api.CreateEvent(client.Context, null, QAicEventCompletionType.DeviceComplete)),
            ("EventAddCallback", Api.EventAddCallback(new TestEvent(client).Handle, null, 0)),
            ("ExecObjGetIoBuffers", Api.ExecObjGetIoBuffers(exec, null, (QBuffer**)&text)),
            ("ExecObjGetIoBuffers count", Api.ExecObjGetIoBuffers(exec, (uint*)&qid, null)),
            ("EventRemoveCallback", Api.EventRemoveCallback(new TestEvent(client).Handle, null)),
            ("EnqueueExecObj", Api.EnqueueExecObj(0, exec, 0)),
            ("ExecObjSetDataExt", Api.ExecObjSetDataExt(exec, 2, null, null)),
            ("ExecObjSetDataExt dimensions", Api.ExecObjSetDataExt(exec, 1, &buffer, null)),
            ("GetAicVersion major", Api.GetAicVersion(null, &number, &text, &text)),
            ("GetAicVersion minor", Api.GetAicVersion(&number, null, &text, &text)),
            ("GetAicVersion patch", Api.GetAicVersion(&number, &number, null, &text)),
            ("GetAicVersion variant", Api.GetAicVersion(&number, &number, &text, null)),
            ("GetDeviceInfo", Api.GetDeviceInfo(Qid, null)),
            ("GetResourceInfo", Api.GetResourceInfo(Qid, null)),
            ("QpcGetInfo", Api.QpcGetInfo(client.Qpc, null)),
            ("ProgramGetIoBufferInfo", Api.ProgramGetIoBufferInfo(program, null)),
        ];
        foreach ((string name, QStatus status) in results)
        {
            Assert.AreEqual(QStatus.Inval, status, name);
        }

        Assert.AreEqual(0, made);
    }

    [TestMethod]
    public void Devices_that_are_not_there_are_refused()
    {
        using TableClient client = Client();
        int missing = Qid + 999;
        nint made;
        QDevInfo info;
        QResourceInfo resources;
        Assert.AreEqual(QStatus.NoDev, Api.CreateContext(&made, null, 1, &missing, null, 0, null, 0));
        Assert.AreEqual(QStatus.NoDev, Api.CreateQueue(client.Context, &made, null, missing));
        Assert.AreEqual(QStatus.NoDev, Api.CreateProgram(client.Context, &made, null, missing, null, client.Qpc));
        Assert.AreEqual(QStatus.NoDev, Api.GetDeviceInfo(missing, &info));
        Assert.AreEqual(QStatus.NoDev, Api.GetResourceInfo(-1, &resources));
    }

    [TestMethod]
    public void A_file_that_is_missing_or_no_QPC_is_refused()
    {
        nint qpc = 1;
        fixed (byte* missing = Encoding.UTF8.GetBytes(QpcPath + ".missing\0"))
        {
            Assert.AreEqual(QStatus.Inval, Api.OpenQpcFile(&qpc, missing));
        }

        fixed (byte* nonsense = new byte[100])
        {
            Assert.AreEqual(QStatus.Error, Api.OpenQpc(&qpc, nonsense, 100, 1));
            Assert.AreEqual(QStatus.Error, Api.OpenQpc(&qpc, nonsense, 0, 1));
        }

        Assert.AreEqual(0, qpc);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void A_QPC_in_memory_runs_and_a_copied_one_does_not_need_the_memory_any_more(bool copy)
    {
        using TableClient client = Client();
        byte[] bytes = File.ReadAllBytes(QpcPath);
        byte* memory = (byte*)NativeMemory.Alloc((nuint)bytes.Length);
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        nint qpc;

        // The upper half of the register may hold anything when C passes a bool.
        TableClient.Check(Api.OpenQpc(&qpc, memory, (nuint)bytes.Length, copy ? 1u : 0xffffff00u));
        client.Own(qpc, q => Api.CloseQpc(q));
        if (copy)
        {
            new Span<byte>(memory, bytes.Length).Fill(0xee);
        }

        nint program = client.Program(qpc: qpc);
        TestExec exec = client.Exec(program);
        exec.Input().Fill(3);
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(Expected(3), exec.Output()[0]);
        client.Dispose();
        NativeMemory.Free(memory);
    }

    [TestMethod]
    public void Dimensions_that_match_are_accepted_and_others_fail_the_inference_not_the_call()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(2);
        TableClient.Check(SetDims(exec, 4));
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(Expected(2), exec.Output()[0]);
        TableClient.Check(SetDims(exec, 5));
        TableClient.Check(exec.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.DevError, exec.Wait());
        Assert.Contains("No matching specialization", client.LastLog);
    }

    [TestMethod]
    public void Four_threads_get_the_results_of_their_own_inputs()
    {
        using TableClient client = Client();
        nint[] programs = [client.Program(), client.Program()];
        TestExec[] execs = [.. Enumerable.Range(0, 8).Select(i => client.Exec(programs[i % 2]))];
        nint queue = client.Queue;
        int wrong = 0;
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
        {
            for (int i = 0; i < 5_000; i++)
            {
                // Two in flight per thread, one on each program.
                TestExec a = execs[2 * t], b = execs[2 * t + 1];
                float x = t * 10_000 + i;
                a.Input().Fill(x);
                b.Input().Fill(-x);
                bool ok = a.Enqueue(queue) == 0 && b.Enqueue(queue) == 0 && a.Wait() == 0 && b.Wait() == 0;
                if (!ok || a.Output().ContainsAnyExcept(Expected(x)) || b.Output().ContainsAnyExcept(Expected(-x)))
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        Assert.AreEqual(0, wrong);
    }

    private QStatus SetDims(TestExec exec, uint count)
    {
        uint dim = count;
        QBufferDimensions* dims = stackalloc QBufferDimensions[2];
        dims[0] = dims[1] = new QBufferDimensions { Count = 1, SizeOfElem = 4, Dims = &dim };
        fixed (QBuffer* buffers = exec.Buffers)
        {
            return Api.ExecObjSetDataExt(exec.Handle, 2, buffers, dims);
        }
    }

    private (string Name, Func<nint, QStatus> Call)[] HandleCalls()
    {
        // Out-arguments are never written: the handle is refused first.
        nint* made = (nint*)NativeMemory.AllocZeroed(4096);
        return
        [
            ("ReleaseContext", h => Api.ReleaseContext(h)),
            ("CreateQueue", h => Api.CreateQueue(h, made, null, Qid)),
            ("ReleaseQueue", h => Api.ReleaseQueue(h)),
            ("CloseQpc", h => Api.CloseQpc(h)),
            ("CreateProgram", h => Api.CreateProgram(h, made, null, Qid, null, h)),
            ("LoadProgram", h => Api.LoadProgram(h)),
            ("UnloadProgram", h => Api.UnloadProgram(h)),
            ("ReleaseProgram", h => Api.ReleaseProgram(h)),
            ("RunActivationCmd", h => Api.RunActivationCmd(h, QAicActivationCmd.ActivateFull)),
            ("ProgramGetIoDescriptor", h => Api.ProgramGetIoDescriptor(h, (QData*)made)),
            ("CreateExecObj", h => Api.CreateExecObj(h, made, null, h, null, null, null)),
            ("ReleaseExecObj", h => Api.ReleaseExecObj(h)),
            ("ExecObjSetData", h => Api.ExecObjSetData(h, 2, (QBuffer*)made)),
            ("EnqueueExecObj", h => Api.EnqueueExecObj(h, h, 0)),
            ("ExecObjWaitForCompletion", h => Api.ExecObjWaitForCompletion(h, 1)),
            ("ExecObjSetDataExt", h => Api.ExecObjSetDataExt(h, 2, (QBuffer*)made, (QBufferDimensions*)made)),
            ("QpcGetInfo", h => Api.QpcGetInfo(h, (QAicQpcInfo**)made)),
            ("ProgramGetIoBufferInfo", h => Api.ProgramGetIoBufferInfo(h, (QAicIoBufferInfo**)made)),
            ("SetLogLevel", h => Api.SetLogLevel(h, QLogLevel.Error)),
            ("CreateEvent", h => Api.CreateEvent(h, made, QAicEventCompletionType.DeviceComplete)),
            ("ReleaseEvent", h => Api.ReleaseEvent(h)),
            ("EventClear", h => Api.EventClear(h)),
            ("EventAddCallback", h => Api.EventAddCallback(h, (delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void>)made, 0)),
            ("EventRemoveCallback", h => Api.EventRemoveCallback(h, (delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void>)made)),
            ("WaitforEvent", h => Api.WaitforEvent(h)),
            ("ExecObjGetIoBuffers", h => Api.ExecObjGetIoBuffers(h, (uint*)made, (QBuffer**)made)),
        ];
    }
}
