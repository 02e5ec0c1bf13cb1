using Qaic.OnnxRuntime.Accuracy;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

[TestClass]
public sealed class TrainedModelAccuracyTests
{
    private static readonly QaicOptions s_int8 = new() { ConvertToQuantize = true };
    private static readonly QaicOptions s_perChannel = s_int8 with { EnableChannelwise = true, EnableRowwise = true };

    [TestMethod]
    public void The_collapse_of_the_depthwise_model_is_seen_explained_and_cured_by_the_advice()
    {
        AccuracyReport report = AccuracyReport.Evaluate(Repository.Model("dwsep"), ModelRows.Of("dwsep"), [new("per tensor", s_int8), new("as advised", s_int8 with { EnableChannelwise = true })]);
        (VariantAccuracy collapsed, VariantAccuracy cured) = (report.Variants[0], report.Variants[1]);

        // Two other implementations have 72 to 78 %, by where and how they round.
        Assert.IsInRange(70, 80, 100 * collapsed.Accuracy.Top1!.Value);
        AccuracyFinding cause = collapsed.Findings.First(f => f.Kind == FindingKind.UnevenChannels);
        StringAssert.Contains(cause.Advice, "enable_channelwise");
        StringAssert.Contains(collapsed.Findings[0].Advice, "enable_channelwise");
        Assert.AreEqual(FindingKind.AccuracyLost, collapsed.Findings[0].Kind);
        Assert.IsLessThan(5, collapsed.Tensors[0].WorstChannelSqnrDb, "dB");
        Assert.AreEqual("weight", collapsed.Tensors[0].Kind);

        Assert.IsLessThanOrEqualTo(1, cured.Accuracy.PointsLost);
        Assert.IsFalse(cured.Findings.Any(f => f.Kind == FindingKind.UnevenChannels && f.Advice.Contains("enable_channelwise", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void Broken_calibration_rows_are_seen_and_the_sweep_recovers_from_them()
    {
        AccuracyData data = ModelRows.Of("resnet8", isGlitched: true, rows: Campaign.Size(200, 597));
        AccuracyReport report = AccuracyReport.Evaluate(Repository.Model("resnet8"), data, [new("MinMax", s_perChannel)]);
        Assert.IsGreaterThan(20, report.Variants[0].Accuracy.PointsLost);
        StringAssert.Contains(report.Variants[0].Findings.First(f => f.Kind == FindingKind.Outliers).Advice, "Percentile");

        CalibrationSweep sweep = CalibrationSweep.Run(Repository.Model("resnet8"), data, s_perChannel);
        Assert.AreNotEqual(QuantizationCalibration.None, sweep.Best.Calibration, sweep.ToString());
        Assert.IsLessThanOrEqualTo(0.5, sweep.Best.Accuracy.PointsLost, sweep.ToString());
    }

    [TestMethod]
    public void The_raw_features_of_the_tumour_model_are_found_by_figures_and_by_search()
    {
        AccuracyData data = ModelRows.Of("breast_cancer_mlp");
        AccuracyReport report = AccuracyReport.Evaluate(Repository.Model("breast_cancer_mlp"), data, [new("INT8", s_int8)]);
        AccuracyFinding finding = report.Variants[0].Findings.First(f => f.Kind == FindingKind.UnevenColumns);
        PrecisionSearch search = PrecisionSearch.Run(Repository.Model("breast_cancer_mlp"), data, s_int8);

        // The node that reads the features; both name it.
        string reader = finding.Tensors[1];
        CollectionAssert.AreEqual(new[] { reader }, search.Nodes, search.ToString());
        Assert.IsTrue(search.IsWithinLimit);
        Assert.IsGreaterThan(5, search.Before.PointsLost);

        // The file does in a session what the search has measured.
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-test-");
        try
        {
            string path = Path.Combine(directory.FullName, "precision.yaml");
            search.ToNodePrecision().Save(path);
            AccuracyReport saved = AccuracyReport.Evaluate(Repository.Model("breast_cancer_mlp"), data, [new("with the list", s_int8 with { NodePrecisionInfoFile = path })]);
            Assert.AreEqual(search.After.Top1, saved.Variants[0].Accuracy.Top1);
            Assert.AreEqual("INT8+FP16", saved.Variants[0].Precision.Precision);
            Assert.IsFalse(saved.Variants[0].Findings.Any(f => f.Kind == FindingKind.UnevenColumns));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [TestMethod]
    public void A_calibration_is_chosen_from_the_rows_alone_the_same_every_time()
    {
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples = ModelManifest.Get("digits_mlp").CalibrationSamples();
        var first = CalibrationSweep.Choose(Repository.Model("digits_mlp"), samples, s_int8);
        Assert.AreEqual(samples.Count / 5, first.Best.Accuracy.Rows);

        // Rows in one tensor are the same rows.
        float[] all = [.. samples.SelectMany(s => s["pixels"].ToArray<float>())];
        var second = CalibrationSweep.Choose(Repository.Model("digits_mlp"), [new Dictionary<string, Tensor> { ["pixels"] = Tensor.Create(all, samples.Count, 64) }], s_int8);
        Assert.AreEqual(first.ToString(), second.ToString());
    }
}
