using System.CommandLine;
using System.Text.Json.Nodes;
using Qaic.Options;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic options</c>: the table of options.</summary>
internal static class OptionsCommand
{
    public static Command Create(ToolConsole console)
    {
        var name = new Argument<string?>("name") { Description = "One option: its keyword, with underscores or hyphens, an alias or the compiler's flag. All without it.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "JSON for machines." };
        var command = new Command("options", "Lists the options of compiling and running, as keywords, YAML keys and compiler flags.") { name, json };
        command.SetAction(result =>
        {
            string? typed = result.GetValue(name);
            OptionInfo? one = typed is null ? null : Find(typed);
            if (result.GetValue(json))
            {
                console.WriteJson(one is null ? new JsonArray([.. OptionTable.All.Select(ToJson)]) : ToJson(one));
            }
            else if (one is null)
            {
                WriteTable(console.Terminal);
            }
            else
            {
                Write(console.Output, one);
            }

            return QaicTool.Success;
        });
        return command;
    }

    private static OptionInfo Find(string typed)
    {
        string name = typed.TrimStart('-');
        return OptionTable.Find(name) ?? throw new UsageException(
            $"There is no option '{typed}'. {(OptionTable.Nearest(name) is { } nearest ? $"The nearest one is '{nearest}'." : "'qaic options' lists all.")}");
    }

    private static void WriteTable(IAnsiConsole console)
    {
        foreach (IGrouping<OptionStage, OptionInfo> stage in OptionTable.All.GroupBy(o => o.Stage))
        {
            var table = new Table { Title = new TableTitle($"{stage.Key}"), Border = TableBorder.Simple };
            table.AddColumns("option", "type", "values", "default", "flag");
            if (stage.Key == OptionStage.Compile)
            {
                table.AddColumn("simulated");
            }

            foreach (OptionInfo option in stage)
            {
                IEnumerable<string> cells = [option.Keyword, option.TypeName, option.Range, option.Default, option.FlagSyntax, .. stage.Key == OptionStage.Compile ? new[] { option.IsSimulated ? "yes" : "recorded" } : []];
                table.AddRow([.. cells.Select(Markup.Escape)]);
            }

            console.Write(table);
        }
    }

    private static void Write(TextWriter output, OptionInfo option)
    {
        (string Fact, string Value)[] facts =
        [
            ("option", option.Keyword),
            ("also", string.Join(", ", option.Aliases)),
            ("in C#", $"QaicOptions.{option.Property}"),
            ("type", option.TypeName),
            ("values", option.Range),
            ("default", option.Default),
            ("flag", option.FlagSyntax + (option.IsFlagInferred ? " (by the vendor's naming rule; not seen in a command line)" : "")),
            ("stage", option.Stage.ToString()),
            ("simulated", option.Stage != OptionStage.Compile ? "" : option.IsSimulated ? "yes" : "no, only recorded in the QPC"),
            ("meaning", option.Help),
            .. option.Conflicts.Select(c => (c.IsNeeded ? "needs" : "not with", $"{c.Other}{(c.Condition.Length > 0 ? $" ({c.Condition})" : "")}: {c.Reason}")),
        ];
        foreach ((string fact, string value) in facts.Where(f => f.Value.Length > 0))
        {
            output.WriteLine($"{fact,-10} {value}");
        }
    }

    private static JsonNode ToJson(OptionInfo option) => new JsonObject
    {
        ["keyword"] = option.Keyword,
        ["aliases"] = Texts(option.Aliases),
        ["property"] = option.Property,
        ["type"] = option.TypeName,
        ["range"] = option.Range,
        ["choices"] = Texts(option.Choices),
        ["default"] = option.Default,
        ["stage"] = option.Stage.ToString(),
        ["flag"] = option.Flag,
        ["syntax"] = option.FlagSyntax,
        ["flagInferred"] = option.IsFlagInferred,
        ["simulated"] = option.IsSimulated,
        ["help"] = option.Help,
        ["conflicts"] = new JsonArray([.. option.Conflicts.Select(c => (JsonNode)new JsonObject { ["other"] = c.Other, ["needed"] = c.IsNeeded, ["condition"] = c.Condition, ["reason"] = c.Reason })]),
    };

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(t => (JsonNode)t)]);
}
