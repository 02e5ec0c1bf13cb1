using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Tests.Support;

/// <summary>A C client in a few lines: a context, a queue and a QPC on one device. Dispose releases everything that is left, newest first, and demands that it succeeds.</summary>
internal sealed unsafe class TableClient : IDisposable
{
    private static readonly ConcurrentDictionary<nint, TableClient> s_clients = new();
    private static int s_lastKey;

    private readonly List<(nint Handle, Func<nint, QStatus> Release)> _made = [];
    private Exception? _thrown;
    private readonly nint _key = Interlocked.Increment(ref s_lastKey);

    public TableClient(QaicApi api, int qid, string qpcPath, uint threads = 0)
    {
        Api = api;
        Qid = qid;
        s_clients[_key] = this;
        nint context, queue;
        Check(api.CreateContext(&context, null, 1, &qid, &OnLog, _key, &OnError, _key));
        Context = Own(context, c => Api.ReleaseContext(c));
        QAicQueueProperties properties = new() { Properties = 1, NumThreadsPerQueue = threads };
        Check(api.CreateQueue(Context, &queue, threads == 0 ? null : &properties, qid));
        Queue = Own(queue, q => Api.ReleaseQueue(q));
        Qpc = OpenQpc(qpcPath);
    }

    public QaicApi Api { get; }

    public int Qid { get; }

    public nint Context { get; }

    public nint Queue { get; }

    public nint Qpc { get; }

    public ConcurrentQueue<(int Thread, QLogLevel Level, string Text)> Log { get; } = new();

    public ConcurrentQueue<string> Errors { get; } = new();

    /// <summary>Runs inside the log callback, before the line is recorded.</summary>
    public Action<string>? OnLogged { get; set; }

    /// <summary>Runs inside the error callback, when the text was recorded.</summary>
    public Action? OnErrorTold { get; set; }

    /// <summary>The newest log line.</summary>
    public string LastLog => Log.LastOrDefault().Text ?? "";

    /// <summary>Keeps what a test's code threw inside a callback, where it must not cross into C; <see cref="Dispose"/> throws it.</summary>
    public void Guard(Action body)
    {
        try
        {
            body();
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _thrown, e, null);
        }
    }

    public static void Check(QStatus status) => Assert.AreEqual(QStatus.Success, status);

    public nint OpenQpc(string path)
    {
        nint qpc;
        fixed (byte* utf8 = Encoding.UTF8.GetBytes(path + '\0'))
        {
            Check(Api.OpenQpcFile(&qpc, utf8));
        }

        return Own(qpc, q => Api.CloseQpc(q));
    }

    public nint Program(bool activate = true, nint qpc = 0, uint? timeoutMs = null, uint? retries = null)
    {
        byte* properties = stackalloc byte[QaicApi.ProgramPropertiesCapacity];
        Check(Api.ProgramPropertiesInitDefault(properties));
        if (retries is not null)
        {
            ((uint*)properties)[1] = retries.Value;
        }

        if (timeoutMs is not null)
        {
            ((uint*)properties)[2] = timeoutMs.Value;
        }

        nint program;
        Check(Api.CreateProgram(Context, &program, properties, Qid, null, qpc == 0 ? Qpc : qpc));
        Own(program, p => Api.ReleaseProgram(p));
        if (activate)
        {
            Check(Api.LoadProgram(program));
            Check(Api.RunActivationCmd(program, QAicActivationCmd.ActivateFull));
        }

        return program;
    }

    /// <summary>An execution object with its buffers set.</summary>
    public TestExec Exec(nint program, int tensors = 1, int elements = 4)
    {
        nint handle;
        Check(Api.CreateExecObj(Context, &handle, null, program, null, null, null));
        Own(handle, e => Api.ReleaseExecObj(e));
        TestExec exec = new(Api, handle, tensors, elements);
        Check(exec.SetData());
        return exec;
    }

    public IoDescriptor Descriptor(nint program)
    {
        QData data;
        Check(Api.ProgramGetIoDescriptor(program, &data));
        return IoDescriptor.Parse(new ReadOnlySpan<byte>(data.Data, (int)data.Size));
    }

    /// <summary>Creates an execution object for the set that a descriptor selects. The client releases it.</summary>
    public QStatus CreateExecObj(nint program, IoDescriptor io, out nint handle)
    {
        byte[] bytes = io.ToBytes();
        fixed (byte* first = bytes)
        fixed (nint* made = &handle)
        {
            QData data = new() { Data = first, Size = (nuint)bytes.Length };
            QStatus status = Api.CreateExecObj(Context, made, null, program, &data, null, null);
            if (status == QStatus.Success)
            {
                Own(*made, e => Api.ReleaseExecObj(e));
            }

            return status;
        }
    }

    /// <summary>Releases one object before its time.</summary>
    public QStatus Release(nint handle)
    {
        int index = _made.FindIndex(m => m.Handle == handle);
        QStatus status = _made[index].Release(handle);
        if (status == QStatus.Success)
        {
            _made.RemoveAt(index);
        }

        return status;
    }

    /// <summary>Somebody else released it.</summary>
    public void Forget(nint handle) => _made.RemoveAll(m => m.Handle == handle);

    /// <summary>Remembers what to release at the end.</summary>
    public nint Own(nint handle, Func<nint, QStatus> release)
    {
        _made.Add((handle, release));
        return handle;
    }

    public void Dispose()
    {
        for (int i = _made.Count - 1; i >= 0; i--)
        {
            Assert.AreEqual(QStatus.Success, _made[i].Release(_made[i].Handle), $"Object {i} could not be released: {LastLog}");
        }

        _made.Clear();

        s_clients.TryRemove(_key, out _);
        if (Interlocked.Exchange(ref _thrown, null) is { } thrown)
        {
            throw new AssertFailedException($"A callback of the test failed: {thrown.Message}", thrown);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnLog(QLogLevel level, byte* text, nint key)
    {
        if (s_clients.TryGetValue(key, out TableClient? client))
        {
            string line = Marshal.PtrToStringUTF8((nint)text)!;
            client.Guard(() => client.OnLogged?.Invoke(line));
            client.Log.Enqueue((Environment.CurrentManagedThreadId, level, line));
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnError(uint context, byte* text, uint type, void* data, nuint size, nint key)
    {
        if (s_clients.TryGetValue(key, out TableClient? client))
        {
            client.Errors.Enqueue(Marshal.PtrToStringUTF8((nint)text)!);
            client.Guard(() => client.OnErrorTold?.Invoke());
        }
    }
}

/// <summary>An execution object and the host's buffers, inputs then outputs, which the finalizer frees: a card may use them until it is released.</summary>
internal sealed unsafe class TestExec
{
    private readonly QaicApi _api;
    private readonly float* _memory;

    public TestExec(QaicApi api, nint handle, int tensors, int elements)
    {
        _api = api;
        Handle = handle;
        Tensors = tensors;
        Elements = elements;
        _memory = (float*)NativeMemory.AllocZeroed((nuint)(2 * tensors * elements * sizeof(float)));
        Buffers = new QBuffer[2 * tensors];
        for (int i = 0; i < Buffers.Length; i++)
        {
            Buffers[i] = new QBuffer { Buf = (byte*)(_memory + (i * elements)), Size = (nuint)(elements * sizeof(float)) };
        }
    }

    ~TestExec() => NativeMemory.Free(_memory);

    public nint Handle { get; }

    public int Tensors { get; }

    public int Elements { get; }

    public QBuffer[] Buffers { get; }

    public Span<float> Input(int tensor = 0) => new(_memory + (tensor * Elements), Elements);

    public Span<float> Output(int tensor = 0) => new(_memory + ((Tensors + tensor) * Elements), Elements);

    public QStatus SetData() => SetData(Buffers);

    public QStatus SetData(ReadOnlySpan<QBuffer> buffers)
    {
        fixed (QBuffer* first = buffers)
        {
            return _api.ExecObjSetData(Handle, (nuint)buffers.Length, first);
        }
    }

    public QStatus SetDataExt(QBuffer* buffers, QBufferDimensions* dimensions) => _api.ExecObjSetDataExt(Handle, (nuint)Buffers.Length, buffers, dimensions);

    public QStatus Enqueue(nint queue) => _api.EnqueueExecObj(queue, Handle, 0);

    /// <summary>Waits at most 30 s: longer means that the completion never came.</summary>
    public QStatus Wait(uint microseconds = 30_000_000) => _api.ExecObjWaitForCompletion(Handle, microseconds);

    public QStatus Run(nint queue)
    {
        QStatus status = Enqueue(queue);
        return status == QStatus.Success ? Wait() : status;
    }
}
