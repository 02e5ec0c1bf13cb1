using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.Compilation;
using Qaic.ML.Tests.Support;
using Qaic.Quantization;

namespace Qaic.ML.Tests;

/// <summary>What ApplyQaicModel hands to a compiler when the options say to quantize.</summary>
[TestClass]
public sealed class QuantizedEstimatorTests
{
    private static readonly QaicOptions s_quantized = new() { ConvertToQuantize = true, QuantizationCalibration = QuantizationCalibration.Mse, EnableChannelwise = true };

    private readonly MLContext _ml = new(seed: 1);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-ml-test-");

    [TestCleanup]
    public void Delete() => _directory.Delete(recursive: true);

    [TestMethod]
    public void One_fit_profiles_the_rows_and_compiles_with_what_was_seen()
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(10, 3);
        using QaicTransformer model = Apply(network, s_quantized).Fit(data);
        Assert.HasCount(30, network.ProfiledValues("x"));
        Compiled compiled = network.Compiled[^1];
        Assert.AreEqual(s_quantized with { ConvertToQuantize = false, LoadProfile = compiled.Options.LoadProfile }, compiled.Options);
        Assert.AreEqual((0f, 902f), (compiled.Profile!.Tensors.Single().Minimum, compiled.Profile.Tensors.Single().Maximum));
        Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(data), "y"), 10, 3);
    }

    [TestMethod]
    [DataRow(false), DataRow(true)]
    public void No_temporary_file_is_left_whether_compiling_succeeds_or_not(bool fails)
    {
        using var network = TestNetwork.Affine(4, 3);
        if (fails)
        {
            network.CompileError = options => options.LoadProfile is null ? null : new NotSupportedException("No such kernel.");
            Assert.Contains("No such kernel.", Assert.Throws<Exception>(() => Apply(network, s_quantized).Fit(TestView.Features(10, 3))).ToString());
        }
        else
        {
            Apply(network, s_quantized).Fit(TestView.Features(10, 3)).Dispose();
        }

        string profile = network.Compiled[^1].Options.LoadProfile!;
        Assert.IsFalse(Directory.Exists(Path.GetDirectoryName(profile)), profile);
    }

    [TestMethod]
    public void Each_fit_makes_a_network_of_its_data()
    {
        using var network = TestNetwork.Affine(4, 3);
        QaicEstimator estimator = Apply(network, s_quantized);
        using QaicTransformer small = estimator.Fit(TestView.Features(4, 3));
        using QaicTransformer large = estimator.Fit(TestView.Features(9, 3));
        Assert.AreNotSame(small.Session, large.Session);
        Assert.AreNotEqual(small.Session.QpcPath, large.Session.QpcPath);
        CollectionAssert.AreEqual(new[] { 302f, 802f }, network.Compiled.Where(c => c.Profile is not null).Select(c => c.Profile!.Tensors.Single().Maximum).ToArray());

        // The same data makes the same profile, wherever it lies, and the compile cache has its network.
        using QaicTransformer again = estimator.Fit(TestView.Features(4, 3));
        Assert.AreNotSame(small.Session, again.Session);
        Assert.AreEqual(3, network.Compilations);
    }

    [TestMethod]
    public void A_disposed_model_leaves_the_others_of_its_estimator_alone()
    {
        using var network = TestNetwork.Affine(4, 3);
        QaicEstimator estimator = Apply(network, s_quantized);
        TestView data = TestView.Features(4, 3);
        QaicTransformer first = estimator.Fit(data);
        using QaicTransformer second = estimator.Fit(data);
        Rows.ReadVectors<float>(first.Transform(data), "y");
        first.Dispose();
        Rows.AssertAffine(Rows.ReadVectors<float>(second.Transform(data), "y"), 4, 3);
    }

    [TestMethod]
    public void The_schema_needs_no_data_and_is_that_of_the_network_in_float()
    {
        using var network = TestNetwork.Affine(4, 3);
        SchemaShape shape = Apply(network, s_quantized).GetOutputSchema(SchemaShapes.Of(TestView.Features(0, 3).Schema));
        Assert.AreEqual("x: Single, y: Single", string.Join(", ", shape.Select(c => $"{c.Name}: {c.ItemType}")));
        Assert.IsEmpty(network.Profiled);
        Assert.AreEqual(QaicOptions.Default, network.Compiled.Single().Options);
    }

    [TestMethod]
    public void At_most_so_many_rows_are_profiled_chosen_by_seed()
    {
        using var network = TestNetwork.Affine(4, 1);
        TestView data = TestView.Features(2000, 1);
        float[] Rows(Func<QaicModelOptions, QaicModelOptions> vary)
        {
            Apply(network, s_quantized, vary).Fit(data).Dispose();
            return network.ProfiledValues("x");
        }

        float[] usual = Rows(o => o);
        Assert.HasCount(512, usual);
        CollectionAssert.AreEqual(usual, Rows(o => o with { CalibrationSeed = 0 }));
        CollectionAssert.AreNotEqual(usual, Rows(o => o with { CalibrationSeed = 1 }));
        Assert.HasCount(7, Rows(o => o with { CalibrationRows = 7 }));
        Assert.HasCount(2000, Rows(o => o with { CalibrationRows = null }));
    }

    [TestMethod]
    public void A_dumped_profile_is_made_from_the_rows_and_kept()
    {
        using var network = TestNetwork.Affine(4, 3);
        string file = Path.Combine(_directory.FullName, "profile.yaml");
        using QaicTransformer model = Apply(network, new QaicOptions { DumpProfile = file }).Fit(TestView.Features(10, 3));
        Assert.AreEqual(902f, QuantizationProfile.Load(file).Tensors.Single().Maximum);
        Compiled compiled = network.Compiled[^1];
        Assert.AreEqual(new QaicOptions { LoadProfile = compiled.Options.LoadProfile }, compiled.Options);
        Assert.AreEqual(902f, compiled.Profile!.Tensors.Single().Maximum);
        Assert.AreNotEqual(file, compiled.Options.LoadProfile, "Another fit may write its profile there before the compiler reads it.");
        Assert.IsFalse(File.Exists(compiled.Options.LoadProfile));
    }

    [TestMethod]
    public void A_dumped_profile_outlives_a_compilation_that_fails()
    {
        using var network = TestNetwork.Affine(4, 3);
        network.CompileError = options => options.LoadProfile is null ? null : new NotSupportedException("No such kernel.");
        string file = Path.Combine(_directory.FullName, "profile.yaml");
        Assert.Throws<Exception>(() => Apply(network, new QaicOptions { DumpProfile = file }).Fit(TestView.Features(10, 3)));
        Assert.AreEqual(902f, QuantizationProfile.Load(file).Tensors.Single().Maximum);
    }

    [TestMethod]
    public void The_compile_cache_has_the_network_of_the_best_calibration_for_the_same_rows_and_no_other()
    {
        using var network = TestNetwork.Affine(4, 3);
        QaicOptions options = s_quantized with { QuantizationCalibration = QuantizationCalibration.Auto };
        Apply(network, options).Fit(TestView.Features(6, 3)).Dispose();
        Apply(network, options).Fit(TestView.Features(6, 3)).Dispose();
        Assert.AreEqual(2, network.Compilations, "In float and quantized, once each.");
        Apply(network, options).Fit(TestView.Features(7, 3)).Dispose();
        Assert.AreEqual(3, network.Compilations);
    }

    [TestMethod]
    public void A_fit_can_be_cancelled_while_it_profiles()
    {
        using var network = TestNetwork.Affine(4, 3);
        using var stop = new CancellationTokenSource();
        TestView data = TestView.Features(100, 3);
        QaicEstimator estimator = Apply(network, s_quantized, o => o with { CancellationToken = stop.Token, CalibrationProgress = new CancelAtOnce(stop) });
        Assert.Throws<OperationCanceledException>(() => estimator.Fit(data));
        Assert.IsLessThan(20, data.RowsRead);
        Assert.AreEqual(0, data.OpenCursors);
        Assert.AreEqual(1, network.Compilations, "Only in float.");
    }

    [TestMethod]
    public void A_fit_can_be_cancelled_while_it_writes_rows_for_the_best_calibration()
    {
        using var network = TestNetwork.Affine(4, 1);
        using var stop = new CancellationTokenSource();
        var data = new TestView(100, TestColumn.Vector<float>("x", new VectorDataViewType(NumberDataViewType.Single, 1), r =>
        {
            if (r == 9)
            {
                stop.Cancel();
            }

            return [r];
        }));
        QaicEstimator estimator = Apply(network, s_quantized with { QuantizationCalibration = QuantizationCalibration.Auto }, o => o with { CancellationToken = stop.Token });
        Assert.Throws<OperationCanceledException>(() => estimator.Fit(data));
        Assert.IsLessThan(20, data.RowsRead);
        Assert.AreEqual(1, network.Compilations, "Only in float.");
    }

    [TestMethod]
    public void A_profile_to_load_is_the_compilers_business_and_all_fits_share_the_network()
    {
        using var network = TestNetwork.Affine(4, 3);
        string file = Path.Combine(_directory.FullName, "profile.yaml");
        Profile(5).Save(file);
        var options = new QaicOptions { LoadProfile = file };
        QaicEstimator estimator = Apply(network, options);
        using QaicTransformer first = estimator.Fit(TestView.Features(0, 3));
        using QaicTransformer second = estimator.Fit(TestView.Features(4, 3));
        Assert.AreSame(first.Session, second.Session);
        Assert.AreEqual(options, network.Compiled.Single().Options);
        Assert.IsEmpty(network.Profiled);
    }

    [TestMethod]
    public void A_profile_in_memory_quantizes_without_data_and_all_fits_share_the_network()
    {
        using var network = TestNetwork.Affine(4, 3);
        QaicCalibrationTransformer calibrated = _ml.Transforms
            .CalibrateQaicModel(new QaicCalibrationOptions { ModelPath = network.OnnxPath, Platform = network.Platform }).Fit(TestView.Features(6, 3));
        QaicEstimator estimator = Apply(network, new QaicOptions { QuantizationCalibration = QuantizationCalibration.Sqnr }, o => o with { Profile = calibrated.Profile });
        using QaicTransformer first = estimator.Fit(TestView.Features(0, 3));
        using QaicTransformer second = estimator.Fit(TestView.Features(4, 3));
        Assert.AreSame(first.Session, second.Session);
        Assert.AreEqual(502f, network.Compiled[^1].Profile!.Tensors.Single().Maximum);
        Assert.AreEqual(QuantizationCalibration.Sqnr, network.Compiled[^1].Options.QuantizationCalibration);
        Assert.IsFalse(File.Exists(network.Compiled[^1].Options.LoadProfile));
        Assert.HasCount(1, network.Profiled);
    }

    [TestMethod]
    public void With_an_input_list_the_compiler_profiles_and_the_rows_are_not_used()
    {
        using var network = TestNetwork.Affine(4, 3);
        string list = Path.Combine(_directory.FullName, "list.txt");
        File.WriteAllBytes(Path.Combine(_directory.FullName, "0.raw"), new byte[48]);
        File.WriteAllText(list, Path.Combine(_directory.FullName, "0.raw"));
        QaicOptions options = s_quantized with { InputListFile = list };
        TestView data = TestView.Features(4, 3);
        using QaicTransformer model = Apply(network, options).Fit(data);
        Assert.AreEqual(options, network.Compiled.Single().Options);
        Assert.IsEmpty(network.Profiled);
        Assert.AreEqual(0, data.RowsRead);
    }

    [TestMethod]
    public void For_the_best_calibration_the_compiler_gets_the_rows_as_files_the_last_batch_filled_from_the_first()
    {
        using var network = TestNetwork.Affine(4, 1);
        QaicOptions options = s_quantized with { QuantizationCalibration = QuantizationCalibration.Auto };
        using QaicTransformer model = Apply(network, options).Fit(TestView.Features(6, 1));
        Compiled compiled = network.Compiled[^1];
        Assert.AreEqual(options with { InputListFile = compiled.Options.InputListFile }, compiled.Options);
        Assert.IsEmpty(network.Profiled);
        Assert.AreEqual("0 100 200 300, 400 500 0 100", string.Join(", ", compiled.Listed.Select(inference => string.Join(' ', inference.Single()))));
        Assert.IsFalse(Directory.Exists(Path.GetDirectoryName(compiled.Options.InputListFile)));
    }

    [TestMethod]
    public void Fewer_rows_than_a_batch_are_repeated_until_it_is_full()
    {
        using var network = TestNetwork.Affine(5, 1);
        QaicOptions options = s_quantized with { QuantizationCalibration = QuantizationCalibration.Auto };
        using QaicTransformer model = Apply(network, options).Fit(TestView.Features(2, 1));
        CollectionAssert.AreEqual(new float[] { 0, 100, 0, 100, 0 }, network.Compiled[^1].Listed.Single().Single());
    }

    [TestMethod]
    [DataRow(QuantizationCalibration.None), DataRow(QuantizationCalibration.Auto)]
    public void Rows_that_cannot_be_profiled_end_the_fit_with_row_and_column(QuantizationCalibration calibration)
    {
        using var network = TestNetwork.Affine(4, 2);
        QaicEstimator estimator = Apply(network, s_quantized with { QuantizationCalibration = calibration });
        var data = new TestView(9, TestColumn.Vector<float>("x", new VectorDataViewType(NumberDataViewType.Single, 2), r => [1, r == 7 ? float.NegativeInfinity : 1]));
        Assert.StartsWith("Row 7: column 'x' holds NaN or infinity", Assert.ThrowsExactly<InvalidOperationException>(() => estimator.Fit(data)).Message);
        Assert.StartsWith("The data has no rows.", Assert.ThrowsExactly<InvalidOperationException>(() => estimator.Fit(TestView.Features(0, 2))).Message);
        Assert.AreEqual("Could not find input column 'x' (Parameter 'inputSchema')", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(new TestView(1))).Message);
        Assert.AreEqual(1, network.Compilations, "Only in float.");
    }

    [TestMethod]
    public void A_saved_model_needs_neither_profile_nor_data()
    {
        TestView data = TestView.Features(5, 2);
        using var network = TestNetwork.Affine(4, 2);
        string file = Path.Combine(_directory.FullName, "profile.yaml");
        using var stream = new MemoryStream();
        using (QaicTransformer model = Apply(network, new QaicOptions { DumpProfile = file }).Fit(data))
        {
            _ml.Model.Save(model, data.Schema, stream);
        }

        File.Delete(file);
        using var loaded = (QaicTransformer)new MLContext().Model.Load(stream, out _);
        Assert.AreEqual("y", loaded.Session.Outputs.Single().Name);
        Assert.IsNull(loaded.Session.Options.DumpProfile);
        Assert.IsNull(loaded.Session.Options.LoadProfile);
    }

    [TestMethod]
    public void A_model_from_a_stream_is_quantized_by_each_fit()
    {
        using var network = TestNetwork.Affine(4, 3);
        QaicEstimator estimator;
        using (FileStream stream = File.OpenRead(network.OnnxPath))
        {
            estimator = Apply(network, s_quantized, o => o with { ModelPath = null, Model = stream });
        }

        using QaicTransformer first = estimator.Fit(TestView.Features(4, 3));
        using QaicTransformer second = estimator.Fit(TestView.Features(9, 3));
        CollectionAssert.AreEqual(new[] { 302f, 802f }, network.Compiled.Where(c => c.Profile is not null).Select(c => c.Profile!.Tensors.Single().Maximum).ToArray());
    }

    [TestMethod]
    public void A_QPC_is_compiled_already_whatever_the_options_say()
    {
        using var network = TestNetwork.Affine(4, 3);
        using QaicTransformer model = Apply(network, s_quantized, o => o with { ModelPath = network.QpcPath }).Fit(TestView.Features(0, 3));
        Assert.IsEmpty(network.Profiled);
    }

    [TestMethod]
    public void Options_that_cannot_be_meant_are_refused()
    {
        using var network = TestNetwork.Affine(4, 3);
        Assert.Contains("CalibrationRows is 0", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Apply(network, s_quantized, o => o with { CalibrationRows = 0 })).Message);
        Assert.Contains("Profile and Options.ConvertToQuantize", Assert.ThrowsExactly<ArgumentException>(() => Apply(network, s_quantized, o => o with { Profile = Profile(1) })).Message);
        Assert.Contains("Profile and Options.ConvertToFp16", Assert.ThrowsExactly<ArgumentException>(() => Apply(network, new() { ConvertToFp16 = true }, o => o with { Profile = Profile(1) })).Message);
        Assert.Contains("is not an .onnx file", Assert.ThrowsExactly<ArgumentException>(() => Apply(network, new(), o => o with { Profile = Profile(1), ModelPath = network.QpcPath })).Message);
    }

    private sealed class CancelAtOnce(CancellationTokenSource stop) : IProgress<ProfilingProgress>
    {
        public void Report(ProfilingProgress value) => stop.Cancel();
    }

    private static QuantizationProfile Profile(float maximum) => new(QuantizationProfile.OwnToolsVersion, 1, [new TensorStatistics("x:0", 0, maximum, [1])]);

    private QaicEstimator Apply(TestNetwork network, QaicOptions options, Func<QaicModelOptions, QaicModelOptions>? vary = null)
    {
        var model = new QaicModelOptions { ModelPath = network.OnnxPath, Platform = network.Platform, Options = options };
        return _ml.Transforms.ApplyQaicModel(vary is null ? model : vary(model));
    }
}
