using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>A network that is compiled with the encodings of another is the same network.</summary>
[TestClass]
public sealed class EncodingsExportTests
{
    private static readonly Platform s_platform = Platform.Simulated();

    [TestMethod]
    [DataRow("digits_cnn", QuantizationSchema.SymmetricWithUInt8, true, "json")]
    [DataRow("digits_cnn", QuantizationSchema.Asymmetric, false, "yaml")]
    [DataRow("digits_multihead", QuantizationSchema.SymmetricWithPower2Scale, false, "json")]
    [DataRow("dwsep", QuantizationSchema.SymmetricWithUInt8, true, "json")]
    [DataRow("langid_s32", QuantizationSchema.Symmetric, true, "json")]
    public void Encodings_of_a_compiled_network_give_its_scales_and_outputs_again(string name, QuantizationSchema schema, bool isPerChannel, string extension)
    {
        TestModel model = ModelManifest.Get(name);
        using var files = new Files();
        var options = new QaicOptions
        {
            UseCache = false,
            QuantizationSchema = schema,
            EnableChannelwise = isPerChannel,
            EnableRowwise = isPerChannel,
            QuantizationCalibration = QuantizationCalibration.Percentile,
            PercentileCalibrationValue = 99.9m,
        };
        s_platform.Profile(model.Path, [.. model.CalibrationSamples().Take(40)]).Save(files["profile.yaml"]);
        (PrecisionRecord profiled, Dictionary<string, float[]> expected) = Run(model, options with { LoadProfile = files["profile.yaml"] });

        profiled.ToEncodings().Save(files["encodings." + extension]);
        (PrecisionRecord encoded, Dictionary<string, float[]> actual) = Run(model, options with { ExternalQuantizationFile = files["encodings." + extension] });

        AssertSame(profiled, encoded);
        foreach ((string output, float[] values) in expected)
        {
            CollectionAssert.AreEqual(values, actual[output], output);
        }
    }

    [TestMethod]
    [DataRow("digits_cnn", QuantizationSchema.SymmetricWithUInt8, null)]
    [DataRow("langid_dyn", QuantizationSchema.Asymmetric, null)]
    [DataRow("digits_cnn", QuantizationSchema.Symmetric, 4)]
    public void A_profile_alone_has_the_encodings_of_the_compiled_network(string name, QuantizationSchema schema, int? batchSize)
    {
        TestModel model = ModelManifest.Get(name);
        using var files = new Files();
        QaicOptions options = Engine.TrainedModelTests.OptionsFor(name) with
        {
            UseCache = false,
            BatchSize = batchSize,
            QuantizationSchema = schema,
            EnableChannelwise = true,
            QuantizationCalibration = QuantizationCalibration.Mse,
            NodePrecisionInfoFile = files["precision.yaml"],
        };
        string last = OnnxModel.Load(model.Path).Graph.Node.Last(n => n.OpType is "Gemm" or "MatMul").Output[0];
        new NodePrecision([], [last]).Save(files["precision.yaml"]);
        QuantizationProfile profile = s_platform.Profile(model.Path, [.. model.CalibrationSamples().Take(40)], options);
        profile.Save(files["profile.yaml"]);
        QuantizationEncodings compiled = Run(model, options with { LoadProfile = files["profile.yaml"] }).Record.ToEncodings();

        foreach (QuantizationProfile given in new[] { profile, QuantizationProfile.Load(files["profile.yaml"]) })
        {
            QuantizationEncodings alone = ProfileEncodings.Of(model.Path, given, options);
            CollectionAssert.AreEqual(compiled.Activations.Values.ToArray(), alone.Activations.Values.ToArray());
            CollectionAssert.AreEqual(compiled.Parameters.Values.ToArray(), alone.Parameters.Values.ToArray());
        }

        Assert.IsNotEmpty(compiled.Activations);
    }

    [TestMethod]
    public void A_profile_of_another_model_or_batch_size_has_no_encodings()
    {
        TestModel model = ModelManifest.Get("digits_cnn");
        QuantizationProfile profile = s_platform.Profile(model.Path, [.. model.CalibrationSamples().Take(8)], new QaicOptions { BatchSize = 8 });
        Assert.AreEqual(CompilationError.ProfileMismatch, Refused("digits_cnn", 4).Error);
        StringAssert.Contains(Refused("digits_mlp", 8).Message, "in memory");
        CompilationException Refused(string other, int rows) =>
            Assert.ThrowsExactly<CompilationException>(() => ProfileEncodings.Of(Repository.Model(other), profile, new QaicOptions { BatchSize = rows }));
    }

    [TestMethod]
    public void Options_that_leave_a_profile_nothing_to_say_are_refused()
    {
        var profile = new QuantizationProfile(QuantizationProfile.OwnToolsVersion, 1, []);
        foreach ((QaicOptions options, string keyword) in new[]
        {
            (new QaicOptions { QuantizationCalibration = QuantizationCalibration.Auto }, "quantization_calibration"),
            (new QaicOptions { ExternalQuantizationFile = "e.json" }, "external_quantization_file"),
            (new QaicOptions { ConvertToFp16 = true }, "convert_to_fp16"),
        })
        {
            StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => ProfileEncodings.Of(Repository.Model("digits_mlp"), profile, options)).Message, keyword);
        }
    }

    [TestMethod]
    public void What_was_left_in_FP16_is_left_there_by_the_encodings_alone()
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        using var files = new Files();
        s_platform.Profile(model.Path, model.CalibrationSamples()).Save(files["profile.yaml"]);
        var plain = new QaicOptions { UseCache = false };
        IReadOnlyList<string> nodes = Run(model, plain with { LoadProfile = files["profile.yaml"] }).Record.QuantizedNodes;
        new NodePrecision([], [nodes[0]]).Save(files["precision.yaml"]);
        (PrecisionRecord mixed, _) = Run(model, plain with { LoadProfile = files["profile.yaml"], NodePrecisionInfoFile = files["precision.yaml"] });
        Assert.IsNotEmpty(mixed.Fp32Nodes);

        mixed.ToEncodings().Save(files["encodings.json"]);
        (PrecisionRecord encoded, _) = Run(model, plain with { ExternalQuantizationFile = files["encodings.json"] });

        CollectionAssert.AreEqual(mixed.QuantizedNodes.ToArray(), encoded.QuantizedNodes.Except(mixed.Fp32Nodes).ToArray());
        Assert.IsFalse(encoded.Tensors.Any(t => t.Kind == "activation" && !mixed.Tensors.Any(m => m.Name == t.Name)), "no activation more than before");
    }

    private static void AssertSame(PrecisionRecord expected, PrecisionRecord actual)
    {
        CollectionAssert.AreEqual(expected.QuantizedNodes.ToArray(), actual.QuantizedNodes.ToArray());
        Assert.IsNotEmpty(expected.Tensors);
        Assert.HasCount(expected.Tensors.Count, actual.Tensors);
        foreach ((QuantizedTensor before, QuantizedTensor after) in expected.Tensors.Zip(actual.Tensors))
        {
            Assert.AreEqual((before.Name, before.Kind), (after.Name, after.Kind));
            CollectionAssert.AreEqual(before.Scales.ToArray(), after.Scales.ToArray(), before.Name);
            CollectionAssert.AreEqual(before.Offsets.ToArray(), after.Offsets.ToArray(), before.Name);
        }
    }

    private static (PrecisionRecord Record, Dictionary<string, float[]> Outputs) Run(TestModel model, QaicOptions options)
    {
        using var session = new Session(model.Path, options, s_platform);
        using var qpc = QpcFile.Open(session.QpcPath);
        var inputs = model.Inputs.ToDictionary(i => i, i => model.Input(i).ToTensor());
        return (CompilationRecord.Read(qpc)!.Precision!, session.Run(inputs).ToDictionary(o => o.Key, o => o.Value.ToArray<float>()));
    }

    private sealed class Files : IDisposable
    {
        private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-encodings-");

        public string this[string name] => Path.Combine(_directory.FullName, name);

        public void Dispose() => _directory.Delete(recursive: true);
    }
}
