using System.Net;
using System.Text;
using static System.FormattableString;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Writes an <see cref="AccuracyReport"/> as one HTML file: no scripts, nothing loaded, light or dark as the reader's system is.</summary>
internal static class AccuracyPage
{
    // Below this a tensor is marked as poor, and above the other as good: a clean 8 bit tensor has 30 to 50 dB.
    private const double PoorDb = 15;
    private const double GoodDb = 30;

    private const string Style = """
        :root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1d2126;--soft:#5c6670;--line:#e2e5e8;--bar:#2f6fb5;--band:#2f6fb514;--end:#2f6fb5;--cut:#c8361d;--good:#1f7a4d;--fair:#8a6100;--poor:#b3261e;--note:#fff6e5;--note-line:#d99100}
        @media (prefers-color-scheme:dark){:root{--paper:#14171a;--card:#1c2024;--ink:#e6e9ec;--soft:#9aa5b0;--line:#32383e;--bar:#6ea8e8;--band:#6ea8e81f;--end:#8fbdf0;--cut:#ff7a5c;--good:#5cc98f;--fair:#e2b04a;--poor:#ff8a80;--note:#2b2417;--note-line:#c98a1b}}
        *{box-sizing:border-box}
        body{margin:0 auto;padding:2.5rem 1.25rem 4rem;max-width:62rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
        h1{font-size:1.7rem;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:3rem 0 .75rem;padding-top:1.25rem;border-top:1px solid var(--line)}
        h3{font-size:.95rem;margin:0;font-family:ui-monospace,"Cascadia Mono",Menlo,monospace;font-weight:600;overflow-wrap:anywhere}
        p{margin:.4rem 0}.soft{color:var(--soft)}.scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;margin-top:1rem;font-variant-numeric:tabular-nums}
        th,td{padding:.42rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--soft);font-weight:500;font-size:.85rem}
        th:first-child,td:first-child,.l{text-align:left}tbody th{color:var(--ink);font-weight:600;font-size:1em}td:first-child,th:first-child{padding-left:0}
        .finding{margin:.75rem 0;padding:.7rem 1rem;background:var(--note);border-left:3px solid var(--note-line);border-radius:0 6px 6px 0;overflow-wrap:anywhere}.finding strong{display:block;font-weight:600;margin-top:.25rem}
        article{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.1rem .6rem;margin:1rem 0}
        .head{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:baseline;justify-content:space-between}.kind{color:var(--soft);font-size:.85rem;font-weight:400;font-family:system-ui,sans-serif}
        .db{font-weight:600;white-space:nowrap}.good{color:var(--good)}.fair{color:var(--fair)}.poor{color:var(--poor)}
        dl{display:flex;flex-wrap:wrap;gap:.15rem 1.6rem;margin:.5rem 0 .4rem;font-size:.87rem;font-variant-numeric:tabular-nums}dl div{display:flex;gap:.4rem}dt{color:var(--soft)}dd{margin:0}
        svg{display:block;width:100%;height:auto}.band{fill:var(--band)}.bar{fill:var(--bar)}.cut{fill:var(--cut)}.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
        .end{stroke:var(--end);stroke-width:1.25;stroke-dasharray:4 3}.starved{fill:var(--cut)}.tick{fill:var(--soft);font-size:10.5px}.tick.zero{fill:var(--ink)}.end-label{fill:var(--end);font-size:11px;font-weight:600}
        .key{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;font-size:.87rem;color:var(--soft)}.key i{display:inline-block;width:.85em;height:.85em;border-radius:2px;margin-right:.4em;vertical-align:-.08em}
        """;

    public static string Of(AccuracyReport report)
    {
        var page = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.Append(Invariant($"<title>Accuracy of {Text(report.Model)}</title>\n<style>\n{Style}\n</style>\n</head>\n<body>\n<main>\n"));
        page.Append(Invariant($"<h1>{Text(report.Model)}</h1>\n"));
        page.Append(Invariant($"<p class=\"soft\">Compiled in {Count(report.Variants.Length, "way")}, compared with float32 on {Count(report.Variants[0].Accuracy.Rows, "held-out row")}; calibrated with {Count(report.CalibrationSamples, "sample")}.</p>\n"));
        AppendSummary(page, report);
        for (int i = 0; i < report.Variants.Length; i++)
        {
            Append(page, report.Variants[i], i);
        }

        return page.Append("</main>\n</body>\n</html>\n").ToString();
    }

    private static void AppendSummary(StringBuilder page, AccuracyReport report)
    {
        ModelAccuracy first = report.Variants[0].Accuracy;
        bool hasLabels = first.Top1 is not null, hasMetric = first.Metric is not null;
        page.Append("<div class=\"scroll\"><table>\n<caption class=\"soft l\">SQNR is that of the first output.</caption>\n<thead><tr><th scope=\"col\">Variant</th><th scope=\"col\" class=\"l\">Precision</th><th scope=\"col\" class=\"l\">Calibration</th><th scope=\"col\">Agreement</th>");
        page.Append(hasLabels ? "<th scope=\"col\">Top-1</th>" : "").Append(hasMetric ? $"<th scope=\"col\">{Text(report.MetricName)}</th>" : "").Append("<th scope=\"col\">SQNR</th><th scope=\"col\">Size</th></tr></thead>\n<tbody>\n");
        page.Append("<tr><th scope=\"row\">float32</th><td class=\"l\">FP32</td><td></td><td>100.0 %</td>");
        page.Append(hasLabels ? $"<td>{AccuracyText.Percent(first.ReferenceTop1!.Value)} %</td>" : "").Append(hasMetric ? Invariant($"<td>{first.ReferenceMetric:G5}</td>") : "").Append("<td></td><td></td></tr>\n");
        for (int i = 0; i < report.Variants.Length; i++)
        {
            VariantAccuracy v = report.Variants[i];
            string grade = v.Accuracy.PointsLost > 1 ? " class=\"poor\"" : v.Accuracy.PointsLost > 0.5 ? " class=\"fair\"" : "";
            page.Append(Invariant($"<tr><th scope=\"row\"><a href=\"#v{i}\" style=\"color:inherit\">{Text(v.Name)}</a></th><td class=\"l\">{Text(v.Precision.Precision)}</td><td class=\"l\">{Text(AccuracyText.Calibration(v))}</td>"));
            page.Append(Invariant($"<td{(hasLabels ? "" : grade)}>{AccuracyText.Percent(v.Accuracy.Agreement)} %</td>"));
            page.Append(hasLabels ? $"<td{grade}>{AccuracyText.Percent(v.Accuracy.Top1!.Value)} %</td>" : "").Append(hasMetric ? Invariant($"<td>{v.Accuracy.Metric:G5}</td>") : "");
            page.Append(Invariant($"<td>{Decibels(v.Accuracy.SqnrDb)}</td><td>{v.QpcBytes / 1024.0:0} KiB</td></tr>\n"));
        }

        page.Append("</tbody></table></div>\n");
    }

    private static void Append(StringBuilder page, VariantAccuracy variant, int index)
    {
        page.Append(Invariant($"<section>\n<h2 id=\"v{index}\">{Text(variant.Name)}</h2>\n"));
        page.Append(variant.Precision.CalibrationReason is { } reason ? $"<p class=\"soft\">{Text(reason)}</p>\n" : "");
        foreach (AccuracyFinding finding in variant.Findings)
        {
            page.Append(Invariant($"<div class=\"finding\">{Text(finding.Text)} <strong>{Text(finding.Advice)}</strong></div>\n"));
        }

        if (variant.Findings.IsEmpty)
        {
            page.Append("<p class=\"soft\">Nothing was found that costs accuracy.</p>\n");
        }

        if (!variant.Tensors.IsEmpty)
        {
            page.Append(Invariant($"<p class=\"soft\">{Count(variant.Tensors.Length, "quantized tensor")}, the worst first. What is cut off counts as noise, also where it should be cut off.</p>\n"));
            page.Append("<p class=\"key\"><span><i style=\"background:var(--bar)\"></i>values, counted on a logarithmic scale</span><span><i style=\"background:var(--cut)\"></i>values cut off</span><span><i style=\"background:var(--band);outline:1px dashed var(--end)\"></i>range of the integers</span></p>\n");
        }

        for (int i = 0; i < variant.Tensors.Length; i++)
        {
            Append(page, variant.Tensors[i], Invariant($"v{index}t{i}"));
        }

        page.Append("</section>\n");
    }

    private static void Append(StringBuilder page, TensorAccuracy t, string id)
    {
        string grade = double.IsNaN(t.WorstChannelSqnrDb) ? "" : t.WorstChannelSqnrDb < PoorDb ? " poor" : t.WorstChannelSqnrDb < GoodDb ? " fair" : " good";
        string channels = t.Channels > 1 ? Invariant($", {t.Channels} channels") : "";
        page.Append(Invariant($"<article>\n<div class=\"head\"><h3>{Text(t.Name)} <span class=\"kind\">{Text(t.Kind)}{channels}</span></h3>"));
        page.Append(double.IsNaN(t.SqnrDb) ? "" : $"<span class=\"db{grade}\">{Decibels(t.SqnrDb)}{(t.WorstChannelSqnrDb < t.SqnrDb - 1 ? $", worst channel {Decibels(t.WorstChannelSqnrDb)}" : "")}</span>");
        page.Append("</div>\n<dl>");
        Pair("seen", $"{Diagnosis.Number(t.Minimum)} to {Diagnosis.Number(t.Maximum)}");
        Pair("range", $"{Diagnosis.Number(t.RangeMinimum)} to {Diagnosis.Number(t.RangeMaximum)}");
        Pair("scale", t.Channels > 1 ? $"{Diagnosis.Number(t.SmallestScale)} to {Diagnosis.Number(t.LargestScale)}" : Diagnosis.Number(t.LargestScale));
        Pair("offset", Invariant($"{t.Offset}"));
        if (t.Kind != "bias")
        {
            Pair("clipped", t.ClippedFraction == 0 ? "none" : Invariant($"{100 * t.ClippedFraction:0.####} %"));
            Pair("levels used", Invariant($"{t.LevelsUsed} of 256"));
        }

        page.Append("</dl>\n").Append(t.Histogram is { Total: > 0 } ? HistogramSvg.Of(t, id) + "\n" : "").Append(ChannelSvg.Of(t, id + "c")).Append("</article>\n");

        void Pair(string term, string value) => page.Append(Invariant($"<div><dt>{term}</dt><dd>{Text(value)}</dd></div>"));
    }

    private static string Decibels(double value) => double.IsFinite(value) ? AccuracyText.Decibels(value) + " dB" : AccuracyText.Decibels(value);

    private static string Count(int number, string noun) => Invariant($"{number} {noun}{(number == 1 ? "" : "s")}");

    private static string Text(string value) => WebUtility.HtmlEncode(value);
}
