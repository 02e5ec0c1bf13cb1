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
        foreach (TensorProto tensor in model.AllTensors().Where(t => t.DataLocation == TensorProto.Types.DataLocation.External && !model.Graph.Initializer.Contains(t, ReferenceEqualityComparer.Instance)).ToList())
        {
            Inline(model, tensor);
        }

        TurnConstantsIntoInitializers(model.Graph, standsFor);
        Bypass(model, standsFor);
    }

    /// <summary>Drops initializers that nothing reads any more, and declarations of tensors that are gone.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="were">Initializers that were read before; others are left as they are.</param>
    public static void DropUnread(GraphProto graph, IEnumerable<string> were)
    {
        var flow = new Dataflow(graph);
        HashSet<string> gone = [.. were.Where(t => flow.Consumers(t).Count == 0 && !flow.IsOutput(t))];
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

    private static void Inline(OnnxModel model, TensorProto tensor)
    {
        tensor.RawData = InitializerData.Inlined(model, tensor).RawData;
        tensor.ExternalData.Clear();
        tensor.ClearDataLocation();
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

    // Text and sparse constants stay nodes: nothing quantizes them.
    private static TensorProto? Value(NodeProto node) => node.Attribute.FirstOrDefault(a => a.Name.StartsWith("value", StringComparison.Ordinal)) switch
    {
        { Name: "value", T: { } tensor } => tensor.Clone(),
        { Name: "value_float" } a => InitializerData.Create("", [], [a.F]),
        { Name: "value_floats" } a => InitializerData.Create("", [a.Floats.Count], [.. a.Floats]),
        { Name: "value_int" } a => new TensorProto { DataType = 7, Int64Data = { a.I } },
        { Name: "value_ints" } a => new TensorProto { DataType = 7, Dims = { a.Ints.Count }, Int64Data = { a.Ints } },
        _ => null,
    };

    private static void Bypass(OnnxModel model, Dictionary<string, string> standsFor)
    {
        GraphProto graph = model.Graph;
        foreach (NodeProto node in graph.Node.Where(n => n.Is("Identity") || n.Is("Dropout")).ToList())
        {
            var flow = new Dataflow(graph);
            (string input, string output) = (node.Input[0], node.Output[0]);
            if (!PassesThrough(node, flow))
            {
                continue;
            }

            if (!flow.IsOutput(output))
            {
                Dataflow.ReplaceUses(graph.Node, output, input);
                standsFor[output] = input;
            }
            else if (flow.Producer(input) is { } producer && !flow.IsOutput(input))
            {
                // The output keeps its name, so the tensor before takes it.
                Dataflow.ReplaceUses(graph.Node, input, output);
                producer.Output[producer.Output.IndexOf(input)] = output;
                standsFor[input] = output;
            }
            else
            {
                continue;
            }

            graph.Node.RemoveAt(IndexOf(graph.Node, node));
        }
    }

    // A Dropout that trains is none of ours; one whose mask is read neither.
    private static bool PassesThrough(NodeProto node, Dataflow flow) =>
        node.Is("Identity")
        || ((node.Output.Count < 2 || (flow.Consumers(node.Output[1]).Count == 0 && !flow.IsOutput(node.Output[1])))
            && (node.InputAt(2).Length == 0 || (flow.Initializer(node.Input[2]) is { } training && IsFalse(training))));

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
