using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Turns MatMul with an Add behind it into Gemm, which takes a constant bias as an integer and runs on integers whether its result does or not.</summary>
/// <remarks>
/// ONNX Runtime does the same, but only after Quantize and Dequantize are in place: it then puts a Reshape between them and the Gemm of a tensor with more than two dimensions, or gives the Gemm a bias that no
/// integer kernel takes, and what could have been integers is computed in float.
/// </remarks>
internal static class BiasedProducts
{
    /// <param name="graph">The prepared model; changed in place.</param>
    /// <param name="assignment">Nodes that are not quantized and stay as they are.</param>
    /// <param name="originals">Receives, per node that was made or changed, the names that it stands for in the model; none for a node that has no counterpart there.</param>
    public static void Merge(FloatGraph graph, PrecisionAssignment assignment, Dictionary<NodeProto, string[]> originals)
    {
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

            if (Find(graph, flow, assignment, node) is not { } found)
            {
                nodes.Add(node);
            }
            else if (found.Bias is null)
            {
                var gemm = new NodeProto { OpType = "Gemm", Name = node.Name, Input = { node.Input }, Output = { node.Output } };
                originals[gemm] = [node.Output[0]];
                nodes.Add(gemm);
            }
            else
            {
                nodes.AddRange(Gemm(graph, flow, names, node, found, originals, gone));
            }
        }

        graph.Model.Graph.Node.Clear();
        graph.Model.Graph.Node.AddRange(nodes);
    }

    // Bias: null if the Add stays behind the product.
    private sealed record BiasedProduct(NodeProto Add, string? Bias, int[] Shape);

    private static BiasedProduct? Find(FloatGraph graph, Dataflow flow, PrecisionAssignment assignment, NodeProto node)
    {
        if (!node.Is("MatMul") || assignment.IsListed(node) || flow.Initializer(node.Input[0]) is not null || flow.Initializer(node.Input[1]) is not { DataType: TensorInfo.Float, Dims.Count: 2 } weight
            || flow.SoleConsumer(node.Output[0]) is not { } add || !add.Is("Add")
            || !graph.Tensors.TryGetValue(node.Input[0], out TensorInfo? given) || !graph.Tensors.TryGetValue(add.Output[0], out TensorInfo? sum) || given.Shape.Length != sum.Shape.Length)
        {
            return null;
        }

        string bias = add.Input[0] == node.Output[0] ? add.Input[1] : add.Input[0];
        bool isRow = !assignment.IsListed(add) && flow.Initializer(bias) is { DataType: TensorInfo.Float } constant && constant.Dims.Count <= sum.Shape.Length && IsRow(constant, weight.Dims[1]);
        return given.Shape.Length switch
        {
            2 => new BiasedProduct(add, isRow ? bias : null, sum.Shape),
            > 2 when isRow && sum.Shape.All(d => d > 0) => new BiasedProduct(add, bias, sum.Shape),
            _ => null,
        };
    }

    /// <summary>Whether a constant adds one number to each column, or the same to all.</summary>
    public static bool IsRow(TensorProto constant, long columns) => constant.Dims.All(d => d == 1) || (constant.Dims[^1] == columns && constant.Dims.SkipLast(1).All(d => d == 1));

    private static List<NodeProto> Gemm(
        FloatGraph graph, Dataflow flow, TensorNames names, NodeProto product, BiasedProduct biased, Dictionary<NodeProto, string[]> originals, HashSet<NodeProto> gone)
    {
        string result = biased.Add.Output[0];
        var gemm = new NodeProto { OpType = "Gemm", Name = product.Name, Input = { product.Input[0], product.Input[1], biased.Bias! }, Output = { result } };
        originals[gemm] = [product.Output[0], result];
        gone.Add(biased.Add);
        if (biased.Shape.Length == 2)
        {
            return [gemm];
        }

        int[] given = graph.Tensors[product.Input[0]].Shape;
        gemm.Input[0] = names.Unique(product.Input[0] + "_rows");
        gemm.Output[0] = names.Unique(result + "_rows");
        int rows = biased.Shape.SkipLast(1).Aggregate(1, (a, b) => a * b);
        var flat = new TensorInfo(TensorInfo.Float, [rows, biased.Shape[^1]]);
        graph.Tensors[gemm.Input[0]] = new TensorInfo(TensorInfo.Float, [rows, given[^1]]);
        graph.Tensors[gemm.Output[0]] = flat;
        List<NodeProto> nodes = [Reshape(product.Input[0], gemm.Input[0], [-1, given[^1]]), gemm];
        string last = gemm.Output[0];
        if (graph.Fused.TryGetValue(result, out string? behind) && flow.Producer(behind) is { } function)
        {
            // The activation function comes before the old shape is restored: a Reshape in between would keep it out of the integer kernel.
            originals[function] = [behind];
            function.Input[0] = last;
            function.Output[0] = last = names.Unique(behind + "_rows");
            graph.Tensors[last] = flat;
            graph.Fused.Remove(result);
            graph.Fused[gemm.Output[0]] = last;
            gone.Add(function);
            nodes.Add(function);
            result = behind;
        }

        return [.. nodes, Reshape(last, result, biased.Shape)];

        NodeProto Reshape(string from, string to, int[] shape)
        {
            string constant = names.Unique(to + "_shape");
            graph.Model.Graph.Initializer.Add(new TensorProto { Name = constant, DataType = 7, Dims = { shape.Length }, Int64Data = { shape.Select(d => (long)d) } });
            var node = new NodeProto { OpType = "Reshape", Name = to, Input = { from, constant }, Output = { to } };
            originals[node] = [];
            return node;
        }
    }
}
