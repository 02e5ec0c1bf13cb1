using System.Globalization;
using Spectre.Console;

namespace Qaic.Cli.Commands.Bench;

/// <summary>A benchmark for people: a table over the repetitions, and where the latencies lie.</summary>
internal static class BenchReport
{
    private const int Lines = 20;
    private const int Width = 50;

    // Below so many, the percentile is the longest one, and says nothing that that does not say.
    private const int Tail = 1000;

    public static void Write(BenchResult result, IAnsiConsole console)
    {
        LoadSettings settings = result.Settings;
        QaicOptions options = result.Options;
        console.WriteLine(Line(
            $"{Path.GetFileName(result.ModelPath)}, {LoadSettings.NameOf(settings.Scenario)}{Load(settings)}: {result.Platform}, device {string.Join(", ", options.DeviceIds)}, {Plural(options.NumActivations, "activation")} × {Plural(options.SetSize, "slot")}, {Plural(result.Repetitions[0].RowsPerInference, "row")} per inference"));
        console.Write(Summary(result));
        console.WriteLine(Line(
            $"{Plural(result.Repetitions.Sum(r => r.Completed), "inference")} in {Plural(result.Repetitions.Count, "repetition")}, {result.Repetitions.Sum(r => r.Seconds):0.0} s; percentiles within {LatencyHistogram.RelativeError * 100:0.0} %."));
        WriteServer(result, console);
        LatencyHistogram latency = result.Latency;
        WriteHistogram(latency, console);
        if (latency.Count > 0 && result.Repetitions.Min(r => r.Latency.Count) is < Tail and var fewest)
        {
            console.WriteLine(Line($"With {fewest} latencies in a repetition its p99.9 is its longest one; more of them take a longer --duration or a larger --count."));
        }
    }

    private static string Load(LoadSettings settings) =>
        settings.Scenario == LoadScenario.Server ? Line($" at {settings.Rate:0.###} requests/s, {(settings.PoissonSeed is { } seed ? $"Poisson (seed {seed})" : "equal distances")}") : "";

    private static Table Summary(BenchResult result)
    {
        bool isRepeated = result.Repetitions.Count > 1;
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn("");
        foreach (string column in isRepeated ? new[] { "median", "smallest", "largest", "spread" } : ["measured"])
        {
            table.AddColumn(column, c => c.Alignment = Justify.Right);
        }

        foreach (BenchMetric metric in BenchMetric.All)
        {
            Spread spread = Spread.Of(result.Repetitions.Select(metric.Of));
            table.AddRow(isRepeated
                ? [metric.Name, Number(spread.Median), Number(spread.Smallest), Number(spread.Largest), Line($"{spread.Relative * 100:0.0} %")]
                : [metric.Name, Number(spread.Median)]);
        }

        return table;
    }

    private static void WriteServer(BenchResult result, IAnsiConsole console)
    {
        if (result.Settings.Scenario != LoadScenario.Server)
        {
            return;
        }

        double achieved = Spread.Of(result.Repetitions.Select(r => r.InferenceRate)).Median;
        console.WriteLine(Line($"Asked for {result.Settings.Rate:0.###} requests/s, served {achieved:0.###}/s. Latencies count from the scheduled arrival."));
        console.WriteLine(Line(
            $"From the submission alone: p50 {Milliseconds(r => r.Service!, 500)}, p99 {Milliseconds(r => r.Service!, 990)} ms. Timer late: p50 {Milliseconds(r => r.Pacing!, 500)}, p99 {Milliseconds(r => r.Pacing!, 990)} ms."));
        if (result.Repetitions.Sum(r => r.Unserved) is > 0 and var unserved)
        {
            console.WriteLine(Line($"{Plural(unserved, "request")} had come and {(unserved == 1 ? "was" : "were")} not served; counted with the time they had waited by the end, so the true latencies are longer."));
        }

        if (result.MeetsTarget is { } meets)
        {
            console.MarkupLine(Line($"Target p99 {result.TargetLatency * 1e3:0.###} ms: {(meets ? "[green]met[/]" : "[red]not met[/]")}"));
        }

        string Milliseconds(Func<Measurement, LatencyHistogram> of, int perMille) => Number(Spread.Of(result.Repetitions.Select(r => of(r).Percentile(perMille) / 1e6)).Median);
    }

    private static void WriteHistogram(LatencyHistogram latency, IAnsiConsole console)
    {
        IReadOnlyList<(double From, double To, long Count)> bars = latency.Bars(Lines);
        if (bars.Count == 0)
        {
            return;
        }

        string[] bounds = [.. bars.Select(bar => Number(bar.From / 1e6))];
        int boundWidth = bounds.Max(b => b.Length);
        long most = bars.Max(bar => bar.Count);
        int countWidth = Number(most).Length;
        console.WriteLine("Latencies from, ms");
        for (int i = 0; i < bars.Count; i++)
        {
            // One that is there is seen, however rare.
            int length = bars[i].Count == 0 ? 0 : Math.Max(1, (int)Math.Round((double)bars[i].Count / most * Width));
            console.WriteLine($"  {bounds[i].PadLeft(boundWidth)}  {bars[i].Count.ToString(CultureInfo.InvariantCulture).PadLeft(countWidth)} {new string('█', length)}".TrimEnd());
        }
    }

    /// <summary>Four digits, at least one before the point.</summary>
    public static string Number(double value)
    {
        int decimals = value == 0 ? 0 : Math.Clamp(3 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 6);
        return value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Plural(long count, string noun) => Line($"{count} {noun}{(count == 1 ? "" : "s")}");

    private static string Line(FormattableString text) => FormattableString.Invariant(text);
}
