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

    /// <summary><see cref="ICompiler.Name"/>.</summary>
    public string Compiler { get; init; } = "";

    /// <summary><see cref="ICompiler.Version"/>.</summary>
    public string CompilerVersion { get; init; } = "";

    /// <summary>Compile-stage options in force, by keyword.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>Tensors that are boolean in the model and travel as 0 and 1 in <see cref="ElementType.UInt8"/>.</summary>
    public IReadOnlyList<string> BooleanTensors { get; init; } = [];

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
            return JsonSerializer.Deserialize(segment.Span, CompilationJson.Default.CompilationRecord);
        }
        catch (JsonException e)
        {
            throw new QpcFormatException($"Segment {SegmentName} is not the JSON it should be: {e.Message}", segment.FileOffset);
        }
    }

    /// <summary>The segment's content.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, CompilationJson.Default.CompilationRecord);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(CompilationRecord))]
internal sealed partial class CompilationJson : JsonSerializerContext;
