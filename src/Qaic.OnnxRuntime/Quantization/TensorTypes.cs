using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Element types of all tensors of a model's main graph, as ONNX Runtime infers them.</summary>
internal static class TensorTypes
{
    /// <summary>ONNX's number of single precision.</summary>
    public const int Float = 1;

    /// <summary>ONNX's number of half precision.</summary>
    public const int Float16 = 10;

    /// <summary>Loads a copy of the model whose every value is an output, and asks for their types.</summary>
    /// <param name="model">The model. It is not changed.</param>
    /// <returns>ONNX's numbers by name; what is no tensor is missing.</returns>
    /// <exception cref="CompilationException">ONNX Runtime refuses the model.</exception>
    public static Dictionary<string, int> Infer(OnnxModel model)
    {
        var copy = model.Clone();
        using var weights = WeightSegment.Extract(copy);
        HashSet<string> outputs = [.. copy.Graph.Output.Select(o => o.Name)];
        foreach (string name in copy.Graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0 && outputs.Add(o)))
        {
            // Without a type: that is the question.
            copy.Graph.Output.Add(new ValueInfoProto { Name = name });
        }

        var types = new Dictionary<string, int>(StringComparer.Ordinal);
        try
        {
            // Nothing is going to run, so nothing is optimised. What there is to say of the model is said when it is loaded to run.
            using var session = new OrtSession(copy.ToBytes(), weights.InMemory(), 0, NullLogger.Instance, CancellationToken.None, isOptimized: false);
            foreach (OrtTensor tensor in session.Inputs.Concat(session.Outputs).Where(t => t.Kind == OnnxValueType.ONNX_TYPE_TENSOR))
            {
                types[tensor.Name] = tensor.DataType;
            }
        }
        catch (Exception e) when (e is OnnxRuntimeException or InvalidOperationException or NotSupportedException)
        {
            throw new CompilationException($"ONNX Runtime {OrtEnvironment.Version} refuses '{model.Source}': {e.Message}", e);
        }

        foreach (TensorProto tensor in copy.Graph.Initializer)
        {
            types[tensor.Name] = tensor.DataType;
        }

        return types;
    }
}
