using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Options;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Which nodes of a quantized network run in FP16 or FP32 because the user said so. A node and the activation function behind it go together.</summary>
internal sealed partial class PrecisionAssignment
{
    private readonly HashSet<NodeProto> _fp16 = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<NodeProto> _fp32 = new(ReferenceEqualityComparer.Instance);

    // Operator types that the options name: of nodes that stand alone, and of nodes that belong to the one before them.
    private readonly HashSet<string> _matched = new(StringComparer.Ordinal), _fused = new(StringComparer.Ordinal);

    private PrecisionAssignment()
    {
    }

    /// <summary>Nodes in FP16.</summary>
    public IReadOnlyCollection<NodeProto> Fp16 => _fp16;

    /// <summary>Whether the user took the node out of quantization.</summary>
    public bool IsListed(NodeProto node) => _fp16.Contains(node) || _fp32.Contains(node);

    /// <summary>Whether the node runs in FP16.</summary>
    public bool IsFp16(NodeProto node) => _fp16.Contains(node);

    /// <param name="graph">The prepared model.</param>
    /// <param name="flow">Its edges.</param>
    /// <param name="precision">Nodes by name; they win over operator types.</param>
    /// <param name="options">Operator types.</param>
    /// <exception cref="CompilationException">The model has no node of a name, or a name or an operator is to have both precisions.</exception>
    public static PrecisionAssignment Of(FloatGraph graph, Dataflow flow, NodePrecision precision, QaicOptions options)
    {
        CheckLists(precision, options);
        var assignment = new PrecisionAssignment();
        foreach (NodeProto node in graph.Model.Graph.Node)
        {
            bool isInFp16 = options.ExecuteNodesInFp16.Contains(node.OpType), keeps = options.KeepOriginalPrecisionForNodes.Contains(node.OpType);
            if (!isInFp16 && !keeps)
            {
                continue;
            }

            if (Head(graph, flow, node) != node)
            {
                assignment._fused.Add(node.OpType);
                continue;
            }

            assignment._matched.Add(node.OpType);
            if (keeps)
            {
                Assign(graph, flow, node, assignment._fp32, assignment._fp16);
            }
            else
            {
                Assign(graph, flow, node, assignment._fp16, assignment._fp32);
            }
        }

        foreach (string name in precision.Fp16Nodes)
        {
            Assign(graph, flow, Find(graph, flow, name), assignment._fp16, assignment._fp32);
        }

        foreach (string name in precision.Fp32Nodes)
        {
            Assign(graph, flow, Find(graph, flow, name), assignment._fp32, assignment._fp16);
        }

        return assignment;
    }

    /// <summary>Warns of operator types that the options name and that are nowhere in the model, or everywhere belong to the nodes before them.</summary>
    public void WarnOfNoEffect(OnnxModel model, IEnumerable<string> operators, ILogger logger)
    {
        foreach (string name in operators.Where(o => _fused.Contains(o) && !_matched.Contains(o)))
        {
            OperatorFused(logger, name, model.Source);
        }

        WarnOfMissing(model, operators, logger);
    }

    /// <summary>Warns of operator types that the options name and that are nowhere in the model.</summary>
    public static void WarnOfMissing(OnnxModel model, IEnumerable<string> operators, ILogger logger)
    {
        HashSet<string> known = [.. model.Graph.Node.Select(n => n.OpType)];
        foreach (string name in operators.Where(o => !known.Contains(o)))
        {
            OperatorMissing(logger, name, model.Source, Spelling.Nearest(name, known) is { } near ? $"; did you mean {near}?" : "");
        }
    }

    /// <summary>Checks that nothing is to run in both precisions.</summary>
    /// <exception cref="CompilationException">An operator or a name is.</exception>
    public static void CheckLists(NodePrecision precision, QaicOptions options)
    {
        if (options.ExecuteNodesInFp16.Intersect(options.KeepOriginalPrecisionForNodes).FirstOrDefault() is { } twice)
        {
            throw new CompilationException(
                $"The operator {twice} is to run in FP16 (ExecuteNodesInFp16, execute_nodes_in_fp16) and to keep the model's precision (KeepOriginalPrecisionForNodes, keep_original_precision_for_nodes). Name it in one of the two.");
        }

        if (precision.Fp16Nodes.Intersect(precision.Fp32Nodes).FirstOrDefault() is { } both)
        {
            throw new CompilationException($"The node precision file puts the node '{both}' into FP16 and into FP32. Name it in one of the two lists.");
        }
    }

    /// <summary>The activation function that belongs to a node; null if there is none.</summary>
    public static NodeProto? Tail(FloatGraph graph, Dataflow flow, NodeProto node) =>
        node.Output.Count > 0 && graph.Fused.TryGetValue(node.Output[0], out string? behind) ? flow.Producer(behind) : null;

    // The node that a node belongs to: itself, unless it is an activation function behind another.
    internal static NodeProto Head(FloatGraph graph, Dataflow flow, NodeProto node) =>
        node.Input.Count > 0 && graph.Fused.ContainsKey(node.Input[0]) && flow.Producer(node.Input[0]) is { } head ? head : node;

    // Null: the name is of a constant, which has no precision of its own.
    private static NodeProto? Find(FloatGraph graph, Dataflow flow, string name)
    {
        if (flow.Producer(graph.NameNow(name)) is { } node)
        {
            return node;
        }

        if (graph.StandsFor.ContainsKey(name))
        {
            return null;
        }

        string? nearest = Spelling.Nearest(name, graph.Model.Graph.Node.Select(n => n.Key()).Concat(graph.StandsFor.Keys));
        throw new CompilationException(
            $"The node precision information (NodePrecisionInfoFile, node_precision_info_file) names '{name}', but no node of '{graph.Model.Source}' has an output of that name."
            + (nearest is null ? " A node goes by the name of its first output in the model." : $" Did you mean '{nearest}'?"));
    }

    private static void Assign(FloatGraph graph, Dataflow flow, NodeProto? node, HashSet<NodeProto> to, HashSet<NodeProto> from)
    {
        if (node is null)
        {
            return;
        }

        NodeProto head = Head(graph, flow, node);
        foreach (NodeProto one in new[] { head, Tail(graph, flow, head) }.OfType<NodeProto>())
        {
            to.Add(one);
            from.Remove(one);
        }
    }

    [LoggerMessage(EventId = 4025, Level = LogLevel.Warning, Message = "The operator {Operator}, whose precision the options choose, is not in {Model}{Hint}")]
    private static partial void OperatorMissing(ILogger logger, string @operator, string model, string hint);

    [LoggerMessage(EventId = 4026, Level = LogLevel.Warning, Message = "The precision that the options choose for {Operator} has no effect in {Model}: it is computed together with the nodes before it and has their precision; name those")]
    private static partial void OperatorFused(ILogger logger, string @operator, string model);
}
