using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic;
using Qaic.Compilation;
using Qaic.ML;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.Qpc;
using Quantize;
using Spectre.Console;

if (Arguments.Parse(args) is not { } arguments)
{
    return 2;
}

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (Console.IsOutputRedirected)
{
    AnsiConsole.Profile.Capabilities.Ansi = false;
    AnsiConsole.Profile.Width = 120;
}

string data = Path.Combine(AppContext.BaseDirectory, "data");
var ml = new MLContext(seed: 1);
bool passed = true;
foreach (Images images in new[] { Images.Digits(data), Images.Depthwise(data) })
{
    Report.Title($"{images.Name}: {images.Calibration.Length} rows to calibrate with, {images.Test.Length} to test with");
    passed &= Quantized(images);
}

Report.Line($"{(passed ? "passed" : "FAILED")}");
return passed ? 0 : 1;

bool Quantized(Images images)
{
    string Output(string name) => Path.Combine(arguments.Output, $"{images.Name}-{name}");

    // 1. ML.NET: the rows run through the model once, in float32. What was seen of every tensor serves any precision and method afterwards.
    QaicCalibrationTransformer calibrated = ml.Transforms.CalibrateQaicModel("image", images.Model).Fit(images.CalibrationView(ml));
    string profile = Output("profile.yaml");
    calibrated.Profile.Save(profile);

    // 2. float32, FP16 and INT8 with each method, side by side.
    AccuracyVariant[] variants = Variants.All(profile);
    var report = AccuracyReport.Evaluate(images.Model, images.ToAccuracyData(), variants);
    Report.Print(report, variants, Speed.Measure(images, [QaicOptions.Default, .. variants.Select(v => v.Options)]));
    VariantAccuracy perTensor = report.Variants.First(v => v.Name.StartsWith(Variants.PerTensor, StringComparison.Ordinal));
    Report.Line($"{perTensor.Name}: {100 * perTensor.Accuracy.Top1:0.0} % of {perTensor.Accuracy.Rows} rows are right, {perTensor.Accuracy.PointsLost:0.0} points less than in float32");
    Report.Findings(perTensor);
    report.SaveHtml(Output("accuracy.html"));

    // 3. ML.NET again: the network of a profile, and that of one Fit, which profiles the rows it gets and compiles with what it saw.
    var perChannel = new QaicOptions { EnableChannelwise = true, EnableRowwise = true };
    using QaicTransformer loaded = ml.Transforms.ApplyQaicModel("logits", "image", images.Model, perChannel with { LoadProfile = profile }).Fit(images.CalibrationView(ml));
    using QaicTransformer fitted = ml.Transforms.ApplyQaicModel("logits", "image", images.Model, perChannel with { ConvertToQuantize = true }).Fit(images.CalibrationView(ml));
    double[] right = [.. new[] { loaded, fitted }.Select(m => Right(m.Transform(images.TestView(ml))))];
    Report.Line($"ML.NET: LoadProfile {100 * right[0]:0.0} %, ConvertToQuantize {100 * right[1]:0.0} %");

    // 4. What was chosen for every tensor, for tools that read AIMET's encodings. Compiled with them, the network is the same.
    using (var qpc = QpcFile.Open(loaded.Session.QpcPath))
    {
        CompilationRecord.Read(qpc)!.Precision!.ToEncodings().Save(Output("encodings.json"));
    }

    using QaicTransformer encoded =
        ml.Transforms.ApplyQaicModel("logits", "image", images.Model, perChannel with { ExternalQuantizationFile = Output("encodings.json") }).Fit(images.CalibrationView(ml));
    double encodedRight = Right(encoded.Transform(images.TestView(ml)));
    Report.Line($"with these scales as AIMET encodings {100 * encodedRight:0.0} %");

    // 5. The worst layers in FP16, for what the defaults lose.
    if (arguments.KeepWorst > 0)
    {
        KeepWorst(images, report, new QaicOptions { LoadProfile = profile }, Output("node-precision.yaml"));
    }

    Report.Line($"written: {Output("profile.yaml")}, accuracy.html, encodings.json{(arguments.KeepWorst > 0 ? ", node-precision.yaml" : "")}");
    double best = report.Variants.Where(v => v.Name.StartsWith(Variants.PerChannel, StringComparison.Ordinal)).Max(v => v.Accuracy.Top1!.Value);
    return best >= perTensor.Accuracy.ReferenceTop1 - 0.005 && right[0] == right[1] && right[0] == encodedRight;
}

void KeepWorst(Images images, AccuracyReport report, QaicOptions options, string file)
{
    string[] nodes = WorstLayers.Find(images, options, arguments.KeepWorst, file);
    if (nodes.Length == 0)
    {
        Report.Line($"{Variants.PerTensor} answers as float32 does: no layer has to stay in FP16");
        return;
    }

    var mixed = AccuracyReport.Evaluate(images.Model, images.ToAccuracyData(), [new("mixed", options with { NodePrecisionInfoFile = file })]);
    ModelAccuracy before = report.Variants.First(v => v.Name.StartsWith(Variants.PerTensor, StringComparison.Ordinal)).Accuracy, after = mixed.Variants[0].Accuracy;
    Report.Line($"{Variants.PerTensor} with {string.Join(", ", nodes)} in FP16:");
    Report.Line($"  top-1 {100 * before.Top1:0.0} → {100 * after.Top1:0.0} %, agreement {100 * before.Agreement:0.0} → {100 * after.Agreement:0.0} %, SQNR {before.SqnrDb:0.0} → {after.SqnrDb:0.0} dB");
}

double Right(IDataView scored)
{
    int[] labels = [.. scored.GetColumn<int>("Label")];
    float[][] logits = [.. scored.GetColumn<float[]>("logits")];
    return logits.Zip(labels).Count(row => Array.IndexOf(row.First, row.First.Max()) == row.Second) / (double)labels.Length;
}
