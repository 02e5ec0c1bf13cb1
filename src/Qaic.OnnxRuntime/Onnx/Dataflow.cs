namespace Qaic.OnnxRuntime.Onnx;

/// <summary>Who makes and who reads each tensor of a graph. A picture of the graph as it was: who changes a node takes it out before and puts it in again.</summary>
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
            Add(node);
        }
    }

    /// <summary>Takes up a node, behind the others.</summary>
    public void Add(NodeProto node)
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

    /// <summary>Takes up an initializer, in place of one of the same name.</summary>
    public void Add(TensorProto initializer) => _initializers[initializer.Name] = initializer;

    /// <summary>Forgets a node, whose inputs and outputs are still those it was taken up with.</summary>
    public void Remove(NodeProto node)
    {
        foreach (string output in node.Output.Where(o => ReferenceEquals(Producer(o), node)))
        {
            _producers.Remove(output);
        }

        // By identity: protobuf messages compare by content.
        foreach (string input in Reads(node))
        {
            if (_consumers.TryGetValue(input, out List<NodeProto>? list) && list.FindIndex(n => ReferenceEquals(n, node)) is >= 0 and var at)
            {
                list.RemoveAt(at);
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

    /// <summary>Whether something reads a tensor, or it leaves the graph.</summary>
    public bool IsUsed(string tensor) => IsOutput(tensor) || Consumers(tensor).Count > 0;

    /// <summary>Lets everything that reads a tensor read another one, in branches and loop bodies too. Outputs of the graph stay.</summary>
    public static void ReplaceUses(IEnumerable<NodeProto> nodes, string tensor, string by) =>
        ReplaceUses(nodes, new Dictionary<string, string>(StringComparer.Ordinal) { [tensor] = by });

    /// <summary>The same for many tensors.</summary>
    /// <param name="nodes">The nodes that read.</param>
    /// <param name="names">Per tensor, what is to be read in its place.</param>
    /// <param name="isMeant">Whether an input of a node is to be another one; null for all.</param>
    public static void ReplaceUses(IEnumerable<NodeProto> nodes, IReadOnlyDictionary<string, string> names, Func<NodeProto, int, bool>? isMeant = null)
    {
        foreach (NodeProto node in nodes)
        {
            for (int i = 0; i < node.Input.Count; i++)
            {
                if (names.TryGetValue(node.Input[i], out string? by) && isMeant?.Invoke(node, i) != false)
                {
                    node.Input[i] = by;
                }
            }

            foreach (GraphProto inner in node.Subgraphs())
            {
                HashSet<string> own = Defined(inner);
                IReadOnlyDictionary<string, string> seen = own.Overlaps(names.Keys) ? names.Where(n => !own.Contains(n.Key)).ToDictionary(StringComparer.Ordinal) : names;
                ReplaceUses(inner.Node, seen, isMeant);
                foreach (ValueInfoProto output in inner.Output.Where(o => seen.ContainsKey(o.Name)))
                {
                    output.Name = seen[output.Name];
                }
            }
        }
    }

    /// <summary>Names that a node reads: its inputs, and what its subgraphs take from outside. A name that is read twice is there twice.</summary>
    public static IEnumerable<string> Reads(NodeProto node) =>
        node.Input.Where(i => i.Length > 0).Concat(node.Subgraphs().SelectMany(graph =>
        {
            HashSet<string> own = Defined(graph);
            return graph.Node.SelectMany(Reads).Concat(graph.Output.Select(o => o.Name)).Where(t => !own.Contains(t));
        }));

    private static HashSet<string> Defined(GraphProto graph) =>
        [.. graph.Node.SelectMany(n => n.Output), .. graph.Input.Select(i => i.Name), .. graph.Initializer.Select(i => i.Name)];
}
