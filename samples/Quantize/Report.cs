using Qaic;
using Qaic.OnnxRuntime.Accuracy;
using Spectre.Console;
using static System.FormattableString;

namespace Quantize;

/// <summary>What the sample prints.</summary>
internal static class Report
{
    public static void Title(string text) => AnsiConsole.Write(new Rule(Markup.Escape(text)).LeftJustified());

    // Not broken into lines: paths are to be copied.
    public static void Line(FormattableString text) => Console.WriteLine(Invariant(text));

    /// <summary>All variants of one model side by side, float32 first.</summary>
    public static void Print(AccuracyReport report, IReadOnlyList<AccuracyVariant> variants, IReadOnlyList<Speed> speeds)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumns("precision", "calibration");
        foreach (string name in new[] { "top-1 %", "agrees %", "SQNR dB", "QPC KiB", "rows/s", "× float32" })
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        ModelAccuracy first = report.Variants[0].Accuracy;
        Row("float32", "", first.ReferenceTop1, 1, "", speeds[0]);
        for (int i = 0; i < variants.Count; i++)
        {
            ModelAccuracy accuracy = report.Variants[i].Accuracy;
            Row(variants[i].Name.Split(',')[0], Variants.Calibration(variants[i].Options), accuracy.Top1, accuracy.Agreement, Invariant($"{accuracy.SqnrDb:0.0}"), speeds[i + 1]);
        }

        AnsiConsole.Write(table);

        void Row(string name, string calibration, double? top1, double agreement, string sqnr, Speed speed) => table.AddRow(
            name, calibration, Invariant($"{100 * top1:0.0}"), Invariant($"{100 * agreement:0.0}"), sqnr,
            Invariant($"{speed.Bytes / 1024.0:0}"), Invariant($"{speed.RowsPerSecond:N0}"), Invariant($"{speed.RowsPerSecond / speeds[0].RowsPerSecond:0.00}"));
    }

    /// <summary>What costs a network accuracy, and the cure.</summary>
    public static void Findings(VariantAccuracy variant)
    {
        foreach (AccuracyFinding finding in variant.Findings)
        {
            AnsiConsole.Write(new Padder(new Text($"! {finding.Text}\n→ {finding.Advice}"), new Padding(2, 0, 0, 0)));
        }
    }
}
