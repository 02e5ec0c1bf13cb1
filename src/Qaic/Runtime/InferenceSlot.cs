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
    private DeviceBuffers _buffers;
    private State _state;
    private QaicException? _failure;
    private bool _closed;

    // Advances at every rent and return, so that an Inference kept too long is recognised.
    private int _version;

    // Whether an asynchronous wait of this rental has not been answered yet.
    private volatile bool _isAwaited;

    private AsyncWait _wait = new();

    // Where the last inference ended, which after a failure is not where the slot belongs.
    private (int DeviceId, int Activation, TelemetryTags Tags) _place;

    private readonly (int DeviceId, int Activation, TelemetryTags Tags) _home;
    private readonly InferenceProfiler? _profiler;
    private PhaseTimestamps _times;
    private long _sequence;

    // No record counts the inference, or one has it already.
    private bool _isUnrecorded;
    private bool _isCounted;

    // What listeners have to hear of when the lock is free: they are somebody else's code.
    private Ended _ended;

    public InferenceSlot(InferenceSet set, QaicExecObj exec, DeviceBuffers buffers, CompletionWaiter waiter, int activation)
    {
        _set = set;
        _exec = exec;
        _buffers = buffers;
        _home = (set.DeviceId, activation, set.Tags);
        _place = _home;
        Waiter = waiter;
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

    private record struct Ended(bool HasLeft, bool IsCounted, long Ticks, QaicException? Failure, TelemetryTags Tags);

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
        Ended ended;
        QaicException? abandoned = null;
        lock (_lock)
        {
            if (version != _version || _state == State.Free)
            {
                return;
            }

            if (_state == State.Running)
            {
                Complete();
                abandoned = _failure;
            }

            if (_isAwaited)
            {
                // Nobody may wait for ever, not even on a rental that is over.
                _isAwaited = false;
                _wait.SetException(GivenBack());
            }

            RecordProfile();
            _state = State.Free;
            _failure = null;
            _version++;
            if (_closed)
            {
                _buffers.Dispose();
            }

            ended = TakeEnded();
        }

        _set.Return(this);
        Tell(ended);
        if (abandoned is not null)
        {
            Log.AbandonedInferenceFailed(_set.Logger, _set.DeviceId, abandoned);
        }
    }

    public int GetDeviceId(int version)
    {
        Check(version);
        return _place.DeviceId;
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

    /// <returns>False if the set has given the execution object back, or the device has failed.</returns>
    public bool TrySubmit(int version, bool unrecorded = false)
    {
        bool isSubmitted;
        QaicException? failure;
        lock (_lock)
        {
            isSubmitted = Submit(version, unrecorded, out failure);
        }

        if (isSubmitted && _isCounted)
        {
            Telemetry.InferenceEntered(_home.Tags);
        }

        if (failure is not null)
        {
            Telemetry.InferenceFailed(failure, _home.Tags);
            _set.ReportFailure();
            throw Rethrowable(failure);
        }

        return isSubmitted;
    }

    public void Wait(int version)
    {
        Ended ended;
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
            ended = TakeEnded();
        }

        Tell(ended);
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
            if (_state == State.Running)
            {
                _isAwaited = true;
                _wait = _wait.Next();
                Waiter.Add(this, version);
                return _wait.Task;
            }
        }

        Wait(version);
        return ValueTask.CompletedTask;
    }

    /// <summary>Completes an asynchronous wait, unless that rental is over or was answered. Called on the waiter's thread.</summary>
    public void CompleteAsync(int version)
    {
        Ended ended;
        lock (_lock)
        {
            if (version != _version || !_isAwaited)
            {
                return;
            }

            try
            {
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
            catch (Exception e) when (_isAwaited)
            {
                // Nobody watches this thread; whoever waits is told.
                _isAwaited = false;
                _wait.SetException(e);
            }

            ended = TakeEnded();
        }

        Tell(ended);
    }

    /// <summary>Waits for the device if it owns the buffers, and gives the execution object back. The buffers stay until the owner returns them.</summary>
    public void Close()
    {
        Ended ended;
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

            ended = TakeEnded();
        }

        Tell(ended);
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

            choose(_buffers.Shapes, choice);
            RecordProfile();
            (_state, _failure) = (State.Filling, null);
        }
    }

    // With the lock held. A failure is what the owner has to be told.
    private bool Submit(int version, bool unrecorded, out QaicException? failure)
    {
        failure = null;
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
        RecordProfile();
        _failure = null;
        _place = _home;
        _isUnrecorded = unrecorded;
        try
        {
            _times.MarshalledIn = Now();
            _exec.Submit();
            _times.Enqueued = Now();
            _times.DataSet = _exec.Submitted;
        }
        catch (QaicException e)
        {
            if (InferenceSet.Condemns(e))
            {
                _set.Fault(e);
                if (_set.HasAnother)
                {
                    // Nothing was submitted, so the owner takes it elsewhere.
                    _state = State.Filling;
                    return false;
                }

                e = _set.HasSeveralDevices ? _set.AllLost(e) : e;
            }

            _state = State.Failed;
            _failure = failure = e;
            return false;
        }

        _state = State.Running;
        _sequence = unrecorded || _profiler is null ? 0 : _set.Recorder.NextSequence();
        _isCounted = Telemetry.CountsInFlight;
        return true;
    }

    // With the lock held, in state Running.
    private void Complete()
    {
        try
        {
            _exec.Wait();
            _set.CountCompleted();
        }
        catch (QaicException e)
        {
            _set.Fault(e);
            _failure = _set.HasSeveralDevices ? RunElsewhere(e) : e;
        }

        _state = _failure is null ? State.Done : State.Failed;
        long now = Stopwatch.GetTimestamp();
        _times.Completed = now;
        if (_failure is null && !_isUnrecorded)
        {
            _set.Recorder.Latencies?.Record(now - _exec.Submitted);
        }

        _ended = new Ended(true, _isCounted, _isUnrecorded ? 0 : now - _exec.Submitted, _failure, _place.Tags);
    }

    // With the lock held, after a failure here.
    private QaicException? RunElsewhere(QaicException failure)
    {
        try
        {
            // The device lets go of the buffers before another one gets them. If it does not, it may still write to them, so they are left to it.
            _exec.Dispose();
            if (!_exec.Handle.IsReleased)
            {
                _buffers = _buffers.Replace(_set.Inputs.Count);
            }

            return _set.RunElsewhere(_buffers, failure, ref _place);
        }
        catch (QaicException e)
        {
            return new QaicException(failure.Error, $"{failure.Message} The inference could not run again on another device: {e.Message}", failure.HResult, failure);
        }
    }

    // With the lock held; to be told when it is free.
    private Ended TakeEnded()
    {
        Ended ended = _ended;
        _ended = default;
        return ended;
    }

    private void Tell(in Ended ended)
    {
        if (!ended.HasLeft)
        {
            return;
        }

        Telemetry.InferenceLeft(ended.IsCounted, _home.Tags);
        if (ended.Failure is not null)
        {
            Telemetry.InferenceFailed(ended.Failure, ended.Tags);
            _set.ReportFailure();
        }
        else if (ended.Ticks > 0)
        {
            Telemetry.InferenceCompleted(ended.Ticks, ended.Tags);
        }
    }

    private long Now() => _profiler is null ? 0 : Stopwatch.GetTimestamp();

    // With the lock held. The caller has the outputs, because it gives the slot back or begins the next inference with it. Once per inference.
    private void RecordProfile()
    {
        if (_profiler is null || _state != State.Done)
        {
            return;
        }

        _times.MarshalledOut = Stopwatch.GetTimestamp();
        if (!_isUnrecorded)
        {
            _profiler.Record(in _times, _place.DeviceId, _place.Activation, _sequence);
            _isUnrecorded = true;
        }

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
