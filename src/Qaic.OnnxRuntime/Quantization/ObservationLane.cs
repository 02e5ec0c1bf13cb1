using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.Compilation;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>A batch's way through the network: memory for all that goes in and comes out, bound once, and the thread that runs it, if it has one.</summary>
/// <remarks>Idle, it belongs to the thread that gathers; from <see cref="Start"/> until <see cref="Wait"/> or <see cref="WaitAsync"/> has returned, to its own.</remarks>
internal sealed class ObservationLane : IDisposable
{
    private const int Alignment = 64;

    private readonly ObservedNetwork _network;
    private readonly Action<ObservationLane> _process;
    private readonly unsafe byte* _block;
    private readonly nint[] _inputs;
    private readonly nint[] _outputs;
    private readonly int[] _inputLengths;
    private readonly int[] _outputLengths;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _options = new();
    private readonly List<OrtValue> _values = [];
    private readonly bool _hasOpenOutputs;
    private readonly SemaphoreSlim _start = new(0);
    private readonly SemaphoreSlim _done = new(0);
    private readonly Thread? _thread;
    private IDisposableReadOnlyCollection<OrtValue>? _results;
    private bool _isStarted;
    private bool _isLast;

    /// <param name="network">The network.</param>
    /// <param name="isInline">Whether batches run in <see cref="Start"/>, on the caller's thread.</param>
    /// <param name="process">What is done with a batch; it throws nothing.</param>
    public unsafe ObservationLane(ObservedNetwork network, bool isInline, Action<ObservationLane> process)
    {
        (_network, _process) = (network, process);
        Samples = new long[network.BatchSize];
        _block = (byte*)NativeMemory.AlignedAlloc((nuint)ByteLength(network), Alignment);
        _binding = network.Session.Session.CreateIoBinding();
        try
        {
            byte* at = _block;
            (_inputs, _inputLengths) = Bind(network.Inputs, ref at, _binding.BindInput);
            (_outputs, _outputLengths) = Bind(network.Outputs, ref at, _binding.BindOutput);
            _hasOpenOutputs = network.Outputs.Any(IsOpen);
        }
        catch
        {
            Dispose();
            throw;
        }

        if (!isInline)
        {
            _thread = new Thread(Work) { IsBackground = true, Name = "qaic profiling" };
            _thread.Start();
        }
    }

    /// <summary>First byte of each input.</summary>
    public ReadOnlySpan<nint> Inputs => _inputs;

    /// <summary>The sample that each row comes from.</summary>
    public long[] Samples { get; }

    /// <summary>Rows of data that the batch has.</summary>
    public int Rows { get; set; }

    /// <summary>Number of the batch, from 0.</summary>
    public long Batch { get; set; }

    /// <summary>Why the batch was not observed; null if it was.</summary>
    public ExceptionDispatchInfo? Failure { get; set; }

    /// <summary>Bytes that a lane of this network needs.</summary>
    public static long ByteLength(ObservedNetwork network) =>
        Math.Max(1, network.Inputs.Concat(network.Outputs).Where(t => !IsOpen(t)).Sum(t => Aligned(t.ByteLength)));

    /// <summary>Starts with the batch.</summary>
    public void Start()
    {
        _isStarted = true;
        if (_thread is null)
        {
            _process(this);
            _done.Release();
        }
        else
        {
            _start.Release();
        }
    }

    /// <summary>Whether <see cref="Wait"/> would not wait.</summary>
    public bool IsIdle => !_isStarted || _done.CurrentCount > 0;

    /// <summary>Waits for the batch; returns at once if none was started.</summary>
    public void Wait()
    {
        if (_isStarted)
        {
            _done.Wait();
            _isStarted = false;
        }
    }

    /// <inheritdoc cref="Wait"/>
    public async ValueTask WaitAsync()
    {
        if (_isStarted)
        {
            await _done.WaitAsync().ConfigureAwait(false);
            _isStarted = false;
        }
    }

    /// <summary>Runs the batch through the network.</summary>
    /// <exception cref="OnnxRuntimeException">The network cannot digest it, or <see cref="Terminate"/> was called.</exception>
    public void Run()
    {
        if (!_network.HasOutputs)
        {
            return;
        }

        if (_hasOpenOutputs)
        {
            // ONNX Runtime would write the next results over the ones before, which may have had another shape.
            _results?.Dispose();
            _results = null;
            foreach (OrtTensor output in _network.Outputs.Where(IsOpen))
            {
                _binding.BindOutputToDevice(output.Name, OrtMemoryInfo.DefaultInstance);
            }
        }

        _network.Session.Session.RunWithBinding(_options, _binding);
        if (_hasOpenOutputs)
        {
            _results = _binding.GetOutputValues();
        }
    }

    /// <summary>The numbers of a tensor after <see cref="Run"/>.</summary>
    public unsafe ReadOnlySpan<float> Values(ObservedTensor tensor) => tensor.IsInput
        ? new ReadOnlySpan<float>((void*)_inputs[tensor.Index], _inputLengths[tensor.Index] / sizeof(float))
        : _outputs[tensor.Index] != 0
        ? new ReadOnlySpan<float>((void*)_outputs[tensor.Index], _outputLengths[tensor.Index] / sizeof(float))
        : _results!.ElementAt(tensor.Index).GetTensorDataAsSpan<float>();

    /// <summary>Ends a run soon, and every later one. Any thread may call it while the lane is not disposed.</summary>
    public void Terminate() => _options.Terminate = true;

    /// <summary>Waits for the batch that is on its way and gives everything back.</summary>
    public unsafe void Dispose()
    {
        if (_thread is not null)
        {
            Wait();
            _isLast = true;
            _start.Release();
            _thread.Join();
        }

        _results?.Dispose();
        _binding.Dispose();
        _values.ForEach(v => v.Dispose());
        _options.Dispose();
        _start.Dispose();
        _done.Dispose();
        NativeMemory.AlignedFree(_block);
    }

    private static bool IsOpen(OrtTensor tensor) => tensor.Shape.Any(d => d < 0);

    private static long Aligned(long bytes) => (bytes + Alignment - 1) & ~(long)(Alignment - 1);

    private unsafe (nint[] Addresses, int[] Lengths) Bind(IReadOnlyList<OrtTensor> tensors, ref byte* at, Action<string, OrtValue> bind)
    {
        nint[] addresses = new nint[tensors.Count];
        int[] lengths = new int[tensors.Count];
        for (int i = 0; i < tensors.Count; i++)
        {
            OrtTensor tensor = tensors[i];
            if (IsOpen(tensor))
            {
                // Bound before each run; what matters here is the order.
                _binding.BindOutputToDevice(tensor.Name, OrtMemoryInfo.DefaultInstance);
                continue;
            }

            long length = tensor.ByteLength;
            lengths[i] = length <= int.MaxValue ? (int)length : throw new CompilationException(
                $"Tensor '{tensor}' has {length} bytes, more than the 2 GiB that can be looked at in one batch. Profile with a smaller BatchSize (batch_size).");
            addresses[i] = (nint)at;
            at += Aligned(lengths[i]);
            var value = OrtValue.CreateTensorValueWithData(
                OrtMemoryInfo.DefaultInstance, (TensorElementType)tensor.DataType, [.. tensor.Shape.Select(d => (long)d)], addresses[i], lengths[i]);
            _values.Add(value);
            bind(tensor.Name, value);
        }

        return (addresses, lengths);
    }

    private void Work()
    {
        while (true)
        {
            _start.Wait();
            if (_isLast)
            {
                return;
            }

            _process(this);
            _done.Release();
        }
    }
}
