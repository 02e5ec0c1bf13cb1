using System.Globalization;
using System.Text;

namespace Qaic.Quantization;

/// <summary>Names as YAML on one line.</summary>
internal static class YamlText
{
    /// <summary>In single quotes, as Glow writes names; in double quotes if it holds what single quotes cannot.</summary>
    public static string Quoted(string text) => text.Any(NeedsEscape) ? Escaped(text) : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>Without quotes wherever every reader takes it for the same text, also inside a list in brackets; else in double quotes.</summary>
    public static string Plain(string text)
    {
        bool isPlain = text.Length > 0 && (char.IsAsciiLetter(text[0]) || text[0] is '/' or '_') && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '.' or '-' or '+' or '$' or ';')
            && !s_words.Contains(text);
        return isPlain ? text : Escaped(text);
    }

    // What YAML 1.1 takes for something else than text.
    private static readonly HashSet<string> s_words = new(["y", "n", "yes", "no", "true", "false", "on", "off", "null"], StringComparer.OrdinalIgnoreCase);

    private static bool NeedsEscape(char c) => char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or '\ufeff' or '\ufffe' or '\uffff';

    private static string Escaped(string text)
    {
        var quoted = new StringBuilder("\"");
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (i + 1 < text.Length && char.IsSurrogatePair(c, text[i + 1]))
            {
                quoted.Append(c).Append(text[++i]);
            }
            else
            {
                _ = c is '"' or '\\' ? quoted.Append('\\').Append(c) : NeedsEscape(c) ? quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}") : quoted.Append(c);
            }
        }

        return quoted.Append('"').ToString();
    }
}
