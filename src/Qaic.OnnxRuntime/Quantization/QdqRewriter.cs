using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Rewrites a float model with QuantizeLinear and DequantizeLinear so that ONNX Runtime computes it with integer kernels.</summary>
internal static class QdqRewriter
{
    /// <param name="graph">The prepared model; changed in place.</param>
    /// <param name="profile">Ranges of the activations; null if <paramref name="encodings"/> has the parameters.</param>
    /// <param name="encodings">Parameters chosen elsewhere; null if <paramref name="profile"/> has the ranges.</param>
    /// <param name="precision">Nodes that are not quantized.</param>
    /// <param name="options">Schemas, calibration, channelwise, rowwise, bias, operators in FP16 or the model's precision.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <returns>What was done to every tensor.</returns>
    /// <exception cref="CompilationException">The profile or the encodings are not this model's.</exception>
    public static PrecisionRecord Apply(
        FloatGraph graph, QuantizationProfile? profile, QuantizationEncodings? encodings, NodePrecision precision, QaicOptions options, ILogger logger) =>
        throw new NotImplementedException($"{graph}{profile}{encodings}{precision}{options}{logger}");
}
