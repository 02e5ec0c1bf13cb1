using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>A tensor that is looked at after each batch.</summary>
/// <param name="Name">Its name in the model.</param>
/// <param name="IsInput">Whether it is an input of the model; else it is an output of the session.</param>
/// <param name="Index">Which of the session's inputs or outputs.</param>
internal readonly record struct ObservedTensor(string Name, bool IsInput, int Index);

/// <summary>A model that shows its inside: the tensors in question are its outputs, and nothing else is.</summary>
/// <remarks>
/// All of ONNX Runtime's optimisations stay on. They never remove an output, and what they may fuse, as a convolution with its activation function, has no output inside.
/// </remarks>
internal sealed class ObservedNetwork : IDisposable
{
    // Their result has the numbers of their first input, each as often, in another order or shape: what is seen of one is seen of the other.
    private static readonly HashSet<string> s_movers = ["DepthToSpace", "Flatten", "Identity", "Reshape", "SpaceToDepth", "Squeeze", "Transpose", "Unsqueeze"];

    private readonly WeightSegment _weights;

    /// <param name="model">The model, whose inputs have fixed shapes. It is not changed.</param>
    /// <param name="activations">Names of float tensors, inputs of the model among them.</param>
    /// <param name="logger">Receives ONNX Runtime's messages.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="CompilationException">The model cannot be run, or has an input that no buffer can carry.</exception>
    public ObservedNetwork(OnnxModel model, IReadOnlyList<string> activations, ILogger logger, CancellationToken cancellationToken)
    {
        Source = model.Source;
        string[] seen = Trace(model, activations);
        HashSet<string> inputs = [.. model.Inputs.Select(i => i.Name)];
        string[] computed = [.. seen.Distinct().Where(name => !inputs.Contains(name))];

        OnnxModel copy = model.Clone();
        HasOutputs = computed.Length > 0;
        if (HasOutputs)
        {
            // Without types: ONNX Runtime infers them. What the model declares of its inside may come from another batch size, and is not needed.
            copy.Graph.Output.Clear();
            copy.Graph.Output.Add(computed.Select(name => new ValueInfoProto { Name = name }));
            copy.Graph.ValueInfo.Clear();
        }

        _weights = WeightSegment.Extract(copy);
        try
        {
            Session = Load(copy, _weights, logger, cancellationToken);
            Inputs = [.. Session.Inputs.Select(Checked)];

            // An unknown rank looks like a scalar. Neither needs memory of its own beforehand.
            Outputs = HasOutputs ? [.. Session.Outputs.Select(o => o.Shape.Length == 0 ? o with { Shape = [-1] } : o)] : [];
            HasBatch = Inputs.Count > 0 && Inputs.All(i => i.Shape.Length > 0 && i.Shape[0] > 0 && i.Shape[0] == Inputs[0].Shape[0]);
            BatchSize = HasBatch ? Inputs[0].Shape[0] : 1;

            string[] distinct = [.. seen.Distinct()];
            Tensors = [.. distinct.Select(Locate)];
            Sources = [.. seen.Select(name => Array.IndexOf(distinct, name))];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Path or name of the model, for messages.</summary>
    public string Source { get; }

    /// <summary>The session that all executions share.</summary>
    public OrtSession Session { get; } = null!;

    /// <summary>The model's inputs; all shapes are fixed.</summary>
    public IReadOnlyList<OrtTensor> Inputs { get; } = [];

    /// <summary>What the session computes. A negative dimension is not known before it runs.</summary>
    public IReadOnlyList<OrtTensor> Outputs { get; } = [];

    /// <summary>Whether anything has to be computed. Otherwise the inputs alone are looked at.</summary>
    public bool HasOutputs { get; }

    /// <summary>Whether the inputs share their leading dimension; otherwise a sample is a whole inference.</summary>
    public bool HasBatch { get; }

    /// <summary>Rows of an inference; 1 without a batch.</summary>
    public int BatchSize { get; }

    /// <summary>The tensors to look at, inputs and outputs.</summary>
    public IReadOnlyList<ObservedTensor> Tensors { get; } = [];

    /// <summary>Per activation the index in <see cref="Tensors"/> of the one that has the same numbers.</summary>
    public IReadOnlyList<int> Sources { get; } = [];

    public void Dispose()
    {
        Session?.Dispose();

        // The session reads them as long as it lives.
        _weights.Dispose();
    }

    // Per activation the one that is looked at instead: itself, or what it is a rearrangement of.
    private static string[] Trace(OnnxModel model, IReadOnlyList<string> activations)
    {
        var origins = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (NodeProto node in model.Graph.Node)
        {
            if (node.Domain is "" or "ai.onnx" && s_movers.Contains(node.OpType) && node.Input.Count > 0 && node.Output.Count > 0)
            {
                origins.TryAdd(node.Output[0], node.Input[0]);
            }
        }

        HashSet<string> known = [.. activations];
        return [.. activations.Select(name =>
        {
            // A model is no cycle, but nothing has checked that yet.
            for (int steps = 0; steps <= origins.Count && origins.TryGetValue(name, out string? origin) && known.Contains(origin); steps++)
            {
                name = origin;
            }

            return name;
        })];
    }

    private static OrtSession Load(OnnxModel copy, WeightSegment weights, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            return new OrtSession(copy.ToBytes(), weights.InMemory(), 0, logger, cancellationToken);
        }
        catch (Exception e) when (e is OnnxRuntimeException or InvalidOperationException or NotSupportedException)
        {
            throw new CompilationException($"ONNX Runtime {OrtEnvironment.Version} refuses '{copy.Source}': {e.Message}", e);
        }
    }

    private OrtTensor Checked(OrtTensor input) =>
        input.Kind != OnnxValueType.ONNX_TYPE_TENSOR || OnnxTypes.BufferType(input.DataType) is null
            ? throw new CompilationException($"Input '{input.Name}' of '{Source}' is {(input.Kind == OnnxValueType.ONNX_TYPE_TENSOR ? OnnxTypes.Name(input.DataType) : input.Kind)}, which no buffer can carry. Cast it in the model.")
            : input.Shape.Any(d => d < 0)
            ? throw new CompilationException($"Input '{input}' of '{Source}' has an open dimension. Profiling needs fixed shapes: define symbols with OnnxDefineSymbol (onnx_define_symbol), the batch with BatchSize (batch_size).")
            : input;

    private ObservedTensor Locate(string name)
    {
        int input = Inputs.ToList().FindIndex(i => i.Name == name);
        int index = input >= 0 ? input : Outputs.ToList().FindIndex(o => o.Name == name);
        OrtTensor tensor = input >= 0 ? Inputs[index] : Outputs[index];
        return tensor.Kind == OnnxValueType.ONNX_TYPE_TENSOR && tensor.DataType == (int)TensorElementType.Float
            ? new ObservedTensor(name, input >= 0, index)
            : throw new CompilationException($"Tensor '{name}' of '{Source}' is {OnnxTypes.Name(tensor.DataType)}; only float tensors have a range to profile.");
    }
}
