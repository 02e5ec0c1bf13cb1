using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.OnnxRuntime.Compilation;
using Qaic.Simulation;

namespace Qaic.OnnxRuntime;

/// <summary>A network bound to device memory. Nothing is allocated per run: values and binding are made once.</summary>
internal sealed class OnnxExecution : ISimulatedExecution
{
    private readonly OnnxNetwork _network;
    private readonly InferenceSession _session;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _options = new();
    private readonly List<OrtValue> _values = [];

    // Outputs that are inputs under the same name: ONNX Runtime hands such an input on instead of writing it anywhere.
    private readonly List<(nint From, nint To, long Length)> _copies = [];

    // Guards the options against a Terminate that comes while they are released.
    private readonly Lock _lock = new();

    // Tensors whose precision differs between host and model.
    private readonly List<CustomIoEdge> _inputEdges = [];
    private readonly List<CustomIoEdge> _outputEdges = [];

    private bool _isTerminated;
    private bool _isDisposed;

    /// <param name="network">The network.</param>
    /// <param name="session">Its session.</param>
    /// <param name="shaped">The session's inputs, then its outputs, with every dimension known.</param>
    /// <param name="tensors">The same as the host sees them, and their memory.</param>
    public OnnxExecution(OnnxNetwork network, OrtSession session, ReadOnlySpan<OrtTensor> shaped, ReadOnlySpan<DeviceTensor> tensors)
    {
        (_network, _session) = (network, session.Session);
        _binding = _session.CreateIoBinding();
        try
        {
            for (int i = 0; i < tensors.Length; i++)
            {
                bool isInput = i < session.Inputs.Count;
                OrtTensor tensor = shaped[i];
                nint address = tensors[i].Address;
                if (CustomIoEdge.IsNeeded(tensors[i].Spec, tensor))
                {
                    var edge = new CustomIoEdge(tensors[i].Spec, address, tensor);
                    (isInput ? _inputEdges : _outputEdges).Add(edge);
                    address = edge.ModelMemory;
                }

                // The memory may be larger: a card's buffers count a dimension of 0 as 1.
                var value = OrtValue.CreateTensorValueWithData(
                    OrtMemoryInfo.DefaultInstance, (TensorElementType)tensor.DataType, [.. tensor.Shape.Select(d => (long)d)], address, tensor.ByteLength);
                _values.Add(value);
                if (isInput)
                {
                    _binding.BindInput(tensor.Name, value);
                }
                else
                {
                    _binding.BindOutput(tensor.Name, value);
                    for (int input = 0; input < session.Inputs.Count; input++)
                    {
                        if (session.Inputs[input].Name == tensor.Name)
                        {
                            _copies.Add((tensors[input].Address, tensors[i].Address, CustomIoEdge.HostLength(tensors[i].Spec, tensor)));
                        }
                    }
                }
            }
        }
        catch
        {
            ReleaseValues();
            throw;
        }
    }

    public void Run()
    {
        ObjectDisposedException.ThrowIf(_isDisposed || _network.IsDisposed, this);
        try
        {
            // ONNX Runtime looks at the flag between nodes only, so a graph without nodes would never see it.
            if (!Volatile.Read(ref _isTerminated))
            {
                _inputEdges.ForEach(static edge => edge.ToModel());
                _session.RunWithBinding(_options, _binding);
                _outputEdges.ForEach(static edge => edge.ToHost());
                foreach ((nint from, nint to, long length) in _copies)
                {
                    unsafe
                    {
                        Buffer.MemoryCopy((void*)from, (void*)to, length, length);
                    }
                }

                return;
            }
        }
        catch (OnnxRuntimeException) when (Volatile.Read(ref _isTerminated))
        {
            // Whatever it says, it stopped because it was told to.
        }

        lock (_lock)
        {
            _isTerminated = false;
            _options.Terminate = false;
        }

        throw new OperationCanceledException("The inference was terminated.");
    }

    public void Terminate()
    {
        lock (_lock)
        {
            if (!_isDisposed)
            {
                Volatile.Write(ref _isTerminated, true);
                _options.Terminate = true;
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            ReleaseValues();
        }

        _network.Release();
    }

    private void ReleaseValues()
    {
        _binding.Dispose();
        _values.ForEach(v => v.Dispose());
        _options.Dispose();
        _inputEdges.ForEach(e => e.Dispose());
        _outputEdges.ForEach(e => e.Dispose());
    }
}
