using System.Collections.Immutable;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Qaic.Options;

/// <summary>Reads options files: a mapping of keys to values. Only YAML's events are used, so no type is ever chosen by the file.</summary>
internal static class OptionYaml
{
    /// <summary>Largest text, in characters.</summary>
    public const int MaxLength = 1 << 20;

    public static IEnumerable<(string Key, RawValue Value, OptionPlace Place)> Read(string text, string source)
    {
        if (text.Length > MaxLength)
        {
            throw TooLong(source);
        }

        // Files lose their byte order mark when they are decoded; a text from elsewhere may still have it.
        var parser = new Parser(new StringReader(text.StartsWith('\uFEFF') ? text[1..] : text));
        try
        {
            return Document(parser, source);
        }
        catch (YamlException e)
        {
            throw OptionException.At(Place(e.Start, source), $"This is not YAML: {e.InnerException?.Message ?? e.Message}", inner: e);
        }
        catch (Exception e) when (e is InvalidOperationException or IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            // YamlDotNet's scanner meets some damaged texts so.
            throw OptionException.At(Place(parser.Current?.End ?? Mark.Empty, source), $"This is not YAML, from here on at the latest: {e.Message}", inner: e);
        }
    }

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="OptionException">The file is too long, or no text in UTF-8.</exception>
    public static string Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"There is no options file '{path}'.", path);
        }

        using var reader = new StreamReader(path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        char[] buffer = new char[MaxLength + 1];
        try
        {
            int length = reader.ReadBlock(buffer);
            return length > MaxLength ? throw TooLong(path) : new string(buffer, 0, length);
        }
        catch (DecoderFallbackException e)
        {
            throw OptionException.At(new OptionPlace(path, 1, 1), "The file is not text in UTF-8. Save it as UTF-8.", inner: e);
        }
    }

    private static OptionException TooLong(string source) =>
        OptionException.At(new OptionPlace(source, 1, 1), $"The text is longer than {MaxLength} characters. Options take a few lines; is this the right file?");

    private static List<(string Key, RawValue Value, OptionPlace Place)> Document(Parser parser, string source)
    {
        parser.Consume<StreamStart>();
        if (parser.Accept<StreamEnd>(out _))
        {
            return [];
        }

        parser.Consume<DocumentStart>();
        RawValue root = Node(parser, source, 0);
        parser.Consume<DocumentEnd>();
        if (!parser.Accept<StreamEnd>(out _))
        {
            throw OptionException.At(Place(parser.Current!.Start, source), "A second document begins here. Options are one document; remove '---' and what follows.");
        }

        return root switch
        {
            RawMap map => [.. map.Entries.Select(e => (e.Key.Value as string ?? "", e.Value, e.Key.Place))],
            RawScalar { IsNull: true } => [],
            _ => throw OptionException.At(root.Place, "Options are a mapping of keys to values: 'aic_num_cores: 4', one on a line."),
        };
    }

    private static RawValue Node(Parser parser, string source, int depth)
    {
        ParsingEvent current = parser.Require<ParsingEvent>();
        OptionPlace place = Place(current.Start, source);
        if (depth > RawValue.MaxDepth)
        {
            throw OptionException.At(place, $"The value is nested more than {RawValue.MaxDepth} deep. No option is.");
        }

        if (current is AnchorAlias or NodeEvent { Anchor.IsEmpty: false })
        {
            throw OptionException.At(place, "Anchors (&) and aliases (*) are not accepted in options. Write the value itself, or put it into quotes if it is a text.");
        }

        // "!" alone only says that a scalar is text.
        if (current is NodeEvent { Tag: { IsEmpty: false } tag } && !(tag.IsNonSpecific && current is Scalar))
        {
            throw OptionException.At(place, $"The tag '{tag}' is not accepted: options say what type a value has. Write the value without it; a python tuple is a list: [batch, 1].");
        }

        // Only now, so that what is wrong here is said before what is wrong further on.
        parser.MoveNext();
        switch (current)
        {
            case Scalar scalar:
                return new RawScalar(scalar.Value, scalar.Style == ScalarStyle.Plain && scalar.Tag.IsEmpty, place);
            case SequenceStart:
                var items = ImmutableArray.CreateBuilder<RawValue>();
                while (!parser.TryConsume<SequenceEnd>(out _))
                {
                    items.Add(Node(parser, source, depth + 1));
                }

                return new RawList(items.ToImmutable(), place);
            case MappingStart:
                var entries = ImmutableArray.CreateBuilder<KeyValuePair<RawScalar, RawValue>>();
                var keys = new HashSet<string>(StringComparer.Ordinal);
                while (!parser.TryConsume<MappingEnd>(out _))
                {
                    RawValue key = Node(parser, source, depth + 1);
                    if (key is not RawScalar { Value: string name } scalarKey)
                    {
                        throw OptionException.At(key.Place, $"A key must be a text, not {key.Shown()}.");
                    }

                    if (!keys.Add(name))
                    {
                        throw OptionException.At(key.Place, $"Key '{name}' is there twice. Give it once.", name);
                    }

                    entries.Add(new(scalarKey, Node(parser, source, depth + 1)));
                }

                return new RawMap(entries.ToImmutable(), place);
            default:
                throw OptionException.At(place, $"A value was expected here, not {current.GetType().Name}.");
        }
    }

    private static OptionPlace Place(in Mark mark, string source) => new(source, (int)mark.Line, (int)mark.Column);
}
