using System.Collections.Immutable;
using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Tests.Engine;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>From options to a quantized QPC and its results.</summary>
[TestClass]
public sealed class QuantizedCompilationTests : IDisposable
{
    private static readonly Platform s_platform = Platform.Simulated();

    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();
    private readonly MessageList _log = new();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    public void The_same_model_profile_and_options_give_the_same_bytes()
    {
        QaicOptions options = Quantized("digits_cnn");
        CollectionAssert.AreEqual(File.ReadAllBytes(Compile("digits_cnn", options)), File.ReadAllBytes(Compile("digits_cnn", options)));
    }

    [TestMethod]
    public void Profiling_and_quantizing_in_one_go_equals_dumping_and_loading_a_profile()
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        string list = List(model, batch: 8);
        QaicOptions common = new() { BatchSize = 8, InputListFile = list };
        string profile = Path.Combine(_directory.Path, "dumped.yaml");

        PrecisionRecord atOnce = Record(Compile("digits_mlp", common with { ConvertToQuantize = true }));
        PrecisionRecord dumped = Record(Compile("digits_mlp", common with { DumpProfile = profile }));
        PrecisionRecord loaded = Record(Compile("digits_mlp", new QaicOptions { BatchSize = 8, LoadProfile = profile }));

        // Counts are rounded in the file, ranges are not.
        string Scales(PrecisionRecord record) => string.Join('\n', record.Tensors.Select(t => $"{t.Name} {string.Join(' ', t.Scales)} {string.Join(' ', t.Offsets)}"));
        Assert.AreEqual(Scales(atOnce), Scales(dumped));
        Assert.AreEqual(Scales(atOnce), Scales(loaded));
        Assert.AreEqual(atOnce.ProfileHash, loaded.ProfileHash);
        Assert.AreEqual("INT8", loaded.Precision);
    }

    [TestMethod]
    public void A_profile_by_the_session_of_rows_equals_the_profile_of_an_input_list_with_the_same_rows()
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        string dumped = Path.Combine(_directory.Path, "dumped.yaml"), profiled = Path.Combine(_directory.Path, "profiled.yaml");

        Compile("digits_mlp", new QaicOptions { BatchSize = 8, InputListFile = List(model, batch: 8), DumpProfile = dumped });
        s_platform.Profile(model.Path, model.CalibrationSamples(), new QaicOptions { BatchSize = 8 }).Save(profiled);

        CollectionAssert.AreEqual(File.ReadAllBytes(dumped), File.ReadAllBytes(profiled));
    }

    [TestMethod]
    public void A_profile_of_another_batch_size_or_model_is_refused_in_the_vendors_words()
    {
        QaicOptions options = Quantized("digits_cnn");
        foreach ((string name, QaicOptions wrong) in new[] { ("digits_cnn", options with { BatchSize = 4 }), ("digits_mlp", options) })
        {
            CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile(name, wrong));
            Assert.AreEqual(CompilationError.ProfileMismatch, e.Error);
            StringAssert.StartsWith(e.Message, "Graph hash mismatch!");
            StringAssert.Contains(e.Message, options.LoadProfile);
        }
    }

    [TestMethod]
    public void A_profile_of_the_vendors_tools_is_used_by_its_names_and_the_log_says_that_its_hash_was_not_checked()
    {
        QaicOptions options = Quantized("digits_cnn");
        var own = QuantizationProfile.Load(options.LoadProfile!);
        string path = Path.Combine(_directory.Path, "vendor.yaml");
        new QuantizationProfile("2021-07-26", 0x693AC39E8BB9E42C, own.Tensors).Save(path);

        PrecisionRecord record = Record(Compile("digits_cnn", options with { LoadProfile = path }));

        Assert.AreEqual("0x693AC39E8BB9E42C", record.ProfileHash);
        CollectionAssert.AreEqual(Record(Compile("digits_cnn", options)).QuantizedNodes.ToArray(), record.QuantizedNodes.ToArray());
        StringAssert.Contains(_log.Messages.Single(m => m.StartsWith("Warning ", StringComparison.Ordinal)), "made by other tools (GlowToolsVersion 2021-07-26)");
    }

    [TestMethod]
    public void A_profile_in_which_no_tensor_of_the_model_is_found_is_refused()
    {
        string path = Path.Combine(_directory.Path, "strange.yaml");
        new QuantizationProfile("2021-07-26", 1, [new TensorStatistics("elsewhere:0", 0, 1, new double[512])]).Save(path);

        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile("digits_cnn", new QaicOptions { LoadProfile = path }));

        StringAssert.Contains(e.Message, "digits_cnn");
        StringAssert.Contains(e.Message, "profile");
    }

    [TestMethod]
    [DataRow("", "empty")]
    [DataRow("---\nGlowToolsVersion: 2026-11-24\n...\n---\nGraphPreLowerHash: 0x1\n...\n---\n- NodeOutputName:  'image:0'\n  Min:             2.0\n  Max:             1.0\n  Histogram:       [ 1 ]\n...\n", "2")]
    [DataRow("---\nGlowToolsVersion: 2026-11-24\n...\n---\nGraphPreLowerHash: 0x1\n...\n---\n- NodeOutputName:  'image:0'\n  Min:             nan\n  Max:             1.0\n  Histogram:       [ 1 ]\n...\n", "NaN")]
    [DataRow("---\nGlowToolsVersion: 2026-11-24\n...\n---\nGraphPreLowerHash: 0x1\n...\n---\n- NodeOutputName:  'image:0'\n  Min:             0.0\n", "image:0")]
    public void A_damaged_profile_is_an_error_that_names_the_file(string content, string detail)
    {
        string path = Path.Combine(_directory.Path, "bad.yaml");
        File.WriteAllText(path, content);

        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile("digits_cnn", new QaicOptions { LoadProfile = path }));

        StringAssert.Contains(e.Message, path);
        StringAssert.Contains(e.Message, detail);
    }

    [TestMethod]
    public void Without_data_a_network_is_profiled_with_random_data_and_a_warning()
    {
        PrecisionRecord record = Record(Compile("digits_mlp", new QaicOptions { BatchSize = 2, ConvertToQuantize = true }));

        Assert.AreEqual("INT8", record.Precision);
        StringAssert.Contains(_log.Messages.Single(m => m.StartsWith("Warning ", StringComparison.Ordinal)), "random data");
    }

    [TestMethod]
    public void A_node_precision_file_that_is_none_is_an_error_of_every_compilation()
    {
        string path = Path.Combine(_directory.Path, "nodes.yaml");
        File.WriteAllText(path, "{");
        foreach (QaicOptions options in new[] { new QaicOptions { ConvertToFp16 = true }, new QaicOptions { ConvertToQuantize = true } })
        {
            StringAssert.Contains(Assert.ThrowsExactly<CompilationException>(() => Compile("digits_mlp", options with { NodePrecisionInfoFile = path })).Message, path);
        }
    }

    [TestMethod]
    [DataRow(QuantizationCalibration.None)]
    [DataRow(QuantizationCalibration.Auto)]
    public void Data_with_NaN_is_refused_with_list_sample_and_tensor(QuantizationCalibration calibration)
    {
        TestModel model = ModelManifest.Get("digits_mlp");
        string list = List(model, batch: 4);
        string third = InputListFile.Load(list).Lines[2].Single();
        byte[] bytes = File.ReadAllBytes(third);
        BitConverter.TryWriteBytes(bytes.AsSpan(20), float.NaN);
        File.WriteAllBytes(third, bytes);

        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile("digits_mlp", new QaicOptions { BatchSize = 4, ConvertToQuantize = true, InputListFile = list, QuantizationCalibration = calibration }));

        StringAssert.Contains(e.Message, list);
        StringAssert.Contains(e.Message, "Sample 2");
        StringAssert.Contains(e.Message, "pixels");
    }

    [TestMethod]
    public void The_best_calibration_is_chosen_on_held_out_rows_and_recorded_with_the_reason()
    {
        TestModel model = ModelManifest.Get("digits_mlp");

        PrecisionRecord record = Record(Compile(
            "digits_mlp", new QaicOptions { BatchSize = 8, ConvertToQuantize = true, InputListFile = List(model, 8), QuantizationCalibration = QuantizationCalibration.Auto }));

        Assert.AreNotEqual("auto", record.Calibration);
        StringAssert.Contains(record.CalibrationReason!, record.Calibration!);
        StringAssert.Contains(_log.Messages.Single(m => m.StartsWith("Information Calibration of", StringComparison.Ordinal)), record.CalibrationReason);
    }

    [TestMethod]
    public void Choosing_a_calibration_needs_data()
    {
        QaicOptions options = Quantized("digits_mlp") with { QuantizationCalibration = QuantizationCalibration.Auto };
        CompilationException e = Assert.ThrowsExactly<CompilationException>(() => Compile("digits_mlp", options));
        StringAssert.Contains(e.Message, "InputListFile");
    }

    [TestMethod]
    public void Rows_that_influence_each_other_are_profiled_and_compiled_one_at_a_time()
    {
        // x minus the mean of the whole batch, then a product.
        string path = Graphs.Save(
            Graphs.Model(
                [Graphs.Node("ReduceMean", ["x"], ["mean"], new AttributeProto { Name = "keepdims", Type = AttributeProto.Types.AttributeType.Int, I = 1 }), Graphs.Node("Sub", ["x", "mean"], ["centred"]), Graphs.Node("MatMul", ["centred", "w"], ["y"])],
                [Graphs.Value("x", Graphs.Float, "batch", 4)],
                [Graphs.Value("y", Graphs.Float, "batch", 2)],
                Graphs.Weights("w", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])),
            _directory.Path);
        var samples = Enumerable.Range(0, 8).Select(i => new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[] { i, 1, -i, 2 }) });
        string profile = Path.Combine(_directory.Path, "profile.yaml");
        s_platform.Profile(path, samples).Save(profile);

        using var session = new Session(path, new QaicOptions { LoadProfile = profile, UseCache = false }, s_platform);

        Assert.AreEqual(1, session.BatchSize);
    }

    [TestMethod]
    public void Float_kernels_on_rounded_numbers_agree_with_integer_kernels_up_to_one_step()
    {
        TestModel model = ModelManifest.Get("resnet8");
        QaicOptions options = Quantized("resnet8") with { EnableChannelwise = true, EnableRowwise = true };
        Dictionary<string, Tensor> rows = model.Inputs.ToDictionary(i => i, i => model.Input(i).ToTensor());
        using var integer = new Session(model.Path, options, s_platform);
        using var real = new Session(model.Path, options with { SimulateFakeQuantization = true }, s_platform);

        float[] a = integer.Run(rows)["logits"].ToArray<float>(), b = real.Run(rows)["logits"].ToArray<float>();

        // Nine convolutions: now and then a sum lies on the border of two integers, and the step that it makes there travels on.
        double power = a.Sum(v => (double)v * v), noise = a.Zip(b, (x, y) => (double)(x - y) * (x - y)).Sum();
        Assert.IsGreaterThan(40, 10 * Math.Log10(power / noise));
        Assert.IsTrue(Enumerable.Range(0, a.Length / 10).All(row => Array.IndexOf(a, a[(row * 10)..((row + 1) * 10)].Max(), row * 10) == Array.IndexOf(b, b[(row * 10)..((row + 1) * 10)].Max(), row * 10)));
    }

    [TestMethod]
    public void The_dumped_model_runs_in_ONNX_Runtime_with_the_same_results()
    {
        TestModel model = ModelManifest.Get("digits_cnn");
        string dump = Path.Combine(_directory.Path, "made", "for", "others.onnx");
        using var session = new Session(model.Path, Quantized("digits_cnn") with { DumpQuantizedModel = dump }, s_platform);
        Tensor rows = Tensor.Create(model.Input("image").ToSingles()[..(8 * 64)], 8, 1, 8, 8);
        float[] ours = session.Run(new Dictionary<string, Tensor> { ["image"] = rows })["logits"].ToArray<float>();

        using var plain = new InferenceSession(dump);
        using OrtValue input = OrtValue.CreateTensorValueFromMemory(rows.ToArray<float>(), [8, 1, 8, 8]);
        using var options = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> theirs = plain.Run(options, ["image"], [input], ["logits"]);

        CollectionAssert.AreEqual(theirs[0].GetTensorDataAsSpan<float>().ToArray(), ours);
    }

    [TestMethod]
    public void A_dump_that_cannot_be_written_names_option_and_file()
    {
        string folder = Path.Combine(_directory.Path, "file");
        File.WriteAllText(folder, "no folder");
        string dump = Path.Combine(folder, "model.onnx");

        IOException e = Assert.Throws<IOException>(() => Compile("digits_mlp", new QaicOptions { BatchSize = 2, DumpQuantizedModel = dump }));

        StringAssert.Contains(e.Message, "DumpQuantizedModel, dump_quantized_model");
        StringAssert.Contains(e.Message, dump);
    }

    [TestMethod]
    public void A_network_for_several_shapes_is_quantized_with_the_profile_of_the_largest()
    {
        TestModel model = ModelManifest.Get("digits_cnn");
        ImmutableArray<ImmutableDictionary<string, int>> sets = [ImmutableDictionary<string, int>.Empty.Add("batch", 1), ImmutableDictionary<string, int>.Empty.Add("batch", 8)];
        QaicOptions options = new() { Specializations = sets, UseCache = false };
        string profile = Path.Combine(_directory.Path, "sets.yaml");
        s_platform.Profile(model.Path, model.CalibrationSamples(), options).Save(profile);
        Assert.AreEqual(QuantizationProfile.Load(Quantized("digits_cnn").LoadProfile!).GraphHash, QuantizationProfile.Load(profile).GraphHash, "as of a network for eight rows");

        using var session = new Session(model.Path, options with { LoadProfile = profile }, s_platform);
        using var eight = new Session(model.Path, Quantized("digits_cnn"), s_platform);
        float[] pixels = model.Input("image").ToSingles();
        float[] Logits(Session s, int rows) => s.Run(new Dictionary<string, Tensor> { ["image"] = Tensor.Create(pixels[..(rows * 64)], rows, 1, 8, 8) })["logits"].ToArray<float>();

        CollectionAssert.AreEqual(Logits(eight, 8), Logits(session, 8));
        CollectionAssert.AreEqual(Logits(eight, 8)[..10], Logits(session, 1));
    }

    [TestMethod]
    public void An_FP16_network_for_several_shapes_rounds_in_each()
    {
        TestModel model = ModelManifest.Get("digits_cnn");
        using var session = new Session(
            model.Path,
            new QaicOptions { Specializations = [ImmutableDictionary<string, int>.Empty.Add("batch", 1), ImmutableDictionary<string, int>.Empty.Add("batch", 4)], ConvertToFp16 = true, UseCache = false },
            s_platform);
        float[] pixels = model.Input("image").ToSingles();
        foreach (int rows in new[] { 1, 4 })
        {
            float[] logits = session.Run(new Dictionary<string, Tensor> { ["image"] = Tensor.Create(pixels[..(rows * 64)], rows, 1, 8, 8) })["logits"].ToArray<float>();
            CollectionAssert.AreEqual(logits.Select(v => (float)(Half)v).ToArray(), logits);
        }
    }

    // A profile of the calibration rows, eight at a time.
    private QaicOptions Quantized(string name)
    {
        TestModel model = ModelManifest.Get(name);
        string path = Path.Combine(_directory.Path, $"{name}.yaml");
        if (!File.Exists(path))
        {
            s_platform.Profile(model.Path, model.CalibrationSamples(), new QaicOptions { BatchSize = 8 }).Save(path);
        }

        return new QaicOptions { BatchSize = 8, LoadProfile = path, UseCache = false };
    }

    private string Compile(string name, QaicOptions options)
    {
        string directory = Path.Combine(_directory.Path, Directory.GetDirectories(_directory.Path).Length.ToString(CultureInfo.InvariantCulture));
        return new EmbeddedCompiler().Compile(Repository.Model(name), directory, options, _log, CancellationToken.None);
    }

    private static PrecisionRecord Record(string path)
    {
        using var qpc = QpcFile.Open(path);
        return CompilationRecord.Read(qpc)!.Precision!;
    }

    // The calibration rows as raw files and a list of them.
    private string List(TestModel model, int batch)
    {
        using var session = new Session(model.Path, new QaicOptions { BatchSize = batch, UseCache = false }, s_platform);
        return InputListFile.Write(Path.Combine(_directory.Path, "rows"), [.. session.Inputs], model.CalibrationSamples()).Path;
    }
}
