using System.Collections.Immutable;
using System.Text;
using Qaic.Options;

namespace Qaic;

public sealed partial record QaicOptions
{
    /// <summary>Options from keywords, as python's <c>Session(**kwargs)</c> takes them.</summary>
    /// <param name="keywords">Keywords, aliases or flags, with underscores or hyphens, and python-like values: null (the default), bool, numbers, text, lists, and for
    /// <c>onnx_define_symbol</c> a dictionary, a list of (symbol, integer) tuples, or text <c>symbol,integer</c>. Numbers and bools may be text, as from a command line.</param>
    /// <param name="start">Options that stay where no keyword says otherwise; null for the defaults. Keywords over a file: <c>FromKeywords(keywords, FromYaml(path))</c>.</param>
    /// <exception cref="OptionException">A key is unknown or there twice, or a value has the wrong type or is out of range.</exception>
    /// <remarks>What only the whole shows, such as two options that exclude each other, is found by <see cref="Validate"/>, which a session calls.</remarks>
    public static QaicOptions FromKeywords(IEnumerable<KeyValuePair<string, object?>> keywords, QaicOptions? start = null)
    {
        ArgumentNullException.ThrowIfNull(keywords);
        return OptionReader.Read(keywords.Select(k => (k.Key, Raw(k.Key, k.Value), default(OptionPlace))), start ?? Default);

        static RawValue Raw(string key, object? value)
        {
            try
            {
                return RawValue.From(value);
            }
            catch (FormatException e)
            {
                throw OptionException.At(default, $"Option '{key}' must be {e.Message}.", key);
            }
        }
    }

    /// <summary>Options from a YAML file, as python's <c>options_path</c> names it: a mapping of keywords to values.</summary>
    /// <param name="path">The file, in UTF-8, at most 1 Mi characters.</param>
    /// <param name="start">Options that stay where the file does not say otherwise; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="OptionException">The text is not YAML, uses tags, anchors or aliases, has an unknown or a second key, or a value of the wrong type or out of range; with line and column.</exception>
    /// <remarks>Paths in the file are taken as they are: relative to the process's current directory, as in python.</remarks>
    public static QaicOptions FromYaml(string path, QaicOptions? start = null) => ParseYaml(OptionYaml.Load(path), path, start);

    /// <summary>Options from YAML text.</summary>
    /// <param name="text">A mapping of keywords to values; at most 1 Mi characters.</param>
    /// <param name="sourceName">What errors call the text.</param>
    /// <param name="start">Options that stay where the text does not say otherwise; null for the defaults.</param>
    /// <exception cref="OptionException"><inheritdoc cref="FromYaml" path="/exception[@cref='T:Qaic.Options.OptionException']"/></exception>
    public static QaicOptions ParseYaml(string text, string sourceName = "options", QaicOptions? start = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentException.ThrowIfNullOrEmpty(sourceName);
        return OptionReader.Read(OptionYaml.Read(text, sourceName), start ?? Default);
    }

    /// <summary>The options that differ from their defaults as YAML that <see cref="ParseYaml"/> and the vendor's python package read; empty text for none.</summary>
    public string ToYaml()
    {
        var text = new StringBuilder();
        foreach ((string keyword, object value) in Simple())
        {
            if (value is Dictionary<string, object> map)
            {
                text.Append(keyword).Append(":\n");
                foreach ((string key, object item) in map.OrderBy(p => p.Key, StringComparer.Ordinal))
                {
                    text.Append("  ").Append(OptionText.Yaml(key)).Append(": ").Append(OptionText.Yaml(item)).Append('\n');
                }
            }
            else
            {
                text.Append(keyword).Append(": ").Append(OptionText.Yaml(value)).Append('\n');
            }
        }

        return text.ToString();
    }

    /// <summary>The options that differ from their defaults, by keyword: bool, int, decimal, string, arrays of objects, and dictionaries from string to object.</summary>
    public ImmutableSortedDictionary<string, object> ToKeywords() => Simple().ToImmutableSortedDictionary(p => p.Keyword, p => p.Value, StringComparer.Ordinal);

    private IEnumerable<(string Keyword, object Value)> Simple()
    {
        foreach (OptionInfo option in OptionTable.All)
        {
            if (option.IsSet(this) && option.GetValue(this) is { } value)
            {
                object simple = option.Type.Simple(value);

                // python knows one device.
                yield return (option.Keyword, option.Property == nameof(DeviceIds) && simple is object[] { Length: 1 } one ? one[0] : simple);
            }
        }
    }
}
