using System.Text;
using Qaic.Options;

namespace Qaic.Cli.Exec;

/// <summary>The flags of <c>qaic exec</c> for people.</summary>
internal static class ExecHelp
{
    private const int Width = 100;

    /// <summary>One line per flag.</summary>
    public static string Short()
    {
        StringBuilder text = Head("'-u' or '--usage' tells what each does.");
        foreach ((string syntax, _) in Flags())
        {
            text.Append("  ").Append(syntax).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Every flag with what it does, its values and its default.</summary>
    public static string Long()
    {
        StringBuilder text = Head("What is only for the hardware is recorded in the QPC; 'qaic options' tells which that is.");
        foreach ((string syntax, string help) in Flags())
        {
            text.Append("  ").Append(syntax).Append('\n');
            int column = 0;
            foreach (string word in help.Split(' '))
            {
                bool breaks = column + 1 + word.Length > Width;
                text.Append(column == 0 ? "      " : breaks ? "\n      " : " ").Append(word);
                column = (column == 0 || breaks ? 6 : column + 1) + word.Length;
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static StringBuilder Head(string more) => new(
        $"""
        usage: qaic exec -m=model.onnx -aic-hw -aic-hw-version=ai100 -aic-binary-dir=directory -compile-only [options]

        Takes the command line of the vendor's compiler and compiles for the simulated card.
        {more}


        """);

    private static IEnumerable<(string Syntax, string Help)> Flags() =>
        ExecFlag.All.Select(f => (f.Value is null ? $"-{f.Name}" : $"-{f.Name}=<{f.Value}>", f.Help)).Concat(OptionTable.All.Where(o => o.Flag is not null).Select(o =>
            (o.FlagSyntax, $"{o.Help} [{(o.Range.Length > 0 ? $"{o.Range}; " : "")}default: {o.Default}]")));
}
