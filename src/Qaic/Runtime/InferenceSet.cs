using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Qaic.Diagnostics;
using Qaic.Qpc;

namespace Qaic.Runtime;

/// <summary>A network active on a device: activations × set size slots, leased first in first out.</summary>
/// <remarks>Thread-safe. <see cref="Dispose"/> waits for what the device still owns and tears down in the one order that the library allows.</remarks>
internal sealed class InferenceSet : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<InferenceSlot> _slots = [];
    private readonly Queue<InferenceSlot> _free = new();
    private readonly LinkedList<SlotRequest> _waiting = [];
    private readonly Stack<IDisposable> _owned = new();
    private readonly string _network;
    private bool _closed;
    private int _failureReported;

    /// <exception cref="QaicException">The device is missing, busy, or has not enough cores or memory; nothing stays behind.</exception>
    public InferenceSet(Platform platform, string qpcPath, QaicOptions options, ILogger logger)
    {
        long start = Stopwatch.GetTimestamp();
        Logger = logger;
        DeviceId = options.DeviceId;
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

    public int DeviceId { get; }

    /// <summary>The network's tensors, and the shapes that it takes.</summary>
    public ShapeSelection Shapes { get; private set; } = null!;

    public IReadOnlyList<TensorSpec> Inputs => Shapes.Inputs;

    public IReadOnlyList<TensorSpec> Outputs => Shapes.Outputs;

    /// <summary>The first failure after which the network has to be loaded again; null while all is well.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Takes a slot if one is free.</summary>
    public bool TryRent(out Inference inference)
    {
        lock (_lock)
        {
            if (!_closed && Failure is null && _free.TryDequeue(out InferenceSlot? slot))
            {
                inference = new Inference(slot, slot.Rent());
                return true;
            }
        }

        inference = default;
        return false;
    }

    /// <summary>Takes a slot, or queues for one.</summary>
    /// <param name="request">Null if <paramref name="inference"/> is a slot; else what to wait for.</param>
    /// <param name="inference">The slot, if one was free.</param>
    /// <returns>False if the set was closed or has failed: use another.</returns>
    public bool Rent(out Inference inference, out SlotRequest? request)
    {
        lock (_lock)
        {
            request = null;
            inference = default;
            if (_closed || Failure is not null)
            {
                return false;
            }

            if (_free.TryDequeue(out InferenceSlot? slot))
            {
                inference = new Inference(slot, slot.Rent());
                return true;
            }

            request = new SlotRequest(this);
            _waiting.AddLast(request.Node);
            return true;
        }
    }

    /// <summary>Takes a request out of the queue.</summary>
    /// <returns>False if it was answered meanwhile.</returns>
    public bool Cancel(SlotRequest request)
    {
        lock (_lock)
        {
            if (request.Node.List is null)
            {
                return false;
            }

            _waiting.Remove(request.Node);
            return true;
        }
    }

    /// <summary>Takes a slot back, and hands it to whoever has waited longest.</summary>
    public void Return(InferenceSlot slot)
    {
        SlotRequest? next = null;
        int version = 0;
        lock (_lock)
        {
            if (_closed || Failure is not null || _waiting.First is not { } first)
            {
                _free.Enqueue(slot);
            }
            else
            {
                next = first.Value;
                _waiting.RemoveFirst();
                version = slot.Rent();
            }
        }

        next?.Answer(new Inference(slot, version));
    }

    /// <summary>Stops leasing after a device failure: waiters are sent away, to come back when the network has been loaded again.</summary>
    public void Fault(QaicException failure)
    {
        lock (_lock)
        {
            Failure ??= failure;
        }

        SendAway();
    }

    /// <summary>Logs the failure, once. Called with no lock held: a logger is somebody else's code.</summary>
    public void ReportFailure()
    {
        if (Failure is { } failure && Interlocked.Exchange(ref _failureReported, 1) == 0)
        {
            try
            {
                Log.ActivationLost(Logger, DeviceId, failure);
            }
            catch (Exception e)
            {
                // The failure itself is on its way to its owner, and a broken logger must not take its place.
                Console.Error.WriteLine($"A logger failed while it received the message that an inference failed on device {DeviceId}: {e}");
            }
        }
    }

    /// <summary>Stops leasing, waits for the device, and gives everything back.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
        }

        SendAway();
        TearDown();
        ReportFailure();
        Log.Released(Logger, _network, DeviceId);
    }

    private void Build(Platform platform, string qpcPath, QaicOptions options)
    {
        var context = Own(new QaicContext(platform, options.DeviceId, Logger));
        var qpc = Own(new QaicQpc(context, qpcPath));
        var activations = new List<(QaicProgram Program, QaicQueue Queue, CompletionWaiter Waiter)>();
        for (int a = 0; a < options.NumActivations; a++)
        {
            var queue = Own(new QaicQueue(context));
            var program = Own(new QaicProgram(context, qpc, Logger));
            program.Activate();
            var waiter = Own(new CompletionWaiter($"qaic device {DeviceId} activation {a}"));
            activations.Add((program, queue, waiter));
        }

        IoDescriptor io = activations[0].Program.GetIoDescriptor();
        Shapes = ShapeSelection.Of(io);

        // Activation by activation within each rank, so that callers spread over the activations before they queue up behind each other.
        for (int s = 0; s < options.SetSize; s++)
        {
            foreach ((QaicProgram program, QaicQueue queue, CompletionWaiter waiter) in activations)
            {
                var buffers = new DeviceBuffers(Shapes);
                try
                {
                    var slot = new InferenceSlot(this, new QaicExecObj(context, program, queue, buffers, Logger), buffers, waiter);
                    _slots.Add(slot);
                    _free.Enqueue(slot);
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
        foreach (InferenceSlot slot in _slots)
        {
            slot.Close();
        }

        while (_owned.TryPop(out IDisposable? owned))
        {
            owned.Dispose();
        }
    }

    private void SendAway()
    {
        for (; ; )
        {
            SlotRequest? request;
            lock (_lock)
            {
                request = _waiting.First?.Value;
                if (request is null)
                {
                    return;
                }

                _waiting.RemoveFirst();
            }

            request.Answer(default);
        }
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }
}
