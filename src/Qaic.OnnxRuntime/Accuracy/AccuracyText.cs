using System.Text;
using static System.FormattableString;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Writes an <see cref="AccuracyReport"/> as plain text.</summary>
internal static class AccuracyText
{
    private const int Width = 120;

    public static string Of(AccuracyReport report, int tensors)
    {
        var text = new StringBuilder();
        ModelAccuracy first = report.Variants[0].Accuracy;
        text.Append(Invariant($"{report.Model}: {first.Rows} held-out rows against float32, calibrated with {report.CalibrationSamples} samples\n\n"));
        bool hasLabels = first.Top1 is not null, hasMetric = first.Metric is not null;
        string[] headers = ["variant", "<precision", "<calibration", "agree %", .. Optional(hasLabels, "top-1 %"), .. Optional(hasMetric, report.MetricName), "SQNR dB", "QPC KiB"];
        var table = new TextTable(headers);
        table.Add(["float32", "FP32", "", "100.0", .. Optional(hasLabels, Invariant($"{100 * first.ReferenceTop1:0.0}")), .. Optional(hasMetric, Invariant($"{first.ReferenceMetric:G5}")), "", ""]);
        foreach (VariantAccuracy variant in report.Variants)
        {
            table.Add([
                TextTable.Shorten(variant.Name, 32), variant.Precision.Precision, Calibration(variant), Percent(variant.Accuracy.Agreement),
                .. Optional(hasLabels, Percent(variant.Accuracy.Top1 ?? 0)), .. Optional(hasMetric, Invariant($"{variant.Accuracy.Metric:G5}")),
                Decibels(variant.Accuracy.SqnrDb), Invariant($"{variant.QpcBytes / 1024.0:0}")]);
        }

        table.AppendTo(text);
        foreach (VariantAccuracy variant in report.Variants)
        {
            Append(text, variant, tensors);
        }

        return text.ToString();
    }

    /// <summary>How ranges were chosen: <c>Percentile 99.99</c>.</summary>
    public static string Calibration(VariantAccuracy variant) => variant.Precision switch
    {
        { Tensors.Count: 0 } => "",
        { Calibration: "Percentile", Percentile: { } percentile } => Invariant($"Percentile {percentile:0.######}"),
        { Calibration: var calibration } => calibration ?? "",
    };

    public static string Percent(double share) => Invariant($"{100 * share:0.0}");

    public static string Decibels(double value) => double.IsNaN(value) ? "?" : double.IsPositiveInfinity(value) ? "exact" : double.IsNegativeInfinity(value) ? "-inf" : Invariant($"{value:0.0}");

    private static string[] Optional(bool isThere, string cell) => isThere ? [cell] : [];

    private static void Append(StringBuilder text, VariantAccuracy variant, int tensors)
    {
        if (variant.Findings.IsEmpty && (variant.Tensors.IsEmpty || tensors == 0))
        {
            return;
        }

        text.Append('\n').Append(variant.Name).Append('\n');
        if (variant.Precision.CalibrationReason is { } reason)
        {
            TextTable.Wrap(text, "  ", reason, Width);
        }

        foreach (AccuracyFinding finding in variant.Findings)
        {
            TextTable.Wrap(text, "  ! ", finding.Text, Width);
            TextTable.Wrap(text, "    > ", finding.Advice, Width);
        }

        if (variant.Tensors.IsEmpty || tensors == 0)
        {
            return;
        }

        text.Append(Invariant($"  worst of {variant.Tensors.Length} quantized tensors:\n"));
        var table = new TextTable("tensor", "<kind", "seen from", "to", "range from", "to", "scale", "SQNR dB", "clipped %", "levels");
        foreach (TensorAccuracy t in variant.Tensors.Take(tensors))
        {
            table.Add(
                TextTable.Shorten(t.Name, 34), t.Channels > 1 ? $"{t.Kind}/{t.Channels}" : t.Kind, Diagnosis.Number(t.Minimum), Diagnosis.Number(t.Maximum),
                Diagnosis.Number(t.RangeMinimum), Diagnosis.Number(t.RangeMaximum), Diagnosis.Number(t.LargestScale),
                Decibels(t.SqnrDb) + (t.Channels == 1 && t.WorstChannelSqnrDb < t.SqnrDb - 1 ? $" ({Decibels(t.WorstChannelSqnrDb)})" : ""),
                t.ClippedFraction == 0 ? "0" : Invariant($"{100 * t.ClippedFraction:0.###}"), t.Kind == "bias" ? "" : Invariant($"{t.LevelsUsed}"));
        }

        table.AppendTo(text);
        if (variant.Tensors.Take(tensors).Any(t => t.ClippedFraction > 0))
        {
            text.Append("  (what is clipped counts as noise, also where it should be clipped)\n");
        }

        if (variant.Tensors.Take(tensors).Any(t => t.Channels == 1 && t.WorstChannelSqnrDb < t.SqnrDb - 1))
        {
            text.Append("  (in brackets: the worst channel)\n");
        }
    }
}
