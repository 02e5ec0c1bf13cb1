using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Tests.Support;

/// <summary>An execution object with zero-copy buffers, which the library lends.</summary>
internal sealed unsafe class LentExec(QaicApi api, nint handle, QBuffer[] buffers)
{
    public nint Handle => handle;

    public QBuffer[] Buffers => buffers;

    /// <summary>Makes one with zero-copy buffers; the client releases it.</summary>
    public static LentExec Create(TableClient client, nint program, QAicExecObjProperties properties = QAicExecObjProperties.AutoLoadActivate | QAicExecObjProperties.ZeroCopyBuffers)
    {
        QaicApi api = client.Api;
        nint handle;
        uint count;
        QBuffer* buffers;
        TableClient.Check(api.CreateExecObj(client.Context, &handle, (uint*)&properties, program, null, null, null));
        client.Own(handle, e => api.ReleaseExecObj(e));
        TableClient.Check(api.ExecObjGetIoBuffers(handle, &count, &buffers));
        return new LentExec(api, handle, new ReadOnlySpan<QBuffer>(buffers, (int)count).ToArray());
    }

    /// <summary>A tensor, in the place that the set "dma" says.</summary>
    public Span<float> Tensor(IoDescriptor io, int binding)
    {
        IoBinding place = io.Sets.Single(s => s.Name == "dma").Bindings[binding];
        DmaBufferInfo info = place.DmaBufferInfos.Single();
        Assert.AreEqual(buffers[info.BufferIndex].Size, (nuint)info.Size);
        return new Span<float>(buffers[info.BufferIndex].Buf + info.BufferOffset, (int)place.Size / sizeof(float));
    }

    public QStatus Enqueue(nint queue) => api.EnqueueExecObj(queue, handle, 0);

    /// <summary>Waits at most 30 s: longer means that the completion never came.</summary>
    public QStatus Wait() => api.ExecObjWaitForCompletion(handle, 30_000_000);

    public QStatus Run(nint queue)
    {
        QStatus status = Enqueue(queue);
        return status == QStatus.Success ? Wait() : status;
    }
}
