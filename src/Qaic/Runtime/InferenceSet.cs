using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Qaic.Diagnostics;
using Qaic.Qpc;

namespace Qaic.Runtime;

/// <summary>A network active on one device: activations × set size slots, which a <see cref="SlotPool"/> leases.</summary>
/// <remarks>Thread-safe. <see cref="Dispose"/> waits for what the device still owns and tears down in the one order that the library allows.</remarks>
internal sealed class InferenceSet : IDisposable
{
    // How long a visitor waits for room in a device's queue.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly SlotPool _pool;
    private readonly List<InferenceSlot> _slots = [];
    private readonly List<(QaicProgram Program, QaicQueue Queue, CompletionWaiter Waiter)> _activations = [];
    private readonly Stack<IDisposable> _owned = new();
    private readonly string _network;

    // 1 for the set itself, and 1 for each inference of another device that runs here. Never disposed, as visitors may come late; it holds nothing.
    private readonly CountdownEvent _visits = new(1);

    private QaicContext? _context;
    private QaicException? _failure;
    private long _completed;
    private int _visitors;
    private int _retried;
    private int _disposed;
    private int _failureReported;

    /// <exception cref="QaicException">The device is missing, busy, or has not enough cores or memory; nothing stays behind.</exception>
    public InferenceSet(SlotPool pool, Platform platform, string qpcPath, QaicOptions options, int deviceId, SessionRecorder recorder, TelemetryTags tags, ILogger logger)
    {
        _pool = pool;
        long start = Stopwatch.GetTimestamp();
        Logger = logger;
        Recorder = recorder;
        Tags = tags;
        DeviceId = deviceId;
        _network = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(qpcPath))) ?? qpcPath;
        try
        {
            Build(platform, qpcPath, options);
        }
        catch
        {
            TearDown();
            throw;
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        Log.Activated(logger, _network, DeviceId, options.NumActivations, options.SetSize, elapsed);
    }

    public ILogger Logger { get; }

    /// <summary>What is kept about the inferences.</summary>
    public SessionRecorder Recorder { get; }

    /// <summary>For telemetry.</summary>
    public TelemetryTags Tags { get; }

    public int DeviceId { get; }

    /// <summary>The network's tensors, and the shapes that it takes.</summary>
    public ShapeSelection Shapes { get; private set; } = null!;

    public IReadOnlyList<TensorSpec> Inputs => Shapes.Inputs;

    public IReadOnlyList<TensorSpec> Outputs => Shapes.Outputs;

    /// <summary>The first failure, after which the network has to be loaded again; null while all is well.</summary>
    public QaicException? Failure => Volatile.Read(ref _failure);

    /// <summary>Slots that nobody has rented. The pool's lock guards it.</summary>
    public Queue<InferenceSlot> Free { get; } = new();

    /// <summary>Inferences that have ended well here.</summary>
    public long Completed => Interlocked.Read(ref _completed);

    /// <summary>Inferences that failed here and then ended well elsewhere.</summary>
    public int Retried => Volatile.Read(ref _retried);

    public void CountCompleted()
    {
        Interlocked.Increment(ref _completed);
        Recorder.CountCompleted();
    }

    /// <summary>Takes a slot back.</summary>
    public void Return(InferenceSlot slot) => _pool.Return(this, slot);

    /// <summary>Stops leasing after a device failure.</summary>
    public void Fault(QaicException failure)
    {
        if (Interlocked.CompareExchange(ref _failure, failure, null) is null)
        {
            _pool.Leave(this);
        }
    }

    /// <summary>Whether there are other devices at all.</summary>
    public bool HasSeveralDevices => _pool.HasSeveralDevices;

    /// <summary>Whether another device can take what this one refuses.</summary>
    public bool HasAnother => _pool.HasAnother;

    /// <summary>Whether a failed submission condemns the device: not when it only has no room at the moment.</summary>
    public static bool Condemns(QaicException failure) => failure.Error is not (QaicError.DeviceBusy or QaicError.OutOfDeviceResources or QaicError.OutOfDeviceMemory);

    /// <summary>The error for the owner of an inference that no device is left for.</summary>
    public QaicException AllLost(QaicException failure) => new(
        failure.Error,
        $"All devices of the session are lost: {_pool.DescribeAway()}. {Recorder.Completed} inferences had completed; this one, on device {DeviceId}, had not. The next call loads the devices that are there.",
        failure.HResult,
        failure);

    /// <summary>Runs an inference that failed here on another device, once.</summary>
    /// <param name="buffers">The inference's buffers, which this device has let go of; they hold its inputs, and receive its outputs.</param>
    /// <param name="failure">Why it failed here.</param>
    /// <param name="place">Where it has run at last.</param>
    /// <returns>Null if it has ended well; else what to tell its owner.</returns>
    public QaicException? RunElsewhere(DeviceBuffers buffers, QaicException failure, ref (int DeviceId, int Activation, TelemetryTags Tags) place)
    {
        if (_pool.Visit(this) is not { } other)
        {
            return AllLost(failure);
        }

        try
        {
            int activation = other.RunVisitor(buffers);
            place = (other.DeviceId, activation, other.Tags);
            Interlocked.Increment(ref _retried);
            other.CountCompleted();
            return null;
        }
        catch (QaicException e)
        {
            // Not a third time: an inference that has brought down two devices may be what brings them down.
            if (Condemns(e))
            {
                other.Fault(e);
            }

            return new QaicException(e.Error, $"The inference failed on device {DeviceId}, and again on device {other.DeviceId}. There: {e.Message} Before: {failure.Message}", e.HResult, e);
        }
        finally
        {
            other.EndVisit();
        }
    }

    /// <summary>Keeps the network on the device for an inference of another one.</summary>
    /// <returns>False if it is being released.</returns>
    public bool TryBeginVisit() => _visits.TryAddCount();

    /// <summary>Ends what <see cref="TryBeginVisit"/> began.</summary>
    public void EndVisit() => _visits.Signal();

    /// <summary>Logs and counts the failure, once. Called with no lock of ours held, except a session's own: a logger is somebody else's code.</summary>
    public void ReportFailure()
    {
        // Of several devices the pool tells what becomes of them.
        if (Failure is { } failure && !_pool.HasSeveralDevices && Interlocked.Exchange(ref _failureReported, 1) == 0)
        {
            Telemetry.DeviceLost(Tags);
            Log.ActivationLost(Logger, DeviceId, failure);
        }
    }

    /// <summary>Waits for what the device owns, and gives the execution objects back. The network stays, for visitors.</summary>
    public void Drain() => _slots.ForEach(static slot => slot.Close());

    /// <summary>Waits for the device, and gives everything back. The pool leases no slot of it any more.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        EndVisit();
        _visits.Wait();
        TearDown();
        ReportFailure();
        Log.Released(Logger, _network, DeviceId);
    }

    private void Build(Platform platform, string qpcPath, QaicOptions options)
    {
        QaicContext context = _context = Own(new QaicContext(platform, DeviceId, Logger));
        var qpc = Own(new QaicQpc(context, qpcPath));
        for (int a = 0; a < options.NumActivations; a++)
        {
            var queue = Own(new QaicQueue(context));
            var program = Own(new QaicProgram(context, qpc, Logger));
            program.Activate();
            var waiter = Own(new CompletionWaiter($"qaic device {DeviceId} activation {a}"));
            _activations.Add((program, queue, waiter));
        }

        IoDescriptor io = _activations[0].Program.GetIoDescriptor();
        Shapes = ShapeSelection.Of(io);

        // Activation by activation within each rank, so that callers spread over the activations before they queue up behind each other.
        for (int s = 0; s < options.SetSize; s++)
        {
            for (int a = 0; a < _activations.Count; a++)
            {
                (QaicProgram program, QaicQueue queue, CompletionWaiter waiter) = _activations[a];
                var buffers = new DeviceBuffers(Shapes);
                try
                {
                    var slot = new InferenceSlot(this, new QaicExecObj(context, program, queue, buffers, Logger), buffers, waiter, a);
                    _slots.Add(slot);
                    Free.Enqueue(slot);
                }
                catch
                {
                    buffers.Dispose();
                    throw;
                }
            }
        }
    }

    // Slots first (they wait for the device and release their execution objects); then, last made first released: waiter, program (deactivate, unload), queue, QPC, context.
    private void TearDown()
    {
        Drain();
        while (_owned.TryPop(out IDisposable? owned))
        {
            owned.Dispose();
        }
    }

    // The execution object is made for this one inference: nobody has rented a slot for it here, and nobody has to wait for one. The visitors take the activations in turn.
    private int RunVisitor(DeviceBuffers buffers)
    {
        int activation = (int)((uint)Interlocked.Increment(ref _visitors) % (uint)_activations.Count);
        (QaicProgram program, QaicQueue queue, _) = _activations[activation];
        using var exec = new QaicExecObj(_context!, program, queue, buffers, Logger);
        long start = Stopwatch.GetTimestamp();
        for (; ; )
        {
            try
            {
                exec.Submit();
                break;
            }
            catch (QaicException e) when (e.Error == QaicError.DeviceBusy && Stopwatch.GetElapsedTime(start) < s_patience)
            {
                // Nothing was submitted, and many have come from the lost device at once.
                Thread.Sleep(1);
            }
        }

        exec.Wait();
        return activation;
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }
}
