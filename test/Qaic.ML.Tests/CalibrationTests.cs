using Microsoft.Extensions.Logging;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.Compilation;
using Qaic.ML.Tests.Support;
using Qaic.Qpc;
using Qaic.Quantization;
using Qaic.Simulation;

namespace Qaic.ML.Tests;

/// <summary>What CalibrateQaicModel hands to a compiler that profiles, and what it makes of the profile.</summary>
[TestClass]
public sealed class CalibrationTests
{
    private readonly MLContext _ml = new(seed: 1);

    [TestMethod]
    [DataRow(1), DataRow(4), DataRow(7), DataRow(9), DataRow(12)]
    public void Rows_reach_the_profiler_in_order_and_batch_by_batch_without_one_that_was_made_up(int rows)
    {
        using var network = TestNetwork.Affine(4, 3);
        TestView data = TestView.Features(rows, 3, TestColumn.Of("label", NumberDataViewType.Int32, r => (int)r));
        QaicCalibrationTransformer calibrated = Calibrate(network).Fit(data);
        List<IReadOnlyDictionary<string, Tensor>> samples = network.Profiled.Single().Samples;
        CollectionAssert.AreEqual(Enumerable.Range(0, rows).SelectMany(r => Enumerable.Range(0, 3).Select(e => (100f * r) + e)).ToArray(), network.ProfiledValues("x"));
        Assert.HasCount((rows + 3) / 4, samples);
        Assert.AreEqual($"Float32[{(rows % 4 == 0 ? 4 : rows % 4)}, 3]", samples[^1]["x"].ToString());
        TensorStatistics x = calibrated.Profile.Tensors.Single();
        Assert.AreEqual((0f, (100f * (rows - 1)) + 2, 3.0 * rows), (x.Minimum, x.Maximum, x.Total));
        CollectionAssert.AreEqual(new[] { "x" }, data.LastActive);
        Assert.AreEqual(0, data.OpenCursors);
    }

    [TestMethod]
    public void A_column_as_long_as_the_whole_tensor_is_a_sample_per_row()
    {
        using var network = TestNetwork.Affine(4, 3);
        Calibrate(network).Fit(TestView.Features(2, 12));
        CollectionAssert.AreEqual(new[] { "Float32[4, 3]", "Float32[4, 3]" }, network.Profiled.Single().Samples.Select(s => s["x"].ToString()).ToArray());
        Assert.AreEqual(111f, network.ProfiledValues("x")[^1]);
    }

    [TestMethod]
    public void A_network_without_a_batch_takes_a_sample_per_row_in_the_shapes_of_its_inputs()
    {
        using var network = new TestNetwork(
            [new("a", ElementType.Float32, [2, 3]), new("b", ElementType.Int64, [5])], [new("y", ElementType.Float32, [1])], _ => { });
        var data = new TestView(
            2,
            TestColumn.Vector("b", new VectorDataViewType(NumberDataViewType.Int64, 5), r => new long[] { r, 0, 0, 0, 7 }),
            TestColumn.Vector("a", new VectorDataViewType(NumberDataViewType.Single), r => new float[] { 0, 1, 2, 3, 4, 5 + r }));
        Calibrate(network).Fit(data);
        List<IReadOnlyDictionary<string, Tensor>> samples = network.Profiled.Single().Samples;
        Assert.AreEqual("Float32[2, 3], Int64[5]", $"{samples[1]["a"]}, {samples[1]["b"]}");
        CollectionAssert.AreEqual(new float[] { 0, 1, 2, 3, 4, 6 }, samples[1]["a"].ToArray<float>());
        CollectionAssert.AreEqual(new long[] { 1, 0, 0, 0, 7 }, samples[1]["b"].ToArray<long>());
    }

    [TestMethod]
    public void Half_precision_inputs_get_half_precision_samples()
    {
        using var network = new TestNetwork([new("x", ElementType.Float16, [2, 2])], [new("y", ElementType.Float16, [2, 2])], _ => { });
        Calibrate(network).Fit(TestView.Features(2, 2));
        CollectionAssert.AreEqual(new[] { (Half)0f, (Half)1f, (Half)100f, (Half)101f }, network.Profiled.Single().Samples.Single()["x"].ToArray<Half>());
    }

    [TestMethod]
    public void A_limit_takes_rows_by_seed_in_the_order_of_the_data_and_computes_no_others()
    {
        using var network = TestNetwork.Affine(4, 1);
        int computed = 0;
        var data = new TestView(1000, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, 1), r =>
        {
            computed++;
            return new float[] { r };
        }));
        float[] Rows(int seed, TestView view)
        {
            Calibrate(network, o => o with { RowLimit = 10, Seed = seed }).Fit(view);
            return network.ProfiledValues("x");
        }

        float[] first = Rows(1, data);
        Assert.HasCount(10, first);
        Assert.AreEqual(10, computed);
        CollectionAssert.AreEqual(first.Order().Distinct().ToArray(), first);
        CollectionAssert.AreEqual(first, Rows(1, data));
        CollectionAssert.AreNotEqual(first, Rows(2, data));
    }

    [TestMethod]
    public void What_comes_before_it_in_a_pipeline_is_applied_to_the_rows()
    {
        using var network = TestNetwork.Affine(4, 2);
        TestView data = TestView.Features(11, 2);
        TransformerChain<QaicCalibrationTransformer> chain = _ml.Transforms.NormalizeMinMax("x", fixZero: false).Append(Calibrate(network)).Fit(data);
        TensorStatistics x = chain.LastTransformer.Profile.Tensors.Single();
        Assert.AreEqual((0f, 1f), (x.Minimum, x.Maximum));
    }

    [TestMethod]
    public void Rows_pass_through_unchanged()
    {
        using var network = TestNetwork.Affine(4, 2);
        TestView data = TestView.Features(5, 2);
        QaicCalibrationTransformer calibrated = Calibrate(network).Fit(data);
        Assert.AreSame(data, calibrated.Transform(data));
        Assert.AreSame(data.Schema, calibrated.GetOutputSchema(data.Schema));
    }

    [TestMethod]
    public void A_prediction_engine_sees_rows_through_it()
    {
        using var network = TestNetwork.Affine(1, 2);
        IDataView data = _ml.Data.LoadFromEnumerable([new Row { X = [1, 2] }]);
        using var chain = Calibrate(network).Append(_ml.Transforms.CopyColumns("Copy", "x")).Fit(data);
        using PredictionEngine<Row, Copied> engine = _ml.Model.CreatePredictionEngine<Row, Copied>(chain);
        CollectionAssert.AreEqual(new float[] { 3, 4 }, engine.Predict(new Row { X = [3, 4] }).Copy);
    }

    [TestMethod]
    public void A_saved_calibration_loads_with_its_profile_and_needs_no_model()
    {
        TestView data = TestView.Features(5, 2);
        using var stream = new MemoryStream();
        QuantizationProfile saved;
        using (var network = TestNetwork.Affine(4, 2))
        {
            QaicCalibrationTransformer calibrated = Calibrate(network).Fit(data);
            saved = calibrated.Profile;
            _ml.Model.Save(calibrated, data.Schema, stream);
        }

        var loaded = (QaicCalibrationTransformer)new MLContext().Model.Load(stream, out _);
        Assert.AreSame(data, loaded.Transform(data));
        Assert.AreEqual((saved.ToolsVersion, saved.GraphHash), (loaded.Profile.ToolsVersion, loaded.Profile.GraphHash));
        TensorStatistics x = loaded.Profile.Tensors.Single();
        Assert.AreEqual(("x:0", 0f, 401f, 10.0), (x.Name, x.Minimum, x.Maximum, x.Total));
    }

    [TestMethod]
    public void Columns_are_matched_and_missed_as_by_the_other_estimator()
    {
        using var network = TestNetwork.Affine(4, 3);
        Calibrate(network, o => o with { InputColumns = ["features"], InputTensors = new Dictionary<string, string> { ["features"] = "x" } })
            .Fit(_ml.Transforms.CopyColumns("features", "x").Fit(TestView.Features(4, 3)).Transform(TestView.Features(4, 3)));
        Assert.HasCount(12, network.ProfiledValues("x"));

        var other = new TestView(1, TestColumn.Of("other", NumberDataViewType.Single, _ => 0f));
        const string Missing = "Could not find input column 'x' (Parameter 'inputSchema')";
        Assert.AreEqual(Missing, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Calibrate(network).Fit(other)).Message);
        Assert.AreEqual(Missing, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new EstimatorChain<ITransformer>().Append(Calibrate(network)).Fit(other)).Message);
        Assert.StartsWith("Schema mismatch for input column 'x': expected Vector<Single, 1, 3>, got Vector<Single, 2>", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Calibrate(network).Fit(TestView.Features(1, 2))).Message);
        Assert.Contains(
            "The model has no input 'z'; it has: x Float32[4, 3]. If column 'z' has another name than its tensor, say so in QaicCalibrationOptions.InputTensors.",
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Calibrate(network, o => o with { InputColumns = ["z"] }).Fit(TestView.Features(1, 3))).Message);
        Assert.HasCount(1, network.Profiled);
    }

    [TestMethod]
    [DataRow(float.NaN), DataRow(float.PositiveInfinity), DataRow(float.NegativeInfinity)]
    public void A_row_with_NaN_or_infinity_anywhere_is_an_error_that_names_row_and_column(float bad)
    {
        using var network = TestNetwork.Affine(4, 20);
        for (int place = 0; place < 20; place++)
        {
            var data = new TestView(9, TestColumn.Vector<float>("x", new VectorDataViewType(NumberDataViewType.Single, 20), r => [.. Enumerable.Range(0, 20).Select(e => r == 6 && e == place ? bad : float.MaxValue)]));
            var error = Assert.ThrowsExactly<InvalidOperationException>(() => Calibrate(network).Fit(data));
            Assert.StartsWith("Row 6: column 'x' holds NaN or infinity", error.Message);
            Assert.AreEqual(0, data.OpenCursors);
        }
    }

    [TestMethod]
    public void The_row_of_an_error_is_the_datas_when_rows_are_chosen()
    {
        using var network = TestNetwork.Affine(4, 1);
        var data = new TestView(100, TestColumn.Vector<float>("x", new VectorDataViewType(NumberDataViewType.Single, 1), r => [r >= 50 ? float.NaN : r]));
        int first = Enumerable.Range(0, 100).Where(Chosen()).First(r => r >= 50);
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Calibrate(network, o => o with { RowLimit = 10, Seed = 4 }).Fit(data));
        Assert.StartsWith($"Row {first}: ", error.Message);

        Func<int, bool> Chosen()
        {
            var sample = RowSample.Of(data, 10, seed: 4);
            return _ => !sample.IsComplete && sample.TakesNext();
        }
    }

    [TestMethod]
    public void Data_without_rows_is_an_error()
    {
        using var network = TestNetwork.Affine(4, 3);
        Assert.StartsWith("The data has no rows.", Assert.ThrowsExactly<InvalidOperationException>(() => Calibrate(network).Fit(TestView.Features(0, 3))).Message);
    }

    [TestMethod]
    public void What_a_source_throws_comes_out_as_it_is_whatever_the_compiler_makes_of_it()
    {
        using var network = TestNetwork.Affine(4, 1);
        var failure = new InvalidOperationException("The disk is gone.");
        var data = new TestView(20, TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, 1), r => new float[] { r })) { Failure = (6, failure) };
        Assert.AreSame(failure, Assert.ThrowsExactly<InvalidOperationException>(() => Calibrate(network).Fit(data)));
        Assert.AreEqual(0, data.OpenCursors);
    }

    [TestMethod]
    public void Progress_is_told_and_cancellation_ends_it()
    {
        using var network = TestNetwork.Affine(4, 3);
        using var stop = new CancellationTokenSource();
        var told = new Progress();
        Calibrate(network, o => o with { Progress = told }).Fit(TestView.Features(10, 3));
        CollectionAssert.AreEqual(new long[] { 4, 8, 10 }, told.Samples);

        told.Act = () => stop.Cancel();
        TestView data = TestView.Features(100, 3);
        Assert.ThrowsExactly<OperationCanceledException>(() => Calibrate(network, o => o with { Progress = told, CancellationToken = stop.Token }).Fit(data));
        Assert.IsLessThan(20, data.RowsRead);
        Assert.AreEqual(0, data.OpenCursors);
    }

    [TestMethod]
    public void The_compiler_gets_the_options_that_say_how_values_run_and_none_that_say_what_becomes_of_them()
    {
        using var network = TestNetwork.Affine(4, 3);
        string dumped = Path.Combine(Path.GetDirectoryName(network.QpcPath)!, "dumped.yaml");
        QaicOptions options = new() { NumHistogramBins = 99, ProfilingThreads = 3, ConvertToQuantize = false, DumpProfile = dumped, EnableChannelwise = true, OutputDirectory = Path.GetDirectoryName(dumped) };
        QaicCalibrationTransformer calibrated = Calibrate(network, o => o with { Options = options }).Fit(TestView.Features(4, 3));
        Assert.AreEqual(options with { DumpProfile = null, OutputDirectory = null }, network.Profiled.Single().Options);
        Assert.AreEqual(calibrated.Profile.Tensors.Single().Maximum, QuantizationProfile.Load(dumped).Tensors.Single().Maximum);
        Assert.AreEqual(QaicOptions.Default, network.Compiled.Single().Options, "What is compiled to learn the tensors is a plain network.");
    }

    [TestMethod]
    public void A_model_from_a_stream_is_profiled_by_each_fit()
    {
        using var network = TestNetwork.Affine(4, 3);
        QaicCalibrationEstimator estimator;
        using (FileStream stream = File.OpenRead(network.OnnxPath))
        {
            estimator = _ml.Transforms.CalibrateQaicModel(new QaicCalibrationOptions { Model = stream, Platform = network.Platform });
        }

        Assert.AreEqual(302f, estimator.Fit(TestView.Features(4, 3)).Profile.Tensors.Single().Maximum);
        Assert.AreEqual(802f, estimator.Fit(TestView.Features(9, 3)).Profile.Tensors.Single().Maximum);
        Assert.AreEqual(1, network.Compilations);
    }

    [TestMethod]
    public void Options_that_cannot_be_meant_are_refused()
    {
        using var network = TestNetwork.Affine(4, 3);
        Assert.Contains("RowLimit is 0", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Calibrate(network, o => o with { RowLimit = 0 })).Message);
        Assert.Contains("is not an .onnx file", Assert.ThrowsExactly<ArgumentException>(() => Calibrate(network, o => o with { ModelPath = network.QpcPath })).Message);
        Assert.Contains("Neither ModelPath nor Model", Assert.ThrowsExactly<ArgumentException>(() => Calibrate(network, o => o with { ModelPath = null })).Message);
        Assert.Contains("does not exist", Assert.ThrowsExactly<FileNotFoundException>(() => _ml.Transforms.CalibrateQaicModel("x", "nowhere.onnx")).Message);
        Assert.Contains("column name", Assert.ThrowsExactly<ArgumentException>(() => Calibrate(network, o => o with { InputColumns = [" "] })).Message);
    }

    [TestMethod]
    public void A_platform_whose_compiler_cannot_profile_is_named()
    {
        using var network = TestNetwork.Affine(4, 3);
        Platform platform = Platform.Simulated(new() { Engine = new PlainEngine(network) });
        var error = Assert.ThrowsExactly<NotSupportedException>(() => Calibrate(network, o => o with { Platform = platform }).Fit(TestView.Features(4, 3)));
        Assert.Contains("cannot profile", error.Message);
    }

    private QaicCalibrationEstimator Calibrate(TestNetwork network, Func<QaicCalibrationOptions, QaicCalibrationOptions>? vary = null)
    {
        var options = new QaicCalibrationOptions { ModelPath = network.OnnxPath, Platform = network.Platform };
        return _ml.Transforms.CalibrateQaicModel(vary is null ? options : vary(options));
    }

    private sealed class PlainEngine(TestNetwork network) : ISimulationEngine, ICompiler
    {
        public string Name => "plain";

        public string Version => "1";

        public ICompiler Compiler => this;

        public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken) =>
            network.Compile(modelPath, outputDirectory, options, logger, cancellationToken);

        public ISimulatedNetwork Load(QpcFile qpc, ILogger logger) => network.Load(qpc, logger);
    }

    private sealed class Progress : IProgress<ProfilingProgress>
    {
        public List<long> Samples { get; } = [];

        public Action Act { get; set; } = () => { };

        public void Report(ProfilingProgress value)
        {
            Samples.Add(value.Samples);
            Act();
        }
    }

    private sealed class Row
    {
        [ColumnName("x"), VectorType(2)]
        public float[] X { get; set; } = [];
    }

    private sealed class Copied
    {
        public float[] Copy { get; set; } = [];
    }
}
