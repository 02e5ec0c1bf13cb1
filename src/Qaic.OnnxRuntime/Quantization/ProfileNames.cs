using System.Globalization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Names in a profile, by Glow's rules: letters, digits and underscores, no digit first, none twice.</summary>
internal sealed class ProfileNames
{
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    /// <summary>A node's or a constant's name in the profile, which nobody else has from now on.</summary>
    public string Take(string name)
    {
        string legal = Legal(name), unique = legal;
        for (int i = 1; !_used.Add(unique); i++)
        {
            unique = string.Create(CultureInfo.InvariantCulture, $"{legal}__{i}");
        }

        return unique;
    }

    /// <summary>The name of a node's result.</summary>
    public static string Result(string name, int index) => string.Create(CultureInfo.InvariantCulture, $"{name}:{index}");

    private static string Legal(string name)
    {
        string legal = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return legal.Length == 0 || char.IsAsciiDigit(legal[0]) ? "A" + legal : legal;
    }
}
