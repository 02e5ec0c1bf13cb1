using System.Collections.Immutable;
using System.Globalization;

namespace Qaic.Options;

/// <summary>All options, from the attributes on <see cref="QaicOptions"/>.</summary>
public static class OptionTable
{
    /// <summary>The compile-stage options that differ from their defaults, as arguments for the vendor's compiler.</summary>
    public static IReadOnlyList<CompilerArgument> CompilerArguments(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var arguments = new List<CompilerArgument>();
        if (options.NumCores is { } cores)
        {
            arguments.Add(new("aic_num_cores", "aic-num-cores", string.Create(CultureInfo.InvariantCulture, $"-aic-num-cores={cores}")));
        }

        foreach (string argument in options.CompilerArguments)
        {
            arguments.Add(new("compiler_args", argument.TrimStart('-').Split('=')[0], argument));
        }

        return arguments;
    }

    /// <summary>The compile-stage options that differ from their defaults, by keyword, as canonical text; sorted.</summary>
    public static ImmutableSortedDictionary<string, string> CompileValues(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return CompilerArguments(options).GroupBy(a => a.Keyword).ToImmutableSortedDictionary(g => g.Key, g => string.Join(' ', g.Select(a => a.Text)), StringComparer.Ordinal);
    }
}
