using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Qaic.Cli.Commands.Bench;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic bench compare</c>: whether one benchmark is faster than another, or only differs as repetitions do.</summary>
internal static class BenchCompareCommand
{
    public static Command Create(ToolConsole console)
    {
        var first = new Argument<string>("first") { Description = "Result file of bench --output: what is compared with." };
        var second = new Argument<string>("second") { Description = "Result file of bench --output: what is compared." };
        var force = new Option<bool>("--force") { Description = "Also compares different models, scenarios, batches, and results that are not complete." };
        var json = new Option<bool>("--json") { Description = "JSON for machines instead of a table." };
        var command = new Command("compare", "Compares two results: ratios with 95 % confidence intervals.") { first, second, force, json };
        command.SetAction(result =>
        {
            BenchFile a = BenchFile.Load(result.GetRequiredValue(first));
            BenchFile b = BenchFile.Load(result.GetRequiredValue(second));
            if (!result.GetValue(force) && Refusal(a, b) is { } refusal)
            {
                console.Error.WriteLine($"error: {refusal} With --force they are compared all the same.");
                return QaicTool.Failure;
            }

            BenchComparison[] compared = [.. BenchMetric.All.Select(metric => BenchComparison.Of(metric, a.Values[metric.Key], b.Values[metric.Key])).OfType<BenchComparison>()];
            if (result.GetValue(json))
            {
                console.WriteJson(ToJson(a, b, compared));
            }
            else
            {
                Write(a, b, compared, console.Terminal);
            }

            return QaicTool.Success;
        });
        return command;
    }

    private static string? Refusal(BenchFile a, BenchFile b) =>
        a.ModelHash != b.ModelHash ? $"The two are of different models (SHA-256 {Short(a.ModelHash)} and {Short(b.ModelHash)})."
        : a.Scenario != b.Scenario ? $"The two are of different scenarios ('{a.Scenario}' and '{b.Scenario}')."
        : a.Rows != b.Rows ? $"The two have different batches ({a.Rows} and {b.Rows} rows per inference)."
        : (a.IsPartial ? a : b.IsPartial ? b : null) is { } partial ? $"'{partial.Path}' is not complete: it was interrupted, or failed, or did not serve all requests."
        : null;

    private static string Short(string hash) => hash.Length > 12 ? hash[..12] : hash;

    private static IEnumerable<(string Name, string First, string Second)> Changes(BenchFile a, BenchFile b) =>
        a.Circumstances.Where(c => b.Circumstances[c.Key] != c.Value).Select(c => (c.Key, c.Value, b.Circumstances[c.Key]));

    private static void Write(BenchFile a, BenchFile b, BenchComparison[] compared, IAnsiConsole console)
    {
        foreach ((string name, string before, string after) in Changes(a, b))
        {
            console.WriteLine($"Changed: {name} '{before}' to '{after}'");
        }

        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn("");
        foreach (string column in new[] { "first", "second", "ratio", "95 % interval" })
        {
            table.AddColumn(column, c => c.Alignment = Justify.Right);
        }

        table.AddColumn("");
        foreach (BenchComparison c in compared)
        {
            string interval = double.IsNaN(c.Low) ? "" : string.Create(CultureInfo.InvariantCulture, $"{c.Low:0.000} … {c.High:0.000}");
            table.AddRow(Markup.Escape(c.Metric.Name), BenchReport.Number(c.First), BenchReport.Number(c.Second), c.Ratio.ToString("0.000", CultureInfo.InvariantCulture), interval, Words(c.Difference));
        }

        console.Write(table);
        console.WriteLine("First and second are medians of the repetitions; ratio and interval are of their geometric means.");
        if (compared.Any(c => c.Difference == Difference.Unknown))
        {
            console.WriteLine("A single repetition does not tell how much repetitions differ; measure both with --repetitions 5.");
        }
    }

    private static string Words(Difference difference) => difference switch
    {
        Difference.Better => "[green]better[/]",
        Difference.Worse => "[red]worse[/]",
        Difference.WithinNoise => "within noise",
        _ => "unknown",
    };

    private static JsonObject ToJson(BenchFile a, BenchFile b, BenchComparison[] compared) => new()
    {
        ["first"] = a.Path,
        ["second"] = b.Path,
        ["changed"] = new JsonArray([.. Changes(a, b).Select(c => new JsonObject { ["name"] = c.Name, ["first"] = c.First, ["second"] = c.Second })]),
        ["metrics"] = new JsonArray([.. compared.Select(c => new JsonObject
        {
            ["name"] = c.Metric.Key,
            ["first"] = c.First,
            ["second"] = c.Second,
            ["ratio"] = c.Ratio,
            ["low"] = double.IsNaN(c.Low) ? null : c.Low,
            ["high"] = double.IsNaN(c.High) ? null : c.High,
            ["difference"] = c.Difference switch { Difference.Better => "better", Difference.Worse => "worse", Difference.WithinNoise => "within noise", _ => "unknown" },
        })]),
    };
}
