using System.Text.Json;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

// Sessions are native objects, and after every test of the assembly there must be none.
[TestClass]
public sealed class CalibrateTests : ToolTest
{
    private static string Rows => Repository.Data("data", "digits", "calib_x.npy");

    [TestMethod]
    public void The_profile_is_that_of_the_library_and_quantizes_the_model()
    {
        string output = Ok("calibrate", Cnn, "--backend", "sim", "--input", $"image={Rows}", "-o", At("profile.yaml"), "--encodings", At("encodings.json"), "--num-histogram-bins", "300", "--profiling-threads", "1");

        StringAssert.Contains(output, "200 rows");
        using var platform = new MemoryStream();
        QuantizationProfile expected = Platform.Simulated().Profile(
            Cnn, ModelManifest.Get("digits_cnn").CalibrationSamples(), new QaicOptions { NumHistogramBins = 300, ProfilingThreads = 1 }, cancellationToken: TestContext.CancellationToken);
        expected.Write(platform);
        CollectionAssert.AreEqual(platform.ToArray(), File.ReadAllBytes(At("profile.yaml")));
        Assert.IsTrue(QuantizationEncodings.Load(At("encodings.json")).Activations.ContainsKey("image"));

        Ok("compile", Cnn, "--backend", "sim", "--load-profile", At("profile.yaml"), "--quantization-precision-bias", "Int32", "-o", At("qpc"));
        using var qpc = QpcFile.Open(At("qpc"));
        Assert.AreEqual("INT8", CompilationRecord.Read(qpc)!.Precision!.Precision);
    }

    [TestMethod]
    public void A_report_and_the_best_calibration_come_from_rows_held_out()
    {
        using var json = JsonDocument.Parse(Ok(
            "calibrate", Cnn, "--backend", "sim", "--input", Rows, "-o", At("profile.yaml"), "--report", At("report.html"), "--sweep", "--quantization-precision-bias", "Int32", "--json"));

        StringAssert.Contains(File.ReadAllText(At("report.html")), "40 held-out rows");
        StringAssert.Contains(json.RootElement.GetProperty("reason").GetString(), "of 40 held-out rows");
    }

    [TestMethod]
    public void Data_that_does_not_fit_leaves_no_profile()
    {
        (int code, _, string error) = Run("calibrate", Cnn, "--backend", "sim", "--input", Repository.Data("data", "digits", "test_flat.npy"), "-o", At("profile.yaml"));
        (int usage, _, _) = Run("calibrate", Cnn, "--backend", "sim", "-o", At("profile.yaml"));

        Assert.AreEqual((QaicTool.Failure, QaicTool.WrongUsage), (code, usage));
        StringAssert.Contains(error, "test_flat.npy");
        Assert.IsFalse(File.Exists(At("profile.yaml")));
    }
}
