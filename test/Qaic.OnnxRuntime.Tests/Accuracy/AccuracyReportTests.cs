using System.Text.RegularExpressions;
using System.Xml.Linq;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

[TestClass]
public sealed partial class AccuracyReportTests
{
    private const string Awkward = "block/<1>&\"conv\"";

    [TestMethod]
    public void Variants_of_one_batch_size_share_a_profile()
    {
        ScriptedBench bench = Bench();
        AccuracyReport.Evaluate(bench, ScriptedBench.Data(4, 2), [new("a", s_int8), new("b", s_int8 with { EnableChannelwise = true }), new("c", s_int8 with { BatchSize = 8 })], null, default);
        Assert.HasCount(2, bench.Profiled);
        Assert.AreSame(bench.Runs[1].Profile, bench.Runs[2].Profile);
        Assert.AreNotSame(bench.Runs[1].Profile, bench.Runs[3].Profile);
        Assert.IsNull(bench.Runs[0].Profile, "float32");
    }

    [TestMethod]
    public void A_network_in_FP16_needs_no_profile()
    {
        ScriptedBench bench = Bench();
        AccuracyReport report = AccuracyReport.Evaluate(bench, ScriptedBench.Data(4, 2), [new("FP16", new QaicOptions { ConvertToFp16 = true })], null, default);
        Assert.IsEmpty(bench.Profiled);
        Assert.IsTrue(report.Variants[0].Accuracy.SqnrDb > 30);
    }

    [TestMethod]
    public void The_calibration_auto_is_chosen_on_rows_of_the_calibration_part()
    {
        ScriptedBench bench = Bench();
        AccuracyReport report = AccuracyReport.Evaluate(bench, ScriptedBench.Data(10, 3), [new("auto", s_int8 with { QuantizationCalibration = QuantizationCalibration.Auto })], null, default);
        Assert.IsFalse(bench.Runs.Any(r => r.Options.QuantizationCalibration == QuantizationCalibration.Auto));
        Assert.HasCount(2, bench.Profiled, "all rows for the network, four fifths for the choice");
        CollectionAssert.AreEqual(new[] { 10, 8 }, bench.Profiled.Select(p => p.Count).ToArray());
        StringAssert.Contains(report.Variants[0].Precision.CalibrationReason, "held-out rows");
        StringAssert.Contains(report.ToText(), "held-out rows");
    }

    [TestMethod]
    public void Missing_rows_and_variants_are_refused()
    {
        StringAssert.Contains(Refused(() => AccuracyReport.Evaluate(Bench(), ScriptedBench.Data(0, 2), [new("a", s_int8)], null, default)).Message, "no rows to profile with");
        StringAssert.Contains(Refused(() => AccuracyReport.Evaluate(Bench(), ScriptedBench.Data(2, 0), [new("a", s_int8)], null, default)).Message, "no held-out rows");
        StringAssert.Contains(Refused(() => AccuracyReport.Evaluate(Bench(), ScriptedBench.Data(2, 2), [], null, default)).Message, "no variant");
        static ArgumentException Refused(Action action) => Assert.ThrowsExactly<ArgumentException>(action);
    }

    [TestMethod]
    public void The_text_fits_into_120_columns_and_shows_the_worst_tensors_first()
    {
        string text = Report().ToText(tensors: 2);
        Assert.IsTrue(text.Split('\n').All(l => l.Length <= 120), text);
        int worst = text.IndexOf("starved", StringComparison.Ordinal), next = text.IndexOf(Awkward, StringComparison.Ordinal);
        Assert.IsTrue(worst > 0 && next > worst, text);
        Assert.IsFalse(text.Contains("fine", StringComparison.Ordinal), "two were asked for");
        StringAssert.Contains(text, "worst of 4 quantized tensors");
        StringAssert.Contains(text, "int8 per tensor");
        StringAssert.Contains(text, "AUC");
    }

    [TestMethod]
    public void Every_tensor_with_values_has_a_picture_that_screen_readers_can_tell()
    {
        AccuracyReport report = Report();
        XElement[] pictures = [.. Pictures().Matches(report.ToHtml()).Select(m => XElement.Parse(m.Value))];
        Assert.HasCount(3 + 1, pictures, "three histograms, and the channels of the weight");
        Assert.HasCount(1, pictures.Where(p => p.Element("desc")!.Value.EndsWith("1 have fewer than 16.", StringComparison.Ordinal)));
        foreach (XElement picture in pictures)
        {
            string[] ids = picture.Attribute("aria-labelledby")!.Value.Split(' ');
            Assert.AreEqual("img", picture.Attribute("role")!.Value);
            CollectionAssert.AreEqual(ids, new[] { picture.Element("title")!.Attribute("id")!.Value, picture.Element("desc")!.Attribute("id")!.Value });
        }

        Assert.AreEqual(pictures.Length, pictures.Select(p => p.Attribute("aria-labelledby")!.Value).Distinct().Count());
        Assert.HasCount(1, pictures.Where(p => p.Element("title")!.Value == "Values of " + Awkward));
    }

    [TestMethod]
    public void What_the_range_cuts_off_has_a_colour_of_its_own()
    {
        XElement picture = Pictures().Matches(Report().ToHtml()).Select(m => XElement.Parse(m.Value)).Single(p => p.Element("title")!.Value == "Values of " + Awkward);
        XElement cut = picture.Elements("path").Single(p => p.Attribute("class")!.Value == "cut");
        XElement kept = picture.Elements("path").Single(p => p.Attribute("class")!.Value == "bar");
        Assert.HasCount(2, cut.Attribute("d")!.Value.Split('M', StringSplitOptions.RemoveEmptyEntries), "two of ten bars lie beyond the range");
        Assert.HasCount(8, kept.Attribute("d")!.Value.Split('M', StringSplitOptions.RemoveEmptyEntries));
        StringAssert.Contains(picture.Element("desc")!.Value, "to 8,");
    }

    [TestMethod]
    public void The_page_needs_nothing_else_and_follows_the_readers_colours()
    {
        string page = Report().ToHtml();
        Assert.IsFalse(Regex.IsMatch(page, "<script|<link|src=|url\\(|https?:", RegexOptions.IgnoreCase));
        StringAssert.Contains(page, "prefers-color-scheme:dark");
        StringAssert.Contains(page, "<th scope=\"row\">float32</th>");
        StringAssert.Contains(page, "enable_channelwise");
        Assert.IsFalse(page.Contains("<1>", StringComparison.Ordinal), "names are escaped");
        Assert.IsFalse(page.Contains("NaN", StringComparison.Ordinal));
    }

    [TestMethod]
    public void A_page_replaces_an_older_one_and_makes_its_directory()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-test-");
        try
        {
            string path = Path.Combine(directory.FullName, "new", "report.html");
            AccuracyReport report = Report();
            report.SaveHtml(path);
            File.AppendAllText(path, "old");
            report.SaveHtml(path);
            Assert.AreEqual(report.ToHtml(), File.ReadAllText(path));
            Assert.HasCount(1, Directory.GetFiles(Path.GetDirectoryName(path)!));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static readonly QaicOptions s_int8 = new() { ConvertToQuantize = true };

    private static AccuracyReport Report() =>
        AccuracyReport.Evaluate(Bench(), ScriptedBench.Data(4, 2) with { Metric = o => o["y"].AsSpan<float>()[0], MetricName = "AUC" }, [new("int8 per tensor", s_int8)], null, default);

    private static ScriptedBench Bench() => new()
    {
        Answers = (options, _) => options.ConvertToQuantize || options.ConvertToFp16 || options.QuantizationCalibration is not null ? [[9.9f, 0], [0, 10]] : [[10, 0], [0, 10]],
        Statistics = [new TensorStatistics("fine:0", -1, 1, [5, 5, 5, 5]), new TensorStatistics("cut:0", 0, 10, [.. Enumerable.Repeat(5.0, 10)])],
        ModelWeights = [new ModelWeight("starved", [1, 0.9f, 0.001f, 0.001f], [2, 2], "Conv", 0)],
        Record = new PrecisionRecord
        {
            Precision = "INT8",
            Tensors =
            [
                new QuantizedTensor("fine", "fine:0", "activation", [1f / 127], [0], -1, 1),
                new QuantizedTensor(Awkward, "cut:0", "activation", [8f / 255], [-128], 0, 10),
                new QuantizedTensor("starved", null, "weight", [1f / 127], [0], -1, 1),
                new QuantizedTensor("bias", null, "bias", [0.001f], [0], -1, 1),
            ],
        },
    };

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Pictures();
}
