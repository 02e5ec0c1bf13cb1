using System.Globalization;
using Qaic.Options;

namespace Qaic.Cli.Exec;

/// <summary>A command line of the vendor's compiler: single dashes, <c>-name=value</c>, bare switches, repeated lists. Its flags are those of <see cref="OptionTable"/> and of <see cref="ExecFlag"/>.</summary>
internal sealed class ExecCommandLine
{
    private readonly Dictionary<string, string> _toolFlags = new(StringComparer.Ordinal);

    private ExecCommandLine()
    {
    }

    /// <summary>The options of the network.</summary>
    public QaicOptions Options { get; private init; } = QaicOptions.Default;

    /// <summary>The model; null if none is given.</summary>
    public string? Model => Text("m") ?? Text("model");

    /// <summary>Whether there is nothing to do but to print the flags.</summary>
    public bool IsHelp => Has("h") || Has("help");

    /// <summary>Whether there is nothing to do but to print the flags with all that is known of them.</summary>
    public bool IsUsage => Has("u") || Has("usage");

    public bool IsVersion => Has("version");

    public bool IsVerbose => Has("v") || Has("vv") || Has("vvv");

    /// <summary>The kind of model whose operators are asked for; null if they are not.</summary>
    public string? OperatorsSupported => Text("operators-supported");

    /// <summary>Whether the network is made from data, so that the list of inputs is for that.</summary>
    public bool Profiles => Options.DumpProfile is not null || Options.ConvertToQuantize;

    /// <summary>Whether the network is run after it is compiled.</summary>
    public bool Runs => !Has("compile-only") && Options.DumpProfile is null
        && (NumIter is not null || Seconds is not null || WriteOutputDirectory is not null || Has("device-id") || Has("aic-num-of-activations") || Has("use-random-input-data") || (Options.InputListFile is not null && !Profiles));

    public int? NumIter { get; private init; }

    public int? Seconds { get; private init; }

    public bool IsGaussian => Text("use-random-input-data") == "gaussian";

    public string? WriteOutputDirectory => Text("write-output-dir");

    public int WriteOutputStart { get; private init; }

    public int WriteOutputSamples { get; private init; } = 1;

    /// <summary>Reads a command line.</summary>
    /// <param name="arguments">The words behind the name of the tool.</param>
    /// <param name="unsupported">Further arguments as they are (QAIC_COMPILER_OPTS_UNSUPPORTED), which are recorded; null for none.</param>
    /// <exception cref="UsageException">A flag is unknown, in the vendor's words; or it has no value, or one that is none of its own; or a word is no flag, or options exclude each other.</exception>
    public static ExecCommandLine Parse(IReadOnlyList<string> arguments, string? unsupported = null)
    {
        var line = new ExecCommandLine();
        var words = new List<(string Name, string Text)>();
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            if (!argument.StartsWith('-') || argument.TrimStart('-').Length == 0 || argument.StartsWith("---", StringComparison.Ordinal))
            {
                throw new UsageException($"'{argument}' is no option. Options begin with a dash and have their value behind an equals sign: -name=value.");
            }

            string name = argument.TrimStart('-').Split('=')[0];
            string? value = argument.Contains('=', StringComparison.Ordinal) ? argument[(argument.IndexOf('=', StringComparison.Ordinal) + 1)..] : null;
            OptionInfo? option = OptionTable.All.FirstOrDefault(o => o.Flag == name);
            ExecFlag? flag = option is null ? ExecFlag.Find(name) : null;
            bool isSwitch = option is not null ? option.TypeName == "bool" : flag?.Value is null;
            if (option is null && flag is null)
            {
                throw Unknown(name);
            }

            // The value may also be the next word.
            if (value is null && !isSwitch)
            {
                value = i + 1 < arguments.Count && !arguments[i + 1].StartsWith('-') ? arguments[++i] : throw new UsageException(
                    $"Option -{name} needs a value: {(option is not null ? option.FlagSyntax : $"-{name}=<{flag!.Value}>")}.");
            }

            if (option is not null)
            {
                // Of one value the last is in force, so that scripts can append to a line.
                if (!OptionWords.TakesMany(option))
                {
                    words.RemoveAll(w => w.Name == name);
                }

                words.Add((name, value ?? "true"));
            }
            else if (value is null || !isSwitch || Truth(name, value))
            {
                line._toolFlags[name] = value ?? "";
            }
        }

        return line.Finished(words, unsupported);
    }

    private ExecCommandLine Finished(List<(string Name, string Text)> words, string? unsupported)
    {
        if (Text("device-id") is { } device)
        {
            words.Add(("dev_id", device));
        }

        if (Text("aic-num-of-activations") is { } activations)
        {
            words.Add(("num_activations", activations));
        }

        QaicOptions options = UsageException.Checked(() => QaicOptions.FromKeywords(OptionWords.ToKeywords(words), QaicOptions.Default with
        {
            CompilerArguments = [.. (unsupported ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)],
        }));
        if (Text("use-random-input-data") is { } distribution && distribution is not ("gaussian" or "uniform"))
        {
            throw new UsageException($"-use-random-input-data must be gaussian or uniform, not '{distribution}'.");
        }

        var line = new ExecCommandLine
        {
            Options = options,
            NumIter = Number("num-iter", 1),
            Seconds = Number("time", 1),
            WriteOutputStart = Number("write-output-start-iter", 0) ?? 0,
            WriteOutputSamples = Number("write-output-num-samples", 1) ?? 1,
        };
        foreach ((string name, string value) in _toolFlags)
        {
            line._toolFlags[name] = value;
        }

        return line;
    }

    private static UsageException Unknown(string name)
    {
        string[] known = [.. OptionTable.All.Select(o => o.Flag).OfType<string>().Concat(ExecFlag.All.Select(f => f.Name))];
        string? nearest = OptionTable.Find(name)?.Flag ?? (name.Length > 3 ? Spelling.Nearest(name, known.Where(k => k.Length > 3)) : null);

        // The first sentences are the vendor's, by which scripts and wrappers know the case.
        return new UsageException($"Invalid option -{name}. Use -h, -help, or --help for list of options.{(nearest is null ? "" : $" The nearest one is -{nearest}.")}");
    }

    private static bool Truth(string name, string value) => value.ToUpperInvariant() switch
    {
        "1" or "TRUE" => true,
        "0" or "FALSE" => false,
        _ => throw new UsageException($"Option -{name} is a switch, and '{value}' is neither true nor false. Write -{name}."),
    };

    private int? Number(string name, int least) => Text(name) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least ? number
        : throw new UsageException($"Option -{name} must be an integer of {least} or more, not '{text}'.");

    private bool Has(string name) => _toolFlags.ContainsKey(name);

    private string? Text(string name) => _toolFlags.GetValueOrDefault(name);
}
