using System.Collections.Immutable;

namespace Qaic.Quantization;

/// <summary>Parameters of one tensor in an encodings file.</summary>
/// <param name="Tensor">Name of the tensor in the ONNX model.</param>
/// <param name="Bitwidth">Bits: 8, 16 or 32. 32: not quantized.</param>
/// <param name="IsSymmetric">What the file says of symmetry.</param>
/// <param name="Parameters">One, or one per channel; empty at 32 bits.</param>
public sealed record TensorEncoding(string Tensor, int Bitwidth, bool IsSymmetric, ImmutableArray<QuantizationParameters> Parameters);

/// <summary>Quantization parameters chosen elsewhere: AIMET's encodings, as JSON or YAML (<c>external_quantization_file</c>).</summary>
/// <remarks>Immutable. The file's offsets have the opposite sign and unsigned storage: <c>offset(file) = −128 − Offset</c>.</remarks>
public sealed class QuantizationEncodings
{
    /// <param name="activations">Encodings of activations, by tensor.</param>
    /// <param name="parameters">Encodings of weights and biases, by tensor.</param>
    public QuantizationEncodings(IEnumerable<TensorEncoding> activations, IEnumerable<TensorEncoding> parameters)
    {
        Activations = activations.ToImmutableSortedDictionary(e => e.Tensor, e => e, StringComparer.Ordinal);
        Parameters = parameters.ToImmutableSortedDictionary(e => e.Tensor, e => e, StringComparer.Ordinal);
    }

    /// <summary>Encodings of activations, by tensor.</summary>
    public ImmutableSortedDictionary<string, TensorEncoding> Activations { get; }

    /// <summary>Encodings of weights and biases, by tensor.</summary>
    public ImmutableSortedDictionary<string, TensorEncoding> Parameters { get; }

    /// <summary>Reads a JSON or YAML file.</summary>
    public static QuantizationEncodings Load(string path) => throw new NotImplementedException(path);

    /// <summary>Writes a file: YAML if its name ends in .yaml or .yml, else JSON.</summary>
    public void Save(string path) => throw new NotImplementedException(path);
}
