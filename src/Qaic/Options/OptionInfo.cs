using System.Globalization;
using System.Reflection;

namespace Qaic.Options;

/// <summary>That one option excludes or needs another.</summary>
/// <param name="Other">Keyword of the other option.</param>
/// <param name="IsNeeded">True if the other must be set too, false if it must not.</param>
/// <param name="Condition">The only values for which that holds, in words: <c>stats_level 40 to 60</c>; empty for all.</param>
/// <param name="Reason">Why, as a clause.</param>
public sealed record OptionConflict(string Other, bool IsNeeded, string Condition, string Reason);

/// <summary>One option: a row of <see cref="OptionTable"/>.</summary>
public sealed class OptionInfo
{
    private readonly PropertyInfo _property;
    private readonly OptionAttribute _option;
    private readonly object? _default;

    internal OptionInfo(PropertyInfo property, OptionAttribute option)
    {
        _property = property;
        _option = option;
        _default = property.GetValue(QaicOptions.Default);
        Type = OptionType.Of(property.PropertyType);
    }

    /// <summary>Name in python and YAML: <c>aic_num_cores</c>.</summary>
    public string Keyword => _option.Keyword;

    /// <summary>Further names that are accepted, the flag with underscores among them; without those that differ from another in hyphens and case only.</summary>
    public IReadOnlyList<string> Aliases => field ??=
        [.. _option.Aliases.Append(OptionTable.Normalize(_option.Flag ?? Keyword)).Where(a => !a.Equals(Keyword, StringComparison.OrdinalIgnoreCase)).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The names that YAML files and the command line may use: keyword and aliases, with underscores and with hyphens.</summary>
    public IReadOnlyList<string> YamlKeys => field ??= [.. Aliases.Prepend(Keyword).SelectMany(k => new[] { k, k.Replace('_', '-') }).Distinct()];

    /// <summary>Name of the property of <see cref="QaicOptions"/>.</summary>
    public string Property => _property.Name;

    /// <summary>Type of the property.</summary>
    public Type PropertyType => _property.PropertyType;

    /// <summary>Type for people, as in python: <c>int</c>, <c>list of str</c>.</summary>
    public string TypeName => Type.Name;

    /// <summary>Values that are accepted, in words: <c>1 to 16</c>, <c>Int8 | Int32</c>; empty when the type says all.</summary>
    public string Range => Type.Choices.Length > 0 ? string.Join(" | ", Type.Choices) : (_option.Minimum, _option.Maximum) switch
    {
        (double.NegativeInfinity, double.PositiveInfinity) => "",
        (var minimum, double.PositiveInfinity) => string.Create(CultureInfo.InvariantCulture, $"{minimum} or more"),
        (var minimum, var maximum) => string.Create(CultureInfo.InvariantCulture, $"{minimum} to {maximum}"),
    };

    /// <summary>Values of a closed set, as they are written; empty for other types.</summary>
    public IReadOnlyList<string> Choices => Type.Choices;

    /// <summary>What applies while the option is not set, in words.</summary>
    public string Default => _option.Unset ?? (_default is null ? "none" : Keyword == "dev_id" ? "0" : OptionText.Canonical(Type.Simple(_default)));

    /// <summary>When the option takes effect.</summary>
    public OptionStage Stage => _option.Stage;

    /// <summary>The compiler's flag without its dash; null when there is none.</summary>
    public string? Flag => _option.Flag;

    /// <summary>How the flag is written.</summary>
    public OptionForm Form => _option.Form;

    /// <summary>The flag with its value, as documentation shows it: <c>-aic-num-cores=&lt;int&gt;</c>; empty when there is none.</summary>
    public string FlagSyntax => Flag is null ? "" : Form switch
    {
        OptionForm.Switch => $"-{Flag}",
        OptionForm.TrueFalse => $"-{Flag}=true|false",
        OptionForm.OneZero => $"-{Flag}=1|0",
        OptionForm.Joined => $"-{Flag}=a,b",
        OptionForm.Repeated when TypeName == "map of str to int" => $"-{Flag}=symbol,value …",
        OptionForm.Repeated => $"-{Flag}=a -{Flag}=b",
        _ => $"-{Flag}={(Choices.Count > 0 || TypeName != "str" ? TypeName switch { "int" => "<int>", "float" => "<float>", _ => "<choice>" } : File == OptionFile.Place ? "<directory>" : File == OptionFile.None ? "<text>" : "<file>")}",
    };

    /// <summary>Whether the spelling of the flag follows from the vendor's naming rule only, and was not seen in a command line.</summary>
    public bool IsFlagInferred => _option.IsFlagInferred;

    /// <summary>Options that exclude this one, or that it needs; exclusions are listed on both sides.</summary>
    public IReadOnlyList<OptionConflict> Conflicts { get; internal set; } = [];

    /// <summary>What the option does, its unit and what it needs.</summary>
    public string Help => _option.Help;

    /// <summary>What the text names in the file system.</summary>
    public OptionFile File => _option.File;

    /// <summary>Whether the option names files that the compiler reads: their content is part of the identity of a QPC.</summary>
    public bool IsInputFile => File == OptionFile.Input;

    /// <summary>Whether the embedded compiler, or the simulated card, does what the option says. Compile-stage options for which this is false are only recorded.</summary>
    public bool IsSimulated => Stage != OptionStage.Compile || _option.IsSimulated;

    internal OptionType Type { get; }

    // Exclusions as they are declared, on one side.
    internal IReadOnlyList<ExcludesAttribute> Excludes => field ??= [.. _property.GetCustomAttributes<ExcludesAttribute>()];

    internal IReadOnlyList<RequiresAttribute> Requires => field ??= [.. _property.GetCustomAttributes<RequiresAttribute>()];

    /// <summary>The value of the property.</summary>
    public object? GetValue(QaicOptions options) => _property.GetValue(options);

    /// <summary>Whether the option differs from its default.</summary>
    public bool IsSet(QaicOptions options) => !Type.Same(GetValue(options), _default);

    /// <summary>The value as canonical text: a scalar as it is written in YAML without quotes, collections as JSON; empty when there is no value.</summary>
    public string Format(QaicOptions options) => GetValue(options) is { } value && !Type.IsEmpty(value) ? OptionText.Canonical(Type.Simple(value)) : "";

    /// <summary>The files that the option names in these options; empty when it names none.</summary>
    public IReadOnlyList<string> Files(QaicOptions options) =>
        File is OptionFile.None or OptionFile.Place || GetValue(options) is not { } value ? [] : [.. Type.Items(value).OfType<string>()];

    /// <inheritdoc/>
    public override string ToString() => $"{Property} ({Keyword})";

    internal bool IsInRange(double value) => value >= _option.Minimum && value <= _option.Maximum;

    internal void SetValue(QaicOptions options, object? value) => _property.SetValue(options, value ?? _default);
}
