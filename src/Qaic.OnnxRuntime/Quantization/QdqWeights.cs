using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Turns the weights and biases of nodes into integers with a DequantizeLinear behind them.</summary>
internal sealed class QdqWeights
{
    /// <summary>Opset from which on one tensor may have several scales.</summary>
    public const long PerChannelOpset = 13;

    private readonly FloatGraph _graph;
    private readonly Dataflow _flow;
    private readonly TensorNames _names;
    private readonly QaicOptions _options;
    private readonly ModelEncodings? _encodings;
    private readonly bool _keepsBiases;
    private readonly Dictionary<(string Weight, int? Axis), List<Made>> _made = [];
    private readonly List<NodeProto> _nodes = [];
    private readonly List<QuantizedTensor> _records = [];

    public QdqWeights(FloatGraph graph, Dataflow flow, TensorNames names, QaicOptions options, ModelEncodings? encodings, bool keepsBiases) =>
        (_graph, _flow, _names, _options, _encodings, _keepsBiases) = (graph, flow, names, options, encodings, keepsBiases);

    /// <summary>Schema of weights.</summary>
    public QuantizationSchema Schema => _options.QuantizationSchemaConstants ?? _options.QuantizationSchema ?? QuantizationSchema.SymmetricWithUInt8;

    /// <summary>Type of biases.</summary>
    public BiasPrecision BiasPrecision => _options.QuantizationPrecisionBias ?? BiasPrecision.Int32;

    /// <summary>The nodes that dequantize, to go before all others.</summary>
    public IReadOnlyList<NodeProto> Nodes => _nodes;

    /// <summary>What was done.</summary>
    public IReadOnlyList<QuantizedTensor> Records => _records;

    /// <summary>Gives a node its constants in integers.</summary>
    /// <param name="node">Conv, ConvTranspose, Gemm or MatMul.</param>
    /// <param name="inputScale">Scale of the operand that is no constant.</param>
    /// <param name="isInteger">Whether a kernel takes the integers. Otherwise they are turned back into float here, not in every inference.</param>
    public void Quantize(NodeProto node, float inputScale, bool isInteger)
    {
        int operand = _flow.Initializer(node.Input[1]) is not null ? 1 : _flow.Initializer(node.Input[0]) is not null ? 0 : -1;
        if (operand < 0)
        {
            return;
        }

        // A product's factor goes into the scale of the weights: on the same integers, and without an operation of its own.
        float factor = 1;
        if (operand == 1 && node.Is("Gemm") && node.Find("alpha") is { } alpha && GemmBiases.CanScale(node))
        {
            factor = alpha.F;
            node.Attribute.Remove(alpha);
        }

        TensorProto weight = _flow.Initializer(node.Input[operand])!;
        int[] shape = [.. weight.Dims.Select(d => (int)d)];
        if (_encodings?.Of(weight.Name) is { IsQuantized: false })
        {
            return;
        }

        float[] values = Finite(weight.Name, "weight");
        (QuantizationParameters[] parameters, int? axis) = Parameters(node, operand, weight.Name, values, shape);
        float[]? bias = operand == 1 ? Bias(node, parameters.Length) : null;
        if (bias is not null)
        {
            // A bias that stays float becomes an integer of 32 bits as well, inside of ONNX Runtime's kernel, and needs the room.
            WeightQuantization.FitBias(parameters, bias, inputScale * factor, _keepsBiases ? BiasPrecision.Int32 : BiasPrecision);
        }

        node.Input[operand] = Dequantized(weight.Name, values, shape, axis, parameters, factor, isInteger);
        if (bias is not null && !_keepsBiases)
        {
            node.Input[2] = DequantizedBias(node.Input[2], bias, parameters, inputScale * factor, isInteger);
        }
    }

    private (QuantizationParameters[] Parameters, int? Axis) Parameters(NodeProto node, int operand, string weight, float[] values, int[] shape)
    {
        int? axis = ChannelAxis(node, operand, shape);
        if (_encodings?.Of(weight) is { } encoding)
        {
            if (encoding.Bitwidth != 8)
            {
                throw new CompilationException(
                    $"The encodings (ExternalQuantizationFile, external_quantization_file) have {encoding.Bitwidth} bits for the weight '{encoding.Tensor}' of '{_graph.Model.Source}'; "
                    + "the simulated card has weights of 8 bits. Encode it in 8 bits, in 32 to leave it float, or leave it out to have its scale chosen here.");
            }

            QuantizationParameters[] given = [.. encoding.Parameters];
            int? givenAxis = given.Length == 1 ? null : ChannelAxisOf(node, operand, shape);
            bool fits = given.Length == 1 || (givenAxis is { } along && shape[along] == given.Length && given.All(p => p.Offset == given[0].Offset));
            return fits ? (given, givenAxis) : throw new CompilationException(
                $"The encodings (ExternalQuantizationFile, external_quantization_file) have {given.Length} pairs of scale and offset for the weight '{weight}' of '{_graph.Model.Source}', "
                + $"which is [{string.Join(", ", shape)}]: the simulated card takes one, or one per output channel with the same offset in all.");
        }

        // Integer kernels take one zero point for all channels.
        QuantizationSchema schema = axis is not null && Schema is QuantizationSchema.SymmetricWithUInt8 or QuantizationSchema.Asymmetric ? QuantizationSchema.Symmetric : Schema;
        QuantizationParameters[] parameters = WeightQuantization.Choose(values, shape, axis, schema);
        if (schema is QuantizationSchema.Symmetric or QuantizationSchema.SymmetricWithUInt8)
        {
            UseNarrowRange(parameters, values, axis is { } channels ? shape.Skip(channels + 1).Aggregate(1, (a, b) => a * b) : values.Length);
        }

        return (parameters, axis);
    }

    // -127 to 127, as ONNX's own tools have it for weights: a network that was quantized elsewhere gives the same integers here. Glow's -128 makes scales up to 0.8 % finer,
    // which is no more exact on average, but other noise: up to 2 dB more or less, by chance, on small networks.
    private static void UseNarrowRange(QuantizationParameters[] parameters, float[] values, int inner)
    {
        float[] largest = new float[parameters.Length];
        for (int i = 0; i < values.Length; i++)
        {
            int channel = parameters.Length == 1 ? 0 : i / inner % parameters.Length;
            largest[channel] = Math.Max(largest[channel], Math.Abs(values[i]));
        }

        for (int i = 0; i < parameters.Length; i++)
        {
            float scale = largest[i] / QuantizationParameters.MaxQuantized;
            if (parameters[i].Offset == 0 && largest[i] > 0 && scale > parameters[i].Scale)
            {
                parameters[i] = parameters[i] with { Scale = scale };
            }
        }
    }

    private bool OptionsWantChannels(NodeProto node) => node.OpType is "Conv" or "ConvTranspose" ? _options.EnableChannelwise : _options.EnableRowwise;

    private int? ChannelAxis(NodeProto node, int operand, int[] shape) => OptionsWantChannels(node) ? ChannelAxisOf(node, operand, shape) : null;

    // The axis of output channels; null where the weight has none of its own for each.
    private static int? ChannelAxisOf(NodeProto node, int operand, int[] shape) => operand != 1 ? null : node.OpType switch
    {
        "Conv" => 0,
        "ConvTranspose" => node.Int("group", 1) == 1 ? 1 : null,
        "Gemm" => node.Int("transB", 0) != 0 ? 0 : 1,
        "MatMul" => shape.Length == 2 ? 1 : null,
        _ => null,
    };

    // The bias, if it can be an integer one: one value per output channel, added to the plain product.
    private float[]? Bias(NodeProto node, int channels)
    {
        bool isPlain = node.OpType is "Conv" or "ConvTranspose" || (node.Is("Gemm") && node.Float("alpha", 1) == 1 && node.Float("beta", 1) == 1);
        if (!isPlain || _flow.Initializer(node.InputAt(2)) is not { DataType: TensorInfo.Float, Dims.Count: 1 or 2 } tensor || tensor.Dims.SkipLast(1).Any(d => d != 1))
        {
            return null;
        }

        float[] values = Finite(tensor.Name, "bias");
        return channels == 1 || values.Length == channels ? values : null;
    }

    private float[] Finite(string constant, string what)
    {
        float[] values = _graph.Values(constant);
        int bad = Array.FindIndex(values, v => !float.IsFinite(v));
        return bad < 0 ? values : throw new CompilationException(
            string.Create(CultureInfo.InvariantCulture, $"Value {bad} of the {what} '{constant}' of '{_graph.Model.Source}' is {values[bad]}; it cannot be quantized. ")
            + "Correct it in the model, or leave the node in FP32 (NodePrecisionInfoFile, node_precision_info_file).");
    }

    private string Dequantized(string weight, float[] values, int[] shape, int? axis, QuantizationParameters[] parameters, float factor, bool isInteger)
    {
        if (!_made.TryGetValue((weight, axis), out List<Made>? made))
        {
            _made[(weight, axis)] = made = [];
        }

        Made[] alike = [.. made.Where(m => m.Parameters.AsSpan().SequenceEqual(parameters))];
        if (alike.FirstOrDefault(m => m.Factor == factor && m.IsInteger == isInteger) is { } known)
        {
            return known.Tensor;
        }

        QuantizedConstant quantized = WeightQuantization.Quantize(values, shape, axis, parameters);
        if (alike.Length == 0)
        {
            _records.Add(Record(weight, "weight", parameters.Select(p => p.Scale), parameters.Select(p => p.Offset), values));
        }

        float[] scales = [.. parameters.Select(p => p.Scale * factor)];
        string tensor = isInteger
            ? Emit(
                weight,
                new TensorProto { DataType = 3, Dims = { shape.Select(d => (long)d) }, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<sbyte>(quantized.Values)) },
                axis,
                scales,
                [.. parameters.Select(p => (sbyte)p.Offset)])
            : EmitRounded(weight, shape, [.. quantized.Values], axis, scales, [.. parameters.Select(p => p.Offset)]);
        made.Add(new Made(parameters, factor, isInteger, tensor));
        return tensor;
    }

    private sealed record Made(QuantizationParameters[] Parameters, float Factor, bool IsInteger, string Tensor);

    // The numbers that the integers stand for.
    private string EmitRounded(string name, int[] shape, int[] integers, int? axis, float[] scales, int[] offsets)
    {
        int inner = axis is { } channels ? shape.Skip(channels + 1).Aggregate(1, (a, b) => a * b) : integers.Length;
        float[] values = new float[integers.Length];
        for (int i = 0; i < values.Length; i++)
        {
            int channel = scales.Length == 1 ? 0 : i / inner % scales.Length;
            values[i] = (integers[i] - offsets[channel]) * scales[channel];
        }

        string rounded = _names.Unique(name + "_rounded");
        _graph.SetConstant(InitializerData.Create(rounded, shape.Select(d => (long)d), values));
        return rounded;
    }

    private string DequantizedBias(string name, float[] bias, QuantizationParameters[] weights, float inputScale, bool isInteger)
    {
        int[] quantized = WeightQuantization.QuantizeBias(bias, weights, inputScale, BiasPrecision);
        float[] scales = [.. weights.Select(w => inputScale * w.Scale)];
        _records.Add(Record(name, "bias", scales, weights.Select(_ => 0), bias));
        if (!isInteger)
        {
            return EmitRounded(name, [bias.Length], quantized, weights.Length == 1 ? null : 0, scales, new int[scales.Length]);
        }

        return Emit(
            name,
            new TensorProto { DataType = 6, Dims = { bias.Length }, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<int>(quantized)) },
            weights.Length == 1 ? null : 0,
            scales,
            null);
    }

    private static QuantizedTensor Record(string name, string kind, IEnumerable<float> scales, IEnumerable<int> offsets, float[] values) =>
        new(name, null, kind, [.. scales], [.. offsets], values.Length == 0 ? 0 : values.Min(), values.Length == 0 ? 0 : values.Max());

    private string Emit(string name, TensorProto integers, int? axis, float[] scales, sbyte[]? zeroPoints)
    {
        if (axis is not null && _graph.Model.Opset < PerChannelOpset)
        {
            throw new CompilationException(
                $"'{name}' of '{_graph.Model.Source}' has one scale per channel, which takes opset {PerChannelOpset}; the model has {_graph.Model.Opset}. "
                + $"Convert it to opset {PerChannelOpset} or later (onnx.version_converter), or give one scale for all channels.");
        }

        IEnumerable<long> dims = axis is null ? [] : [scales.Length];
        integers.Name = _names.Unique(name + "_quantized");
        TensorProto scale = InitializerData.Create(_names.Unique(name + "_scale"), dims, scales);
        var node = new NodeProto { OpType = "DequantizeLinear", Input = { integers.Name, scale.Name }, Output = { _names.Unique(name + "_dequantized") } };
        node.Name = node.Output[0];
        _graph.Model.Graph.Initializer.Add(integers);
        _graph.Model.Graph.Initializer.Add(scale);
        if (zeroPoints is not null)
        {
            var zero = new TensorProto { Name = _names.Unique(name + "_zero_point"), DataType = 3, Dims = { dims }, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<sbyte>(zeroPoints)) };
            _graph.Model.Graph.Initializer.Add(zero);
            node.Input.Add(zero.Name);
        }

        if (axis is { } along)
        {
            node.Attribute.Add(NodeAttributes.Int("axis", along));
        }

        _nodes.Add(node);
        return node.Output[0];
    }
}
