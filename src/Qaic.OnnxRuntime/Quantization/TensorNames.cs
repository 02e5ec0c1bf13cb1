using System.Globalization;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>The names of tensors that a graph uses, and new ones that do not collide.</summary>
internal sealed class TensorNames
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    public TensorNames(GraphProto graph) => Collect(graph);

    /// <summary>This name, or with a number if it is taken.</summary>
    public string Unique(string name)
    {
        string unique = name;
        for (int i = 1; !_names.Add(unique); i++)
        {
            unique = string.Create(CultureInfo.InvariantCulture, $"{name}_{i}");
        }

        return unique;
    }

    private void Collect(GraphProto graph)
    {
        _names.UnionWith(graph.Input.Concat(graph.Output).Select(v => v.Name));
        _names.UnionWith(graph.Initializer.Select(t => t.Name));
        foreach (NodeProto node in graph.Node)
        {
            _names.UnionWith(node.Output);
            foreach (GraphProto inner in node.Subgraphs())
            {
                Collect(inner);
            }
        }
    }
}
