using System.Text;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Qaic.Quantization;

/// <summary>A value in a JSON or YAML file, with the line that it stands on.</summary>
/// <param name="Line">Line, from 1.</param>
internal abstract record DocumentNode(int Line)
{
    // Encodings need 4 (6 in the form of 1.0.0 with lists in lists).
    private const int MaxDepth = 16;

    /// <summary>What it is, for messages.</summary>
    public abstract string Kind { get; }

    /// <exception cref="QuantizationFormatException">It is no JSON, nests too deeply, or has a member twice.</exception>
    public static DocumentNode ParseJson(ReadOnlySpan<byte> json, string path)
    {
        json = json.StartsWith(Encoding.UTF8.Preamble) ? json[3..] : json;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = MaxDepth });
        var lines = new LineCounter(json);
        try
        {
            reader.Read();
            DocumentNode node = Json(ref reader, ref lines, path);
            reader.Read();
            return node;
        }
        catch (JsonException e)
        {
            throw new QuantizationFormatException(path, (int)(e.LineNumber ?? 0) + 1, $"This is no JSON: {e.Message} If the file ends here, it was cut off.", e);
        }
        catch (InvalidOperationException e)
        {
            throw new QuantizationFormatException(path, lines.At(reader.TokenStartIndex), $"This is no JSON: a text is no UTF-8 or has half of a pair of surrogates. {e.Message}", e);
        }
    }

    /// <exception cref="QuantizationFormatException">It is no YAML, nests too deeply, has a key twice, aliases, tags, or several documents.</exception>
    public static DocumentNode ParseYaml(string text, string path)
    {
        var parser = new Parser(new StringReader(text));
        try
        {
            parser.MoveNext();
            if (!parser.MoveNext() || parser.Current is not DocumentStart)
            {
                throw new QuantizationFormatException(path, 1, "The file is empty.");
            }

            parser.MoveNext();
            DocumentNode node = Yaml(parser, path, 0);
            parser.MoveNext();
            return parser.Current is DocumentEnd && parser.MoveNext() && parser.Current is StreamEnd
                ? node
                : throw Error(parser, path, "Here begins a second document; the file has one. Remove the other.");
        }
        catch (YamlException e)
        {
            throw new QuantizationFormatException(path, (int)e.Start.Line, $"This is no YAML: {e.Message}", e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException or KeyNotFoundException or NullReferenceException or FormatException or OverflowException)
        {
            // YamlDotNet's scanner meets some damaged texts with these.
            throw new QuantizationFormatException(path, (int)(parser.Current?.End.Line ?? 1), $"This is no YAML, from here on at the latest: {e.Message}", e);
        }
    }

    private static DocumentNode Json(ref Utf8JsonReader reader, ref LineCounter lines, string path)
    {
        int line = lines.At(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartArray:
                var items = new List<DocumentNode>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    items.Add(Json(ref reader, ref lines, path));
                }

                return new ListNode(line, items);
            case JsonTokenType.StartObject:
                var map = new MapNode(line);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    string key = reader.GetString()!;
                    int at = lines.At(reader.TokenStartIndex);
                    reader.Read();
                    map.Add(key, Json(ref reader, ref lines, path), path, at);
                }

                return map;
            case JsonTokenType.String:
                return new ScalarNode(line, reader.GetString()!, IsQuoted: true);
            case JsonTokenType.Null:
                return new ScalarNode(line, "", IsQuoted: false);
            default:
                return new ScalarNode(line, Encoding.UTF8.GetString(reader.ValueSpan), IsQuoted: false);
        }
    }

    private static DocumentNode Yaml(Parser parser, string path, int depth)
    {
        int line = (int)(parser.Current?.Start.Line ?? 1);
        if (depth > MaxDepth)
        {
            throw Error(parser, path, $"The file is nested deeper than {MaxDepth} levels.");
        }

        if (parser.Current is NodeEvent { Anchor.IsEmpty: false } or NodeEvent { Tag.IsEmpty: false } or AnchorAlias)
        {
            throw Error(parser, path, "Anchors ('&name'), aliases ('*name') and tags ('!name') are not taken; write the value out.");
        }

        switch (parser.Current)
        {
            case Scalar scalar:
                return new ScalarNode(line, scalar.Style == ScalarStyle.Plain && scalar.Value is "~" or "null" ? "" : scalar.Value, scalar.Style != ScalarStyle.Plain);
            case SequenceStart:
                var items = new List<DocumentNode>();
                while (parser.MoveNext() && parser.Current is not SequenceEnd)
                {
                    items.Add(Yaml(parser, path, depth + 1));
                }

                return new ListNode(line, items);
            case MappingStart:
                var map = new MapNode(line);
                while (parser.MoveNext() && parser.Current is not MappingEnd)
                {
                    int at = (int)parser.Current!.Start.Line;
                    string key = Yaml(parser, path, depth + 1) is ScalarNode name ? name.Text : throw new QuantizationFormatException(path, at, "A key must be a text.");
                    parser.MoveNext();
                    map.Add(key, Yaml(parser, path, depth + 1), path, at);
                }

                return map;
            default:
                throw Error(parser, path, "The file ends too early; it was cut off.");
        }
    }

    private static QuantizationFormatException Error(Parser parser, string path, string reason) => new(path, (int)(parser.Current?.Start.Line ?? 1), reason);

    // Line ends before a place; places are asked for in order.
    private ref struct LineCounter(ReadOnlySpan<byte> text)
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private int _counted;
        private int _line = 1;

        public int At(long place)
        {
            if (place > _counted)
            {
                _line += _text[_counted..(int)place].Count((byte)'\n');
                _counted = (int)place;
            }

            return _line;
        }
    }
}

/// <summary>A number, a text, a truth value; empty and without quotes: nothing.</summary>
internal sealed record ScalarNode(int Line, string Text, bool IsQuoted) : DocumentNode(Line)
{
    public override string Kind => IsNull ? "nothing" : $"'{ProfileScanner.Short(Text)}'";

    public bool IsNull => Text.Length == 0 && !IsQuoted;
}

/// <summary>A list.</summary>
internal sealed record ListNode(int Line, IReadOnlyList<DocumentNode> Items) : DocumentNode(Line)
{
    public override string Kind => "a list";
}

/// <summary>Values by key, in the file's order.</summary>
internal sealed record MapNode(int Line) : DocumentNode(Line)
{
    private readonly Dictionary<string, DocumentNode> _byKey = new(StringComparer.Ordinal);

    public override string Kind => "a mapping";

    public List<KeyValuePair<string, DocumentNode>> Members { get; } = [];

    public DocumentNode? Find(string key) => _byKey.GetValueOrDefault(key) is { } node and not ScalarNode { IsNull: true } ? node : null;

    public void Add(string key, DocumentNode value, string path, int line)
    {
        if (!_byKey.TryAdd(key, value))
        {
            throw new QuantizationFormatException(path, line, $"'{ProfileScanner.Short(key)}' is there twice; line {_byKey[key].Line} has it too. Remove one.");
        }

        Members.Add(new(key, value));
    }
}
