using System.CommandLine;
using Qaic.Options;

namespace Qaic.Cli;

/// <summary>Options of a command made from rows of <see cref="OptionTable"/>: <c>--aic-num-cores 4</c>.</summary>
internal sealed class TableOptions
{
    private readonly List<(OptionInfo Info, Option Option)> _options = [];

    private TableOptions()
    {
    }

    /// <summary>Gives the command an option for every row, under its keyword with hyphens; aliases and the compiler's flag are accepted too.</summary>
    public static TableOptions AddTo(Command command, IEnumerable<OptionInfo> rows)
    {
        var options = new TableOptions();
        foreach (OptionInfo row in rows)
        {
            bool isSwitch = row.TypeName == "bool";
            string facts = (row.Range.Length > 0 ? $"{row.Range}; " : "") + $"default: {row.Default}" + (row.FlagSyntax.Length > 0 ? $"; compiler: {row.FlagSyntax}" : "");

            // A switch takes the next word only if that is true or false.
            Option option = isSwitch ? new Option<bool>(Spelled(row.Keyword)) : new Option<string[]>(Spelled(row.Keyword)) { Arity = ArgumentArity.OneOrMore };
            option.Description = $"{row.Help} [{facts}]";
            option.HelpName = isSwitch ? null : row.TypeName;
            foreach (string alias in row.Aliases.Append(row.Flag ?? row.Keyword).Select(Spelled).Where(a => a != option.Name).Distinct())
            {
                option.Aliases.Add(alias);
            }

            command.Options.Add(option);
            options._options.Add((row, option));
        }

        return options;
    }

    /// <summary>What was given, as pairs of keyword and text; a bare switch is true.</summary>
    public IEnumerable<(string Name, string Text)> Read(ParseResult result)
    {
        foreach ((OptionInfo info, Option option) in _options)
        {
            if (result.GetResult(option) is { Implicit: false } given)
            {
                string[] texts = [.. given.Tokens.Select(t => t.Value)];
                foreach (string text in texts.Length == 0 ? ["true"] : texts)
                {
                    yield return (info.Keyword, text);
                }
            }
        }
    }

    private static string Spelled(string keyword) => $"--{keyword.Replace('_', '-')}";
}
