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
    private int _users = 1;
    private volatile bool _isDisposed;

    private OnnxNetwork(OrtSession session) => _session = session;

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
            session = new OrtSession(image.Model, image.Weights, largest, logger, CancellationToken.None, image.Settings);
        }
        catch (OnnxRuntimeException e)
        {
            throw new NotSupportedException($"ONNX Runtime {OrtEnvironment.Version} refuses the network, which another version may have compiled; compile the model again. {e.Message}", e);
        }

        try
        {
            Compare(descriptor, session);
            return new OnnxNetwork(session);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    public ISimulatedExecution Bind(ReadOnlySpan<DeviceTensor> tensors)
    {
        // In the shapes of the set that is bound; those of a network without sets are known anyway.
        OrtTensor[] all = [.. _session.Inputs, .. _session.Outputs];
        if (tensors.Length != all.Length)
        {
            throw new ArgumentException($"The network has {all.Length} inputs and outputs, but {tensors.Length} tensors were given.", nameof(tensors));
        }

        for (int i = 0; i < all.Length; i++)
        {
            bool isInput = i < _session.Inputs.Count;
            OrtTensor? shaped = all[i].With(tensors[i].Spec.Shape);
            if (shaped is null || tensors[i].IsInput != isInput || tensors[i].ByteLength < CustomIoEdge.HostLength(tensors[i].Spec, shaped) || tensors[i].Address == 0)
            {
                throw new ArgumentException(
                    $"Tensor {i} must be the {(isInput ? "input" : "output")} '{all[i]}'{(shaped is null ? "" : $" of {CustomIoEdge.HostLength(tensors[i].Spec, shaped)} bytes")}; it is the {(tensors[i].IsInput ? "input" : "output")} '{tensors[i].Spec}' with {tensors[i].ByteLength} bytes.",
                    nameof(tensors));
            }

            all[i] = shaped;
        }

        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _users++;
        }

        try
        {
            return new OnnxExecution(this, _session, all, tensors);
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

    // Open dimensions of the model have a length in every set of shapes.
    private static void Compare(NetworkDescriptor descriptor, OrtSession session)
    {
        NetworkBinding[] bindings = [.. descriptor.Inputs, .. descriptor.Outputs];
        TensorSpec[] host = [.. IoDescriptor.FromNetwork(descriptor).SelectedSet.Bindings.Select(b => b.ToTensorSpec())];
        OrtTensor[] tensors = [.. session.Inputs, .. session.Outputs];
        List<int>[][] sets = descriptor.AllowedShapes.Count == 0
            ? [[.. bindings.Select(b => b.Initial.Dims)]]
            : [.. descriptor.AllowedShapes.Select(set => set.Shapes.Select(s => s.Dims).ToArray())];
        foreach (List<int>[] set in sets)
        {
            if (descriptor.Inputs.Count != session.Inputs.Count || bindings.Length != tensors.Length || set.Length != bindings.Length)
            {
                throw new QpcFormatException(
                    $"Segment {NetworkDescriptor.SegmentName} and the model disagree: {descriptor.Inputs.Count} inputs, {descriptor.Outputs.Count} outputs and {set.Length} shapes, "
                    + $"against {session.Inputs.Count} inputs and {session.Outputs.Count} outputs",
                    0);
            }

            for (int i = 0; i < tensors.Length; i++)
            {
                OrtTensor tensor = descriptor.AllowedShapes.Count == 0 ? tensors[i] : tensors[i].With([.. set[i].Select(d => Math.Max(d, 1))]) ?? tensors[i];

                // A type that the device converts to the model's is as good as that.
                ElementType? type = CustomIoEdge.IsNeeded(host[i], tensor) ? OnnxTypes.BufferType(tensor.DataType) : bindings[i].Initial.Type;
                string declared = $"{bindings[i].Name} {type}[{string.Join(", ", set[i])}]";
                string actual = $"{tensor.Name} {OnnxTypes.BufferType(tensor.DataType)}[{string.Join(", ", tensor.Shape)}]";
                if (declared != actual)
                {
                    string what = i < session.Inputs.Count ? "input" : "output";
                    throw new QpcFormatException($"Segment {NetworkDescriptor.SegmentName} and the model disagree on the {what}s: {declared} and {actual}", 0);
                }
            }
        }
    }
}
