using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Type and shape of a tensor inside a graph.</summary>
/// <param name="DataType">ONNX's number of the element type; 0 if it is no tensor.</param>
/// <param name="Shape">Dimensions; -1 where the length is not known before the model runs.</param>
internal sealed record TensorInfo(int DataType, int[] Shape)
{
    /// <summary>ONNX's number of float.</summary>
    public const int Float = 1;

    /// <summary>Whether the elements are float.</summary>
    public bool IsFloat => DataType == Float;
}

/// <summary>Asks ONNX Runtime for the type and shape of every tensor in a graph.</summary>
/// <remarks>The graph is loaded without its weights: each becomes an input of the same type and shape, which says as much of the rest, and costs neither a copy nor their file.</remarks>
internal static class TensorInference
{
    /// <param name="model">The model.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="CompilationException">ONNX Runtime refuses the model.</exception>
    public static Dictionary<string, TensorInfo> Infer(OnnxModel model, CancellationToken cancellationToken = default)
    {
        (GraphProto source, var graph) = (model.Graph, new GraphProto { Name = model.Graph.Name });
        graph.Node.AddRange(source.Node);
        graph.Input.AddRange(source.Input);
        graph.Output.AddRange(source.Output);
        graph.ValueInfo.AddRange(source.ValueInfo);
        graph.SparseInitializer.AddRange(source.SparseInitializer);
        HashSet<string> inputs = [.. source.Input.Select(i => i.Name)];
        var known = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        foreach (TensorProto tensor in source.Initializer)
        {
            known[tensor.Name] = new TensorInfo(tensor.DataType, [.. tensor.Dims.Select(d => checked((int)d))]);
            if (tensor.DataType is 1 or 10 or 11 or 16 && InitializerData.Count(model, tensor) * OnnxTypes.RawSize(tensor.DataType) >= WeightSegment.SmallestWeight)
            {
                // Up to version 3 of the format initializers are inputs as well.
                if (!inputs.Contains(tensor.Name))
                {
                    graph.Input.Add(Declare(tensor));
                }
            }
            else
            {
                graph.Initializer.Add(InitializerData.Inlined(model, tensor));
            }
        }

        HashSet<string> outputs = [.. source.Output.Select(o => o.Name)];
        foreach (string output in source.Node.SelectMany(n => n.Output).Where(o => o.Length > 0 && outputs.Add(o)))
        {
            // Without a type ONNX Runtime fills in what it infers.
            graph.Output.Add(new ValueInfoProto { Name = output });
        }

        var proto = new ModelProto { IrVersion = model.Proto.IrVersion, Graph = graph };
        proto.OpsetImport.AddRange(model.Proto.OpsetImport);
        proto.Functions.AddRange(model.Proto.Functions);
        Ask(model, proto, known, cancellationToken);
        return known;
    }

    private static void Ask(OnnxModel model, ModelProto proto, Dictionary<string, TensorInfo> known, CancellationToken cancellationToken)
    {
        // Decides where messages go, so it comes before any other use of ONNX Runtime.
        _ = OrtEnvironment.Version;
        using var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL,
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            EnableCpuMemArena = false,
        };
        using IDisposable log = OrtEnvironment.Attach(options, NullLogger.Instance);
        try
        {
            using CancellationTokenRegistration stop = cancellationToken.Register(static o => ((SessionOptions)o!).SetLoadCancellationFlag(true), options);
            cancellationToken.ThrowIfCancellationRequested();
            using var session = new InferenceSession(Google.Protobuf.MessageExtensions.ToByteArray(proto), options);
            foreach ((string name, NodeMetadata metadata) in session.InputMetadata.Concat(session.OutputMetadata))
            {
                known.TryAdd(name, metadata.OnnxValueType == OnnxValueType.ONNX_TYPE_TENSOR ? new TensorInfo((int)metadata.ElementDataType, metadata.Dimensions) : new TensorInfo(0, []));
            }
        }
        catch (OnnxRuntimeException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (OnnxRuntimeException e)
        {
            throw new CompilationException($"ONNX Runtime {OrtEnvironment.Version} refuses '{model.Source}': {e.Message}", e);
        }
    }

    private static ValueInfoProto Declare(TensorProto tensor)
    {
        var shape = new TensorShapeProto();
        shape.Dim.AddRange(tensor.Dims.Select(d => new TensorShapeProto.Types.Dimension { DimValue = d }));
        return new ValueInfoProto { Name = tensor.Name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = tensor.DataType, Shape = shape } } };
    }
}
