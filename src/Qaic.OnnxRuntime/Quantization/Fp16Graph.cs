using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>A model whose main graph is being rewritten so that some of its nodes compute on numbers rounded to FP16.</summary>
/// <remarks>
/// <para>A number is rounded by a pair of casts, float to float16 and back. ONNX Runtime keeps pairs that a model contains, because they lose something, and folds the casts of constants when it loads.</para>
/// <para>Order matters: weights, then activations if wanted, then borders, then <see cref="Finish"/>.</para>
/// </remarks>
internal sealed class Fp16Graph
{
    private readonly OnnxModel _model;
    private readonly GraphProto _graph;
    private readonly IReadOnlySet<NodeProto> _fp16;
    private readonly IReadOnlyDictionary<string, TensorInfo> _tensors;
    private readonly bool _keepsBiases;
    private readonly Dictionary<string, List<NodeProto>> _readers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NodeProto> _producers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names;
    private readonly HashSet<string> _outputs;
    private readonly HashSet<string> _constants = new(StringComparer.Ordinal);

    // Values that are numbers of FP16 already.
    private readonly HashSet<string> _halves = new(StringComparer.Ordinal);

    private readonly List<NodeProto> _first = [];
    private readonly Dictionary<NodeProto, List<NodeProto>> _after = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<NodeProto> _dropped = new(ReferenceEqualityComparer.Instance);

    /// <param name="model">The model.</param>
    /// <param name="fp16">Nodes of its graph that compute in FP16.</param>
    /// <param name="tensors">Its tensors by name; see <see cref="TensorInference"/>.</param>
    /// <param name="keepsBiases">Whether layers' biases stay as they are.</param>
    public Fp16Graph(OnnxModel model, IReadOnlySet<NodeProto> fp16, IReadOnlyDictionary<string, TensorInfo> tensors, bool keepsBiases)
    {
        (_model, _graph, _fp16, _tensors, _keepsBiases) = (model, model.Graph, fp16, tensors, keepsBiases);
        _outputs = [.. _graph.Output.Select(o => o.Name)];
        _names = [.. tensors.Keys, .. _graph.Initializer.Select(t => t.Name), .. _graph.Input.Select(i => i.Name)];
        foreach (NodeProto node in _graph.Node)
        {
            foreach (string name in Dataflow.Reads(node).Distinct())
            {
                (_readers.TryGetValue(name, out List<NodeProto>? readers) ? readers : _readers[name] = []).Add(node);
            }

            foreach (string name in node.Output.Where(o => o.Length > 0))
            {
                _producers[name] = node;
            }

            // Also those inside subgraphs: a new name must not be one of theirs.
            AddNames(node);
        }
    }

    /// <summary>Called with the name of every constant that has been rounded, and with those of one element, which are only looked at.</summary>
    public Action<string, HalfConstant> Rounded { get; init; } = static (_, _) => { };

    /// <summary>Weights inside subgraphs, which are rounded but keep their size.</summary>
    public int SubgraphWeights { get; private set; }

    /// <summary>Float constants that the nodes compute with become constants of float16 and a cast. A single number stays unless a layer has it as weight or bias: fusions look for it.</summary>
    public void RoundWeights()
    {
        foreach (TensorProto tensor in _graph.Initializer.ToArray())
        {
            _constants.Add(tensor.Name);
            if (tensor.DataType == TensorInfo.Float)
            {
                RoundWeight(tensor.Name, tensor, null);
            }
        }

        foreach (NodeProto node in _graph.Node)
        {
            if (Constant(node) is { } tensor)
            {
                _constants.Add(node.Output[0]);
                RoundWeight(node.Output[0], tensor, node);
            }

            if (_fp16.Contains(node))
            {
                foreach (GraphProto graph in node.Subgraphs())
                {
                    RoundSubgraph(graph);
                }
            }
        }
    }

    /// <summary>The model's float inputs are rounded for all nodes but some, and so are the outputs that others than those compute.</summary>
    /// <param name="fp32">Nodes that get and give numbers in full.</param>
    public void RoundBorders(IReadOnlySet<NodeProto> fp32)
    {
        foreach (string input in _graph.Input.Select(i => i.Name).Where(i => IsFloat(i) && !_constants.Contains(i)))
        {
            RoundFor(input, [.. Readers(input).Where(r => !fp32.Contains(r))], null);
        }

        foreach (string output in _outputs)
        {
            if (IsFloat(output) && !_halves.Contains(output) && _producers.TryGetValue(output, out NodeProto? node) && !_dropped.Contains(node) && Constant(node) is null && !fp32.Contains(node))
            {
                RoundResult(node, output);
            }
        }
    }

    /// <summary>Everything that the nodes read is rounded, and everything that they compute.</summary>
    /// <remarks>Not between a node and an activation function that gives the same numbers when only its result is rounded: ONNX Runtime computes the two at once.</remarks>
    public void RoundActivations()
    {
        foreach (string input in _graph.Input.Select(i => i.Name).Where(i => IsFloat(i) && !_constants.Contains(i)))
        {
            RoundFor(input, [.. Readers(input).Where(_fp16.Contains)], null);
        }

        foreach (NodeProto node in _graph.Node.Where(n => !_dropped.Contains(n) && Constant(n) is null))
        {
            bool isExact = _fp16.Contains(node) && (Operand.IsSelector(node) || IsClip(node)) && FloatInputs(node).All(_halves.Contains);
            foreach (string output in node.Output.Where(IsFloat).ToArray())
            {
                if (!_fp16.Contains(node))
                {
                    RoundFor(output, [.. Readers(output).Where(_fp16.Contains)], node);
                }
                else if (isExact)
                {
                    _halves.Add(output);
                }
                else if (!IsFused(output))
                {
                    RoundResult(node, output);
                }
            }
        }
    }

    /// <summary>Puts the graph together.</summary>
    public void Finish()
    {
        List<NodeProto> nodes = [.. _first];
        foreach (NodeProto node in _graph.Node.Where(n => !_dropped.Contains(n)))
        {
            nodes.Add(node);
            if (_after.TryGetValue(node, out List<NodeProto>? casts))
            {
                nodes.AddRange(casts);
            }
        }

        _graph.Node.Clear();
        _graph.Node.AddRange(nodes);
    }

    // The tensor of a Constant node that yields floats.
    private static TensorProto? Constant(NodeProto node)
    {
        if (node.OpType != "Constant" || node.Output.Count != 1)
        {
            return null;
        }

        foreach (AttributeProto attribute in node.Attribute)
        {
            switch (attribute.Name)
            {
                case "value" when attribute.T is { DataType: TensorInfo.Float } tensor:
                    return tensor;
                case "value_floats":
                    return new TensorProto { DataType = TensorInfo.Float, Dims = { attribute.Floats.Count }, FloatData = { attribute.Floats } };
                case "value_float":
                    return new TensorProto { DataType = TensorInfo.Float, FloatData = { attribute.F } };
                default:
                    break;
            }
        }

        return null;
    }

    private void AddNames(NodeProto node)
    {
        _names.Add(node.Name);
        _names.UnionWith(node.Output);
        foreach (GraphProto graph in node.Subgraphs())
        {
            _names.UnionWith(graph.Input.Concat(graph.Output).Select(v => v.Name).Concat(graph.Initializer.Select(t => t.Name)));
            foreach (NodeProto inner in graph.Node)
            {
                AddNames(inner);
            }
        }
    }

    private void RoundWeight(string name, TensorProto tensor, NodeProto? constant)
    {
        NodeProto[] all = [.. Readers(name)];
        NodeProto[] readers = [.. all.Where(r => _fp16.Contains(r) && ReadsToCompute(r, name))];
        if (readers.Length == 0)
        {
            return;
        }

        var half = HalfConstant.Round(HalfConstant.Elements(_model, tensor));
        Rounded(name, half);
        if (half.Values.Length == 1 && !readers.Any(r => r.Input.Select((input, i) => (input, i)).Any(e => e.input == name && Operand.IsLayerParameter(r, e.i))))
        {
            if ((float)half.Values[0] == HalfConstant.Elements(_model, tensor)[0])
            {
                _halves.Add(name);
            }

            return;
        }

        // Whoever else reads it, as a size for example, reads the original.
        bool isShared = all.Length > readers.Length || readers.Any(r => ReadsOtherwise(r, name)) || (constant is not null && _outputs.Contains(name));
        string rounded = isShared ? Fresh(name, "rounded") : name;
        TensorProto stored = half.ToTensor(Fresh(name, "fp16"), tensor.Dims);
        _first.Add(Cast(stored.Name, rounded, TensorInfo.Float));
        _halves.Add(rounded);
        if (isShared)
        {
            foreach (NodeProto reader in readers)
            {
                Rewire(reader, name, rounded);
            }

            _graph.Initializer.Add(stored);
            return;
        }

        if (constant is not null)
        {
            _dropped.Add(constant);
            _graph.Initializer.Add(stored);
            return;
        }

        Replace(tensor, stored);
    }

    // In place, by identity: protobuf messages compare by content.
    private void Replace(TensorProto tensor, TensorProto stored)
    {
        _graph.Initializer[GraphCleanup.IndexOf(_graph.Initializer, tensor)] = stored;

        // Up to version 3 of the format initializers are inputs as well. Later that makes them overridable, which a card's constants are not.
        for (int i = _graph.Input.Count - 1; i >= 0; i--)
        {
            if (_graph.Input[i].Name != tensor.Name)
            {
                continue;
            }

            if (_model.Proto.IrVersion < 4)
            {
                _graph.Input[i].Name = stored.Name;
                _graph.Input[i].Type.TensorType.ElemType = HalfConstant.Float16;
            }
            else
            {
                _graph.Input.RemoveAt(i);
            }
        }
    }

    // ONNX Runtime looks for weights of subgraphs inside them and in single precision, so they are rounded where they are.
    private void RoundSubgraph(GraphProto graph)
    {
        foreach ((string name, TensorProto tensor, NodeProto? constant) in graph.Initializer.Where(t => t.DataType == TensorInfo.Float).Select(t => (t.Name, t, (NodeProto?)null))
            .Concat(graph.Node.Where(n => Constant(n) is not null).Select(n => (n.Output[0], Constant(n)!, (NodeProto?)n))).ToArray())
        {
            NodeProto[] readers = [.. graph.Node.Where(n => Dataflow.Reads(n).Contains(name))];
            if (readers.Length == 0 || !readers.All(r => ReadsToCompute(r, name) && !ReadsOtherwise(r, name)) || InitializerData.Count(_model, tensor) == 1)
            {
                continue;
            }

            var half = HalfConstant.Round(HalfConstant.Elements(_model, tensor));
            Rounded(name, half);
            SubgraphWeights++;
            TensorProto rounded = new() { Name = tensor.Name, DataType = TensorInfo.Float, Dims = { tensor.Dims }, RawData = half.ToFloats() };
            if (constant is null)
            {
                graph.Initializer[GraphCleanup.IndexOf(graph.Initializer, tensor)] = rounded;
            }
            else
            {
                constant.Attribute.Clear();
                constant.Attribute.Add(new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = rounded });
            }
        }

        foreach (GraphProto inner in graph.Node.SelectMany(NodeAttributes.Subgraphs))
        {
            RoundSubgraph(inner);
        }
    }

    private bool ReadsToCompute(NodeProto node, string name) =>
        node.Input.Select((input, i) => (input, i)).Any(e => e.input == name && IsRounded(node, e.i)) || node.Subgraphs().SelectMany(g => g.Node).Any(inner => ReadsToCompute(inner, name));

    private bool ReadsOtherwise(NodeProto node, string name) =>
        node.Input.Select((input, i) => (input, i)).Any(e => e.input == name && !IsRounded(node, e.i)) || node.Subgraphs().SelectMany(g => g.Node).Any(inner => ReadsOtherwise(inner, name));

    private bool IsRounded(NodeProto node, int index) => Operand.IsComputedWith(node, index) && !(_keepsBiases && Operand.IsBias(node, index));

    private void Rewire(NodeProto node, string from, string to) =>
        Dataflow.ReplaceUses([node], new Dictionary<string, string>(StringComparer.Ordinal) { [from] = to }, IsRounded);

    private List<NodeProto> Readers(string name) => _readers.GetValueOrDefault(name) ?? [];

    private bool IsFloat(string name) => _tensors.GetValueOrDefault(name) is { IsFloat: true };

    private IEnumerable<string> FloatInputs(NodeProto node) => node.Input.Where((input, i) => input.Length > 0 && Operand.IsComputedWith(node, i) && !IsOther(input));

    // Of a type that is known not to be float. The names of rounded values are not among the types.
    private bool IsOther(string name) => _tensors.GetValueOrDefault(name) is { IsFloat: false };

    // Bounds that are numbers of FP16 leave numbers of FP16 as they are, or yield one.
    private bool IsClip(NodeProto node) => node.OpType == "Clip" && node.Input.Skip(1).All(bound => bound.Length == 0 || _halves.Contains(bound) || IsHalf(bound))
        && node.Attribute.All(a => a.Name is not ("min" or "max") || (float)(Half)a.F == a.F);

    private bool IsHalf(string constant)
    {
        TensorProto? tensor = _graph.Initializer.FirstOrDefault(t => t.Name == constant && t.DataType == TensorInfo.Float)
            ?? (_producers.TryGetValue(constant, out NodeProto? node) ? Constant(node) : null);
        return tensor is not null && HalfConstant.Elements(_model, tensor) is [float value] && (float)(Half)value == value;
    }

    private bool IsFused(string name) =>
        !_outputs.Contains(name) && _readers.GetValueOrDefault(name) is [NodeProto reader] && _fp16.Contains(reader) && (reader.OpType == "Relu" || (IsClip(reader) && reader.Input[0] == name));

    // A rounded copy of a value for some of its readers.
    private void RoundFor(string name, NodeProto[] readers, NodeProto? producer)
    {
        readers = [.. readers.Where(r => ReadsToCompute(r, name))];
        if (readers.Length == 0)
        {
            return;
        }

        (string half, string rounded) = (Fresh(name, "fp16"), Fresh(name, "rounded"));
        (producer is null ? _first : After(producer)).AddRange([Cast(name, half, HalfConstant.Float16), Cast(half, rounded, TensorInfo.Float)]);
        _halves.Add(rounded);
        foreach (NodeProto reader in readers)
        {
            Rewire(reader, name, rounded);
        }
    }

    // The value itself is rounded, for all who read it.
    private void RoundResult(NodeProto node, string output)
    {
        (string full, string half) = (Fresh(output, "fp32"), Fresh(output, "fp16"));
        for (int i = 0; i < node.Output.Count; i++)
        {
            if (node.Output[i] == output)
            {
                node.Output[i] = full;
            }
        }

        After(node).AddRange([Cast(full, half, HalfConstant.Float16), Cast(half, output, TensorInfo.Float)]);
        _halves.Add(output);
    }

    private List<NodeProto> After(NodeProto node) => _after.TryGetValue(node, out List<NodeProto>? casts) ? casts : _after[node] = [];

    private string Fresh(string name, string what)
    {
        string fresh = $"{name}__{what}";
        for (int i = 1; !_names.Add(fresh); i++)
        {
            fresh = $"{name}__{what}_{i}";
        }

        return fresh;
    }

    private NodeProto Cast(string from, string to, int type) => new()
    {
        OpType = "Cast",
        Name = Fresh(to, "cast"),
        Input = { from },
        Output = { to },
        Attribute = { new AttributeProto { Name = "to", Type = AttributeProto.Types.AttributeType.Int, I = type } },
    };
}
