using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Makes a float model compute what a card computes in FP16, with float kernels on rounded numbers.</summary>
internal static class Fp16Rewriter
{
    /// <summary>The whole network: <see cref="QaicOptions.ConvertToFp16"/>. Weights become FP16 constants; inputs and outputs are rounded, or every activation (<see cref="QaicOptions.SimulateFp16Activations"/>).</summary>
    public static PrecisionRecord Apply(OnnxModel model, QaicOptions options, ILogger logger) => throw new NotImplementedException($"{model}{options}{logger}");

    /// <summary>Some nodes of a network that is otherwise quantized: their weights, inputs and outputs are rounded.</summary>
    /// <param name="model">The model.</param>
    /// <param name="nodes">Nodes of its graph.</param>
    /// <param name="logger">Receives warnings of constants that FP16 cannot hold.</param>
    public static void Round(OnnxModel model, IReadOnlyCollection<NodeProto> nodes, ILogger logger) => throw new NotImplementedException($"{model}{nodes}{logger}");
}
