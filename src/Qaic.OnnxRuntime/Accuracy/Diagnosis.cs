using System.Collections.Immutable;
using Qaic.Compilation;
using static System.FormattableString;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Finds what costs a network accuracy, from figures alone.</summary>
internal static class Diagnosis
{
    // What quantization may cost.
    private const double PointsWorthMentioning = 0.5;

    // 16 steps to each side are five bits of the eight.
    internal const double FewSteps = 16;

    // A column that moves by fewer steps than these has lost six of its eight bits.
    private const double FewColumnSteps = 4;
    private const double BulkShare = 0.9999;
    private const double FewBulkLevels = 64;
    private const double LopsidedShare = 0.65;
    private const double MuchClipping = 0.01;

    /// <summary>The findings, the gravest first.</summary>
    public static ImmutableArray<AccuracyFinding> Of(
        ModelAccuracy accuracy,
        PrecisionRecord record,
        IReadOnlyList<(TensorAccuracy Accuracy, WeightStudy? Weight)> tensors,
        IReadOnlyList<InputColumns> inputs,
        IReadOnlyList<ModelNode> nodes)
    {
        var activations = tensors.Where(t => t.Accuracy.Kind == "activation").Select(t => t.Accuracy).ToList();
        List<AccuracyFinding> outliers = [.. Outliers(activations, record)];

        // Far values hide everything else about a tensor; once they are cured the rest is seen.
        HashSet<string> hidden = [.. outliers.SelectMany(o => o.Tensors)];
        var others = activations.Where(t => !hidden.Contains(t.Name)).ToList();
        List<AccuracyFinding> causes =
        [
            .. outliers,
            .. UnevenColumns(inputs, others, nodes),
            .. UnevenChannels([.. tensors.Where(t => t.Weight is not null && t.Accuracy.Channels == 1)]),
            .. Clipping(others, record),
            .. Lopsided(others),
        ];
        return [.. Lost(accuracy, record, causes), .. causes];
    }

    private static IEnumerable<AccuracyFinding> Lost(ModelAccuracy accuracy, PrecisionRecord record, List<AccuracyFinding> causes)
    {
        double changed = 100 * (1 - accuracy.Agreement);
        if (accuracy.PointsLost <= PointsWorthMentioning && changed <= 2 * PointsWorthMentioning)
        {
            yield break;
        }

        string top1 = accuracy.Top1 is { } found && accuracy.ReferenceTop1 is { } reference
            ? Invariant($"Top-1 is {100 * found:0.0} %, float32 has {100 * reference:0.0} %: {(accuracy.PointsLost >= 0 ? Invariant($"{accuracy.PointsLost:0.0} points are lost") : "none is lost")}. ")
            : "";
        yield return new AccuracyFinding(
            FindingKind.AccuracyLost,
            [],
            Invariant($"{top1}{changed:0.0} % of the answers on {accuracy.Rows} rows are others than in float32; the first output has {Decibels(accuracy.SqnrDb)}."),
            causes.Count > 0 ? $"First: {causes[0].Advice}"
            : record.Precision.StartsWith("INT8", StringComparison.Ordinal)
            ? "No tensor stands out. Compare calibrations (quantization_calibration auto), or look for the layers that should stay in FP16 (PrecisionSearch)."
            : "Compile without convert_to_fp16, or keep single nodes in FP32 (node_precision_info_file).");
    }

    private static IEnumerable<AccuracyFinding> UnevenChannels(List<(TensorAccuracy Accuracy, WeightStudy? Weight)> weights)
    {
        var uneven = weights
            .Select(w => (w.Accuracy, Study: w.Weight!, Starved: w.Weight!.Largest.Count(m => m > 0 && m < FewSteps * w.Accuracy.LargestScale)))
            .Where(w => w.Starved > 0)
            .OrderBy(w => w.Accuracy.WorstChannelSqnrDb)
            .ToList();

        // Convolutions and matrix products have an option each.
        foreach (var group in uneven.GroupBy(w => w.Study.OpType.StartsWith("Conv", StringComparison.Ordinal)).OrderBy(g => g.First().Accuracy.WorstChannelSqnrDb))
        {
            (TensorAccuracy worst, WeightStudy study, int starved) = group.First();
            double smallest = study.Largest.Where(m => m > 0).Min(), largest = study.Largest.Max();
            string others = More(group.Count() - 1, " {0} more weight is like it, less so.", " {0} more weights are like it, less so.");
            yield return new AccuracyFinding(
                FindingKind.UnevenChannels,
                [.. group.Select(w => w.Accuracy.Name)],
                Invariant($"The channels of {study.OpType} weight '{worst.Name}' reach from {Number(smallest)} to {Number(largest)} (1 : {largest / smallest:0}) and share one scale of {Number(worst.LargestScale)}: ")
                + Invariant($"{starved} of {study.Largest.Length} use fewer than {FewSteps:0} of its 127 steps, the worst has {Decibels(worst.WorstChannelSqnrDb)}.{others}"),
                group.Key ? "Give each channel its own scale: EnableChannelwise (enable_channelwise)." : "Give each row its own scale: EnableRowwise (enable_rowwise).");
        }
    }

    private static IEnumerable<AccuracyFinding> UnevenColumns(IReadOnlyList<InputColumns> inputs, List<TensorAccuracy> activations, IReadOnlyList<ModelNode> nodes)
    {
        foreach (InputColumns input in inputs)
        {
            if (activations.FirstOrDefault(t => t.Name == input.Name) is not { } tensor)
            {
                continue;
            }

            double[] spans = [.. input.Minima.Zip(input.Maxima, (low, high) => (double)high - low).Where(s => s > 0)];
            int lost = spans.Count(s => s < FewColumnSteps * tensor.LargestScale);

            // Pictures have borders where little happens; raw features lose a good part of the columns.
            if (lost == 0 || lost < 0.1 * spans.Length)
            {
                continue;
            }

            string[] readers = [.. Takers(input.Name, nodes)];
            string advice = readers.Length > 0
                ? $"Keep what takes it in FP16 (FP16NodeInstanceNames in node_precision_info_file): {string.Join(", ", readers.Select(r => $"'{r}'"))}; or scale the columns before the network."
                : "Scale the columns before the network.";
            yield return new AccuracyFinding(
                FindingKind.UnevenColumns,
                [input.Name, .. readers],
                Invariant($"The columns of input '{input.Name}' span {Number(spans.Min())} to {Number(spans.Max())} and share one scale of {Number(tensor.LargestScale)}: {lost} of {input.Minima.Length} move by fewer than {FewColumnSteps:0} steps, ")
                + Invariant($"{spans.Count(s => s < tensor.LargestScale)} by less than one."),
                advice);
        }
    }

    // What only moves data carries integers on to what computes, and each alone would keep them: both have to be named.
    private static IEnumerable<string> Takers(string tensor, IReadOnlyList<ModelNode> nodes)
    {
        HashSet<string> moved = [tensor];
        foreach (ModelNode node in nodes.Where(n => n.OpType != "Shape" && n.Inputs.Any(moved.Contains)))
        {
            yield return node.Name;
            moved.UnionWith(node.MovesData ? node.Outputs.Where(o => o.Length > 0) : []);
        }
    }

    private static IEnumerable<AccuracyFinding> Outliers(List<TensorAccuracy> activations, PrecisionRecord record)
    {
        var found = activations.Where(t => t.Histogram is { Total: > 0 }).Select(t =>
        {
            (double low, double high) = TensorStudy.Bulk(t.Histogram!, BulkShare);
            (low, high) = (Math.Min(low, 0), Math.Max(high, 0));
            double levels = (Math.Min(high, t.RangeMaximum) - Math.Max(low, t.RangeMinimum)) / t.LargestScale;
            double seen = Math.Max(t.Maximum, 0) - Math.Min(t.Minimum, 0);
            return (Tensor: t, Low: low, High: high, Levels: levels, Excess: (high - low) > 0 ? seen / (high - low) : 1);
        }).Where(t => t.Levels < FewBulkLevels && t.Excess > 2).OrderBy(t => t.Levels).ToList();
        if (found.Count == 0)
        {
            yield break;
        }

        (TensorAccuracy worst, double bulkLow, double bulkHigh, double used, double excess) = found[0];
        string others = More(found.Count - 1, " {0} more tensor is like it, less so.", " {0} more tensors are like it, less so.");
        bool isPercentile = record.Calibration == "Percentile";
        yield return new AccuracyFinding(
            FindingKind.Outliers,
            [.. found.Select(t => t.Tensor.Name)],
            Invariant($"A few far values decide the range of '{worst.Name}': 99.99 % lie within {Number(bulkLow)} and {Number(bulkHigh)}, it reaches from {Number(worst.Minimum)} to {Number(worst.Maximum)} ({excess:0.#} times as wide). ")
            + Invariant($"They share {Math.Max(1, used):0} of 256 numbers; without the far ones the scale could be {Number((bulkHigh - bulkLow) / 255)} instead of {Number(worst.LargestScale)}.{others}"),
            isPercentile
            ? "Lower the percentile: PercentileCalibrationValue 99.9 (percentile_calibration_value), or look for broken rows in the calibration data."
            : "Cut them off: QuantizationCalibration Percentile at 99.99 (quantization_calibration, percentile_calibration_value), and look for broken rows in the calibration data.");
    }

    private static IEnumerable<AccuracyFinding> Clipping(List<TensorAccuracy> activations, PrecisionRecord record)
    {
        var clipped = activations.Where(t => t.ClippedFraction > MuchClipping).OrderByDescending(t => t.ClippedFraction).ToList();
        if (clipped.Count > 0)
        {
            TensorAccuracy worst = clipped[0];
            yield return new AccuracyFinding(
                FindingKind.Clipping,
                [.. clipped.Select(t => t.Name)],
                Invariant($"{100 * worst.ClippedFraction:0.0} % of the values of '{worst.Name}' lie outside of {Number(worst.RangeMinimum)} to {Number(worst.RangeMaximum)} and become its ends{More(clipped.Count - 1, "; {0} more tensor loses over 1 %", "; {0} more tensors lose over 1 %")}."),
                record.Calibration == "Percentile" ? "Raise the percentile (percentile_calibration_value), or calibrate with None." : "Calibrate with None, or with Percentile at 99.99 (quantization_calibration).");
        }
    }

    private static IEnumerable<AccuracyFinding> Lopsided(List<TensorAccuracy> activations)
    {
        var lopsided = activations.Where(t => t.Offset == 0 && t.Minimum < 0 && t.Maximum > 0 && t.LevelsUsed < 256 * LopsidedShare
            && t.RangeMinimum <= t.Minimum && t.RangeMaximum >= t.Maximum).OrderBy(t => t.LevelsUsed).ToList();
        if (lopsided.Count > 0)
        {
            TensorAccuracy worst = lopsided[0];
            yield return new AccuracyFinding(
                FindingKind.LopsidedRange,
                [.. lopsided.Select(t => t.Name)],
                Invariant($"'{worst.Name}' lies between {Number(worst.Minimum)} and {Number(worst.Maximum)}, but its range is symmetric: it uses {worst.LevelsUsed} of 256 numbers{More(lopsided.Count - 1, "; {0} more tensor is like it", "; {0} more tensors are like it")}."),
                "Let the range follow the values: QuantizationSchemaActivations asymmetric (quantization_schema_activations).");
        }
    }

    private static string More(int count, string one, string several) => count == 0 ? "" : (count == 1 ? one : several).Replace("{0}", Invariant($"{count}"), StringComparison.Ordinal);

    internal static string Number(double value) => value == 0 ? "0" : Math.Abs(value) is >= 1e5 or < 1e-3 ? Invariant($"{value:0.##E+0}") : Invariant($"{value:G4}");

    internal static string Decibels(double value) => double.IsPositiveInfinity(value) ? "no noise" : double.IsNaN(value) ? "an unknown SQNR" : Invariant($"{value:0.0} dB");
}
