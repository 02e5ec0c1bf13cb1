using System.Runtime.InteropServices;
using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Simulation;

/// <summary>Where an execution object's inference is. The activation's lock guards it.</summary>
// Idle ─Submit→ Queued ─card→ CopyingIn → Computing → CopyingOut → Idle. Completion is told on the way to Idle; a dead activation tells it earlier.
// Computing ─failed, and its program with it→ Failing → Idle: off the card; its waiters hear of it when the error callback has.
internal enum ExecPhase
{
    Idle,
    Queued,
    CopyingIn,
    Computing,
    CopyingOut,
    Failing,
}

/// <summary>An execution object: the host's buffers, device memory of its own, and one inference at a time.</summary>
internal sealed unsafe partial class SimulatedExecObj : SimulatedObject
{
    // Of every tensor that the engine is given.
    private const int DeviceAlignment = 64;

    private readonly Lock _executionSync = new();
    private readonly NativeArena _deviceMemory = new();
    private readonly DeviceBinding[] _bindings;
    private readonly nint[] _device;
    private readonly HostBuffer[] _host;
    private readonly ElementStages?[] _stages;
    private readonly SharedNetwork _network;

    // Null where the buffers are the library's own, which are the device's memory.
    private readonly HostView? _view;
    private readonly ManualResetEventSlim _done = new();

    // One per set of shapes, all over the same device memory; null when disposed.
    private ISimulatedExecution[]? _executions;
    private int _shapes;
    private bool _hasData;
    private bool _isSubmitted;
    private SimulatedFailure? _failure;
    private SimulatedEvent? _completion;

    /// <summary>Allocates the device's side. Takes its own reference to <paramref name="network"/>.</summary>
    /// <param name="program">Its program.</param>
    /// <param name="network">The network.</param>
    /// <param name="activation">The program's activation.</param>
    /// <param name="isAutomatic">Whether it keeps its program active.</param>
    /// <param name="view">How the host sees its buffers; null: they are DMA buffers of the library's own.</param>
    public SimulatedExecObj(SimulatedProgram program, SharedNetwork network, Activation activation, bool isAutomatic, HostView? view)
        : base(ObjectKind.ExecObj, program.Context.Machine, program.Context)
    {
        Program = program;
        Activation = activation;
        IsAutomatic = isAutomatic;
        _network = network;
        _bindings = network.Qpc.Bindings;
        _device = new nint[_bindings.Length];
        _host = new HostBuffer[_bindings.Length];
        _view = view;
        _stages = [.. _bindings.Select((_, i) => view?.StagesOf(i))];
        try
        {
            AllocateDevice();
            BindAll();
        }
        catch
        {
            _deviceMemory.Free();
            throw;
        }

        program.Card.AddReference(network);
    }

    public SimulatedProgram Program { get; }

    public Activation Activation { get; }

    /// <summary>Whether it keeps its program active until it is released.</summary>
    public bool IsAutomatic { get; }

    public ExecPhase Phase { get; set; }

    /// <summary>Set while the host's buffers were in use: complete with this as soon as they are not.</summary>
    public SimulatedFailure? Aborted { get; set; }

    /// <summary>Released: a call that found it just before takes no part any more.</summary>
    public bool IsWithdrawn { get; set; }

    /// <summary>Completed already, although the card still computes.</summary>
    public bool IsDetached { get; set; }

    /// <summary>Ends the wait of pacing, or of a fault that delays or holds the inference.</summary>
    public CancellationTokenSource? FaultWait { get; set; }

    /// <summary>Queue of the inference in flight.</summary>
    public SimulatedQueue Queue { get; private set; } = null!;

    /// <summary>Dimensions that no specialization has. As on the card, it is the inference that fails, not the call that set them.</summary>
    public SimulatedFailure? Mismatch { get; private set; }

    /// <summary>The library's own buffers, one per DMA buffer of the network; null if it has none. They live as long as this object.</summary>
    public QBuffer* IoBuffers { get; private set; }

    /// <summary>Number of <see cref="IoBuffers"/>.</summary>
    public int IoBufferCount => IoBuffers == null ? 0 : _network.Qpc.Network.DmaBuffers.Count;

    /// <summary>Remembers the host's buffers; the card reads and writes them when it executes. The caller holds the activation's lock.</summary>
    /// <exception cref="SimulatedFailure">Inval: count or sizes are wrong. Unsupported: not heap memory.</exception>
    public void SetData(ReadOnlySpan<QBuffer> buffers, ReadOnlySpan<QBufferDimensions> dimensions)
    {
        if (_view is null)
        {
            throw SimulatedFailure.Invalid("The execution object was made with zero-copy buffers and takes no others. Write to and read from those that qaicExecObjGetIoBuffers gives, and enqueue it as it is.");
        }

        if (buffers.Length != _bindings.Length)
        {
            throw SimulatedFailure.Invalid($"The program has {_bindings.Length} buffers, inputs then outputs; {buffers.Length} were given.");
        }

        bool hasDimensions = !dimensions.IsEmpty;
        for (int i = 0; i < buffers.Length; i++)
        {
            Check(buffers[i], _view.Specs[i], i, hasDimensions);
        }

        int shapes = hasDimensions ? Match(buffers, dimensions) : _network.Qpc.WholeShapes;
        SimulatedFailure? mismatch = shapes < 0 ? Unmatched(buffers, dimensions) : null;
        for (int i = 0; i < buffers.Length; i++)
        {
            _host[i] = new HostBuffer((nint)buffers[i].Buf, (long)buffers[i].Size);
        }

        lock (_executionSync)
        {
            _shapes = Math.Max(shapes, 0);
        }

        Mismatch = mismatch;
        _hasData = true;
    }

    /// <summary>Starts a flight. The caller holds the activation's lock.</summary>
    /// <exception cref="SimulatedFailure">There are no buffers, or the event cannot be used (Inval).</exception>
    public void Begin(SimulatedQueue queue, SimulatedEvent? completion)
    {
        if (!_hasData)
        {
            throw SimulatedFailure.Invalid("The execution object has no data. Set its buffers before it is enqueued.");
        }

        completion?.Begin(Activation);
        _completion = completion;
        Queue = queue;
        Phase = ExecPhase.Queued;
        _isSubmitted = true;
        _failure = null;
        _done.Reset();
    }

    /// <summary>Tells the waiter, and completes the event. The caller holds the activation's lock.</summary>
    public void Complete(SimulatedFailure? failure, ExecPhase phase)
    {
        Phase = phase;
        _failure = failure;
        if (_completion is { } completion)
        {
            _completion = null;
            completion.Complete(failure, _done);
        }
        else
        {
            _done.Set();
        }
    }

    /// <summary>Waits for the inference that was enqueued last. Its result stays until the next one is enqueued.</summary>
    /// <param name="microseconds">Rounded up to milliseconds; 0 only looks.</param>
    /// <returns>False: not complete within the time.</returns>
    /// <exception cref="SimulatedFailure">The inference failed, or nothing was enqueued (Inval).</exception>
    public bool Wait(ulong microseconds)
    {
        if (!_isSubmitted)
        {
            throw SimulatedFailure.Invalid("There is nothing to wait for: the execution object was never enqueued.");
        }

        if (!_done.IsSet)
        {
            Activation.ThrowIfToldHere();
        }

        if (!_done.IsSet && !WaitFor(microseconds))
        {
            return false;
        }

        // The same object would collect stack traces of every waiter, so each gets its own.
        return _failure is null ? true : throw new SimulatedFailure(_failure.Status, _failure.Message, _failure);
    }

    /// <summary>Reads the host's inputs. A smaller buffer is followed by zeros; a skipped one leaves on the device what was there.</summary>
    public void CopyIn()
    {
        for (int i = 0; i < _bindings.Length; i++)
        {
            DeviceBinding binding = _bindings[i];
            HostBuffer host = _host[i];
            if (binding is not { IsInput: true, Dma: >= 0 } || !host.IsCopied)
            {
                continue;
            }

            if (_stages[i] is { } stages)
            {
                stages.Run(host.Address, _device[i]);
            }
            else
            {
                Buffer.MemoryCopy((void*)host.Address, (void*)_device[i], binding.Bytes, host.Size);
                if (host.Size < binding.Bytes)
                {
                    // To the end of the largest shape, as the rest may become part of a later inference that skips this input.
                    NativeMemory.Clear((void*)(_device[i] + (nint)host.Size), (nuint)(binding.Bytes - host.Size));
                }
            }
        }
    }

    /// <summary>Computes in device memory.</summary>
    public void Run() => _executions![_shapes].Run();

    /// <summary>Writes the host's outputs.</summary>
    public void CopyOut()
    {
        for (int i = 0; i < _bindings.Length; i++)
        {
            HostBuffer host = _host[i];
            if (_bindings[i] is not { IsInput: false, Dma: >= 0 } || !host.IsCopied)
            {
                continue;
            }

            if (_stages[i] is { } stages)
            {
                stages.Run(_device[i], host.Address);
            }
            else
            {
                Buffer.MemoryCopy((void*)_device[i], (void*)host.Address, host.Size, host.Size);
            }
        }
    }

    /// <summary>Makes the computation end soon. May come when the execution object is gone.</summary>
    public void Terminate()
    {
        lock (_executionSync)
        {
            _executions?[_shapes].Terminate();
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        Activation.Withdraw(this);
        try
        {
            lock (_executionSync)
            {
                foreach (ISimulatedExecution execution in _executions ?? [])
                {
                    execution.Dispose();
                }

                _executions = null;
            }
        }
        finally
        {
            _deviceMemory.Free();
            Program.Card.Release(_network);
            Program.OnExecObjReleased(this);
        }
    }

    private void Check(in QBuffer buffer, TensorSpec host, int index, bool hasDimensions)
    {
        string What() => $"Buffer {index} ({(_bindings[index].IsInput ? "input" : "output")} {host})";
        ulong bytes = (ulong)host.ByteLength;
        if (buffer.Type != QBufferType.Heap)
        {
            throw new SimulatedFailure(QStatus.Unsupported, $"{What()} has type {(uint)buffer.Type}; the simulated card takes heap memory (0) only.");
        }

        if (buffer.Size > bytes)
        {
            throw SimulatedFailure.Invalid($"{What()} is given {buffer.Size} bytes; it has {bytes}.");
        }

        if (buffer.Size < bytes)
        {
            if (!host.IsPartialAllowed && !hasDimensions)
            {
                throw SimulatedFailure.Invalid($"{What()} is given {buffer.Size} bytes; it needs all {bytes}: the network does not allow a partial buffer here.");
            }

            if (_stages[index] is not null && buffer.Size != 0)
            {
                throw SimulatedFailure.Invalid($"{What()} is given {buffer.Size} of {bytes} bytes; its elements are converted on the way, and the simulated card converts whole buffers. Leave it out, give all of it, or select the I/O set 'dma'.");
            }

            if (buffer.Size % (ulong)host.ElementType.SizeInBytes() != 0)
            {
                throw SimulatedFailure.Invalid($"{What()} is given {buffer.Size} bytes, which is not a whole number of elements.");
            }
        }

        if (buffer.Buf == null && buffer.Size != 0)
        {
            throw SimulatedFailure.Invalid($"{What()} has a null pointer and {buffer.Size} bytes.");
        }
    }

    // The set of shapes that has these dimensions; negative if none has.
    private int Match(ReadOnlySpan<QBuffer> buffers, ReadOnlySpan<QBufferDimensions> dimensions)
    {
        for (int i = 0; i < dimensions.Length; i++)
        {
            if (dimensions[i].Dims == null && dimensions[i].Count > 0)
            {
                throw SimulatedFailure.Invalid($"The dimensions of buffer {i} ({_bindings[i].Spec}) are a null pointer.");
            }
        }

        // Converted elements come in the one set of shapes that there is, in the host's types.
        TensorSpec[][] sets = _view!.IsConverting ? [_view.Specs] : _network.Qpc.ShapeSets;
        for (int set = 0; set < sets.Length; set++)
        {
            int i = 0;
            while (i < buffers.Length && Matches(buffers[i], dimensions[i], sets[set][i]))
            {
                i++;
            }

            if (i == buffers.Length)
            {
                return set;
            }
        }

        return -1;
    }

    // Bytes have to be the shape's own; fewer where a partial buffer is allowed, and none at all where it is skipped.
    private static bool Matches(in QBuffer buffer, in QBufferDimensions given, TensorSpec spec)
    {
        if (spec.IsPartialAllowed && buffer.Size == 0 && given.Count == 1 && given.Dims[0] == 0)
        {
            return true;
        }

        bool isSized = (long)buffer.Size == spec.ByteLength || (spec.IsPartialAllowed && (long)buffer.Size < spec.ByteLength);
        return isSized
            && given.Count == spec.Shape.Length
            && given.SizeOfElem == spec.ElementType.SizeInBytes()
            && MemoryMarshal.Cast<uint, int>(new ReadOnlySpan<uint>(given.Dims, (int)given.Count)).SequenceEqual(spec.Shape.AsSpan());
    }

    private SimulatedFailure Unmatched(ReadOnlySpan<QBuffer> buffers, ReadOnlySpan<QBufferDimensions> dimensions)
    {
        string[] given = new string[buffers.Length];
        for (int i = 0; i < given.Length; i++)
        {
            // A count that nobody means is not read.
            string dims = dimensions.IsEmpty ? "whole"
                : dimensions[i].Count > 64 ? $"{dimensions[i].Count} dimensions"
                : $"[{string.Join(", ", new ReadOnlySpan<uint>(dimensions[i].Dims, (int)dimensions[i].Count).ToArray())}] of {dimensions[i].SizeOfElem}-byte elements";
            given[i] = $"{_bindings[i].Spec.Name} {dims} in {buffers[i].Size} bytes";
        }

        IEnumerable<string> allowed = _network.Qpc.ShapeSets.Take(16).Select(set => string.Join(", ", set.Select(t => t.ToString())));
        return new SimulatedFailure(
            QStatus.DevError,
            $"No matching specialization/dimension found: {string.Join("; ", given)}. The network has {_network.Qpc.ShapeSets.Length}: {string.Join(" | ", allowed)}.");
    }

    private void AllocateDevice()
    {
        List<DmaBuffer> buffers = _network.Qpc.Network.DmaBuffers;
        int alignment = _view is null ? Environment.SystemPageSize : DeviceAlignment;
        nint[] dma = [.. buffers.Select(buffer => _deviceMemory.AllocateAligned(buffer.Size, alignment))];
        for (int i = 0; i < _bindings.Length; i++)
        {
            // In its DMA buffer; a binding that is not transferred, or that a packed layout puts at an odd offset, has a block of its own.
            DeviceBinding binding = _bindings[i];
            nint place = binding.Dma >= 0 ? dma[binding.Dma] + (nint)binding.Offset : 0;
            bool isInPlace = place != 0 && binding.Offset % DeviceAlignment == 0;
            _device[i] = isInPlace ? place : _deviceMemory.AllocateAligned(binding.Bytes, DeviceAlignment);
            if (_view is null)
            {
                // Only what lies at an odd offset has to be copied; the rest is where the host writes and reads it.
                _host[i] = new HostBuffer(isInPlace ? 0 : place, binding.Bytes);
            }
        }

        if (_view is null)
        {
            LendBuffers(buffers, dma);
        }
    }

    private void LendBuffers(List<DmaBuffer> buffers, nint[] dma)
    {
        _shapes = _network.Qpc.WholeShapes;
        if (_shapes < 0)
        {
            throw SimulatedFailure.Invalid(
                $"The network has {_network.Qpc.ShapeSets.Length} sets of shapes and none of them fills every buffer; zero-copy buffers are always whole. Use buffers of the host and qaicExecObjSetDataExt.");
        }

        QBuffer* lent = _deviceMemory.Allocate<QBuffer>(dma.Length);
        for (int i = 0; i < dma.Length; i++)
        {
            lent[i] = new QBuffer { Size = buffers[i].Size, Buf = (byte*)dma[i], Type = QBufferType.Heap };
        }

        IoBuffers = lent;
        _hasData = true;
    }

    private void BindAll()
    {
        TensorSpec[][] sets = _network.Qpc.ShapeSets;
        var executions = new List<ISimulatedExecution>(sets.Length);
        try
        {
            foreach (TensorSpec[] set in sets)
            {
                executions.Add(_network.Network.Bind([.. set.Select((spec, i) => new DeviceTensor(spec, _bindings[i].IsInput, _device[i], spec.ByteLength))]));
            }
        }
        catch
        {
            executions.ForEach(e => e.Dispose());
            throw;
        }

        _executions = [.. executions];
    }

    private bool WaitFor(ulong microseconds)
    {
        TimeProvider clock = Program.Context.Machine.Clock;
        int milliseconds = (int)Math.Min((microseconds + 999) / 1000, int.MaxValue);
        if (milliseconds == 0)
        {
            return _done.IsSet;
        }

        if (clock == TimeProvider.System)
        {
            return _done.Wait(milliseconds);
        }

        using CancellationTokenSource timeout = new(TimeSpan.FromMilliseconds(milliseconds), clock);
        try
        {
            _done.Wait(timeout.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return _done.IsSet;
        }
    }

    // Address 0: left out, or the device's own memory.
    private readonly record struct HostBuffer(nint Address, long Size)
    {
        public bool IsCopied => Address != 0 && Size > 0;
    }
}
