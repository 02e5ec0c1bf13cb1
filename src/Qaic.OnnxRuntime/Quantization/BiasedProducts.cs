using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Turns MatMul with a constant bias behind it into Gemm, which takes the bias as an integer and runs on integers whether its result does or not.</summary>
/// <remarks>
/// ONNX Runtime does the same, but only after Quantize and Dequantize are in place: it then puts a Reshape between them and the Gemm of a tensor with more than two dimensions, and what could have been
/// integers is computed in float.
/// </remarks>
internal static class BiasedProducts
{
    /// <param name="graph">The prepared model; changed in place.</param>
    /// <param name="assignment">Nodes that are not quantized and stay as they are.</param>
    /// <returns>Per node that is new and stands for one of the model, the name it goes by there.</returns>
    public static Dictionary<NodeProto, string> Merge(FloatGraph graph, PrecisionAssignment assignment)
    {
        var originals = new Dictionary<NodeProto, string>(ReferenceEqualityComparer.Instance);
        var names = new TensorNames(graph.Model.Graph);
        var flow = new Dataflow(graph.Model.Graph);
        List<NodeProto> nodes = [];
        HashSet<NodeProto> gone = new(ReferenceEqualityComparer.Instance);
        foreach (NodeProto node in graph.Model.Graph.Node.ToList())
        {
            if (gone.Contains(node))
            {
                continue;
            }

            if (Find(graph, flow, assignment, node) is { } found)
            {
                nodes.AddRange(Gemm(graph, names, node, found, originals));
                gone.Add(found.Add);
            }
            else
            {
                nodes.Add(node);
            }
        }

        if (originals.Count > 0)
        {
            graph.Model.Graph.Node.Clear();
            graph.Model.Graph.Node.AddRange(nodes);
        }

        return originals;
    }

    private sealed record BiasedProduct(NodeProto Add, string Bias, int[] Shape);

    private static BiasedProduct? Find(FloatGraph graph, Dataflow flow, PrecisionAssignment assignment, NodeProto node)
    {
        if (!node.Is("MatMul") || assignment.IsListed(node) || flow.Initializer(node.Input[0]) is not null || flow.Initializer(node.Input[1]) is not { DataType: TensorInfo.Float, Dims.Count: 2 } weight
            || flow.SoleConsumer(node.Output[0]) is not { } add || !add.Is("Add") || assignment.IsListed(add))
        {
            return null;
        }

        string bias = add.Input[0] == node.Output[0] ? add.Input[1] : add.Input[0];
        int[] shape = graph.Tensors[add.Output[0]].Shape;
        bool fits = flow.Initializer(bias) is { DataType: TensorInfo.Float, Dims.Count: 1 } constant && constant.Dims[0] == weight.Dims[1]
            && (shape.Length == 2 || (shape.Length > 2 && shape.All(d => d > 0) && !graph.Fused.ContainsKey(add.Output[0])));
        return fits ? new BiasedProduct(add, bias, shape) : null;
    }

    private static List<NodeProto> Gemm(FloatGraph graph, TensorNames names, NodeProto product, BiasedProduct biased, Dictionary<NodeProto, string> originals)
    {
        string result = biased.Add.Output[0];
        var gemm = new NodeProto { OpType = "Gemm", Name = product.Name, Input = { product.Input[0], product.Input[1], biased.Bias }, Output = { result } };
        originals[gemm] = product.Output[0];
        if (biased.Shape.Length == 2)
        {
            return [gemm];
        }

        int[] given = graph.Tensors[product.Input[0]].Shape;
        gemm.Input[0] = names.Unique(product.Input[0] + "_rows");
        gemm.Output[0] = names.Unique(result + "_rows");
        NodeProto flatten = Reshape(product.Input[0], gemm.Input[0], [-1, given[^1]]), restore = Reshape(gemm.Output[0], result, biased.Shape);
        int rows = biased.Shape.SkipLast(1).Aggregate(1, (a, b) => a * b);
        graph.Tensors[gemm.Input[0]] = new TensorInfo(TensorInfo.Float, [rows, given[^1]]);
        graph.Tensors[gemm.Output[0]] = new TensorInfo(TensorInfo.Float, [rows, biased.Shape[^1]]);
        return [flatten, gemm, restore];

        NodeProto Reshape(string from, string to, int[] shape)
        {
            string constant = names.Unique(to + "_shape");
            graph.Model.Graph.Initializer.Add(new TensorProto { Name = constant, DataType = 7, Dims = { shape.Length }, Int64Data = { shape.Select(d => (long)d) } });
            return new NodeProto { OpType = "Reshape", Name = to, Input = { from, constant }, Output = { to } };
        }
    }
}
