using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Gives every Gemm a bias that an integer kernel takes, one constant number per column and not scaled, or none: then an Add behind the product has it.</summary>
internal static class GemmBiases
{
    // Beyond these a scale could become 0 or infinite.
    private const float LeastFactor = 1e-6f, LargestFactor = 1e6f;

    /// <param name="graph">The prepared model; changed in place.</param>
    /// <param name="assignment">Nodes that are not quantized and stay as they are.</param>
    /// <param name="keepsBiases">Whether biases are added in float.</param>
    /// <param name="originals">Receives, per node that was made or changed, the names that it stands for in the model.</param>
    public static void Normalize(FloatGraph graph, PrecisionAssignment assignment, bool keepsBiases, Dictionary<NodeProto, string[]> originals)
    {
        var names = new TensorNames(graph.Model.Graph);
        var flow = new Dataflow(graph.Model.Graph);
        List<NodeProto> nodes = [];
        foreach (NodeProto node in graph.Model.Graph.Node.ToList())
        {
            nodes.Add(node);
            if (!node.Is("Gemm") || assignment.IsListed(node) || node.InputAt(2).Length == 0 || flow.Initializer(node.Input[0]) is not null
                || (flow.Initializer(node.Input[1]) is not null && !CanScale(node)))
            {
                continue;
            }

            TensorProto? weight = flow.Initializer(node.Input[1]);
            TensorProto? bias = flow.Initializer(node.Input[2]) is { DataType: TensorInfo.Float } constant ? constant : null;
            float beta = node.Float("beta", 1);
            Remove(node, "beta");
            if (beta == 0)
            {
                node.Input.RemoveAt(2);
                continue;
            }

            long columns = weight is null ? -1 : weight.Dims[node.Int("transB", 0) != 0 ? 0 : 1];
            if (!keepsBiases && bias is not null && weight is not null && BiasedProducts.IsRow(bias, columns))
            {
                node.Input[2] = Row(graph, flow, names, bias, columns, beta);
                continue;
            }

            nodes.AddRange(Separate(graph, names, node, bias, beta, originals));
        }

        graph.Model.Graph.Node.Clear();
        graph.Model.Graph.Node.AddRange(nodes);
    }

    /// <summary>Whether a Gemm's factor can go into the scale of its weights.</summary>
    public static bool CanScale(NodeProto gemm) => gemm.Float("alpha", 1) is >= LeastFactor and <= LargestFactor;

    private static string Row(FloatGraph graph, Dataflow flow, TensorNames names, TensorProto bias, long columns, float beta)
    {
        if (beta == 1 && bias.Dims.Count == 1 && bias.Dims[0] == columns)
        {
            return bias.Name;
        }

        float[] values = graph.Values(bias.Name), row = new float[columns];
        for (int i = 0; i < row.Length; i++)
        {
            row[i] = beta * values[values.Length == 1 ? 0 : i];
        }

        // What others read as well stays as it is.
        string name = flow.SoleConsumer(bias.Name) is null ? names.Unique(bias.Name + "_row") : bias.Name;
        graph.SetConstant(InitializerData.Create(name, [columns], row));
        return name;
    }

    private static List<NodeProto> Separate(FloatGraph graph, TensorNames names, NodeProto gemm, TensorProto? constant, float beta, Dictionary<NodeProto, string[]> originals)
    {
        string result = gemm.Output[0], bias = gemm.Input[2];
        originals.TryAdd(gemm, [result]);
        gemm.Input.RemoveAt(2);
        gemm.Output[0] = names.Unique(result + "_product");
        List<NodeProto> nodes = [];
        if (beta != 1)
        {
            string scaled = names.Unique(bias + "_scaled");
            if (constant is not null)
            {
                graph.SetConstant(InitializerData.Create(scaled, constant.Dims, [.. graph.Values(constant.Name).Select(v => v * beta)]));
            }
            else
            {
                string factor = names.Unique(result + "_beta");
                graph.SetConstant(InitializerData.Create(factor, [], [beta]));
                nodes.Add(new NodeProto { OpType = "Mul", Name = scaled, Input = { bias, factor }, Output = { scaled } });
            }

            bias = scaled;
        }

        nodes.Add(new NodeProto { OpType = "Add", Name = result + "_bias", Input = { gemm.Output[0], bias }, Output = { result } });
        nodes.ForEach(n => originals[n] = []);
        return nodes;
    }

    private static void Remove(NodeProto node, string attribute)
    {
        if (node.Find(attribute) is { } found)
        {
            node.Attribute.Remove(found);
        }
    }
}
