using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Qpc;
using Qaic.Simulation;

namespace Qaic.OnnxRuntime;

/// <summary>A network in ONNX Runtime: one session that all executions share.</summary>
internal sealed class OnnxNetwork : ISimulatedNetwork
{
    // Executions hold on to the session; it goes with the last of them.
    private readonly Lock _lock = new();
    private readonly OrtSession _session;

    // Inputs, then outputs, as the host sees them.
    private readonly TensorSpec[] _host;
    private int _users = 1;
    private volatile bool _isDisposed;

    private OnnxNetwork(OrtSession session, TensorSpec[] host) => (_session, _host) = (session, host);

    public bool IsDisposed => _isDisposed;

    /// <exception cref="NotSupportedException">The QPC holds no ONNX model, or one that this version of ONNX Runtime refuses.</exception>
    /// <exception cref="QpcFormatException">The model, its weights, or the descriptor are damaged.</exception>
    public static OnnxNetwork Load(QpcFile qpc, ILogger logger)
    {
        NetworkImage image = NetworkImage.Read(qpc);
        NetworkDescriptor descriptor = qpc.ReadNetworkDescriptor();

        // Tensors inside the graph are not known here; those at its borders tell the order of magnitude.
        long largest = descriptor.DmaBuffers.Select(b => (long)b.Size).DefaultIfEmpty().Max();
        OrtSession session;
        try
        {
            session = new OrtSession(image.Model, image.Weights, largest, logger, CancellationToken.None);
        }
        catch (OnnxRuntimeException e)
        {
            throw new NotSupportedException($"ONNX Runtime {OrtEnvironment.Version} refuses the network, which another version may have compiled; compile the model again. {e.Message}", e);
        }

        try
        {
            TensorSpec[] host = [.. IoDescriptor.FromNetwork(descriptor).SelectedSet.Bindings.Select(b => b.ToTensorSpec())];
            Compare(descriptor.Inputs, host.AsSpan(0, descriptor.Inputs.Count), session.Inputs, "input");
            Compare(descriptor.Outputs, host.AsSpan(descriptor.Inputs.Count), session.Outputs, "output");
            return new OnnxNetwork(session, host);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    public ISimulatedExecution Bind(ReadOnlySpan<DeviceTensor> tensors)
    {
        OrtTensor[] all = [.. _session.Inputs, .. _session.Outputs];
        if (tensors.Length != all.Length)
        {
            throw new ArgumentException($"The network has {all.Length} inputs and outputs, but {tensors.Length} tensors were given.", nameof(tensors));
        }

        for (int i = 0; i < all.Length; i++)
        {
            bool isInput = i < _session.Inputs.Count;
            if (tensors[i].IsInput != isInput || tensors[i].ByteLength < CustomIoEdge.HostLength(_host[i], all[i]) || tensors[i].Address == 0)
            {
                throw new ArgumentException(
                    $"Tensor {i} must be the {(isInput ? "input" : "output")} '{all[i]}' of {CustomIoEdge.HostLength(_host[i], all[i])} bytes; it is the {(tensors[i].IsInput ? "input" : "output")} '{tensors[i].Spec}' with {tensors[i].ByteLength} bytes.",
                    nameof(tensors));
            }
        }

        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _users++;
        }

        try
        {
            return new OnnxExecution(this, _session, _host, tensors);
        }
        catch
        {
            Release();
            throw;
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
        }

        Release();
    }

    /// <summary>Called once by each execution that is disposed.</summary>
    public void Release()
    {
        lock (_lock)
        {
            if (--_users > 0)
            {
                return;
            }
        }

        _session.Dispose();
    }

    private static void Compare(List<NetworkBinding> bindings, ReadOnlySpan<TensorSpec> host, IReadOnlyList<OrtTensor> tensors, string what)
    {
        // A type that the device converts to the model's is as good as that.
        ElementType?[] types = new ElementType?[bindings.Count];
        for (int i = 0; i < types.Length; i++)
        {
            types[i] = i < tensors.Count && CustomIoEdge.IsNeeded(host[i], tensors[i]) ? OnnxTypes.BufferType(tensors[i].DataType) : bindings[i].Initial.Type;
        }

        string declared = string.Join("; ", bindings.Zip(types, (b, type) => $"{b.Name} {type}[{string.Join(", ", b.Initial.Dims)}]"));
        string actual = string.Join("; ", tensors.Select(t => $"{t.Name} {OnnxTypes.BufferType(t.DataType)}[{string.Join(", ", t.Shape)}]"));
        if (declared != actual)
        {
            throw new QpcFormatException($"Segment {NetworkDescriptor.SegmentName} and the model disagree on the {what}s: {declared} and {actual}", 0);
        }
    }
}
