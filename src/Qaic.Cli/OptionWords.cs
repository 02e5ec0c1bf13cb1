using Qaic.Options;

namespace Qaic.Cli;

/// <summary>Words of a command line as keywords of <see cref="QaicOptions"/>: what is repeated becomes the list that it stands for.</summary>
internal static class OptionWords
{
    /// <summary>Keywords from pairs of name and text, in the order in which the names appear first.</summary>
    /// <remarks>A name that is unknown, or given twice for an option that has one value, is left for <see cref="QaicOptions.FromKeywords"/>, which says so.</remarks>
    public static List<KeyValuePair<string, object?>> ToKeywords(IEnumerable<(string Name, string Text)> words)
    {
        var keywords = new List<KeyValuePair<string, object?>>();
        var lists = new Dictionary<OptionInfo, (int At, List<string> Texts)>();
        foreach ((string name, string text) in words)
        {
            if (OptionTable.Find(name) is not { } option || !TakesMany(option))
            {
                keywords.Add(new(name, text));
            }
            else if (lists.TryGetValue(option, out (int At, List<string> Texts) known))
            {
                known.Texts.Add(text);
                keywords[known.At] = new(keywords[known.At].Key, option.Form == OptionForm.Joined || option.TypeName == "list of int" ? string.Join(',', known.Texts) : known.Texts.ToArray());
            }
            else
            {
                lists.Add(option, (keywords.Count, [text]));
                keywords.Add(new(name, text));
            }
        }

        return keywords;
    }

    /// <summary>Whether the option may be repeated.</summary>
    public static bool TakesMany(OptionInfo option) => option.TypeName.StartsWith("list", StringComparison.Ordinal) || option.TypeName.StartsWith("map", StringComparison.Ordinal);
}
