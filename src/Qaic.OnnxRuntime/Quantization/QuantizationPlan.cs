using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Which tensors of a graph become integers, and which nodes compute with them.</summary>
/// <remarks>
/// Integers go into products (convolutions, Gemm, MatMul), into pools, and into sums of two computed tensors whose result is wanted in integers; every float input of the graph is one too.
/// What only moves data carries integers on with the parameters of the tensor it got.
/// </remarks>
internal sealed class QuantizationPlan
{
    // Opset of MaxPool on 8 bits.
    private const long IntegerMaxPool = 12;

    private static readonly HashSet<string> s_movers = ["MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather", "Expand", "Tile", "Split", "Resize"];

    private readonly FloatGraph _graph;
    private readonly Dataflow _flow;
    private readonly PrecisionAssignment _assignment;
    private readonly ActivationRanges _ranges;
    private readonly Dictionary<string, string> _roots = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _carriers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _wanted = new(StringComparer.Ordinal);
    private readonly Func<string, bool> _keepsFloat;
    private readonly HashSet<NodeProto> _nodes = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<NodeProto> _integer = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<NodeProto> _rounded = new(ReferenceEqualityComparer.Instance);
    private readonly SortedSet<string> _unknown = new(StringComparer.Ordinal);

    private QuantizationPlan(FloatGraph graph, Dataflow flow, PrecisionAssignment assignment, ActivationRanges ranges, Func<string, bool> keepsFloat) =>
        (_graph, _flow, _assignment, _ranges, _keepsFloat) = (graph, flow, assignment, ranges, keepsFloat);

    /// <summary>Nodes that take quantized numbers: <see cref="Integer"/> and <see cref="Rounded"/>, with the activation functions behind them.</summary>
    public IReadOnlySet<NodeProto> Nodes => _nodes;

    /// <summary>Nodes that ONNX Runtime has integer kernels for where they stand, and the activation functions that these include.</summary>
    public IReadOnlySet<NodeProto> Integer => _integer;

    /// <summary>Nodes that compute in float with the numbers that the integers stand for.</summary>
    public IReadOnlySet<NodeProto> Rounded => _rounded;

    /// <summary>Tensors that would be integers if anything were known of their range.</summary>
    public IReadOnlyCollection<string> Unknown => _unknown;

    /// <param name="graph">The prepared model.</param>
    /// <param name="flow">Its edges.</param>
    /// <param name="assignment">Nodes that are not quantized.</param>
    /// <param name="ranges">Ranges of activations.</param>
    /// <param name="keepsFloat">Whether a weight is to stay float, and with it the node that it belongs to.</param>
    public static QuantizationPlan Make(FloatGraph graph, Dataflow flow, PrecisionAssignment assignment, ActivationRanges ranges, Func<string, bool> keepsFloat)
    {
        var plan = new QuantizationPlan(graph, flow, assignment, ranges, keepsFloat);
        plan.FindCarriers();
        plan.Decide();
        plan.Classify();
        return plan;
    }

    /// <summary>How a tensor becomes integers; null if it stays float.</summary>
    public ActivationRange? Range(string tensor) => _wanted.Contains(Root(tensor)) ? Known(tensor) : null;

    /// <summary>Whether a tensor is a float one that changes from inference to inference, or is at least computed.</summary>
    private bool IsActivation(string tensor) => _flow.Initializer(tensor) is null && _graph.Tensors.TryGetValue(tensor, out TensorInfo? info) && info.IsFloat;

    private string Root(string tensor) => _roots.GetValueOrDefault(tensor, tensor);

    private ActivationRange? Known(string tensor)
    {
        string root = Root(tensor);
        return _ranges.Of(root, _carriers.TryGetValue(root, out List<string>? carriers) ? carriers : []);
    }

    private void FindCarriers()
    {
        foreach (NodeProto node in _graph.Model.Graph.Node.Where(IsMover))
        {
            string root = Root(node.Input[0]);
            foreach (string output in node.Output.Where(o => o.Length > 0))
            {
                _roots[output] = root;
                if (!_carriers.TryGetValue(root, out List<string>? carriers))
                {
                    _carriers[root] = carriers = [];
                }

                carriers.Add(output);
            }
        }
    }

    private bool IsMover(NodeProto node) =>
        node.Domain is "" or "ai.onnx" && s_movers.Contains(node.OpType) && !_assignment.IsListed(node) && IsActivation(node.Input[0]) && node.Output.All(o => o.Length == 0 || IsActivation(o))
        && node.OpType switch
        {
            "MaxPool" => _graph.Model.Opset >= IntegerMaxPool && node.Output.Count(o => o.Length > 0) == 1,
            "Resize" => node.Text("mode", "nearest") == "nearest",
            _ => true,
        };

    // Against the order of the graph, so that every reader of a tensor has been asked before its producer is.
    private void Decide()
    {
        IReadOnlyList<NodeProto> nodes = _graph.Model.Graph.Node;
        foreach (NodeProto node in nodes.Reverse().Where(n => n.Domain is "" or "ai.onnx" && !_assignment.IsListed(n)))
        {
            bool isInteger = node.OpType switch
            {
                "Conv" or "ConvTranspose" or "Gemm" or "MatMul" => TakesProduct(node),
                "AveragePool" or "GlobalAveragePool" or "MaxPool" => Take(node.Input[0]),
                "Add" => Result(node) is { } sum && IsWanted(sum) && IsSumOfComputed(node) && Take(node.Input[0], node.Input[1]),
                "Mul" => Result(node) is { } product && IsWanted(product) && node.Input.All(i => IsActivation(i) && IsWanted(i)),
                "Concat" => Result(node) is { } all && IsWanted(all) && node.Input.All(IsActivation) && Take([.. node.Input]),
                _ => false,
            };
            if (isInteger)
            {
                _nodes.Add(node);
            }
        }

        if (_nodes.Count == 0)
        {
            return;
        }

        foreach (ValueInfoProto input in _graph.Model.Graph.Input.Where(i => IsActivation(i.Name) && _flow.Consumers(i.Name).Any(c => !_assignment.IsListed(c))))
        {
            Take(input.Name);
        }

        foreach (NodeProto node in nodes.Where(n => IsMover(n) && IsWanted(n.Input[0])))
        {
            _nodes.Add(node);
        }
    }

    private void Classify()
    {
        foreach (NodeProto node in _nodes.ToList())
        {
            bool isInteger = HasIntegerKernel(node);
            (isInteger ? _integer : _rounded).Add(node);
            if (PrecisionAssignment.Tail(_graph, _flow, node) is { } tail && (!isInteger || HasIntegerResult(node)))
            {
                _nodes.Add(tail);
                (isInteger ? _integer : _rounded).Add(tail);
            }
        }
    }

    // What ONNX Runtime fuses with Quantize and Dequantize around it, as its optimised graphs show.
    private bool HasIntegerKernel(NodeProto node) => node.OpType switch
    {
        "Conv" => HasIntegerResult(node) && (node.InputAt(2).Length == 0 || _flow.Initializer(node.Input[2]) is not null),
        "ConvTranspose" => false,

        // Without integers behind it, an activation function becomes part of the float kernel.
        "Gemm" => _flow.Initializer(node.Input[0]) is null && (_flow.Initializer(node.Input[1]) is null || GemmBiases.CanScale(node)) && (HasIntegerResult(node) || !_graph.Fused.ContainsKey(node.Output[0])),
        "MatMul" => _flow.Initializer(node.Input[0]) is null,
        "AveragePool" or "GlobalAveragePool" => HasIntegerResult(node),
        "MaxPool" => IsMover(node),
        _ => true,
    };

    private bool HasIntegerResult(NodeProto node) => Result(node) is { } result && Range(result) is not null;

    private bool TakesProduct(NodeProto node)
    {
        string[] operands = [node.Input[0], node.Input[1]];
        string[] activations = [.. operands.Where(IsActivation)];
        bool fits = activations.Length > 0 && operands.All(o => IsActivation(o) || (_flow.Initializer(o) is { DataType: TensorInfo.Float } && !_keepsFloat(o)))
            && (node.OpType is not ("Conv" or "ConvTranspose") || IsActivation(operands[0]));
        if (!fits || !Take(activations))
        {
            return false;
        }

        // An integer convolution gives integers, and so does a layer with its activation function. Other products have kernels that give float.
        if ((node.OpType == "Conv" || _graph.Fused.ContainsKey(node.Output[0])) && Result(node) is { } result)
        {
            Take(result);
        }

        return true;
    }

    // A mask that is broadcast over scores has a range that leaves nothing of them; a residual connection adds like to like.
    private bool IsSumOfComputed(NodeProto node) =>
        node.Input.All(IsActivation)
        && (_graph.Tensors[node.Input[0]].Shape.SequenceEqual(_graph.Tensors[node.Input[1]].Shape) || node.Input.All(IsWanted));

    // The tensor behind the node's activation function.
    private string? Result(NodeProto node) => node.Output.Count == 0 ? null : _graph.Fused.GetValueOrDefault(node.Output[0], node.Output[0]);

    private bool IsWanted(string tensor) => _wanted.Contains(Root(tensor));

    private bool Take(params string[] tensors)
    {
        if (!tensors.All(IsActivation))
        {
            return false;
        }

        string[] unknown = [.. tensors.Where(t => Known(t) is null)];
        _unknown.UnionWith(unknown);
        if (unknown.Length > 0)
        {
            return false;
        }

        _wanted.UnionWith(tensors.Select(Root));
        return true;
    }
}
