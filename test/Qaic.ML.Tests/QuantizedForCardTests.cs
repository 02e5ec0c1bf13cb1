using Microsoft.ML;
using Qaic.Compilation;
using Qaic.ML.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.ML.Tests;

/// <summary>Quantizing for a card, whose compiler takes minutes for a network.</summary>
[TestClass]
public sealed class QuantizedForCardTests
{
    private static readonly TestModel s_model = ModelManifest.Get("digits_mlp");

    private readonly MLContext _ml = new(seed: 1);
    private readonly CardPlatform _card = new();

    [TestMethod]
    public void The_schema_needs_no_compilation_for_the_card()
    {
        TestView rows = ModelData.CalibrationView(s_model);
        SchemaShape shape = Apply(new() { ConvertToQuantize = true }).GetOutputSchema(SchemaShapes.Of(rows.Schema));
        using var simulated = new Session(s_model.Path);
        CollectionAssert.IsSubsetOf(simulated.Outputs.Select(o => o.Name).ToArray(), shape.Select(c => c.Name).ToArray());
        Assert.IsEmpty(_card.Compiled);
    }

    [TestMethod]
    public void A_profile_is_made_by_the_card_s_compiler_row_by_row_without_a_network_in_float()
    {
        TestView rows = ModelData.CalibrationView(s_model);
        _ml.Transforms.CalibrateQaicModel(new QaicCalibrationOptions { ModelPath = s_model.Path, Platform = _card, RowLimit = 5 }).Fit(rows);
        Assert.HasCount(5, _card.Profiled);
        Assert.Contains("[1, ", _card.Profiled[0]);
        Assert.IsEmpty(_card.Compiled);
    }

    [TestMethod]
    public void Only_the_quantized_network_is_compiled()
    {
        Assert.Contains("compiles nothing", Assert.ThrowsExactly<CompilationException>(
            () => Apply(new() { ConvertToQuantize = true, BatchSize = 4, UseCache = false }).Fit(ModelData.CalibrationView(s_model))).Message);
        QaicOptions compiled = _card.Compiled.Single();
        Assert.IsNotNull(compiled.LoadProfile);
        Assert.AreEqual(4, compiled.BatchSize);
        Assert.Contains("[4, ", _card.Profiled[0]);
    }

    [TestMethod]
    public void A_model_that_the_embedded_compiler_does_not_understand_is_left_to_the_card_s()
    {
        string path = Path.Combine(Path.GetTempPath(), $"qaic-test-{Guid.NewGuid():n}.onnx");
        File.WriteAllBytes(path, [0x12, 1, (byte)'x']);
        try
        {
            QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(new QaicModelOptions { ModelPath = path, Platform = _card, Options = new() { ConvertToQuantize = true, UseCache = false } });
            Assert.Contains("compiles nothing", Assert.ThrowsExactly<CompilationException>(() => estimator.Fit(TestView.Features(1, 1))).Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void The_best_calibration_is_refused_before_any_work()
    {
        TestView rows = TestView.Features(5, 3);
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Apply(new() { ConvertToQuantize = true, QuantizationCalibration = QuantizationCalibration.Auto }).Fit(rows));
        Array.ForEach(["a card", "'auto'", "quantization_calibration", "KLMinimization", "simulated card"], part => Assert.Contains(part, e.Message));
        Assert.AreEqual((CompilationError.UnknownOption, 0L, 0), (e.Error, (long)rows.RowsRead, _card.Compiled.Count));
    }

    private QaicEstimator Apply(QaicOptions options) =>
        _ml.Transforms.ApplyQaicModel(new QaicModelOptions { ModelPath = s_model.Path, Platform = _card, Options = options, CalibrationRows = 8 });
}
