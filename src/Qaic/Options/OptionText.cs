using System.Globalization;
using System.Text;

namespace Qaic.Options;

/// <summary>Simple values (bool, int, decimal, string, object[], dictionaries) as text that is YAML, and JSON but for unquoted scalars.</summary>
internal static class OptionText
{
    private static readonly string[] s_reserved = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "none", ".nan", ".inf"];

    /// <summary>One text for equal values: a scalar without quotes, collections as JSON, mappings sorted.</summary>
    public static string Canonical(object value) => value is string text ? text : Append(new StringBuilder(), value, AppendQuoted).ToString();

    /// <summary>A value in YAML's flow form; text is quoted where it could be read as something else.</summary>
    public static string Yaml(object value) => Append(new StringBuilder(), value, static (builder, text) =>
    {
        if (IsPlain(text))
        {
            builder.Append(text);
        }
        else
        {
            AppendQuoted(builder, text);
        }
    }).ToString();

    private static StringBuilder Append(StringBuilder builder, object value, Action<StringBuilder, string> appendText)
    {
        switch (value)
        {
            case bool truth:
                return builder.Append(truth ? "true" : "false");
            case int number:
                return builder.Append(CultureInfo.InvariantCulture, $"{number}");
            case decimal number:
                // Without trailing zeros, which decimals keep: 99.90 is 99.9.
                return builder.Append(number.ToString("0.############################", CultureInfo.InvariantCulture));
            case string text:
                appendText(builder, text);
                return builder;
            case object[] items:
                builder.Append('[');
                for (int i = 0; i < items.Length; i++)
                {
                    Append(i == 0 ? builder : builder.Append(", "), items[i], appendText);
                }

                return builder.Append(']');
            case Dictionary<string, object> map:
                builder.Append('{');
                bool isFirst = true;
                foreach ((string key, object item) in map.OrderBy(p => p.Key, StringComparer.Ordinal))
                {
                    appendText(isFirst ? builder : builder.Append(", "), key);
                    Append(builder.Append(": "), item, appendText);
                    isFirst = false;
                }

                return builder.Append('}');
            default:
                throw new ArgumentException($"A {value.GetType()} is no simple value.", nameof(value));
        }
    }

    private static bool IsPlain(string text)
    {
        if (s_reserved.Contains(text, StringComparer.OrdinalIgnoreCase) || !(char.IsAsciiLetter(text[0]) || text[0] is '/' or '_' or '.') || text[^1] == ' ')
        {
            return false;
        }

        // Dots and digits alone would be a number.
        return text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '/' or '-' or '+' or ' ') && text.Any(c => char.IsAsciiLetter(c) || c is '/' or '_');
    }

    private static void AppendQuoted(StringBuilder builder, string text)
    {
        builder.Append('"');
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' => builder.Append("\\\""),
                '\\' => builder.Append("\\\\"),
                '\n' => builder.Append("\\n"),
                '\t' => builder.Append("\\t"),
                '\r' => builder.Append("\\r"),
                < ' ' or (>= '\x7f' and <= '\xa0') or '\u2028' or '\u2029' or '\ufeff' or >= '\ufffe' => builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => builder.Append(c),
            };
        }

        builder.Append('"');
    }
}
