using System.Runtime.InteropServices;
using Qaic.Interop;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

// Who owns which memory and for how long, and in which orders objects may come and go.
public abstract unsafe partial class TableContract
{
    [TestMethod]
    public void SetData_copies_the_array_of_buffers_and_not_what_they_point_to()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        QBuffer[] array = [.. exec.Buffers];
        TableClient.Check(exec.SetData(array));
        Array.Fill(array, new QBuffer { Buf = (byte*)8, Size = 16 });
        exec.Input().Fill(3);
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(Expected(3), exec.Output()[1]);
    }

    [TestMethod]
    public void Inputs_are_read_at_execution_not_at_enqueue()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec first = client.Exec(program), second = client.Exec(program);
        using (Hold())
        {
            // The second waits behind the first.
            TableClient.Check(first.Enqueue(client.Queue));
            second.Input().Fill(1);
            TableClient.Check(second.Enqueue(client.Queue));
            second.Input().Fill(5);
        }

        TableClient.Check(second.Wait());
        Assert.AreEqual(Expected(5), second.Output()[0]);
        TableClient.Check(first.Wait());
    }

    [TestMethod]
    public void A_wait_that_times_out_leaves_the_inference_running_and_is_no_error()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(4);
        using (Hold())
        {
            TableClient.Check(exec.Enqueue(client.Queue));
            Assert.AreEqual(QStatus.TimedOut, exec.Wait(0));
            Assert.AreEqual(QStatus.TimedOut, exec.Wait(1));
            Assert.IsFalse(client.Log.Any(l => l.Level == QLogLevel.Error), client.LastLog);
        }

        TableClient.Check(exec.Wait());
        Assert.AreEqual(Expected(4), exec.Output()[0]);
    }

    [TestMethod]
    public void An_execution_object_in_flight_takes_neither_buffers_nor_another_inference()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(2);
        using (Hold())
        {
            TableClient.Check(exec.Enqueue(client.Queue));
            Assert.AreNotEqual(QStatus.Success, exec.Enqueue(client.Queue));
            Assert.AreNotEqual(QStatus.Success, exec.SetData());
        }

        TableClient.Check(exec.Wait());
        Assert.AreEqual(Expected(2), exec.Output()[0]);
        TableClient.Check(exec.Run(client.Queue));
    }

    [TestMethod]
    public void An_execution_object_is_not_released_in_flight_or_its_buffers_are_left_alone_from_then_on()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec exec = client.Exec(program), other = client.Exec(program);
        QStatus released;
        using (Hold())
        {
            TableClient.Check(exec.Enqueue(client.Queue));
            TableClient.Check(other.Enqueue(client.Queue));
            released = client.Release(exec.Handle);
            exec.Output().Fill(-1);
        }

        // What was enqueued behind it goes on either way.
        TableClient.Check(other.Wait());
        if (released == QStatus.Success)
        {
            Assert.IsFalse(exec.Output().ContainsAnyExcept(-1));
        }
        else
        {
            TableClient.Check(exec.Wait());
            TableClient.Check(client.Release(exec.Handle));
        }
    }

    [TestMethod]
    public void A_queue_may_come_after_the_activation_and_go_before_the_execution_objects()
    {
        using TableClient client = Client();
        TestExec[] execs = [client.Exec(client.Program()), client.Exec(client.Program())];
        foreach (TestExec exec in execs)
        {
            // An activation of its own has a queue of its own.
            nint queue;
            TableClient.Check(Api.CreateQueue(client.Context, &queue, null, Qid));
            client.Own(queue, q => Api.ReleaseQueue(q));
            exec.Input().Fill(8);
            TableClient.Check(exec.Run(queue));
            TableClient.Check(client.Release(queue));
            Assert.AreEqual(QStatus.BadFd, exec.Enqueue(queue));
            Assert.AreEqual(Expected(8), exec.Output()[0]);
        }
    }

    [TestMethod]
    public void Execution_objects_go_first_then_events_then_the_rest()
    {
        TableClient client = Client();
        nint program = client.Program();
        TestExec exec = client.Exec(program);
        TestEvent done = new(client);
        TableClient.Check(done.Enqueue(exec, client.Queue));
        TableClient.Check(done.Wait());
        Assert.AreEqual(QStatus.Inval, client.Release(program));
        TableClient.Check(client.Release(exec.Handle));
        Assert.AreEqual(QStatus.Inval, client.Release(client.Context));
        TableClient.Check(client.Release(done.Handle));
        TableClient.Check(Api.RunActivationCmd(program, QAicActivationCmd.DeactivateFull));
        TableClient.Check(Api.UnloadProgram(program));
        TableClient.Check(client.Release(program));
        TableClient.Check(client.Release(client.Qpc));
        TableClient.Check(client.Release(client.Queue));
        TableClient.Check(client.Release(client.Context));
        client.Dispose();
    }

    [TestMethod]
    public void What_the_library_lends_stays_as_long_as_its_owner()
    {
        using TableClient client = Client();
        nint program = client.Program(activate: false), other = client.Program(activate: false);
        QData descriptor, again;
        QAicIoBufferInfo* buffers, buffersAgain;
        QAicQpcInfo* qpc, qpcAgain;
        TableClient.Check(Api.ProgramGetIoDescriptor(program, &descriptor));
        TableClient.Check(Api.ProgramGetIoBufferInfo(program, &buffers));
        TableClient.Check(Api.QpcGetInfo(client.Qpc, &qpc));
        byte[] bytes = new ReadOnlySpan<byte>(descriptor.Data, (int)descriptor.Size).ToArray();
        string? name = Marshal.PtrToStringUTF8((nint)buffers->BufferMappings[1].BufferName);
        TableClient.Check(client.Release(other));
        TableClient.Check(client.Exec(program).Run(client.Queue));
        TableClient.Check(Api.ProgramGetIoDescriptor(program, &again));
        TableClient.Check(Api.ProgramGetIoBufferInfo(program, &buffersAgain));
        TableClient.Check(Api.QpcGetInfo(client.Qpc, &qpcAgain));
        Assert.IsTrue(descriptor.Data == again.Data && buffers == buffersAgain && qpc == qpcAgain);
        CollectionAssert.AreEqual(bytes, new ReadOnlySpan<byte>(descriptor.Data, (int)descriptor.Size).ToArray());
        Assert.AreEqual(name, Marshal.PtrToStringUTF8((nint)buffers->BufferMappings[1].BufferName));
    }
}
