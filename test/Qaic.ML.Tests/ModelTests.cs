using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.ML.Tests;

/// <summary>Every trained model of the test data, from ONNX to columns.</summary>
[TestClass]
public sealed class ModelTests
{
    // OnnxTransformer knows no float16.
    private static readonly string[] s_onnxTransformerCannot = ["digits_cnn_fp16"];

    private readonly MLContext _ml = new(seed: 1);

    public static IEnumerable<object[]> Models => ModelData.All;

    public static IEnumerable<object[]> ModelsOfOnnxTransformer => Models.Where(m => !s_onnxTransformerCannot.Contains(m[0]));

    [TestMethod, DynamicData(nameof(Models))]
    public void The_test_split_is_scored_as_the_reference_says(string name)
    {
        TestModel model = ModelManifest.Get(name);
        TestView data = ModelData.View(model);
        using QaicTransformer transformer = _ml.Transforms.ApplyQaicModel(model.Path, ModelData.Options(model)).Fit(data);
        IDataView scored = transformer.Transform(data);
        foreach (string output in model.Outputs)
        {
            List<float[]> rows = Rows.ReadVectors<float>(scored, output);
            Npy values = ModelData.AssertReference(model, output, rows);
            if (output == model.Outputs[0])
            {
                Assert.AreEqual(model.Accuracy, model.AccuracyOf(values), model.IsLowPrecision ? 0.004 : 0.00006, "The manifest has four digits; another arithmetic may tip a row or two.");
            }
        }
    }

    [TestMethod, DynamicData(nameof(ModelsOfOnnxTransformer))]
    public void Names_types_and_values_are_those_of_ApplyOnnxModel(string name)
    {
        TestModel model = ModelManifest.Get(name);
        int group = name == "digits_cnn_b8" ? 8 : 1;
        TestView data = ModelData.View(model, group: group);
        using QaicTransformer ours = _ml.Transforms.ApplyQaicModel(model.Path, ModelData.Options(model)).Fit(data);
        IDataView scored = ours.Transform(data);

        // Two free dimensions are one too many for it.
        Dictionary<string, int[]>? shapes = name == "langid_dyn" ? model.Inputs.ToDictionary(input => input, _ => new[] { 1, 32 }) : null;
        var theirs = (shapes is null ? _ml.Transforms.ApplyOnnxModel(model.Path) : _ml.Transforms.ApplyOnnxModel(model.Path, shapes)).Fit(data);
        using (theirs as IDisposable)
        {
            IDataView expected = theirs.Transform(data);
            CollectionAssert.AreEqual(expected.Schema.Select(c => $"{c.Name}: {c.Type}").ToArray(), scored.Schema.Select(c => $"{c.Name}: {c.Type}").ToArray());
            foreach (string output in model.Outputs)
            {
                float[] reference = [.. Rows.ReadVectors<float>(expected, output).SelectMany(v => v)];
                ModelData.AssertClose(reference, [.. Rows.ReadVectors<float>(scored, output).SelectMany(v => v)], Math.Max(1e-5f, 1e-5f * reference.Max(Math.Abs)), output);
            }
        }
    }

    [TestMethod]
    public void A_fixed_batch_is_filled_with_rows_and_its_tail_padded()
    {
        TestModel model = ModelManifest.Get("digits_cnn_b8");
        TestView data = ModelData.View(model);
        using QaicTransformer transformer = _ml.Transforms.ApplyQaicModel("logits", "image", model.Path).Fit(data);
        Assert.AreEqual(8, transformer.Session.BatchSize);
        Assert.AreNotEqual(0, model.RowCount % 8);
        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, 1, 10), transformer.GetOutputSchema(data.Schema)["logits"].Type);
        ModelData.AssertReference(model, "logits", Rows.ReadVectors<float>(transformer.Transform(data), "logits"));
    }

    [TestMethod]
    public void A_stream_does_what_its_file_does()
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        TestView data = ModelData.View(model);
        using var stream = File.OpenRead(model.Path);
        QaicEstimator estimator = _ml.Transforms.ApplyQaicModel(["logits"], ["pixels"], stream);
        stream.Dispose();
        using QaicTransformer transformer = estimator.Fit(data);
        ModelData.AssertReference(model, "logits", Rows.ReadVectors<float>(transformer.Transform(data), "logits"));

        using var qpc = new MemoryStream(File.ReadAllBytes(transformer.Session.QpcPath));
        using QaicTransformer again = _ml.Transforms.ApplyQaicModel("logits", "pixels", qpc).Fit(data);
        ModelData.AssertReference(model, "logits", Rows.ReadVectors<float>(again.Transform(data), "logits"));
    }

    [TestMethod]
    public void The_log_of_the_context_tells_the_compilation_and_the_platform()
    {
        var messages = new List<string>();
        _ml.Log += (_, e) => messages.Add($"{e.Kind} {e.Message}");
        TestModel model = ModelManifest.Get("digits_mlp");
        using QaicTransformer transformer = _ml.Transforms.ApplyQaicModel(model.Path, new QaicOptions { UseCache = false }).Fit(ModelData.View(model));
        Assert.IsTrue(messages.Exists(m => m.StartsWith("Info", StringComparison.Ordinal) && m.Contains("Compiled", StringComparison.Ordinal) && m.Contains("digits_mlp.onnx", StringComparison.Ordinal)), string.Join('\n', messages));
        Assert.IsTrue(messages.Exists(m => m.Contains($"Runs on {transformer.Session.Platform.Name}", StringComparison.Ordinal)), string.Join('\n', messages));
        int before = messages.Count;
        Rows.ReadVectors<float>(transformer.Transform(ModelData.View(model)), "logits");
        Assert.AreEqual(before, messages.Count, "Reading rows logs nothing.");
    }
}
