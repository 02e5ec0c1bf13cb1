using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Takes out of a graph what computes nothing: Constant nodes become initializers, Identity and Dropout go.</summary>
internal static class GraphCleanup
{
    // From this version of the format on an initializer need not be an input as well.
    private const long PlainInitializers = 4;

    /// <param name="model">The model; changed in place.</param>
    /// <param name="standsFor">Receives, per output of a node that is gone, the tensor in its place.</param>
    public static void Clean(OnnxModel model, Dictionary<string, string> standsFor)
    {
        DropInputsWithInitializer(model);
        HashSet<TensorProto> weights = new(model.Graph.Initializer, ReferenceEqualityComparer.Instance);
        foreach (TensorProto tensor in model.AllTensors().Where(t => t.DataLocation == TensorProto.Types.DataLocation.External && !weights.Contains(t)).ToList())
        {
            InitializerData.Inline(model, tensor);
        }

        TurnConstantsIntoInitializers(model.Graph, standsFor);
        Bypass(model.Graph, standsFor);
    }

    /// <summary>Drops initializers that nothing reads any more, and declarations of tensors that are gone.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="were">Initializers that were read before; others are left as they are.</param>
    public static void DropUnread(GraphProto graph, IEnumerable<string> were)
    {
        var flow = new Dataflow(graph);
        HashSet<string> gone = [.. were.Where(t => !flow.IsUsed(t))];
        RemoveWhere(graph.Initializer, t => gone.Contains(t.Name));
        RemoveWhere(graph.ValueInfo, v => flow.Producer(v.Name) is null && flow.Initializer(v.Name) is null);
    }

    /// <summary>Initializers that something reads.</summary>
    public static List<string> Read(GraphProto graph)
    {
        var flow = new Dataflow(graph);
        return [.. graph.Initializer.Select(t => t.Name).Where(t => flow.Consumers(t).Count > 0)];
    }

    // An initializer that is an input as well could be overridden. A card's constants cannot.
    private static void DropInputsWithInitializer(OnnxModel model)
    {
        if (model.Proto.IrVersion < PlainInitializers)
        {
            model.Proto.IrVersion = PlainInitializers;
        }

        HashSet<string> initializers = [.. model.Graph.Initializer.Select(t => t.Name)];
        RemoveWhere(model.Graph.Input, i => initializers.Contains(i.Name));
    }

    private static void TurnConstantsIntoInitializers(GraphProto graph, Dictionary<string, string> standsFor)
    {
        HashSet<string> outputs = [.. graph.Output.Select(o => o.Name)];
        RemoveWhere(graph.Node, node =>
        {
            if (!node.Is("Constant") || outputs.Contains(node.Output[0]) || Value(node) is not { } value)
            {
                return false;
            }

            value.Name = node.Output[0];
            standsFor[value.Name] = value.Name;
            graph.Initializer.Add(value);
            return true;
        });
    }

    // Sparse constants, and text that is given as an attribute of its own, stay nodes: nothing quantizes them.
    private static TensorProto? Value(NodeProto node) => node.Attribute.FirstOrDefault(a => a.Name.StartsWith("value", StringComparison.Ordinal)) switch
    {
        { Name: "value", T: { } tensor } => tensor.Clone(),
        { Name: "value_float" } a => InitializerData.Create("", [], [a.F]),
        { Name: "value_floats" } a => InitializerData.Create("", [a.Floats.Count], [.. a.Floats]),
        { Name: "value_int" } a => new TensorProto { DataType = 7, Int64Data = { a.I } },
        { Name: "value_ints" } a => new TensorProto { DataType = 7, Dims = { a.Ints.Count }, Int64Data = { a.Ints } },
        _ => null,
    };

    private static void Bypass(GraphProto graph, Dictionary<string, string> standsFor)
    {
        var flow = new Dataflow(graph);
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var producers = new Dictionary<string, NodeProto>(StringComparer.Ordinal);
        HashSet<NodeProto> gone = new(ReferenceEqualityComparer.Instance);
        foreach (NodeProto node in graph.Node.Where(n => (n.Is("Identity") || n.Is("Dropout")) && PassesThrough(n, flow, Now)))
        {
            (string input, string output) = (Now(node.Input[0]), node.Output[0]);
            if (!flow.IsOutput(output))
            {
                names[output] = input;
                standsFor[output] = input;
            }
            else if ((producers.GetValueOrDefault(input) ?? flow.Producer(input)) is { } producer && !flow.IsOutput(input))
            {
                // The output keeps its name, so the tensor before takes it.
                producer.Output[producer.Output.IndexOf(input)] = output;
                producers[output] = producer;
                names[input] = output;
                standsFor[input] = output;
            }
            else
            {
                continue;
            }

            gone.Add(node);
        }

        if (gone.Count > 0)
        {
            RemoveWhere(graph.Node, gone.Contains);
            Dataflow.ReplaceUses(graph.Node, names.Keys.ToDictionary(name => name, Now, StringComparer.Ordinal));
        }

        // What a tensor is called by now. Paths are shortened on the way, so that a long chain of nodes costs no more than its length.
        string Now(string tensor)
        {
            string last = tensor;
            while (names.TryGetValue(last, out string? next))
            {
                last = next;
            }

            while (tensor != last)
            {
                (tensor, names[tensor]) = (names[tensor], last);
            }

            return last;
        }
    }

    // A Dropout that trains is none of ours; one whose mask is read neither.
    private static bool PassesThrough(NodeProto node, Dataflow flow, Func<string, string> now) =>
        node.Is("Identity")
        || ((node.Output.Count < 2 || !flow.IsUsed(node.Output[1]))
            && (node.InputAt(2).Length == 0 || (flow.Initializer(now(node.Input[2])) is { } training && IsFalse(training))));

    private static bool IsFalse(TensorProto tensor) => tensor.HasRawData ? tensor.RawData.Span.IndexOfAnyExcept((byte)0) < 0 : tensor.Int32Data.All(v => v == 0);

    // By identity: protobuf messages compare by content.
    internal static int IndexOf<T>(Google.Protobuf.Collections.RepeatedField<T> list, T item) where T : class
    {
        for (int i = 0; i < list.Count; i++)
        {
            if (ReferenceEquals(list[i], item))
            {
                return i;
            }
        }

        return -1;
    }

    internal static void RemoveWhere<T>(Google.Protobuf.Collections.RepeatedField<T> list, Func<T, bool> isUnwanted) where T : class
    {
        List<T> kept = [.. list.Where(item => !isUnwanted(item))];
        if (kept.Count < list.Count)
        {
            list.Clear();
            list.AddRange(kept);
        }
    }
}
