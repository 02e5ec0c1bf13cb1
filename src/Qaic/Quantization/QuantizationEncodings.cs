using System.Collections.Immutable;
using System.Text;

namespace Qaic.Quantization;

/// <summary>Parameters of one tensor in an encodings file.</summary>
/// <param name="Tensor">Name of the tensor in the ONNX model.</param>
/// <param name="Bitwidth">Bits: 8 and 16 are common, 4 exists; 1 to 16. 32: not quantized.</param>
/// <param name="IsSymmetric">What the file says of symmetry.</param>
/// <param name="Parameters">One, or one per channel; empty at 32 bits and for <see cref="IsFloat"/>. At b bits an offset is <c>-2^(b-1)</c> to <c>2^(b-1) - 1</c>.</param>
public sealed record TensorEncoding(string Tensor, int Bitwidth, bool IsSymmetric, ImmutableArray<QuantizationParameters> Parameters)
{
    /// <summary>Whether the tensor stays a float of <see cref="Bitwidth"/> bits (<c>dtype: float</c>).</summary>
    public bool IsFloat { get; init; }

    /// <summary>Whether integers stand for the tensor's numbers.</summary>
    public bool IsQuantized => !IsFloat && Bitwidth < 32;

    /// <summary>Whether both say the same of the same tensor.</summary>
    public bool Equals(TensorEncoding? other) =>
        other is not null && Tensor == other.Tensor && Bitwidth == other.Bitwidth && IsSymmetric == other.IsSymmetric && IsFloat == other.IsFloat
        && (Parameters.IsDefault ? [] : Parameters).AsSpan().SequenceEqual((other.Parameters.IsDefault ? [] : other.Parameters).AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Tensor, Bitwidth, IsSymmetric, IsFloat);
}

/// <summary>Quantization parameters chosen elsewhere: AIMET's encodings, as JSON or YAML (<c>external_quantization_file</c>).</summary>
/// <remarks>
/// <para>Immutable. The file's offsets have the opposite sign and unsigned storage: <c>offset(file) = −2^(b−1) − Offset</c>, which is <c>−128 − Offset</c> at 8 bits.</para>
/// <para>Read are the forms of the versions 0.4 to 0.6 (a list of entries by tensor, one per channel) and 1.0.0 (a list of tensors); written is 0.6.1.</para>
/// </remarks>
public sealed class QuantizationEncodings
{
    private const string What = "encodings file";

    // Of a large network with parameters per channel it has some tens of megabytes; indented by others, some hundreds. A text of more characters than this does not fit into a string.
    private const int MaxBytes = 1023 << 20;

    /// <param name="activations">Encodings of activations, by tensor.</param>
    /// <param name="parameters">Encodings of weights and biases, by tensor.</param>
    /// <exception cref="ArgumentException">A tensor is there twice, has no name, or its parameters are not possible.</exception>
    public QuantizationEncodings(IEnumerable<TensorEncoding> activations, IEnumerable<TensorEncoding> parameters)
    {
        Activations = ByTensor(activations, nameof(activations));
        Parameters = ByTensor(parameters, nameof(parameters));
    }

    /// <summary>Encodings of activations, by tensor.</summary>
    public ImmutableSortedDictionary<string, TensorEncoding> Activations { get; }

    /// <summary>Encodings of weights and biases, by tensor.</summary>
    public ImmutableSortedDictionary<string, TensorEncoding> Parameters { get; }

    /// <summary>Reads a JSON or YAML file. Unknown keys are passed over.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="QuantizationFormatException">It is not as it should be, or of a version that is not known; the message names line, tensor and field.</exception>
    public static QuantizationEncodings Load(string path)
    {
        byte[] bytes = QuantizationFiles.ReadAll(path, What, MaxBytes);
        return EncodingsReader.Read(IsYaml(path) || !StartsAsJson(bytes) ? DocumentNode.ParseYaml(QuantizationFiles.Decode(bytes, path), path) : DocumentNode.ParseJson(bytes, path), path);
    }

    /// <summary>Writes a file: YAML if its name ends in .yaml or .yml, else JSON. The same encodings give the same bytes; at any time there is either the old file or the whole new one.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => QuantizationFiles.Write(path, What, stream =>
    {
        if (IsYaml(path))
        {
            EncodingsWriter.WriteYaml(this, stream);
        }
        else
        {
            EncodingsWriter.WriteJson(this, stream);
        }
    });

    /// <summary>What is wrong with an encoding; null if nothing.</summary>
    internal static string? Objection(TensorEncoding encoding)
    {
        ImmutableArray<QuantizationParameters> parameters = encoding.Parameters.IsDefault ? [] : encoding.Parameters;
        if (!encoding.IsQuantized)
        {
            return parameters.IsEmpty ? null : "it is not quantized, and so has no scale and offset";
        }

        if (encoding.Bitwidth is < 1 or > 16)
        {
            return $"it has {encoding.Bitwidth} bits; 1 to 16 are possible, and 32 for not quantized";
        }

        if (parameters.IsEmpty)
        {
            return "it has no scale and offset";
        }

        int half = 1 << (encoding.Bitwidth - 1);
        foreach (QuantizationParameters p in parameters)
        {
            if (!(p.Scale > 0) || !float.IsFinite(p.Scale))
            {
                return FormattableString.Invariant($"its scale is {p.Scale:R}; it must be above 0 and finite, as a 32 bit float");
            }

            if (p.Offset < -half || p.Offset >= half)
            {
                return $"its offset is {p.Offset}; at {encoding.Bitwidth} bits it must be {-half} to {half - 1}";
            }
        }

        return null;
    }

    private static ImmutableSortedDictionary<string, TensorEncoding> ByTensor(IEnumerable<TensorEncoding> encodings, string parameter)
    {
        ArgumentNullException.ThrowIfNull(encodings, parameter);
        ImmutableSortedDictionary<string, TensorEncoding>.Builder byTensor = ImmutableSortedDictionary.CreateBuilder<string, TensorEncoding>(StringComparer.Ordinal);
        foreach (TensorEncoding encoding in encodings)
        {
            string? objection = string.IsNullOrEmpty(encoding.Tensor) ? "it has no name" : byTensor.ContainsKey(encoding.Tensor) ? "it is there twice" : Objection(encoding);
            if (objection is not null)
            {
                throw new ArgumentException($"Tensor '{encoding.Tensor}': {objection}.", parameter);
            }

            byTensor.Add(encoding.Tensor, encoding);
        }

        return byTensor.ToImmutable();
    }

    private static bool IsYaml(string path) => path.EndsWith(".yaml", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".yml", StringComparison.OrdinalIgnoreCase);

    private static bool StartsAsJson(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> text = bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[3..] : bytes;
        text = text.TrimStart(" \t\r\n"u8);
        return text.Length > 0 && text[0] == (byte)'{';
    }
}
