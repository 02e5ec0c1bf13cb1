using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Options;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Makes a float model compute what a card computes in FP16, with float kernels on rounded numbers.</summary>
/// <remarks>
/// <para>A float16 model would not do: ONNX Runtime's CPU kernels compute in single precision, so that only its weights were rounded and no sum could overflow.</para>
/// <para>Weights are stored as float16 and take half the room. Single numbers in the middle of formulas stay, so that formulas are still recognised (the square root of 2 in Gelu), but are looked at.
/// Weights in subgraphs are rounded and keep their size; what is inside functions of the model stays as it is. Nodes around Quantize and Dequantize, and tensors of other types, stay as they are.</para>
/// </remarks>
internal static partial class Fp16Rewriter
{
    // Version of the operators since which Cast is what it is today.
    private const long FirstCast = 6;

    // For models that have no standard operators so far.
    private const long CommonOpset = 13;

    /// <summary>The whole network: <see cref="QaicOptions.ConvertToFp16"/>. Weights become FP16 constants; inputs and outputs are rounded, or every activation (<see cref="QaicOptions.SimulateFp16Activations"/>).</summary>
    /// <exception cref="CompilationException">The node precision file does not fit the model, the model is too old, or ONNX Runtime refuses it.</exception>
    public static PrecisionRecord Apply(OnnxModel model, QaicOptions options, ILogger logger, CancellationToken cancellationToken = default) =>
        Apply(model, options, NodePrecisionFile.Load(options, logger), logger, cancellationToken);

    /// <summary>The same with node precisions at hand.</summary>
    /// <param name="model">The model; changed in place.</param>
    /// <param name="options">Operators that keep the model's precision, and whether every activation is rounded.</param>
    /// <param name="precision">Nodes in FP32 or, whatever their operator, in FP16.</param>
    /// <param name="logger">Receives warnings of constants that FP16 cannot hold.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <inheritdoc cref="Apply(OnnxModel, QaicOptions, ILogger, CancellationToken)" path="/exception"/>
    public static PrecisionRecord Apply(OnnxModel model, QaicOptions options, NodePrecision precision, ILogger logger, CancellationToken cancellationToken = default)
    {
        CheckOperators(model);
        Dictionary<string, TensorInfo> tensors = TensorInference.Infer(model, cancellationToken);
        HashSet<NodeProto> integer = IntegerNodes(model.Graph);
        PrecisionAssignment.WarnOfMissing(model, options.KeepOriginalPrecisionForNodes, logger);
        HashSet<NodeProto> fp32 = KeptNodes(model, options, precision);
        NodeProto[] computing = [.. model.Graph.Node.Where(n => n.OpType != "Constant" && n.Output.Concat(n.Input).Any(name => IsFloating(tensors, name)))];
        NodeProto[] rest = [.. computing.Where(n => !fp32.Contains(n) && !integer.Contains(n))];
        var record = new PrecisionRecord
        {
            Precision = integer.Count > 0 ? "INT8+FP16" : "FP16",
            QuantizedNodes = [.. computing.Where(n => integer.Contains(n) && !fp32.Contains(n) && !IsConversion(n)).Select(NodeAttributes.Key)],
            Fp16Nodes = [.. rest.Select(NodeAttributes.Key)],
            Fp32Nodes = [.. computing.Where(fp32.Contains).Select(NodeAttributes.Key)],
        };

        Fp16Graph graph = Edit(model, NewSet(rest), tensors, precision.EnableFp32Bias, logger);
        cancellationToken.ThrowIfCancellationRequested();
        graph.RoundWeights();
        cancellationToken.ThrowIfCancellationRequested();
        if (options.SimulateFp16Activations)
        {
            graph.RoundActivations();
        }

        graph.RoundBorders(fp32);
        Finish(model, graph, logger);
        return record;
    }

    /// <summary>Some nodes of a network that is otherwise quantized: their weights, inputs and outputs are rounded.</summary>
    /// <param name="model">The model.</param>
    /// <param name="nodes">Nodes of its graph.</param>
    /// <param name="keepsBiases">Whether layers' biases stay as they are.</param>
    /// <param name="logger">Receives warnings of constants that FP16 cannot hold.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="CompilationException">ONNX Runtime refuses the model.</exception>
    public static void Round(OnnxModel model, IReadOnlyCollection<NodeProto> nodes, bool keepsBiases, ILogger logger, CancellationToken cancellationToken = default)
    {
        if (nodes.Count == 0)
        {
            return;
        }

        CheckOperators(model);
        Fp16Graph graph = Edit(model, NewSet(nodes), TensorInference.Infer(model, cancellationToken), keepsBiases, logger);
        cancellationToken.ThrowIfCancellationRequested();
        graph.RoundWeights();
        cancellationToken.ThrowIfCancellationRequested();
        graph.RoundActivations();
        Finish(model, graph, logger);
    }

    private static Fp16Graph Edit(OnnxModel model, HashSet<NodeProto> fp16, Dictionary<string, TensorInfo> tensors, bool keepsBiases, ILogger logger) => new(model, fp16, tensors, keepsBiases)
    {
        Rounded = (name, half) =>
        {
            if (half.Underflows > 0)
            {
                Underflow(logger, name, half.Underflows, half.Values.Length, half.Smallest);
            }

            if (half.Overflows > 0)
            {
                Overflow(logger, name, half.Overflows, half.Values.Length, half.Largest);
            }
        },
    };

    private static void CheckOperators(OnnxModel model)
    {
        if (model.Opset is > 0 and < FirstCast)
        {
            throw new CompilationException(
                $"'{model.Source}' uses version {model.Opset} of ONNX's operators, which cannot round to FP16; version {FirstCast} can. Convert the model to a newer version (onnx.version_converter).");
        }

        if (model.Opset == 0)
        {
            model.Proto.OpsetImport.Add(new OperatorSetIdProto { Version = CommonOpset });
        }
    }

    private static void Finish(OnnxModel model, Fp16Graph graph, ILogger logger)
    {
        graph.Finish();
        if (graph.SubgraphWeights > 0)
        {
            InSubgraphs(logger, model.Source, graph.SubgraphWeights);
        }

        if (model.Proto.Functions.Count > 0)
        {
            InFunctions(logger, model.Source, model.Proto.Functions.Count);
        }
    }

    private static HashSet<NodeProto> KeptNodes(OnnxModel model, QaicOptions options, NodePrecision precision)
    {
        PrecisionAssignment.CheckLists(precision, options);
        HashSet<string> known = [.. model.Graph.Node.Select(NodeAttributes.Key)];
        foreach (string name in precision.Fp16Nodes.Concat(precision.Fp32Nodes).Where(n => !known.Contains(n)))
        {
            string hint = Spelling.Nearest(name, known) is { } near ? $"; did you mean '{near}'?" : ".";
            throw new CompilationException(
                $"The node precision file names the node '{name}', but no node of '{model.Source}' has a first output of that name{hint} Nodes go by their first output in the model.");
        }

        return NewSet(model.Graph.Node.Where(n => precision.Fp32Nodes.Contains(n.Key())
            || (options.KeepOriginalPrecisionForNodes.Contains(n.OpType) && !precision.Fp16Nodes.Contains(n.Key()))));
    }

    // Of a model that is quantized already: what stands between Dequantize and Quantize is one integer kernel.
    private static HashSet<NodeProto> IntegerNodes(GraphProto graph)
    {
        HashSet<string> constants = [.. graph.Initializer.Select(t => t.Name), .. graph.Node.Where(n => n.OpType == "Constant").SelectMany(n => n.Output)];
        HashSet<string> dequantized = [.. graph.Node.Where(n => n.OpType == "DequantizeLinear").SelectMany(n => n.Output)];
        ILookup<string, NodeProto> readers = graph.Node.SelectMany(n => Dataflow.Reads(n).Distinct().Select(name => (name, n))).ToLookup(e => e.name, e => e.n);
        HashSet<NodeProto> result = NewSet(graph.Node.Where(n => Operand.IsIntegerOperator(n) || IsAllDequantized(n)));

        // From the last node to the first, since what leads to Quantize may be an activation function after a pool after a convolution.
        HashSet<NodeProto> leading = NewSet(graph.Node.Where(n => n.OpType == "QuantizeLinear"));
        foreach (NodeProto node in graph.Node.Reverse())
        {
            NodeProto[] next = [.. node.Output.SelectMany(o => readers[o])];
            if (next.Length > 0 && next.All(leading.Contains) && node.OpType != "Constant" && result.Add(node) && (Operand.IsSelector(node) || node.OpType == "Clip"))
            {
                leading.Add(node);
            }
        }

        return result;

        bool IsAllDequantized(NodeProto node)
        {
            string[] computed = [.. node.Input.Where(i => i.Length > 0 && !constants.Contains(i))];
            return computed.Length > 0 && computed.All(dequantized.Contains);
        }
    }

    private static bool IsConversion(NodeProto node) => node.OpType is "QuantizeLinear" or "DequantizeLinear";

    private static bool IsFloating(Dictionary<string, TensorInfo> tensors, string name) => tensors.GetValueOrDefault(name)?.DataType is TensorInfo.Float or HalfConstant.Float16;

    // By identity: protobuf messages compare by content.
    private static HashSet<NodeProto> NewSet(IEnumerable<NodeProto> nodes) => new(nodes, ReferenceEqualityComparer.Instance);

    [LoggerMessage(EventId = 4010, Level = LogLevel.Warning, Message = "{Constant} contains value or values that will underflow after conversion to 16-bit floating point values. {Count} of {Total} are below 6e-08, the smallest is {Smallest}")]
    private static partial void Underflow(ILogger logger, string constant, int count, int total, float smallest);

    [LoggerMessage(EventId = 4011, Level = LogLevel.Warning, Message = "{Constant} contains value or values that will overflow after conversion to 16-bit floating point values. {Count} of {Total} become infinite, the largest is {Largest}; clip them to 65504 in the model")]
    private static partial void Overflow(ILogger logger, string constant, int count, int total, float largest);

    [LoggerMessage(EventId = 4012, Level = LogLevel.Information, Message = "{Count} weights inside subgraphs of {Model} are rounded to FP16, but stored in single precision; activations inside subgraphs are not rounded")]
    private static partial void InSubgraphs(ILogger logger, string model, int count);

    [LoggerMessage(EventId = 4013, Level = LogLevel.Information, Message = "{Model} has {Count} functions; what is computed inside them is not rounded to FP16")]
    private static partial void InFunctions(ILogger logger, string model, int count);
}
