using System.Collections.Immutable;

namespace Qaic.Quantization;

/// <summary>Which nodes of a quantized network run in FP16 or FP32; the vendor's node precision file (<c>node_precision_info_file</c>). A node goes by the name of its first output in the model.</summary>
/// <param name="Fp16Nodes">Nodes in FP16.</param>
/// <param name="Fp32Nodes">Nodes in FP32.</param>
/// <param name="EnableFp32Bias">Keep biases in FP32.</param>
public sealed record NodePrecision(ImmutableArray<string> Fp16Nodes, ImmutableArray<string> Fp32Nodes, bool EnableFp32Bias = false)
{
    /// <summary>No exceptions.</summary>
    public static NodePrecision None { get; } = new([], []);

    /// <summary>Reads a file.</summary>
    public static NodePrecision Load(string path) => throw new NotImplementedException(path);

    /// <summary>Writes a file.</summary>
    public void Save(string path) => throw new NotImplementedException(path);
}
