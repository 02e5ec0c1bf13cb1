using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Diagnostics;

namespace Qaic.Runtime;

/// <summary>One place of an inference set: an execution object, its buffers, and who has rented it.</summary>
internal sealed class InferenceSlot
{
    // Free ─Rent→ Filling ─Submit→ Running ─Wait→ Done (or Failed) ─Submit→ Running;  Return makes any of them Free.
    // The lock guards the state against the set's Close, which waits for a running inference on the owner's behalf.
    private readonly Lock _lock = new();
    private readonly InferenceSet _set;
    private readonly QaicExecObj _exec;
    private readonly DeviceBuffers _buffers;
    private State _state;
    private QaicException? _failure;
    private bool _closed;

    // Advances at every rent and return, so that an Inference kept too long is recognised.
    private int _version;

    // Whether an asynchronous wait of this rental has not been answered yet.
    private volatile bool _isAwaited;

    private AsyncWait _wait = new();

    // Where the last inference ended, which after a failure is not where the slot belongs.
    private int _deviceId;

    private readonly int _activation;
    private readonly InferenceProfiler? _profiler;
    private PhaseTimestamps _times;
    private long _sequence;
    private bool _isUnrecorded;
    private bool _isCounted;

    public InferenceSlot(InferenceSet set, QaicExecObj exec, DeviceBuffers buffers, CompletionWaiter waiter, int activation)
    {
        _set = set;
        _exec = exec;
        _buffers = buffers;
        _deviceId = set.DeviceId;
        Waiter = waiter;
        _activation = activation;
        _profiler = set.Recorder.Profiler;
    }

    private enum State
    {
        Free,
        Filling,
        Running,
        Done,
        Failed,
    }

    /// <summary>Waits for this slot's activation on behalf of asynchronous callers.</summary>
    public CompletionWaiter Waiter { get; }

    /// <summary>Begins a rental. Called by the pool for a free slot.</summary>
    /// <param name="requested">When it was asked for, if that is to be recorded.</param>
    /// <returns>The rental's version.</returns>
    public int Rent(long requested)
    {
        _state = State.Filling;
        _buffers.Shapes.Reset();
        if (_profiler is not null)
        {
            _times.Requested = requested;
            _times.Leased = Stopwatch.GetTimestamp();
        }

        return ++_version;
    }

    /// <summary>Ends a rental; waits first if the device still owns the buffers. Idempotent per version.</summary>
    public void Return(int version)
    {
        lock (_lock)
        {
            if (version != _version || _state == State.Free)
            {
                return;
            }

            if (_state == State.Running)
            {
                Complete();
                if (_failure is { } failure)
                {
                    Log.AbandonedInferenceFailed(_set.Logger, _set.DeviceId, failure);
                }
            }

            if (_isAwaited)
            {
                // Nobody may wait for ever, not even on a rental that is over.
                _isAwaited = false;
                _wait.SetException(GivenBack());
            }

            Profile();
            _state = State.Free;
            _failure = null;
            _version++;
            if (_closed)
            {
                _buffers.Dispose();
            }
        }

        _set.ReportFailure();
        _set.Return(this);
    }

    public int GetDeviceId(int version)
    {
        Check(version);
        return _deviceId;
    }

    public Span<byte> Input(int version, int index)
    {
        Check(version);
        if ((uint)index >= (uint)_set.Inputs.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"The network has {_set.Inputs.Count} inputs.");
        }

        return _state != State.Running
            ? _buffers.Slice(index)
            : throw new InvalidOperationException("The inputs belong to the device until Wait returns.");
    }

    public ReadOnlySpan<byte> Output(int version, int index)
    {
        Check(version);
        if ((uint)index >= (uint)_set.Outputs.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"The network has {_set.Outputs.Count} outputs.");
        }

        return _state == State.Done
            ? _buffers.Slice(_set.Inputs.Count + index)
            : throw new InvalidOperationException("There are no outputs: submit, and wait for the device, first. After a failed inference there are none.");
    }

    public Span<T> Input<T>(int version, int index) where T : unmanaged
    {
        Span<byte> bytes = Input(version, index);
        return Holds<T>(_set.Inputs[index]) ? MemoryMarshal.Cast<byte, T>(bytes) : throw WrongType<T>(_set.Inputs[index], "Input");
    }

    public ReadOnlySpan<T> Output<T>(int version, int index) where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = Output(version, index);
        return Holds<T>(_set.Outputs[index]) ? MemoryMarshal.Cast<byte, T>(bytes) : throw WrongType<T>(_set.Outputs[index], "Output");
    }

    public int ShapeSet(int version)
    {
        Check(version);
        return _buffers.Shapes.Set;
    }

    public void SelectShapes(int version, int set) => Choose(version, set, static (shapes, set) => shapes.Select(set));

    public void SetInputRows(int version, int index, int rows) => Choose(version, (index, rows), static (shapes, input) => shapes.SetRows(input.index, input.rows));

    /// <returns>False if the set has given the execution object back.</returns>
    public bool TrySubmit(int version, bool unrecorded = false)
    {
        try
        {
            lock (_lock)
            {
                Check(version);
                if (_state == State.Running)
                {
                    throw new InvalidOperationException("The inference was submitted already; wait for it first.");
                }

                if (_closed || _set.Failure is not null)
                {
                    return false;
                }

                _buffers.Shapes.ThrowIfNone();
                Profile();
                _failure = null;
                _isUnrecorded = unrecorded;
                try
                {
                    _times.MarshalledIn = Now();
                    _exec.Submit();
                    _times.Enqueued = Now();
                }
                catch (QaicException e)
                {
                    if (e.Error is not QaicError.DeviceBusy)
                    {
                        _set.Fault(e);
                        if (_set.HasAnother)
                        {
                            _state = State.Filling;
                            return false;
                        }
                    }

                    _state = State.Failed;
                    _failure = e;
                    throw;
                }

                _state = State.Running;
                _times.DataSet = _exec.Submitted;
                _sequence = unrecorded || _profiler is null ? 0 : _set.Recorder.NextSequence();
                _isCounted = Telemetry.InferenceEntered(_set.Tags);
                return true;
            }
        }
        finally
        {
            _set.ReportFailure();
        }
    }

    public void Wait(int version)
    {
        QaicException? failure;
        lock (_lock)
        {
            Check(version);
            switch (_state)
            {
                case State.Filling:
                    throw new InvalidOperationException("Nothing was submitted, so there is nothing to wait for.");
                case State.Running:
                    Complete();
                    break;
            }

            failure = _failure;
        }

        _set.ReportFailure();
        if (failure is not null)
        {
            throw Rethrowable(failure);
        }
    }

    public ValueTask WaitAsync(int version)
    {
        // Before the lock, which the waiter's thread holds while it waits for the device.
        Check(version);
        CheckNotAwaited();
        lock (_lock)
        {
            Check(version);
            CheckNotAwaited();
            if (_state != State.Running)
            {
                Wait(version);
                return ValueTask.CompletedTask;
            }

            _isAwaited = true;
            _wait = _wait.Next();
            Waiter.Add(this, version);
            return _wait.Task;
        }
    }

    /// <summary>Completes an asynchronous wait, unless that rental is over or was answered. Called on the waiter's thread.</summary>
    public void CompleteAsync(int version)
    {
        lock (_lock)
        {
            if (version != _version || !_isAwaited)
            {
                return;
            }

            if (_state == State.Running)
            {
                Complete();
            }

            // Continuations run elsewhere, so the lock is not held for them.
            _isAwaited = false;
            if (_failure is null)
            {
                _wait.SetResult();
            }
            else
            {
                _wait.SetException(Rethrowable(_failure));
            }
        }

        _set.ReportFailure();
    }

    /// <summary>Waits for the device if it owns the buffers, and gives the execution object back. The buffers stay until the owner returns them.</summary>
    public void Close()
    {
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            if (_state == State.Running)
            {
                Complete();
            }

            _closed = true;
            _exec.Dispose();
            if (_state == State.Free)
            {
                _buffers.Dispose();
            }
        }
    }

    // Other shapes are the beginning of another inference, so the outputs of the last one are gone.
    private void Choose<T>(int version, T choice, Action<ChosenShapes, T> choose)
    {
        lock (_lock)
        {
            Check(version);
            if (_state == State.Running)
            {
                throw new InvalidOperationException("The shapes belong to the inference that is running; wait for it first.");
            }

            Profile();
            choose(_buffers.Shapes, choice);
            (_state, _failure) = (State.Filling, null);
        }
    }

    // With the lock held, in state Running.
    private void Complete()
    {
        try
        {
            WaitForDevice();
            _state = State.Done;
            _set.CountCompleted();
            Completed();
        }
        catch (QaicException e)
        {
            _set.Fault(e);

            // The device lets go of the buffers before another one gets them.
            _exec.Dispose();
            _failure = _set.RunElsewhere(_buffers, e, out _deviceId);
            _state = _failure is null ? State.Done : State.Failed;
            if (_failure is null)
            {
                Completed();
            }
            else
            {
                Telemetry.InferenceFailed(_failure, _set.Tags);
            }
        }
    }

    private void WaitForDevice()
    {
        try
        {
            _exec.Wait();
        }
        finally
        {
            Telemetry.InferenceLeft(_isCounted, _set.Tags);
        }
    }

    // With the lock held, after an inference that ended well.
    private void Completed()
    {
        if (_isUnrecorded)
        {
            return;
        }

        long now = Stopwatch.GetTimestamp();
        _times.Completed = now;
        _set.Recorder.Latencies?.Record(now - _exec.Submitted);
        Telemetry.InferenceCompleted(now - _exec.Submitted, _set.Tags);
    }

    private long Now() => _profiler is null ? 0 : Stopwatch.GetTimestamp();

    // With the lock held. The caller has the outputs, because it gives the slot back or submits the next inference with it.
    private void Profile()
    {
        if (_profiler is null || _state != State.Done || _isUnrecorded)
        {
            return;
        }

        _times.MarshalledOut = Stopwatch.GetTimestamp();
        _profiler.Record(in _times, _deviceId, _activation, _sequence);

        // Whoever submits again in the same rental has waited for nothing.
        _times.Requested = _times.Leased = _times.MarshalledOut;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Check(int version)
    {
        if (version != _version)
        {
            throw GivenBack();
        }
    }

    private void CheckNotAwaited()
    {
        if (_isAwaited)
        {
            throw new InvalidOperationException("The inference is being waited for already.");
        }
    }

    private static InvalidOperationException GivenBack() => new("This inference was given back to its session; rent another.");

    private static bool Holds<T>(TensorSpec spec) where T : unmanaged => spec.ElementType.Holds<T>();

    private static ArgumentException WrongType<T>(TensorSpec spec, string what) =>
        new($"{what} '{spec.Name}' holds {spec.ElementType} ({spec.ElementType.ClrType().Name}), not {typeof(T).Name}.", nameof(T));

    // A new exception each time, so that stack traces of several waiters do not run together.
    private static QaicException Rethrowable(QaicException failure) => new(failure.Error, failure.Message, failure.HResult, failure);
}
