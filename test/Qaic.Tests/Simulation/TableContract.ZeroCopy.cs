using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

// Zero-copy buffers and I/O sets: the card's own buffers, and other ways to see the host's.
public abstract unsafe partial class TableContract
{
    [TestMethod]
    public void Zero_copy_buffers_are_the_librarys_one_per_DMA_buffer_and_need_no_SetData()
    {
        using TableClient client = Client();
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        LentExec exec = LentExec.Create(client, program);
        CollectionAssert.AreEqual(io.DmaBuffers.Select(b => (nuint)b.Size).ToArray(), exec.Buffers.Select(b => b.Size).ToArray());
        Assert.IsTrue(exec.Buffers.All(b => (nuint)b.Buf % 4096 == 0 && b.Type == QBufferType.Heap));
        foreach (float x in new[] { 1f, -2.5f, 1e9f })
        {
            exec.Tensor(io, 0).Fill(x);
            TableClient.Check(exec.Run(client.Queue));
            CollectionAssert.AreEqual(Enumerable.Repeat(Expected(x), 4).ToArray(), exec.Tensor(io, 1).ToArray());
        }
    }

    [TestMethod]
    public void Zero_copy_buffers_come_from_the_creation_too_and_stay_where_they_are()
    {
        using TableClient client = Client();
        nint program = client.Program(), handle;
        uint count, properties = (uint)(QAicExecObjProperties.AutoLoadActivate | QAicExecObjProperties.ZeroCopyBuffers), created = 77;
        QBuffer* buffers, first;
        TableClient.Check(Api.CreateExecObj(client.Context, &handle, &properties, program, null, &created, &first));
        client.Own(handle, e => Api.ReleaseExecObj(e));
        TableClient.Check(Api.ExecObjGetIoBuffers(handle, &count, &buffers));
        Assert.AreEqual((2u, 2u), (created, count));
        Assert.IsTrue(buffers == first);
        TableClient.Check(Api.EnqueueExecObj(client.Queue, handle, 0));
        TableClient.Check(Api.ExecObjWaitForCompletion(handle, 30_000_000));
        QBuffer* again;
        TableClient.Check(Api.ExecObjGetIoBuffers(handle, &count, &again));
        Assert.IsTrue(again == first && again->Buf == first->Buf);
    }

    [TestMethod]
    public void An_execution_object_with_zero_copy_buffers_takes_no_others()
    {
        using TableClient client = Client();
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        TestExec ordinary = client.Exec(program);
        LentExec exec = LentExec.Create(client, program);
        fixed (QBuffer* buffers = ordinary.Buffers)
        {
            uint dim = 4;
            QBufferDimensions* dims = stackalloc QBufferDimensions[2];
            dims[0] = dims[1] = new QBufferDimensions { Count = 1, SizeOfElem = 4, Dims = &dim };
            Assert.AreEqual(QStatus.Inval, Api.ExecObjSetData(exec.Handle, 2, buffers));
            Assert.Contains("zero-copy", client.LastLog);
            Assert.AreEqual(QStatus.Inval, Api.ExecObjSetDataExt(exec.Handle, 2, buffers, dims));
        }

        exec.Tensor(io, 0).Fill(6);
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(Expected(6), exec.Tensor(io, 1)[3]);
        Assert.AreEqual(0, ordinary.Output()[0]);
    }

    [TestMethod]
    public void An_ordinary_execution_object_has_no_buffers_of_the_librarys()
    {
        using TableClient client = Client();
        nint program = client.Program(), handle;
        uint count = 77;
        QBuffer* buffers = (QBuffer*)1;
        TableClient.Check(Api.CreateExecObj(client.Context, &handle, null, program, null, &count, &buffers));
        client.Own(handle, e => Api.ReleaseExecObj(e));
        Assert.IsTrue(count == 0 && buffers == null);
        count = 77;
        buffers = (QBuffer*)1;
        Assert.AreEqual(QStatus.Inval, Api.ExecObjGetIoBuffers(handle, &count, &buffers));
        Assert.IsTrue(count == 0 && buffers == null);
        Assert.Contains("zero-copy", client.LastLog);
    }

    [TestMethod]
    public void Each_execution_object_has_zero_copy_buffers_of_its_own_and_zero_copy_alone_does_not_activate()
    {
        using TableClient client = Client();
        nint idle = client.Program(activate: false), program = client.Program(), handle;
        uint zeroCopy = (uint)QAicExecObjProperties.ZeroCopyBuffers;
        Assert.AreEqual(QStatus.Inval, Api.CreateExecObj(client.Context, &handle, &zeroCopy, idle, null, null, null));
        IoDescriptor io = client.Descriptor(program);
        LentExec first = LentExec.Create(client, program, QAicExecObjProperties.ZeroCopyBuffers), second = LentExec.Create(client, program, QAicExecObjProperties.ZeroCopyBuffers);
        first.Tensor(io, 0).Fill(1);
        second.Tensor(io, 0).Fill(2);
        TableClient.Check(first.Enqueue(client.Queue));
        TableClient.Check(second.Run(client.Queue));
        TableClient.Check(first.Wait());
        Assert.AreEqual((Expected(1), Expected(2)), (first.Tensor(io, 1)[0], second.Tensor(io, 1)[0]));
    }

    [TestMethod]
    public void An_event_completes_with_a_zero_copy_inference()
    {
        using TableClient client = Client();
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        LentExec exec = LentExec.Create(client, program);
        TestEvent done = new(client);
        exec.Tensor(io, 0).Fill(-3);
        TableClient.Check(Api.EnqueueExecObj(client.Queue, exec.Handle, done.Handle));
        TableClient.Check(done.Wait());
        Assert.AreEqual(Expected(-3), exec.Tensor(io, 1)[1]);
    }

    [TestMethod]
    [DataRow("default")]
    [DataRow("dma")]
    public void A_set_of_the_descriptor_is_selected_by_handing_it_back(string name)
    {
        using TableClient client = Client();
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        io.SelectedSet = io.Sets.Single(s => s.Name == name);
        TableClient.Check(client.CreateExecObj(program, io, out nint handle));
        TestExec exec = new(Api, handle, tensors: 1, elements: 4);
        exec.Input().Fill(5);
        TableClient.Check(exec.SetData());
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(Expected(5), exec.Output()[2]);
    }

    [TestMethod]
    public void A_set_that_the_descriptor_does_not_have_is_refused_by_name()
    {
        using TableClient client = Client();
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        foreach (string name in new[] { "quantize", "" })
        {
            io.SelectedSet.Name = name;
            Assert.AreEqual(QStatus.Inval, client.CreateExecObj(program, io, out nint handle));
            Assert.AreEqual(0, handle);
            Assert.Contains("'default', 'dma'", client.LastLog);
        }
    }
}
