using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.Compilation;
using Qaic.ML.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.ML.Tests;

[TestClass]
public sealed class CustomIoTests
{
    private static readonly TestModel s_model = ModelManifest.Get("digits_mlp");

    private readonly MLContext _ml = new(seed: 1);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-ml-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public void Single_columns_feed_and_come_from_buffers_of_codes_before_and_after_saving()
    {
        // The pixels are sixteenths, which the input's codes hold exactly; a step of the output's is a quarter.
        string input = s_model.Inputs[0];
        string output = s_model.Outputs[0];
        string io = Path.Combine(_directory.FullName, "io.yaml");
        new CustomIoFile(new CustomIoEntry(input, "uint8") { Scale = 1 / 16f, Offset = 0 }, new CustomIoEntry(output, "int8") { Scale = 0.25f, Offset = 0 }).Save(io);
        TestView data = ModelData.View(s_model);
        var options = new QaicModelOptions { ModelPath = s_model.Path, Options = new QaicOptions { Backend = QaicBackend.Simulated, CustomIoListFile = io } };
        using QaicTransformer fitted = _ml.Transforms.ApplyQaicModel(options).Fit(data);
        Assert.AreEqual(ElementType.UInt8Q, fitted.Session.Inputs[0].ElementType);
        Assert.AreEqual(ElementType.Int8Q, fitted.Session.Outputs[0].ElementType);

        using var stream = new MemoryStream();
        _ml.Model.Save(fitted, data.Schema, stream);
        File.Delete(io);
        stream.Position = 0;
        using var loaded = (QaicTransformer)_ml.Model.Load(stream, out _);
        Assert.IsNull(loaded.Session.Options.CustomIoListFile);

        float[] reference = s_model.Reference(output).ToSingles();
        foreach (QaicTransformer model in new[] { fitted, loaded })
        {
            IDataView scored = model.Transform(data);
            Assert.AreEqual(NumberDataViewType.Single, ((VectorDataViewType)scored.Schema[output].Type).ItemType);
            float[] scores = [.. Rows.ReadVectors<float>(scored, output).SelectMany(r => r)];
            Assert.HasCount(reference.Length, scores);
            for (int i = 0; i < scores.Length; i++)
            {
                float expected = Math.Clamp(reference[i], -128 * 0.25f, 127 * 0.25f);
                Assert.AreEqual(expected, scores[i], 0.125f + 1e-4f, $"element {i}");
                Assert.AreEqual(MathF.Round(scores[i] * 4), scores[i] * 4, "a whole number of steps");
            }
        }
    }
}
