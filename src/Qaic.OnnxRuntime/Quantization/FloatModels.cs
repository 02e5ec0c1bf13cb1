using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Refuses models that have nothing to quantize because they do not compute in float32.</summary>
internal static class FloatModels
{
    private const int Half = 10, BrainFloat = 16;

    /// <exception cref="CompilationException">The model has no float tensor, or all its convolutions and matrix products are in another float type.</exception>
    public static void Check(FloatGraph graph)
    {
        int[] products = [.. graph.Model.Graph.Node
            .Where(n => n.Is("Conv") || n.Is("ConvTranspose") || n.Is("Gemm") || n.Is("MatMul"))
            .Select(n => graph.Tensors.GetValueOrDefault(n.Input[0])?.DataType ?? TensorInfo.Float)];
        int[] types = products.Length > 0 ? products : [.. graph.Tensors.Values.Select(t => t.DataType)];
        bool isFloat = products.Length > 0 ? products.Contains(TensorInfo.Float) : graph.Activations.Count > 0;
        if (!isFloat && types.FirstOrDefault(t => t is Half or BrainFloat) is not 0 and var other)
        {
            throw new CompilationException(
                $"'{graph.Model.Source}' has no float tensor to quantize: it computes in {OnnxTypes.Name(other)}. Export it in float32; or compile it as it is, without profile, encodings or ConvertToQuantize (convert_to_quantize).");
        }

        if (graph.Activations.Count == 0)
        {
            throw new CompilationException($"'{graph.Model.Source}' has no float tensor to profile or quantize. Compile it as it is, without profile, encodings or ConvertToQuantize (convert_to_quantize).");
        }
    }
}
