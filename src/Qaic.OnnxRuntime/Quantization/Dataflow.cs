using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Who makes and who reads each tensor of a graph. A picture of the graph as it was; make a new one after a change.</summary>
/// <remarks>A node whose branch or loop body reads a tensor of the graph counts as its reader.</remarks>
internal sealed class Dataflow
{
    private readonly Dictionary<string, NodeProto> _producers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<NodeProto>> _consumers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorProto> _initializers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _outputs;

    public Dataflow(GraphProto graph)
    {
        _outputs = [.. graph.Output.Select(o => o.Name)];
        foreach (TensorProto initializer in graph.Initializer)
        {
            _initializers[initializer.Name] = initializer;
        }

        foreach (NodeProto node in graph.Node)
        {
            foreach (string output in node.Output.Where(o => o.Length > 0))
            {
                _producers[output] = node;
            }

            foreach (string input in Reads(node))
            {
                if (!_consumers.TryGetValue(input, out List<NodeProto>? list))
                {
                    _consumers[input] = list = [];
                }

                list.Add(node);
            }
        }
    }

    /// <summary>The node that makes a tensor; null for inputs and initializers.</summary>
    public NodeProto? Producer(string tensor) => _producers.GetValueOrDefault(tensor);

    /// <summary>The nodes that read a tensor, in order; a node that reads it twice is there twice.</summary>
    public IReadOnlyList<NodeProto> Consumers(string tensor) => _consumers.TryGetValue(tensor, out List<NodeProto>? list) ? list : [];

    /// <summary>Whether the tensor leaves the graph.</summary>
    public bool IsOutput(string tensor) => _outputs.Contains(tensor);

    /// <summary>The initializer of this name; null if there is none.</summary>
    public TensorProto? Initializer(string tensor) => _initializers.GetValueOrDefault(tensor);

    /// <summary>The one node that reads a tensor; null if it leaves the graph or is read several times.</summary>
    public NodeProto? SoleConsumer(string tensor) => !IsOutput(tensor) && Consumers(tensor) is [var only] ? only : null;

    /// <summary>Lets everything that reads a tensor read another one, in branches and loop bodies too. Outputs of the graph stay.</summary>
    public static void ReplaceUses(IEnumerable<NodeProto> nodes, string tensor, string by)
    {
        foreach (NodeProto node in nodes)
        {
            for (int i = 0; i < node.Input.Count; i++)
            {
                if (node.Input[i] == tensor)
                {
                    node.Input[i] = by;
                }
            }

            foreach (GraphProto inner in node.Subgraphs().Where(g => !Defines(g, tensor)))
            {
                ReplaceUses(inner.Node, tensor, by);
                foreach (ValueInfoProto output in inner.Output.Where(o => o.Name == tensor))
                {
                    output.Name = by;
                }
            }
        }
    }

    // Inputs, and what the node's subgraphs read from outside.
    private static IEnumerable<string> Reads(NodeProto node) =>
        node.Input.Where(i => i.Length > 0).Concat(node.Subgraphs().SelectMany(ReadsFromOutside));

    private static IEnumerable<string> ReadsFromOutside(GraphProto graph)
    {
        HashSet<string> own = [.. graph.Node.SelectMany(n => n.Output), .. graph.Input.Select(i => i.Name), .. graph.Initializer.Select(i => i.Name)];
        return graph.Node.SelectMany(Reads).Concat(graph.Output.Select(o => o.Name)).Where(t => !own.Contains(t));
    }

    private static bool Defines(GraphProto graph, string tensor) =>
        graph.Input.Any(i => i.Name == tensor) || graph.Initializer.Any(i => i.Name == tensor) || graph.Node.Any(n => n.Output.Contains(tensor));
}
