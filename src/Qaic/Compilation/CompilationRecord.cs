using System.Text.Json;
using System.Text.Json.Serialization;
using Qaic.Qpc;

namespace Qaic.Compilation;

/// <summary>What a QPC remembers of its compilation, in a segment of its own that the card's runtime ignores.</summary>
/// <remarks>Only the embedded compiler writes it. Unknown members are ignored, so that older readers open newer files.</remarks>
public sealed record CompilationRecord
{
    /// <summary>Name of the segment in the QPC.</summary>
    public const string SegmentName = "compilation.json";

    // The serializer gives every member a value, null for one that the file lacks.

    /// <summary><see cref="ICompiler.Name"/>.</summary>
    public string Compiler { get; init => field = value ?? ""; } = "";

    /// <summary><see cref="ICompiler.Version"/>.</summary>
    public string CompilerVersion { get; init => field = value ?? ""; } = "";

    /// <summary>Compile-stage options in force, by keyword.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init => field = value ?? new Dictionary<string, string>(); } = new Dictionary<string, string>();

    /// <summary>Tensors that are boolean in the model and travel as 0 and 1 in <see cref="ElementType.UInt8"/>.</summary>
    public IReadOnlyList<string> BooleanTensors { get; init => field = value ?? []; } = [];

    /// <summary>Precision and quantization; null in records of older versions.</summary>
    public PrecisionRecord? Precision { get; init; }

    /// <summary>The record of <paramref name="qpc"/>; null if it has none.</summary>
    /// <exception cref="QpcFormatException">The segment is there but cannot be read.</exception>
    public static CompilationRecord? Read(QpcFile qpc)
    {
        ArgumentNullException.ThrowIfNull(qpc);
        if (!qpc.TryGetSegment(SegmentName, out QpcSegment? segment))
        {
            return null;
        }

        try
        {
            CompilationRecord? record = JsonSerializer.Deserialize(segment.Span, CompilationJson.Default.CompilationRecord);
            return record?.HasNullElement != true ? record : throw new JsonException("A list has a null where a value should be.");
        }
        catch (JsonException e)
        {
            throw new QpcFormatException($"Segment {SegmentName} is not the JSON it should be: {e.Message}", segment.FileOffset);
        }
    }

    // The serializer checks members, not elements.
    private bool HasNullElement =>
        Options.Values.Concat(BooleanTensors).Concat(Precision is { } p ? [.. p.QuantizedNodes, .. p.RoundedNodes, .. p.Fp16Nodes, .. p.Fp32Nodes] : []).Any(s => s is null)
        || Precision?.Tensors.Any(t => t is null) == true;

    /// <summary>The segment's content.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, CompilationJson.Default.CompilationRecord);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(CompilationRecord))]
internal sealed partial class CompilationJson : JsonSerializerContext;
