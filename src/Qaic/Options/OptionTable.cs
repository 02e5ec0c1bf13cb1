using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;

namespace Qaic.Options;

/// <summary>All options, from the attributes on <see cref="QaicOptions"/>: the one table behind keywords, YAML, compiler arguments, help and documentation.</summary>
public static class OptionTable
{
    /// <summary>Every option: activation and session first, then compilation by subject.</summary>
    public static ImmutableArray<OptionInfo> All { get; } = Rows();

    // After All, from which it is made.
    private static readonly Dictionary<string, OptionInfo> s_byName =
        All.SelectMany(o => o.Aliases.Prepend(o.Keyword).Select(n => (Name: n, Option: o))).ToDictionary(p => p.Name, p => p.Option, StringComparer.OrdinalIgnoreCase);

    /// <summary>The option with this keyword, alias or flag, underscores or hyphens; null if there is none.</summary>
    public static OptionInfo? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return s_byName.GetValueOrDefault(Normalize(name));
    }

    /// <summary>The name that <paramref name="name"/> was probably meant to be, as it is typed; null if none is near.</summary>
    public static string? Nearest(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        string typed = Normalize(name);

        // Names of properties lead to keywords too.
        if (All.FirstOrDefault(o => o.Property.Equals(typed.Replace("_", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase)) is { } property)
        {
            return property.Keyword;
        }

        string? nearest = Spelling.Nearest(typed, s_byName.Keys);
        return name.Contains('-') ? nearest?.Replace('_', '-') : nearest;
    }

    /// <summary>The compile-stage options that are set, as arguments for the vendor's compiler, in the order of the table; the raw ones last.</summary>
    /// <remarks>
    /// Without what every compilation has and the compiler's caller adds: model, hardware and its version, output directory, <c>-compile-only</c>.
    /// <see cref="QaicOptions.Specializations"/> need a file, which the caller writes as well. A profile that is to be dumped (<see cref="QaicOptions.DumpProfile"/>) needs two runs.
    /// </remarks>
    public static IReadOnlyList<CompilerArgument> CompilerArguments(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var arguments = new List<CompilerArgument>();
        foreach (OptionInfo option in All)
        {
            if (option.Form == OptionForm.None || !option.IsSet(options) || option.GetValue(options) is not { } value)
            {
                continue;
            }

            IEnumerable<string> items = option.Type.Items(value).Select(option.Type.Text);
            if (option.Form == OptionForm.Raw)
            {
                arguments.AddRange(items.Select(i => new CompilerArgument(option.Keyword, FlagOf(i), i)));
                continue;
            }

            IEnumerable<string> texts = option.Form switch
            {
                OptionForm.Switch => [""],
                OptionForm.OneZero => [(bool)value ? "=1" : "=0"],
                OptionForm.Joined => ["=" + string.Join(',', items)],
                _ => items.Select(i => "=" + i),
            };
            arguments.AddRange(texts.Select(t => new CompilerArgument(option.Keyword, option.Flag!, $"-{option.Flag}{t}")));
        }

        return arguments;
    }

    /// <summary>The compile-stage options that are set, by keyword, as canonical text (<see cref="OptionInfo.Format"/>); sorted. Equal options give equal texts.</summary>
    /// <remarks>Files stand here by path; an identity needs the content of <see cref="OptionInfo.IsInputFile"/> ones too, and options of <see cref="OptionFile.Output"/> have an effect beside the QPC.</remarks>
    public static ImmutableSortedDictionary<string, string> CompileValues(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return All.Where(o => o.Stage == OptionStage.Compile && o.IsSet(options)).ToImmutableSortedDictionary(o => o.Keyword, o => o.Format(options), StringComparer.Ordinal);
    }

    /// <summary>The compile-stage options that are set and that the embedded compiler only records, by keyword; sorted.</summary>
    public static ImmutableArray<string> NotSimulated(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return [.. All.Where(o => !o.IsSimulated && o.IsSet(options)).Select(o => o.Keyword).Order(StringComparer.Ordinal)];
    }

    /// <summary>The flag of an argument: <c>aic-num-cores</c> for <c>-aic-num-cores=4</c>.</summary>
    internal static string FlagOf(string argument) => argument.TrimStart('-').Split('=')[0];

    internal static string Normalize(string name) => name.Replace('-', '_');

    internal static OptionInfo ByProperty(string property) => All.First(o => o.Property == property);

    private static ImmutableArray<OptionInfo> Rows()
    {
        var rows = new List<OptionInfo>();
        foreach (PropertyInfo property in typeof(QaicOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetCustomAttribute<OptionAttribute>() is { } declaration)
            {
                rows.Add(new OptionInfo(property, declaration));
            }
        }

        foreach (OptionInfo option in rows)
        {
            foreach (ExcludesAttribute excludes in option.Excludes)
            {
                OptionInfo other = rows.Single(r => r.Property == excludes.Property);
                string condition = double.IsInfinity(excludes.Minimum) ? "" : string.Create(CultureInfo.InvariantCulture, $"{other.Keyword} {excludes.Minimum} to {excludes.Maximum}");
                option.Conflicts = [.. option.Conflicts, new(other.Keyword, IsNeeded: false, condition, excludes.Reason)];
                other.Conflicts = [.. other.Conflicts, new(option.Keyword, IsNeeded: false, condition, excludes.Reason)];
            }

            foreach (RequiresAttribute requires in option.Requires)
            {
                option.Conflicts = [.. option.Conflicts, new(rows.Single(r => r.Property == requires.Property).Keyword, IsNeeded: true, "", requires.Reason)];
            }
        }

        return [.. rows];
    }
}
