using System.Globalization;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Options;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Rewrites a float model with QuantizeLinear and DequantizeLinear so that ONNX Runtime computes it with integer kernels.</summary>
/// <remarks>Activations are uint8 whatever the schema stores: only then do all kernels fuse. The zero point is the offset + 128. Weights are int8, biases int32 at the product of both scales.</remarks>
internal sealed partial class QdqRewriter
{
    private const long FirstQuantizingOpset = 10;

    // Part of a tensor's values that a calibration may cut off without being suspicious. On tensors with tails all of them stay far below.
    private const double SuspiciousClipping = 0.05;
    private const int ClippedShown = 5;

    private readonly FloatGraph _graph;
    private readonly Dataflow _flow;
    private readonly PrecisionAssignment _assignment;
    private readonly QuantizationPlan _plan;
    private readonly TensorNames _names;
    private readonly Dictionary<string, string> _profileNames;
    private readonly Dictionary<NodeProto, string[]> _originals;
    private readonly HashSet<string> _nodeNames;
    private readonly List<QuantizedTensor> _records = [];
    private readonly Dictionary<string, double> _clipped = new(StringComparer.Ordinal);

    private QdqRewriter(FloatGraph graph, Dataflow flow, PrecisionAssignment assignment, QuantizationPlan plan, Dictionary<NodeProto, string[]> originals, HashSet<string> nodeNames)
    {
        (_graph, _flow, _assignment, _plan, _originals, _nodeNames) = (graph, flow, assignment, plan, originals, nodeNames);
        _names = new TensorNames(graph.Model.Graph);
        _profileNames = graph.Activations.ToDictionary(a => a.Tensor, a => a.ProfileName, StringComparer.Ordinal);
    }

    /// <param name="graph">The prepared model; changed in place.</param>
    /// <param name="profile">Ranges of the activations; null if <paramref name="encodings"/> has the parameters.</param>
    /// <param name="encodings">Parameters chosen elsewhere; null if <paramref name="profile"/> has the ranges.</param>
    /// <param name="precision">Nodes that are not quantized.</param>
    /// <param name="options">Schemas, calibration, channelwise, rowwise, bias, operators in FP16 or the model's precision.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>What was done to every tensor.</returns>
    /// <exception cref="ArgumentException">Not exactly one of profile and encodings is given, or the calibration is <see cref="QuantizationCalibration.Auto"/>, which is for the caller to resolve.</exception>
    /// <exception cref="CompilationException">
    /// The profile or the encodings are not this model's, it does not compute in float32, a node that is named is not in it, it is quantized already or its opset is too old, or the options ask for 16 bits.
    /// </exception>
    public static PrecisionRecord Apply(
        FloatGraph graph, QuantizationProfile? profile, QuantizationEncodings? encodings, NodePrecision precision, QaicOptions options, ILogger logger, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(precision);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        if (profile is null == encodings is null)
        {
            throw new ArgumentException("A network is quantized with a profile or with encodings: give one of them.", nameof(profile));
        }

        if (options.QuantizationCalibration == QuantizationCalibration.Auto)
        {
            throw new ArgumentException("The calibration 'auto' stands for a choice among the others, which has to be made first.", nameof(options));
        }

        Check(graph.Model, precision, options);
        FloatModels.Check(graph);
        var assignment = PrecisionAssignment.Of(graph, new Dataflow(graph.Model.Graph), precision, options);

        assignment.WarnOfNoEffect(graph.Model, options.ExecuteNodesInFp16.Concat(options.KeepOriginalPrecisionForNodes), logger);

        // Before nodes and tensors are merged: the record goes by the names of the model.
        HashSet<string> nodeNames = [.. graph.Activations.Select(a => a.Tensor), .. graph.Fused.Keys];
        var originals = new Dictionary<NodeProto, string[]>(ReferenceEqualityComparer.Instance);
        List<string> read = GraphCleanup.Read(graph.Model.Graph);
        BiasedProducts.Merge(graph, assignment, originals);
        GemmBiases.Normalize(graph, assignment, precision.EnableFp32Bias, originals);
        read.AddRange(GraphCleanup.Read(graph.Model.Graph));
        var flow = new Dataflow(graph.Model.Graph);
        var method = new CalibrationMethod(
            options.QuantizationSchemaActivations ?? options.QuantizationSchema ?? QuantizationSchema.SymmetricWithUInt8,
            options.QuantizationCalibration ?? QuantizationCalibration.None,
            (double)(options.PercentileCalibrationValue ?? 100));
        ModelEncodings? encoded = encodings is null ? null : new ModelEncodings(graph, encodings);
        ActivationRanges ranges = profile is not null ? ActivationRanges.From(graph, flow, profile, method, cancellationToken) : ActivationRanges.From(graph, encoded!);
        var plan = QuantizationPlan.Make(graph, flow, assignment, ranges, weight => encoded?.Of(weight) is { IsQuantized: false });
        cancellationToken.ThrowIfCancellationRequested();
        var rewriter = new QdqRewriter(graph, flow, assignment, plan, originals, nodeNames);
        if (rewriter._plan.Unknown.Count > 0)
        {
            WithoutRange(logger, graph.Model.Source, rewriter._plan.Unknown.Count, ActivationRanges.Sample(rewriter._plan.Unknown));
        }

        if (profile is not null)
        {
            ProfileCoverage.Report(graph, profile, logger);
        }

        return rewriter.Rewrite(profile, encoded, precision, method, options, read, logger, cancellationToken);
    }

    private static void Check(OnnxModel model, NodePrecision precision, QaicOptions options)
    {
        if (options.QuantizationPrecision == QuantizationPrecision.Int16)
        {
            throw new CompilationException("The simulated card has integer kernels for 8 bits only. Set QuantizationPrecision (quantization_precision) to Int8, or leave it out.");
        }

        if (model.Graph.Node.FirstOrDefault(n => n.OpType is "QuantizeLinear" or "DynamicQuantizeLinear" || n.OpType.StartsWith("QLinear", StringComparison.Ordinal)) is { } quantized)
        {
            throw new CompilationException($"'{model.Source}' is quantized already ({quantized.OpType} '{quantized.Key()}'). Compile it as it is, without profile or encodings; or quantize the float model it was made from.");
        }

        bool isPerChannel = options.EnableChannelwise || options.EnableRowwise;
        long needed = isPerChannel ? QdqWeights.PerChannelOpset : FirstQuantizingOpset;
        if (model.Opset < needed)
        {
            throw new CompilationException(
                $"'{model.Source}' has opset {model.Opset}; to quantize it {(isPerChannel ? "per channel (EnableChannelwise, EnableRowwise) " : "")}takes opset {needed}. "
                + $"Convert it to opset {QdqWeights.PerChannelOpset} or later (onnx.version_converter)" + (isPerChannel && model.Opset >= FirstQuantizingOpset ? ", or leave these options out." : "."));
        }
    }

    private PrecisionRecord Rewrite(
        QuantizationProfile? profile,
        ModelEncodings? encodings,
        NodePrecision precision,
        CalibrationMethod method,
        QaicOptions options,
        IEnumerable<string> read,
        ILogger logger,
        CancellationToken cancellationToken)
    {
        GraphProto graph = _graph.Model.Graph;
        if (precision.EnableFp32Bias && !options.SimulateFakeQuantization)
        {
            BiasesRounded(logger, graph.Name);
        }

        List<NodeProto> nodes = [.. graph.Node];

        // Before tensors get new names.
        string[] Keys(Func<NodeProto, bool> which) => [.. nodes.Where(which).SelectMany(n => _originals.GetValueOrDefault(n) ?? [n.Key()]).Where(_nodeNames.Contains)];
        string[] quantized = Keys(_plan.Integer.Contains), rounded = Keys(_plan.Rounded.Contains), fp16 = Keys(_assignment.IsFp16);
        string[] fp32 = Keys(n => !_plan.Nodes.Contains(n) && !_assignment.IsFp16(n));

        var weights = new QdqWeights(_graph, _flow, _names, options, encodings, precision.EnableFp32Bias);
        foreach (NodeProto node in nodes.Where(n => _plan.Nodes.Contains(n) && (n.Is("Conv") || n.Is("ConvTranspose") || n.Is("Gemm") || n.Is("MatMul"))))
        {
            string input = _flow.Initializer(node.Input[0]) is null ? node.Input[0] : node.Input[1];
            cancellationToken.ThrowIfCancellationRequested();
            weights.Quantize(node, _plan.Range(input)!.Parameters.Scale, _plan.Integer.Contains(node));
        }

        List<NodeProto> rewritten = [];
        foreach (string input in graph.Input.Select(i => i.Name).ToList())
        {
            if (_plan.Range(input) is { } range)
            {
                rewritten.AddRange(Pair(input, range, _flow.Consumers(input).Where(c => !_assignment.IsListed(c))));
            }
        }

        foreach (NodeProto node in nodes)
        {
            rewritten.Add(node);
            foreach (string output in node.Output.Where(o => o.Length > 0).ToList())
            {
                if (_graph.Fused.TryGetValue(output, out string? behind))
                {
                    // Where the integers do not imply the activation function, it is computed on them: rounding and cutting off commute.
                    if (_plan.Nodes.Contains(node) && _plan.Range(behind) is { } range && !Implies(range, _flow.Producer(behind)!))
                    {
                        rewritten.AddRange(Pair(output, range, _flow.Consumers(output), isRecorded: false));
                    }
                }
                else if (_plan.Range(output) is { } range)
                {
                    rewritten.AddRange(Pair(output, range, _flow.Consumers(output)));
                }
            }
        }

        string[] clipped = [.. _clipped.OrderByDescending(c => c.Value).Select(c => string.Create(CultureInfo.InvariantCulture, $"'{c.Key}' ({c.Value:P0})"))];
        if (clipped.Length > 0)
        {
            Clipped(logger, method.Calibration, graph.Name, clipped.Length, string.Join(", ", clipped.Take(ClippedShown)) + (clipped.Length > ClippedShown ? ", ..." : ""));
        }

        graph.Node.Clear();
        graph.Node.AddRange(weights.Nodes);
        graph.Node.AddRange(rewritten);
        GraphCleanup.DropUnread(graph, read);
        if (_assignment.Fp16.Count > 0)
        {
            Fp16Rewriter.Round(_graph.Model, _assignment.Fp16, precision.EnableFp32Bias, logger, cancellationToken);
        }

        if (quantized.Length + rounded.Length == 0)
        {
            NothingQuantized(logger, _graph.Model.Source);
            return new PrecisionRecord { Precision = fp16.Length > 0 ? "FP16" : "FP32", Fp16Nodes = fp16, Fp32Nodes = fp32 };
        }

        return new PrecisionRecord
        {
            Precision = fp16.Length > 0 ? "INT8+FP16" : "INT8",
            Schema = profile is null ? null : Spelled("quantization_schema_activations", new QaicOptions { QuantizationSchemaActivations = method.Schema }),
            SchemaConstants = Spelled("quantization_schema_constants", new QaicOptions { QuantizationSchemaConstants = weights.Schema }),
            Calibration = profile is null ? null : Spelled("quantization_calibration", new QaicOptions { QuantizationCalibration = method.Calibration }),
            Percentile = profile is not null && method.Calibration == QuantizationCalibration.Percentile ? method.Percentile : null,
            BiasPrecision = precision.EnableFp32Bias && options.SimulateFakeQuantization ? "Fp32" : Spelled("quantization_precision_bias", new QaicOptions { QuantizationPrecisionBias = precision.EnableFp32Bias ? Qaic.BiasPrecision.Int32 : weights.BiasPrecision }),
            IsChannelwise = options.EnableChannelwise,
            IsRowwise = options.EnableRowwise,
            ProfileHash = profile is null ? null : string.Create(CultureInfo.InvariantCulture, $"0x{profile.GraphHash:X}"),
            QuantizedNodes = quantized,
            RoundedNodes = rounded,
            Fp16Nodes = fp16,
            Fp32Nodes = fp32,
            Tensors = [.. _records, .. weights.Records],
        };
    }

    private static string? Spelled(string keyword, QaicOptions options) => OptionTable.CompileValues(options).GetValueOrDefault(keyword);

    // Whether numbers in range are what the activation function lets through, so that it need not be computed.
    private bool Implies(ActivationRange range, NodeProto function)
    {
        const float Tolerance = 1e-6f;
        float limit = function.Is("Clip") ? ActivationFusion.Bounds(_graph.Model, _flow, function)!.Value.Maximum : float.PositiveInfinity;
        return range.Parameters.Offset == QuantizationParameters.MinQuantized && range.Parameters.Maximum <= limit * (1 + Tolerance);
    }

    // QuantizeLinear and DequantizeLinear behind a tensor, and its readers behind them.
    private NodeProto[] Pair(string tensor, ActivationRange range, IEnumerable<NodeProto> readers, bool isRecorded = true)
    {
        // Tensors that the model does not have carry the numbers of one that it has.
        if (isRecorded && _profileNames.ContainsKey(tensor))
        {
            _records.Add(new QuantizedTensor(tensor, _profileNames.GetValueOrDefault(tensor), "activation", [range.Parameters.Scale], [range.Parameters.Offset], range.Minimum, range.Maximum));
            if (range.Clipped > SuspiciousClipping)
            {
                _clipped[tensor] = range.Clipped;
            }
        }

        TensorProto scale = InitializerData.Create(_names.Unique(tensor + "_scale"), [], [range.Parameters.Scale]);
        byte zero = (byte)(range.Parameters.Offset - QuantizationParameters.MinQuantized);
        var zeroPoint = new TensorProto { Name = _names.Unique(tensor + "_zero_point"), DataType = 2, RawData = ByteString.CopyFrom(zero) };
        _graph.Model.Graph.Initializer.Add(scale);
        _graph.Model.Graph.Initializer.Add(zeroPoint);

        string from = tensor, to = tensor, integers = _names.Unique(tensor + "_quantized");
        if (_flow.Producer(tensor) is { } producer && _flow.IsOutput(tensor))
        {
            // What leaves the graph is what the integers say; a second, float, result would keep the kernels from fusing.
            from = _names.Unique(tensor + "_float");
            producer.Output[producer.Output.IndexOf(tensor)] = from;
        }
        else
        {
            to = _names.Unique(tensor + "_dequantized");
            Dataflow.ReplaceUses(readers.Distinct<NodeProto>(ReferenceEqualityComparer.Instance), tensor, to);
        }

        return
        [
            new NodeProto { OpType = "QuantizeLinear", Name = integers, Input = { from, scale.Name, zeroPoint.Name }, Output = { integers } },
            new NodeProto { OpType = "DequantizeLinear", Name = tensor + "_dequantized", Input = { integers, scale.Name, zeroPoint.Name }, Output = { to } },
        ];
    }

    [LoggerMessage(EventId = 4027, Level = LogLevel.Information, Message = "Biases of {Model} stay float in the model (enableFP32Bias), but the integer kernels of the simulated card round them to 32 bits; SimulateFakeQuantization (simulate_fake_quantization) computes with them as they are")]
    private static partial void BiasesRounded(ILogger logger, string model);

    [LoggerMessage(EventId = 4028, Level = LogLevel.Warning, Message = "{Calibration} cuts off much of what {Count} tensors of {Model} hold: {Tensors}. It is made for values around 0 with tails; take QuantizationCalibration (quantization_calibration) None, or auto, which compares results")]
    private static partial void Clipped(ILogger logger, QuantizationCalibration calibration, string model, int count, string tensors);

    [LoggerMessage(EventId = 4020, Level = LogLevel.Warning, Message = "{Count} tensors of {Model} stay float because nothing is known of their range: {Tensors}")]
    private static partial void WithoutRange(ILogger logger, string model, int count, string tensors);

    [LoggerMessage(EventId = 4024, Level = LogLevel.Warning, Message = "Nothing of {Model} is quantized: every node that could be is listed in another precision, or has no range, or there is none (Conv, Gemm, MatMul, pools)")]
    private static partial void NothingQuantized(ILogger logger, string model);
}
