using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime;

/// <summary>An input or output as ONNX Runtime sees it.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Kind">Tensor, sequence, map, …</param>
/// <param name="DataType">ONNX's number of the element type; 0 if it is no tensor.</param>
/// <param name="Shape">Dimensions; a negative one is not known before the model runs.</param>
internal sealed record OrtTensor(string Name, OnnxValueType Kind, int DataType, int[] Shape)
{
    /// <summary>Bytes of the elements.</summary>
    /// <remarks>Only where no dimension is open.</remarks>
    public long ByteLength => Shape.Aggregate((long)OnnxTypes.BufferType(DataType)!.Value.SizeInBytes(), (bytes, dim) => checked(bytes * dim));

    /// <summary>The tensor with its open dimensions filled in; null if the shape does not fit.</summary>
    /// <remarks>Dimensions that are known stay: a card's buffers count a dimension of 0 as 1, the model does not.</remarks>
    public OrtTensor? With(IReadOnlyList<int> shape) =>
        shape.Count == Shape.Length && shape.Zip(Shape).All(d => d.Second < 0 ? d.First >= 0 : d.First == Math.Max(d.Second, 1))
            ? this with { Shape = [.. Shape.Select((dim, axis) => dim < 0 ? shape[axis] : dim)] }
            : null;

    public override string ToString() => $"{Name} {OnnxTypes.Name(DataType)}[{string.Join(", ", Shape)}]";
}

/// <summary>A session with the settings that measurement chose for a simulated card.</summary>
/// <remarks>Thread-safe: many executions run on one session, each on its caller's thread. Sessions of their own would multiply the weights and run slower.</remarks>
internal sealed class OrtSession : IDisposable
{
    // From here on the arena and the memory pattern pay; below they only add a lock that all executions share.
    private const long LargeBuffer = 16 << 20;

    private readonly SessionOptions _options;
    private readonly IDisposable _log;

    /// <param name="model">The ONNX model.</param>
    /// <param name="weights">Weights that the model refers to. Their memory must outlive the session.</param>
    /// <param name="largestBuffer">Bytes of the largest tensor that is known.</param>
    /// <param name="logger">Receives ONNX Runtime's messages.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <param name="settings">How the network is computed; null for the model's own kernels.</param>
    /// <param name="optimizedModelPath">File that receives the graph as ONNX Runtime runs it; null for none.</param>
    /// <exception cref="OnnxRuntimeException">ONNX Runtime refuses the model.</exception>
    /// <exception cref="OperationCanceledException">The loading was cancelled.</exception>
    public OrtSession(
        byte[] model,
        IReadOnlyList<MemoryWeight> weights,
        long largestBuffer,
        ILogger logger,
        CancellationToken cancellationToken,
        NetworkSettings? settings = null,
        string? optimizedModelPath = null)
    {
        // Decides where messages go, so it comes before any other use of ONNX Runtime.
        _ = OrtEnvironment.Version;
        _options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            EnableCpuMemArena = largestBuffer >= LargeBuffer,
            EnableMemoryPattern = largestBuffer >= LargeBuffer,
        };
        _log = OrtEnvironment.Attach(_options, logger);
        try
        {
            _options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            _options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0");
            foreach ((string key, string value) in (settings ?? NetworkSettings.Default).SessionEntries(IntegerKernels.AreExact))
            {
                _options.AddSessionConfigEntry(key, value);
            }

            if (optimizedModelPath is not null)
            {
                _options.OptimizedModelFilePath = optimizedModelPath;
            }

            OrtNative.AddWeights(_options, weights);
            using (cancellationToken.Register(static o => ((SessionOptions)o!).SetLoadCancellationFlag(true), _options))
            {
                Session = new InferenceSession(model, _options);
            }

            Inputs = [.. Session.InputNames.Select(n => Describe(n, Session.InputMetadata[n]))];
            Outputs = [.. Session.OutputNames.Select(n => Describe(n, Session.OutputMetadata[n]))];
        }
        catch (OnnxRuntimeException) when (cancellationToken.IsCancellationRequested)
        {
            Dispose();
            throw new OperationCanceledException(cancellationToken);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public InferenceSession Session { get; } = null!;

    public IReadOnlyList<OrtTensor> Inputs { get; } = [];

    public IReadOnlyList<OrtTensor> Outputs { get; } = [];

    public void Dispose()
    {
        Session?.Dispose();
        _options.Dispose();
        _log.Dispose();
    }

    private static OrtTensor Describe(string name, NodeMetadata metadata) => metadata.OnnxValueType == OnnxValueType.ONNX_TYPE_TENSOR
        ? new OrtTensor(name, metadata.OnnxValueType, (int)metadata.ElementDataType, metadata.Dimensions)
        : new OrtTensor(name, metadata.OnnxValueType, 0, []);
}
