using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.Compilation;
using Qaic.ML.Tests.Support;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.ML.Tests;

/// <summary>Trained models from rows to INT8 and back to columns, with the embedded compiler.</summary>
[TestClass]
public sealed class QuantizedPipelineTests
{
    private static readonly QaicOptions s_int8 = new() { ConvertToQuantize = true, EnableChannelwise = true, EnableRowwise = true, QuantizationPrecisionBias = BiasPrecision.Int32 };

    private readonly MLContext _ml = new(seed: 1);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-ml-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    [DataRow("digits_cnn"), DataRow("digits_mlp"), DataRow("digits_multihead")]
    public void Two_hundred_rows_make_an_INT8_network_within_one_point_of_float32(string name)
    {
        TestModel model = ModelManifest.Get(name);
        using QaicTransformer int8 = Apply(model, s_int8, o => o with { CalibrationRows = 200 }).Fit(ModelData.CalibrationView(model));
        AssertInt8(int8, model);
        Assert.IsGreaterThanOrEqualTo(model.Accuracy - 0.01, Accuracy(int8, model));
    }

    [TestMethod]
    public void Calibrate_then_apply_is_the_network_of_one_fit()
    {
        TestModel model = ModelManifest.Get("digits_cnn");
        TestView rows = ModelData.CalibrationView(model);
        QaicCalibrationTransformer calibrated = _ml.Transforms.CalibrateQaicModel(new QaicCalibrationOptions { ModelPath = model.Path, RowLimit = 100, Seed = 3 }).Fit(rows);
        using QaicTransformer one = Apply(model, s_int8, o => o with { CalibrationRows = 100, CalibrationSeed = 3 }).Fit(rows);
        using QaicTransformer memory = Apply(model, s_int8 with { ConvertToQuantize = false }, o => o with { Profile = calibrated.Profile }).Fit(rows);
        string file = Path.Combine(_directory.FullName, "profile.yaml");
        calibrated.Profile.Save(file);
        using QaicTransformer loaded = Apply(model, s_int8 with { ConvertToQuantize = false, LoadProfile = file }).Fit(rows);
        List<float[]> expected = Score(one, model);
        AssertSame(expected, Score(memory, model));
        AssertSame(expected, Score(loaded, model));
    }

    [TestMethod]
    [DataRow("encodings.json"), DataRow("new/encodings.yaml")]
    public void A_calibration_is_saved_as_encodings_that_make_the_network_of_its_profile(string name)
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        QaicCalibrationTransformer calibrated = _ml.Transforms.CalibrateQaicModel(new QaicCalibrationOptions { ModelPath = model.Path, RowLimit = 100 }).Fit(ModelData.CalibrationView(model));
        QaicOptions options = s_int8 with { ConvertToQuantize = false };
        string file = Path.Combine(_directory.FullName, name);
        calibrated.SaveEncodings(model.Path, file, options);
        using QaicTransformer profiled = Apply(model, options, o => o with { Profile = calibrated.Profile }).Fit(ModelData.View(model));
        using QaicTransformer encoded = Apply(model, options with { ExternalQuantizationFile = file }).Fit(ModelData.View(model));
        AssertInt8(encoded, model);
        AssertSame(Score(profiled, model), Score(encoded, model));
    }

    [TestMethod]
    public void A_dumped_profile_is_the_vendors_file_and_makes_the_same_network_again()
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        string file = Path.Combine(_directory.FullName, "profile.yaml");
        QaicOptions options = s_int8 with { ConvertToQuantize = false, DumpProfile = file };
        using QaicTransformer dumping = Apply(model, options).Fit(ModelData.CalibrationView(model));
        AssertInt8(dumping, model);
        Assert.StartsWith("---", File.ReadAllText(file));
        Assert.IsNotEmpty(QuantizationProfile.Load(file).Tensors);
        using QaicTransformer loading = Apply(model, options with { DumpProfile = null, LoadProfile = file }).Fit(ModelData.View(model));
        AssertSame(Score(dumping, model), Score(loading, model));
    }

    [TestMethod]
    public void A_saved_INT8_model_scores_as_before_without_profile_and_data()
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        using var stream = new MemoryStream();
        List<float[]> before;
        using (QaicTransformer int8 = Apply(model, s_int8).Fit(ModelData.CalibrationView(model)))
        {
            before = Score(int8, model);
            _ml.Model.Save(int8, ModelData.View(model).Schema, stream);
        }

        using var loaded = (QaicTransformer)new MLContext().Model.Load(stream, out _);
        AssertInt8(loaded, model);
        AssertSame(before, Score(loaded, model));
    }

    [TestMethod]
    public void The_best_calibration_is_chosen_with_rows_held_out_and_the_program_says_why()
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        using QaicTransformer int8 = Apply(model, s_int8 with { QuantizationCalibration = QuantizationCalibration.Auto }).Fit(ModelData.CalibrationView(model));
        AssertInt8(int8, model);
        Assert.IsGreaterThanOrEqualTo(model.Accuracy - 0.01, Accuracy(int8, model));
        PrecisionRecord precision = Precision(int8)!;
        Assert.AreNotEqual("auto", precision.Calibration);
        Assert.IsFalse(string.IsNullOrWhiteSpace(precision.CalibrationReason));
    }

    [TestMethod]
    public void Rows_of_a_pipeline_are_profiled_as_the_network_will_see_them()
    {
        // The calibration rows come ten times as large, and the pipeline brings them back.
        TestModel model = ModelManifest.Get("digits_mlp");
        string input = model.Inputs.Single();
        float[][] pixels = [.. Rows.ReadVectors<float>(ModelData.CalibrationView(model), input)];
        var raw = new TestView(pixels.Length, TestColumn.Vector("raw", new VectorDataViewType(NumberDataViewType.Single, pixels[0].Length), r => Array.ConvertAll(pixels[r], p => 10 * p)));
        var scale = _ml.Transforms.CustomMapping<Raw, Scaled>((from, to) => to.Values = Array.ConvertAll(from.Values, v => v / 10), contractName: null);
        QuantizationProfile profile = scale.Append(_ml.Transforms.CopyColumns(input, nameof(Scaled.Values)))
            .Append(_ml.Transforms.CalibrateQaicModel(input, model.Path)).Fit(raw).LastTransformer.Profile;
        TensorStatistics seen = profile.Find($"{input}:0")!;
        Assert.AreEqual((pixels.Min(p => p.Min()), pixels.Max(p => p.Max())), (seen.Minimum, seen.Maximum));
    }

    private static void AssertInt8(QaicTransformer transformer, TestModel model) => Assert.AreEqual("INT8", Precision(transformer)?.Precision, model.Name);

    private static PrecisionRecord? Precision(QaicTransformer transformer)
    {
        using var qpc = QpcFile.Open(transformer.Session.QpcPath);
        return CompilationRecord.Read(qpc)!.Precision;
    }

    private static List<float[]> Score(QaicTransformer transformer, TestModel model) => Rows.ReadVectors<float>(transformer.Transform(ModelData.View(model)), model.Outputs[0]);

    private static double Accuracy(QaicTransformer transformer, TestModel model)
    {
        List<float[]> rows = Score(transformer, model);
        return model.AccuracyOf(new Npy(ElementType.Float32, [rows.Count, rows[0].Length], System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>([.. rows.SelectMany(r => r)]).ToArray()));
    }

    private static void AssertSame(List<float[]> expected, List<float[]> actual) => CollectionAssert.AreEqual(expected.SelectMany(r => r).ToArray(), actual.SelectMany(r => r).ToArray());

    private QaicEstimator Apply(TestModel model, QaicOptions options, Func<QaicModelOptions, QaicModelOptions>? vary = null)
    {
        var given = new QaicModelOptions { ModelPath = model.Path, Options = options };
        return _ml.Transforms.ApplyQaicModel(vary is null ? given : vary(given));
    }

    private sealed class Raw
    {
        [ColumnName("raw"), VectorType(64)]
        public float[] Values { get; set; } = [];
    }

    private sealed class Scaled
    {
        [VectorType(64)]
        public float[] Values { get; set; } = [];
    }
}
