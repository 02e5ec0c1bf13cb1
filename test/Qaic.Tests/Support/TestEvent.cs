using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Tests.Support;

/// <summary>An event of the C API whose callbacks are recorded. There are two functions to call back, as one is told from another by its address.</summary>
internal sealed unsafe class TestEvent
{
    private static readonly ConcurrentDictionary<nint, TestEvent> s_events = new();
    private static int s_lastKey;

    private readonly QaicApi _api;
    private readonly TableClient _client;

    // The callbacks' user pointer: a key, from which every number up to the next one belongs to this event.
    private readonly nint _key = Interlocked.Add(ref s_lastKey, 1000);
    private int _returned;
    private int _awaited;

    public TestEvent(TableClient client, QAicEventCompletionType type = QAicEventCompletionType.DeviceComplete)
    {
        _api = client.Api;
        _client = client;
        nint handle;
        TableClient.Check(_api.CreateEvent(client.Context, &handle, type));
        Handle = client.Own(handle, e => _api.ReleaseEvent(e));
        s_events[_key] = this;
    }

    public nint Handle { get; }

    /// <summary>What came: the function (1 or 2), what it was given, and on which thread.</summary>
    public ConcurrentQueue<(int Function, nint Event, QAicEventCompletionType Type, int User, int Thread)> Calls { get; } = new();

    /// <summary>Runs inside the callback; given the number that was passed as user. What it throws fails the test when its client is disposed.</summary>
    public Action<int>? OnCall { get; set; }

    public QStatus Add(int function = 1, int user = 0) => _api.EventAddCallback(Handle, function == 1 ? &First : &Second, _key + user);

    public QStatus Remove(int function = 1) => _api.EventRemoveCallback(Handle, function == 1 ? &First : &Second);

    public QStatus Clear() => _api.EventClear(Handle);

    public QStatus Wait() => _api.WaitforEvent(Handle);

    public QStatus Enqueue(TestExec exec, nint queue) => _api.EnqueueExecObj(queue, exec.Handle, Handle);

    /// <summary>Waits until a further callback has returned, with a limit that only a hang reaches.</summary>
    public void AwaitCall()
    {
        lock (Calls)
        {
            while (_returned == _awaited)
            {
                Assert.IsTrue(Monitor.Wait(Calls, TimeSpan.FromSeconds(30)), "The callback did not come.");
            }

            _awaited++;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void First(nint handle, QAicEventCompletionType type, nint user) => Record(1, handle, type, user);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Second(nint handle, QAicEventCompletionType type, nint user) => Record(2, handle, type, user);

    private static void Record(int function, nint handle, QAicEventCompletionType type, nint user)
    {
        if (s_events.TryGetValue(user - (user % 1000), out TestEvent? called))
        {
            called.Calls.Enqueue((function, handle, type, (int)(user % 1000), Environment.CurrentManagedThreadId));
            called._client.Guard(() => called.OnCall?.Invoke((int)(user % 1000)));
            lock (called.Calls)
            {
                called._returned++;
                Monitor.PulseAll(called.Calls);
            }
        }
    }
}
