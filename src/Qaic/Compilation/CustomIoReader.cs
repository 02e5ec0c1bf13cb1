using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Qaic.Options;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Qaic.Compilation;

/// <summary>Reads custom IO files event by event: no tags, no anchors, bounded nesting, every key once.</summary>
internal sealed class CustomIoReader
{
    // Values that are not understood may be nested; an entry is at 2.
    private const int MaxDepth = 16;

    private const char ByteOrderMark = '\ufeff';

    private static readonly string[] s_keys = ["IOName", "Precision", "Scale", "Offset"];

    private readonly Parser _parser;
    private readonly string _source;

    private CustomIoReader(string text, string source)
    {
        _parser = new Parser(new StringReader(text.StartsWith(ByteOrderMark) ? text[1..] : text));
        _source = source;
    }

    public static CustomIoFile Read(string text, string source)
    {
        var reader = new CustomIoReader(text, source);
        try
        {
            return new CustomIoFile(reader.Document(), source);
        }
        catch (YamlException e)
        {
            throw new CompilationException($"{Place(source, e.Start)}: This is no YAML: {e.Message}", e);
        }
    }

    /// <summary>A name as YAML on one line: without quotes wherever that reads back as the same text.</summary>
    public static string Plain(string text)
    {
        bool isPlain = text.Length > 0 && !text.Any(c => char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or '\ufeff') && text.Trim() == text
            && !"-?:,[]{}#&*!|>'\"%@`".Contains(text[0], StringComparison.Ordinal) && !text.StartsWith("...", StringComparison.Ordinal)
            && !text.Contains(": ", StringComparison.Ordinal) && !text.EndsWith(':') && !text.Contains(" #", StringComparison.Ordinal);
        return isPlain ? text : Quoted(text);
    }

    private ImmutableArray<CustomIoEntry> Document()
    {
        Next<StreamStart>("the beginning of the file");
        if (!MoveNext() || _parser.Current is not DocumentStart)
        {
            throw Error(_parser.Current, "The file is empty. Write a sequence of entries, '- IOName: …' and below it '  Precision: …'; [] for none.");
        }

        Next<SequenceStart>("a sequence of entries, '- IOName: …' and below it '  Precision: …'");
        var entries = ImmutableArray.CreateBuilder<CustomIoEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (Advance() is not SequenceEnd)
        {
            CustomIoEntry entry = Entry(Current<MappingStart>("an entry, '- IOName: …'"));
            entries.Add(names.Add(entry.IoName) ? entry : throw Error(entry.Line, entry.Column, $"'{entry.IoName}' has an entry already, in line {entries.First(e => e.IoName == entry.IoName).Line}. Keep one of them."));
        }

        Next<DocumentEnd>("the end of the document");
        return Advance() is StreamEnd ? entries.ToImmutable() : throw Error(_parser.Current, "A second document begins; put all entries into one sequence.");
    }

    private CustomIoEntry Entry(MappingStart start)
    {
        string? name = null;
        string? precision = null;
        float? scale = null;
        int? offset = null;
        var others = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        var keys = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        (int line, int column) = ((int)start.Start.Line, (int)start.Start.Column);
        while (Advance() is not MappingEnd)
        {
            Scalar key = Current<Scalar>("a key");
            if (!keys.Add(key.Value))
            {
                throw Error(key, $"The entry has the key '{key.Value}' twice; upper and lower case are the same here.");
            }

            switch (Array.Find(s_keys, k => k.Equals(key.Value, StringComparison.OrdinalIgnoreCase)))
            {
                case "IOName":
                    Scalar io = Next<Scalar>("the name of an input or output");
                    name = io.Value.Length > 0 ? io.Value : throw Error(io, "IOName is empty; it names an input or output of the model.");
                    break;
                case "Precision":
                    Scalar kind = Next<Scalar>("a precision");
                    if (!CustomIoEntry.IsPrecision(kind.Value, out precision))
                    {
                        string hint = Spelling.Nearest(kind.Value, CustomIoEntry.KnownPrecisions) is { } nearest ? $" Did you mean '{nearest}'?" : "";
                        throw Error(kind, $"'{kind.Value}' is no precision.{hint} Known are {string.Join(", ", CustomIoEntry.KnownPrecisions)}.");
                    }

                    break;
                case "Scale":
                    Scalar step = Next<Scalar>("a number");
                    scale = float.TryParse(step.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) ? number : throw Error(step, $"Scale is '{step.Value}'; it must be a number, with a point.");
                    break;
                case "Offset":
                    Scalar zero = Next<Scalar>("a whole number");
                    offset = int.TryParse(zero.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int whole) ? whole : throw Error(zero, $"Offset is '{zero.Value}'; it must be a whole number.");
                    break;
                default:
                    Advance();
                    others.Add(new(key.Value, Value(depth: 3)));
                    break;
            }
        }

        if (name is null || precision is null)
        {
            string missing = name is null ? "IOName" : "Precision";
            string hint = Spelling.Nearest(missing, others.Select(o => o.Key)) is { } nearest ? $" Is '{nearest}' meant to be it?" : "";
            throw Error(line, column, $"The entry{(name is null ? "" : $" of '{name}'")} has no {missing}.{hint} Each entry needs IOName and Precision.");
        }

        var entry = new CustomIoEntry(name, precision) { Scale = scale, Offset = offset, OtherKeys = others.ToImmutable(), Line = line, Column = column };
        return CustomIoFile.Objection(entry) is { } objection ? throw Error(line, column, $"'{name}': {objection}") : entry;
    }

    // The value that begins with the current event, as YAML on one line.
    private string Value(int depth)
    {
        ParsingEvent first = Checked(_parser.Current!);
        if (depth > MaxDepth)
        {
            throw Error(first, $"The file is nested deeper than {MaxDepth} levels; entries need two.");
        }

        switch (first)
        {
            case Scalar scalar:
                return scalar.Style == ScalarStyle.Plain && scalar.Value.Length == 0 ? "~" : scalar.Style == ScalarStyle.Plain && IsFlowPlain(scalar.Value) ? scalar.Value : Quoted(scalar.Value);
            case SequenceStart:
                var items = new List<string>();
                while (Advance() is not SequenceEnd)
                {
                    items.Add(Value(depth + 1));
                }

                return $"[{string.Join(", ", items)}]";
            default:
                Current<MappingStart>("a value");
                var pairs = new List<string>();
                var keys = new HashSet<string>(StringComparer.Ordinal);
                while (Advance() is not MappingEnd)
                {
                    Scalar key = Current<Scalar>("a key");
                    if (!keys.Add(key.Value))
                    {
                        throw Error(key, $"The key '{key.Value}' comes twice.");
                    }

                    string name = IsFlowPlain(key.Value) ? key.Value : Quoted(key.Value);
                    Advance();
                    pairs.Add($"{name}: {Value(depth + 1)}");
                }

                return $"{{{string.Join(", ", pairs)}}}";
        }
    }

    private static bool IsFlowPlain(string text) => Plain(text) == text && text.AsSpan().IndexOfAny(",[]{}") < 0;

    private static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            _ = c is '"' or '\\' ? quoted.Append('\\').Append(c)
                : char.IsControl(c) || c is '\u2028' or '\u2029' or '\ufeff' ? quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")
                : quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }

    private T Next<T>(string what) where T : ParsingEvent
    {
        Advance();
        return Current<T>(what);
    }

    private bool MoveNext()
    {
        try
        {
            return _parser.MoveNext();
        }
        catch (Exception e) when (e is not YamlException)
        {
            // YamlDotNet's scanner meets some damaged texts with InvalidOperationException and the like.
            throw new CompilationException($"{Place(_source, _parser.Current?.End ?? Mark.Empty)}: This is no YAML, from here on at the latest: {e.Message}", e);
        }
    }

    private ParsingEvent Advance() => MoveNext() ? Checked(_parser.Current!) : throw Error(null, "The file ends too early.");

    private T Current<T>(string what) where T : ParsingEvent => _parser.Current is T found ? found : throw Error(_parser.Current, $"Here must be {what}.");

    private ParsingEvent Checked(ParsingEvent found) => found switch
    {
        AnchorAlias => throw Error(found, "Aliases ('*name') are not taken; write the value out."),
        NodeEvent { Anchor.IsEmpty: false } => throw Error(found, "Anchors ('&name') are not taken; write the value out."),
        NodeEvent { Tag.IsEmpty: false } => throw Error(found, "Tags ('!name') are not taken; remove it."),
        _ => found,
    };

    private CompilationException Error(ParsingEvent? at, string message) => Error((int)(at?.Start.Line ?? 1), (int)(at?.Start.Column ?? 1), message);

    private CompilationException Error(int line, int column, string message) => new($"{_source}({line},{column}): {message}");

    private static string Place(string source, Mark mark) => $"{source}({mark.Line},{mark.Column})";
}
