using Microsoft.Extensions.Logging.Abstractions;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>A model as ONNX Runtime runs it on this host: after folding, fusing, and the choice of kernels.</summary>
/// <param name="Model">The optimised model.</param>
internal sealed record OptimizedGraph(OnnxModel Model)
{
    /// <summary>How many nodes there are of each operator, in subgraphs too. Operators of all domains count by their type alone: a convolution in blocked layout is a <c>Conv</c>.</summary>
    public IReadOnlyDictionary<string, int> Operators { get; } = Count(Model.Graph);

    /// <summary>How many nodes of an operator; 0 if there is none.</summary>
    public int this[string operatorType] => Operators.GetValueOrDefault(operatorType);

    /// <summary>Loads a model as the simulated card does and looks at what becomes of it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="weights">Weights that it refers to.</param>
    /// <param name="settings">How it is computed; null for the settings that it carries.</param>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">ONNX Runtime refuses the model.</exception>
    public static OptimizedGraph Of(byte[] model, IReadOnlyList<MemoryWeight> weights, NetworkSettings? settings = null)
    {
        settings ??= NetworkSettings.Of(OnnxModel.Parse(model, "model"));
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-optimized-");
        try
        {
            string path = Path.Combine(directory.FullName, "optimized.onnx");
            using var session = new OrtSession(model, weights, 0, NullLogger.Instance, CancellationToken.None, settings, path);
            return new OptimizedGraph(OnnxModel.Load(path));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>The same for a model with its weights inside it or beside it. It is not changed.</summary>
    public static OptimizedGraph Of(OnnxModel model)
    {
        var copy = model.Clone();
        using var weights = WeightSegment.Extract(copy);
        return Of(copy.ToBytes(), weights.InMemory());
    }

    /// <summary>For messages: <c>Conv 2, Gemm 1</c>.</summary>
    public override string ToString() => string.Join(", ", Operators.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => $"{o.Key} {o.Value}"));

    private static Dictionary<string, int> Count(GraphProto graph)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        Add(graph);
        return counts;

        void Add(GraphProto part)
        {
            foreach (NodeProto node in part.Node)
            {
                counts[node.OpType] = counts.GetValueOrDefault(node.OpType) + 1;
                foreach (AttributeProto attribute in node.Attribute)
                {
                    if (attribute.G is { } graph)
                    {
                        Add(graph);
                    }

                    foreach (GraphProto one in attribute.Graphs)
                    {
                        Add(one);
                    }
                }
            }
        }
    }
}
