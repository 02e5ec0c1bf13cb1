using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Qaic.Compilation;

/// <summary>How the host sees one input or output: an entry of a <see cref="CustomIoFile"/>.</summary>
/// <param name="IoName">The tensor's name in the ONNX model. One that is both an input and an output is both in this precision.</param>
/// <param name="Precision">One of <see cref="KnownPrecisions"/>.</param>
public sealed record CustomIoEntry(string IoName, string Precision)
{
    private static readonly (string Name, ElementType? Type)[] s_precisions =
    [
        ("float32", Qaic.ElementType.Float32), ("float16", Qaic.ElementType.Float16), ("bfloat16", Qaic.ElementType.BFloat16), ("mxint8", null),
        ("int8", Qaic.ElementType.Int8), ("uint8", Qaic.ElementType.UInt8), ("int16", Qaic.ElementType.Int16Q), ("int32", Qaic.ElementType.Int32), ("int64", Qaic.ElementType.Int64),
    ];

    /// <summary>Precisions that are understood. float16, bfloat16, mxint8, int8 and uint8 are the vendor's spellings; the others follow them.</summary>
    public static ImmutableArray<string> KnownPrecisions { get; } = [.. s_precisions.Select(p => p.Name)];

    /// <summary>For int8 and uint8 of a tensor that is real in the model: distance of two codes. A code q stands for Scale × (q - Offset). Null if the file does not say.</summary>
    /// <remarks>The key <c>Scale</c> is this project's own: what the vendor's compiler calls it is not public.</remarks>
    public float? Scale { get; init; }

    /// <summary>For int8 and uint8 of a tensor that is real in the model: the code of 0. Null if the file does not say. See <see cref="Scale"/>.</summary>
    public int? Offset { get; init; }

    /// <summary>Keys that are not understood, and their values as YAML on one line. They are kept, so that a template of the vendor's compiler can be edited and written again.</summary>
    public ImmutableArray<KeyValuePair<string, string>> OtherKeys { get; init; } = [];

    /// <summary>Line of the entry in the file it was read from, from 1; 0 if it was not read.</summary>
    public int Line { get; init; }

    /// <summary>Column of the entry in the file it was read from, from 1; 0 if it was not read.</summary>
    public int Column { get; init; }

    internal static bool IsPrecision(string text, [NotNullWhen(true)] out string? precision) =>
        (precision = KnownPrecisions.FirstOrDefault(p => p.Equals(text, StringComparison.OrdinalIgnoreCase)) ?? (text.Equals("float", StringComparison.OrdinalIgnoreCase) ? "float32" : null)) is not null;

    /// <summary>The entry that leaves a tensor as it is.</summary>
    internal static CustomIoEntry Of(TensorSpec tensor)
    {
        ElementType type = tensor.ElementType switch
        {
            Qaic.ElementType.UInt8Q => Qaic.ElementType.UInt8,
            Qaic.ElementType.Int8Q => Qaic.ElementType.Int8,
            Qaic.ElementType.Int32Q => Qaic.ElementType.Int32,
            _ => tensor.ElementType,
        };
        string precision = s_precisions.FirstOrDefault(p => p.Type == type).Name
            ?? throw new ArgumentException($"Tensor '{tensor}' has a type for which custom IO has no precision; it has {string.Join(", ", KnownPrecisions)}.", nameof(tensor));
        bool isQuantized = tensor.ElementType is Qaic.ElementType.UInt8Q or Qaic.ElementType.Int8Q && tensor.Scale != 0;
        return new CustomIoEntry(tensor.Name, precision) { Scale = isQuantized ? tensor.Scale : null, Offset = isQuantized ? tensor.Offset : null };
    }

    /// <summary>The buffer type; null for mxint8, and for a precision that is not known.</summary>
    internal ElementType? ElementType => s_precisions.FirstOrDefault(p => p.Name == Precision).Type;
}
