using System.Reflection;
using Qaic.Options;

namespace Qaic.Compilation;

/// <summary>How messages name an option: as in C#, and as in python.</summary>
internal static class OptionNames
{
    private static readonly Dictionary<string, string> s_properties = typeof(QaicOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Select(p => (p.Name, p.GetCustomAttribute<OptionAttribute>()?.Keyword)).Where(p => p.Keyword is not null).ToDictionary(p => p.Keyword!, p => p.Name);

    /// <summary><c>NumCores (aic_num_cores)</c> for <c>aic_num_cores</c>.</summary>
    public static string Of(string keyword) => s_properties.TryGetValue(keyword, out string? property) ? $"{property} ({keyword})" : keyword;
}
