using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Folds a BatchNormalization into the weights of the layer before it, as a card's compiler does before it quantizes.</summary>
/// <remarks>Only where the layer's result goes nowhere else and everything is a float constant. The layer keeps its name, and its output takes the normalization's.</remarks>
internal static class BatchNormalizationFolding
{
    private const float DefaultEpsilon = 1e-5f;

    /// <param name="model">The model; changed in place.</param>
    /// <param name="standsFor">Receives, per output of a layer, the normalization's output in its place.</param>
    public static void Fold(OnnxModel model, Dictionary<string, string> standsFor)
    {
        GraphProto graph = model.Graph;
        var flow = new Dataflow(graph);
        var names = new TensorNames(graph);
        HashSet<NodeProto> gone = new(ReferenceEqualityComparer.Instance);
        foreach (NodeProto norm in graph.Node.Where(n => n.Is("BatchNormalization")))
        {
            if (flow.Producer(norm.Input[0]) is { } layer && ReferenceEquals(flow.SoleConsumer(norm.Input[0]), norm) && layer.Output[0] == norm.Input[0]
                && HasOneResult(norm, flow) && Layer.Read(model, flow, layer) is { } weights && Affine(model, flow, norm, weights.Channels) is var (factor, shift))
            {
                weights.Scale(factor, shift);
                standsFor[layer.Output[0]] = norm.Output[0];
                flow.Remove(norm);
                flow.Remove(layer);
                weights.Write(graph, flow, names);
                layer.Output[0] = norm.Output[0];
                flow.Add(layer);
                gone.Add(norm);
            }
        }

        GraphCleanup.RemoveWhere(graph.Node, gone.Contains);
    }

    private static bool HasOneResult(NodeProto norm, Dataflow flow) =>
        norm.Int("training_mode", 0) == 0 && norm.Int("spatial", 1) == 1 && norm.Output.Skip(1).All(o => o.Length == 0 || !flow.IsUsed(o));

    // y = factor * x + shift, per channel.
    private static (double[] Factor, double[] Shift)? Affine(OnnxModel model, Dataflow flow, NodeProto norm, int channels)
    {
        var parameters = new float[4][];
        for (int i = 0; i < parameters.Length; i++)
        {
            if (Constant(model, flow, norm.InputAt(i + 1)) is not { } values || values.Length != channels)
            {
                return null;
            }

            parameters[i] = values;
        }

        double epsilon = norm.Float("epsilon", DefaultEpsilon);
        double[] factor = new double[channels], shift = new double[channels];
        for (int c = 0; c < channels; c++)
        {
            factor[c] = parameters[0][c] / Math.Sqrt(parameters[3][c] + epsilon);
            shift[c] = parameters[1][c] - (parameters[2][c] * factor[c]);
        }

        // A variance below 0 makes NaN at run time; folding would spread it.
        return factor.Concat(shift).All(double.IsFinite) ? (factor, shift) : null;
    }

    private static float[]? Constant(OnnxModel model, Dataflow flow, string tensor) =>
        flow.Initializer(tensor) is { DataType: TensorInfo.Float } constant ? InitializerData.Singles(model, constant) : null;

    /// <summary>The weights of a layer whose output channels can be scaled.</summary>
    private sealed class Layer
    {
        private readonly NodeProto _node;
        private readonly TensorProto _weight;
        private readonly float[] _values;
        private readonly float[]? _bias;

        // Elements of the weight per step along its channel axis, and groups of output channels along it.
        private readonly int _inner;
        private readonly int _perGroup;
        private readonly int _groups;
        private readonly double _biasFactor;

        private Layer(NodeProto node, TensorProto weight, float[] values, float[]? bias, int inner, int perGroup, int groups, double biasFactor)
        {
            (_node, _weight, _values, _bias, _inner, _perGroup, _groups, _biasFactor) = (node, weight, values, bias, inner, perGroup, groups, biasFactor);
        }

        /// <summary>Output channels.</summary>
        public int Channels => _perGroup * _groups;

        public static Layer? Read(OnnxModel model, Dataflow flow, NodeProto node)
        {
            if (!(node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm")) || flow.Initializer(node.InputAt(1)) is not { DataType: TensorInfo.Float, Dims.Count: >= 2 } weight)
            {
                return null;
            }

            string biasName = node.InputAt(2);
            double beta = node.Is("Gemm") ? node.Float("beta", 1) : 1;
            float[]? bias = biasName.Length == 0 || beta == 0 ? null : Constant(model, flow, biasName);
            if (biasName.Length > 0 && beta != 0 && bias is null)
            {
                return null;
            }

            int[] dims = [.. weight.Dims.Select(d => (int)d)];
            int kernel = dims.Skip(2).Aggregate(1, (a, b) => a * b);
            int groups = node.Is("ConvTranspose") ? (int)node.Int("group", 1) : 1;
            (int inner, int perGroup) = node.Is("Conv") || (node.Is("Gemm") && node.Int("transB", 0) != 0) ? (dims[1] * kernel, dims[0]) : (kernel, dims[1]);
            bool fits = groups > 0 && (bias is null || (bias.Length == perGroup * groups && flow.Initializer(biasName)!.Dims.LastOrDefault(1) == bias.Length));
            return fits ? new Layer(node, weight, InitializerData.Singles(model, weight), bias, inner, perGroup, groups, beta == 0 ? 1 : beta) : null;
        }

        private float[]? Shifted { get; set; }

        public void Scale(double[] factor, double[] shift)
        {
            // The channel of an element: its place along the channel axis; with groups of a transposed convolution the outer half of the input axis counts as well.
            int outer = Math.Max(1, _values.Length / Math.Max(1, _inner * _perGroup));
            for (int i = 0; i < _values.Length; i++)
            {
                int group = _groups == 1 ? 0 : i / (_inner * _perGroup) / (outer / _groups);
                _values[i] = (float)(_values[i] * factor[(group * _perGroup) + (i / _inner % _perGroup)]);
            }

            Shifted = new float[Channels];
            for (int c = 0; c < Shifted.Length; c++)
            {
                Shifted[c] = (float)(((_bias?[c] ?? 0.0) * factor[c]) + (shift[c] / _biasFactor));
            }
        }

        /// <param name="graph">Receives the scaled constants.</param>
        /// <param name="flow">The graph's edges without this layer.</param>
        /// <param name="names">Its names.</param>
        public void Write(GraphProto graph, Dataflow flow, TensorNames names)
        {
            _node.Input[1] = Replace(graph, flow, names, _weight, InitializerData.Create(_weight.Name, _weight.Dims, _values));
            string bias = _node.InputAt(2);
            if (flow.Initializer(bias) is { } old && _bias is not null)
            {
                _node.Input[2] = Replace(graph, flow, names, old, InitializerData.Create(old.Name, [Channels], Shifted!));
                return;
            }

            while (_node.Input.Count < 3)
            {
                _node.Input.Add("");
            }

            _node.Input[2] = names.Unique(_node.Output[0] + "_bias");
            TensorProto created = InitializerData.Create(_node.Input[2], [Channels], Shifted!);
            graph.Initializer.Add(created);
            flow.Add(created);
            if (_node.Is("Gemm") && _node.Find("beta") is { F: 0 } beta)
            {
                beta.F = 1;
            }
        }

        // A constant that others read as well stays; this layer gets one of its own.
        private string Replace(GraphProto graph, Dataflow flow, TensorNames names, TensorProto old, TensorProto replacement)
        {
            if (flow.IsUsed(old.Name) || _node.Input.Count(i => i == old.Name) > 1)
            {
                replacement.Name = names.Unique(old.Name + "_folded");
                graph.Initializer.Add(replacement);
            }
            else
            {
                graph.Initializer[GraphCleanup.IndexOf(graph.Initializer, old)] = replacement;
            }

            flow.Add(replacement);
            return replacement.Name;
        }
    }
}
