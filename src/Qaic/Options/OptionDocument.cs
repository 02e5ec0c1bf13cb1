using System.Globalization;
using System.Text;

namespace Qaic.Options;

/// <summary>The table of options for people: as help of a command line, and as a page of documentation.</summary>
public static class OptionDocument
{
    private static readonly (OptionStage Stage, string Title)[] s_stages =
        [(OptionStage.Run, "Activation (can be changed on a live session)"), (OptionStage.Session, "Session"), (OptionStage.Compile, "Compilation")];

    /// <summary>Help text: every option with its value, meaning, range and default.</summary>
    /// <param name="width">Longest line, in characters; 40 or more.</param>
    public static string HelpText(int width = 100)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 40);
        var text = new StringBuilder();
        foreach ((OptionStage stage, string title) in s_stages)
        {
            text.Append(text.Length == 0 ? "" : "\n").Append(title).Append(":\n");
            foreach (OptionInfo option in OptionTable.All.Where(o => o.Stage == stage))
            {
                string value = option.TypeName == "bool" && option.Form == OptionForm.Switch ? "" : $" <{option.TypeName}>";
                text.Append("  --").Append(option.Keyword.Replace('_', '-')).Append(value).Append('\n');
                string facts = (option.Range.Length > 0 ? $"{option.Range}; " : "") + $"default: {option.Default}";
                Wrap(text, $"{option.Help} [{facts}]", "      ", width);
            }
        }

        return text.ToString();
    }

    /// <summary>The page OPTIONS.md.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder(
            """
            # Options

            All options of `QaicOptions`, from the attributes on its properties. A test keeps this page up to date: `QAIC_UPDATE_DOCS=1 dotnet test test/Qaic.Tests --filter OptionDocumentTests` writes it anew.

            Keywords are those of python's `qaic.Session`, of YAML files (`QaicOptions.FromYaml`), with underscores or hyphens, and of the command line. Flags are accepted as keywords too. An option that is not set leaves the choice to the column "default".
            `simulated` tells what the embedded compiler does with a compile option: yes, or only record it in the QPC.
            A flag with * follows from the vendor's naming rule and was not seen in a command line. Flags in parentheses are written by the caller of the compiler.


            """);
        foreach ((OptionStage stage, string title) in s_stages)
        {
            bool compiles = stage == OptionStage.Compile;
            text.Append("## ").Append(title).Append("\n\n| keyword | C# | type | values | default | ").Append(compiles ? "compiler flag | simulated | " : "").Append("meaning |\n|---|---|---|---|---|")
                .Append(compiles ? "---|---|" : "").Append("---|\n");
            foreach (OptionInfo option in OptionTable.All.Where(o => o.Stage == stage))
            {
                string aliases = string.Concat(option.Aliases.Select(a => $", `{a}`"));
                string flag = option.FlagSyntax is "" ? "" : option.Form == OptionForm.None ? $"(`{option.FlagSyntax}`)" : $"`{option.FlagSyntax}`{(option.IsFlagInferred ? " *" : "")}";
                text.Append(CultureInfo.InvariantCulture, $"| `{option.Keyword}`{aliases} | `{option.Property}` | {option.TypeName} | {Cell(option.Range)} | {Cell(option.Default)} | ");
                if (compiles)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{Cell(flag)} | {(option.IsSimulated ? "yes" : "")} | ");
                }

                text.Append(Cell(option.Help)).Append(Cell(Conflicts(option))).Append(" |\n");
            }

            text.Append('\n');
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    /// <summary>Type, values, default and flag of an option in one line, as the documentation comments of <see cref="QaicOptions"/> have them.</summary>
    internal static string Facts(OptionInfo option) =>
        $"{option.Keyword}: {option.TypeName}{(option.Range.Length > 0 ? $", {option.Range}" : "")}. Default: {option.Default}.{(option.FlagSyntax.Length > 0 ? $" Flag: {option.FlagSyntax}." : "")}";

    private static string Conflicts(OptionInfo option)
    {
        string needs = string.Join(", ", option.Conflicts.Where(c => c.IsNeeded).Select(c => $"`{c.Other}`"));
        string excludes = string.Join(", ", option.Conflicts.Where(c => !c.IsNeeded).Select(c => $"`{c.Other}`" + (c.Condition.Length > 0 ? $" ({c.Condition})" : "")));
        return (needs.Length > 0 ? $" Needs {needs}." : "") + (excludes.Length > 0 ? $" Not with {excludes}." : "");
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    private static void Wrap(StringBuilder text, string sentence, string indent, int width)
    {
        int column = 0;
        foreach (string word in sentence.Split(' '))
        {
            bool breaks = column > 0 && column + 1 + word.Length > width;
            text.Append(breaks ? "\n" : "").Append(column == 0 || breaks ? indent : " ").Append(word);
            column = (column == 0 || breaks ? indent.Length : column + 1) + word.Length;
        }

        text.Append('\n');
    }
}
