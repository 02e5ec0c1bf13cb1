using System.Collections.Immutable;
using Qaic.Quantization;

namespace Qaic.Compilation;

/// <summary>In which precision a network was compiled, and how its tensors were quantized. Part of <see cref="CompilationRecord"/>.</summary>
public sealed record PrecisionRecord
{
    // The serializer gives every member a value, null for one that the file lacks.

    /// <summary><c>FP32</c>, <c>FP16</c>, <c>INT8</c>, or <c>INT8+FP16</c> for a mixed network.</summary>
    /// <remarks>It is <c>INT8</c> as soon as one node is in <see cref="QuantizedNodes"/> or <see cref="RoundedNodes"/>.</remarks>
    public string Precision { get; init => field = value ?? "FP32"; } = "FP32";

    /// <summary>Schema of activations, as the options spell it; null if nothing is quantized.</summary>
    public string? Schema { get; init; }

    /// <summary>Schema of weights.</summary>
    public string? SchemaConstants { get; init; }

    /// <summary>Calibration, as the options spell it.</summary>
    public string? Calibration { get; init; }

    /// <summary>Why that calibration, if it was chosen among several.</summary>
    public string? CalibrationReason { get; init; }

    /// <summary>Percentage of the values that ranges cover, for Percentile.</summary>
    public double? Percentile { get; init; }

    /// <summary>Type of biases.</summary>
    public string? BiasPrecision { get; init; }

    /// <summary>Whether convolutions have parameters per channel.</summary>
    public bool IsChannelwise { get; init; }

    /// <summary>Whether fully connected layers have parameters per row.</summary>
    public bool IsRowwise { get; init; }

    /// <summary>Hash of the profile's graph: <c>0x693AC39E8BB9E42C</c>.</summary>
    public string? ProfileHash { get; init; }

    /// <summary>Nodes in integers, by first output.</summary>
    public IReadOnlyList<string> QuantizedNodes { get; init => field = value ?? []; } = [];

    /// <summary>Nodes that are computed in float on rounded numbers, by first output; empty in records of older versions.</summary>
    /// <remarks>Their weights and inputs have 8 bits, as on a card, but the simulated card has no integer kernel for them (a transposed convolution, a product with the constant on the left): they are as inexact as integers and as slow as float.</remarks>
    public IReadOnlyList<string> RoundedNodes { get; init => field = value ?? []; } = [];

    /// <summary>Nodes in FP16, by first output.</summary>
    public IReadOnlyList<string> Fp16Nodes { get; init => field = value ?? []; } = [];

    /// <summary>Nodes in FP32 of a network that is otherwise quantized or in FP16, by first output.</summary>
    public IReadOnlyList<string> Fp32Nodes { get; init => field = value ?? []; } = [];

    /// <summary>The quantized tensors, in the order of the graph.</summary>
    public IReadOnlyList<QuantizedTensor> Tensors { get; init => field = value ?? []; } = [];

    /// <summary>The parameters of all tensors as AIMET's encodings, for <see cref="QuantizationEncodings.Save"/> and <see cref="QaicOptions.ExternalQuantizationFile"/>.</summary>
    /// <remarks>
    /// <para>Activations and weights have 8 bits, weights one pair of scale and offset or one per channel. Biases have 32 and no scale: it follows from those of input and weight.</para>
    /// <para>Tensors that were left in FP16 or FP32 are not named, and stay as they are in a network that is compiled with the encodings. With the options for weights and biases it has the same
    /// parameters, since those that were raised to make room for a bias are raised again. A weight that several nodes read with different scales has the smallest.</para>
    /// </remarks>
    /// <returns>Encodings by the names of the model; empty if nothing is quantized.</returns>
    /// <exception cref="InvalidOperationException">A tensor is of no known kind, or its scales and offsets are not possible: the record is damaged, or of a newer version.</exception>
    public QuantizationEncodings ToEncodings()
    {
        ILookup<string, QuantizedTensor> kinds = Tensors.ToLookup(t => t.Kind, StringComparer.Ordinal);
        if (kinds.FirstOrDefault(k => k.Key is not (QuantizedTensor.Activation or QuantizedTensor.Weight or QuantizedTensor.Bias)) is { } unknown)
        {
            throw new InvalidOperationException(
                $"Tensor '{unknown.First().Name}' is of kind '{unknown.Key}'; known are activation, weight and bias. The record was written by a newer version; compile the model again with this one.");
        }

        try
        {
            return new QuantizationEncodings(
                kinds[QuantizedTensor.Activation].Select(t => new TensorEncoding(t.Name, 8, t.Offsets.All(o => o == 0), Pairs(t))),
                [
                    .. kinds[QuantizedTensor.Weight].GroupBy(t => t.Name, StringComparer.Ordinal).Select(uses => new TensorEncoding(uses.Key, 8, uses.First().Offsets.All(o => o == 0), Common(uses))),
                    .. kinds[QuantizedTensor.Bias].Select(t => t.Name).Distinct(StringComparer.Ordinal).Select(name => new TensorEncoding(name, 32, IsSymmetric: true, [])),
                ]);
        }
        catch (ArgumentException e)
        {
            throw new InvalidOperationException($"The record of this network's precision is damaged: {e.Message} Compile the model again.", e);
        }
    }

    private static ImmutableArray<QuantizationParameters> Pairs(QuantizedTensor tensor) => tensor.Scales.Count == tensor.Offsets.Count
        ? [.. tensor.Scales.Zip(tensor.Offsets, (scale, offset) => new QuantizationParameters(scale, offset))]
        : throw new ArgumentException($"Tensor '{tensor.Name}' has {tensor.Scales.Count} scales and {tensor.Offsets.Count} offsets.");

    // A node raises the scale of a weight to what its bias needs. The smallest of all is what was there before, or what each can raise to its own again.
    private static ImmutableArray<QuantizationParameters> Common(IEnumerable<QuantizedTensor> uses) => uses
        .Select(Pairs)
        .GroupBy(pairs => pairs.Length)
        .MinBy(alike => alike.Key)!
        .Aggregate((a, b) => [.. a.Zip(b, (x, y) => x.Scale <= y.Scale ? x : y)]);

    /// <summary>Whether both say the same, lists by their content.</summary>
    public bool Equals(PrecisionRecord? other) =>
        other is not null
        && (Precision, Schema, SchemaConstants, Calibration, CalibrationReason) == (other.Precision, other.Schema, other.SchemaConstants, other.Calibration, other.CalibrationReason)
        && (Percentile, BiasPrecision, IsChannelwise, IsRowwise, ProfileHash) == (other.Percentile, other.BiasPrecision, other.IsChannelwise, other.IsRowwise, other.ProfileHash)
        && QuantizedNodes.SequenceEqual(other.QuantizedNodes) && RoundedNodes.SequenceEqual(other.RoundedNodes) && Fp16Nodes.SequenceEqual(other.Fp16Nodes) && Fp32Nodes.SequenceEqual(other.Fp32Nodes) && Tensors.SequenceEqual(other.Tensors);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Precision, Schema, SchemaConstants, Calibration, ProfileHash, QuantizedNodes.Count, Fp16Nodes.Count, Tensors.Count);
}

/// <summary>A quantized tensor.</summary>
/// <param name="Name">Its name in the model.</param>
/// <param name="ProfileName">Its name in the profile; null for weights and biases, whose range is their own.</param>
/// <param name="Kind"><c>activation</c>, <c>weight</c> or <c>bias</c>.</param>
/// <param name="Scales">One scale, or one per channel.</param>
/// <param name="Offsets">One offset, or one per channel: <c>real = scale × (q − offset)</c>, q in [-128, 127] (a bias: 32 bit, offset 0).</param>
/// <param name="Minimum">Smallest value seen; for a constant its smallest.</param>
/// <param name="Maximum">Largest value seen; for a constant its largest.</param>
public sealed record QuantizedTensor(
    string Name, string? ProfileName, string Kind, IReadOnlyList<float> Scales, IReadOnlyList<int> Offsets, float Minimum, float Maximum)
{
    /// <summary>The values of <see cref="Kind"/>.</summary>
    internal const string Activation = "activation", Weight = "weight", Bias = "bias";

    /// <summary>Whether both say the same, lists by their content.</summary>
    public bool Equals(QuantizedTensor? other) =>
        other is not null && (Name, ProfileName, Kind) == (other.Name, other.ProfileName, other.Kind) && Minimum.Equals(other.Minimum) && Maximum.Equals(other.Maximum)
        && Scales.SequenceEqual(other.Scales) && Offsets.SequenceEqual(other.Offsets);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, ProfileName, Kind, Minimum, Maximum, Scales.Count, Offsets.Count);
}
