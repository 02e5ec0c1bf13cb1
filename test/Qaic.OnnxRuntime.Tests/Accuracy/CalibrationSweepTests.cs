using Qaic.Compilation;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.OnnxRuntime.Tests.Onnx;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

[TestClass]
public sealed class CalibrationSweepTests
{
    // Two rows of two classes. Errors that keep the order cost decibels, those that do not cost answers.
    private static readonly float[][] s_exact = [[10, 0], [0, 10]];

    [TestMethod]
    public void One_profile_serves_every_method_and_no_network_reaches_cache_or_console()
    {
        ScriptedBench bench = Bench(_ => 0.1f);
        CalibrationSweep sweep = CalibrationSweep.Run(bench, ScriptedBench.Data(7, 2), new QaicOptions { ConvertToQuantize = true, QuantizationCalibration = QuantizationCalibration.Auto, BatchSize = 3 }, null, null, default);
        Assert.HasCount(1, bench.Profiled);
        Assert.HasCount(7, bench.Profiled[0]);
        Assert.HasCount(8, sweep.Trials);
        Assert.IsTrue(bench.Runs.Skip(1).All(r => r is { Profile: not null, Rows: 2, Options: { UseCache: false, ConvertToQuantize: false, BatchSize: 3 } }));
        Assert.IsFalse(bench.Runs.Any(r => r.Options.QuantizationCalibration == QuantizationCalibration.Auto), "asking for a choice again would have no end");
        CollectionAssert.AreEquivalent(
            new decimal?[] { 99.9m, 99.99m, 99.999m }, bench.Runs.Where(r => r.Options.QuantizationCalibration == QuantizationCalibration.Percentile).Select(r => r.Options.PercentileCalibrationValue).ToList());
    }

    [TestMethod]
    public void Answers_count_more_than_decibels()
    {
        // MSE has by far the noisier output, but only it keeps both answers: the second is a close one.
        var bench = new ScriptedBench
        {
            Answers = (options, _) => options.QuantizationCalibration switch
            {
                null => [[10, 0], [5, 5.01f]],
                QuantizationCalibration.Mse => [[6, 0], [5, 5.01f]],
                _ => [[10, 0], [5.02f, 5.01f]],
            },
        };
        var sweep = CalibrationSweep.Run(bench, ScriptedBench.Data(5, 2), QaicOptions.Default, null, null, default);
        Assert.IsLessThan(sweep.Trials[0].Accuracy.SqnrDb, sweep.Best.Accuracy.SqnrDb);
        Assert.AreEqual(QuantizationCalibration.Mse, sweep.Best.Calibration);
        StringAssert.StartsWith(sweep.Reason, "MSE answers as float32 does on 100.0 % of 2 held-out rows, more than any other");
    }

    [TestMethod]
    public void Among_equal_answers_the_closest_output_is_the_best()
    {
        CalibrationSweep sweep = Sweep(c => c == QuantizationCalibration.Sqnr ? 0.01f : 0.1f);
        Assert.AreEqual(QuantizationCalibration.Sqnr, sweep.Best.Calibration);
        StringAssert.Contains(sweep.Reason, "60.0 dB (next: None with 40.0 dB)");
    }

    [TestMethod]
    public void Ties_go_to_the_simpler_method()
    {
        Assert.AreEqual(QuantizationCalibration.None, Sweep(_ => 0.1f).Best.Calibration);

        // 0.05 dB between them is no difference.
        CalibrationSweep sweep = Sweep(c => c switch { QuantizationCalibration.None => 1f, QuantizationCalibration.KLMinimization => 0.1f, _ => 0.1006f });
        Assert.AreEqual(QuantizationCalibration.Percentile, sweep.Best.Calibration);
        Assert.AreEqual(99.999m, sweep.Best.Percentile);
        StringAssert.Contains(sweep.Reason, "it is the simplest");
    }

    [TestMethod]
    public void Networks_without_any_noise_tie_as_well() => Assert.AreEqual(QuantizationCalibration.None, Sweep(_ => 0f).Best.Calibration);

    [TestMethod]
    public void Every_schema_is_tried_and_the_constants_keep_theirs()
    {
        ScriptedBench bench = Bench(o => o.QuantizationSchemaActivations == QuantizationSchema.Asymmetric ? 0.01f : 0.1f);
        CalibrationSweep sweep = CalibrationSweep.Run(
            bench, ScriptedBench.Data(5, 2), new QaicOptions { QuantizationSchema = QuantizationSchema.Symmetric }, [QuantizationSchema.Symmetric, QuantizationSchema.Asymmetric], null, default);
        Assert.HasCount(16, sweep.Trials);
        Assert.AreEqual(QuantizationSchema.Asymmetric, sweep.Best.Schema);
        Assert.IsTrue(bench.Runs.Skip(1).All(r => r.Options is { QuantizationSchema: null, QuantizationSchemaConstants: QuantizationSchema.Symmetric }));
        QaicOptions chosen = sweep.Best.ApplyTo(new QaicOptions { QuantizationSchema = QuantizationSchema.Symmetric, QuantizationCalibration = QuantizationCalibration.Auto, LoadProfile = "p.yaml" });
        Assert.AreEqual(QuantizationSchema.Asymmetric, chosen.QuantizationSchemaActivations);
        Assert.AreEqual(QuantizationCalibration.None, chosen.QuantizationCalibration);
        Assert.AreEqual("p.yaml", chosen.LoadProfile);
    }

    [TestMethod]
    public void Every_fifth_row_is_held_out_of_the_profile()
    {
        ScriptedBench bench = Bench(_ => 0.1f);
        CalibrationSweep.Choose(bench, ScriptedBench.Samples(12), QaicOptions.Default, default);
        CollectionAssert.AreEqual(new float[] { 0, 1, 2, 3, 5, 6, 7, 8, 10, 11 }, bench.Profiled[0].Select(r => r["x"].AsSpan<float>()[0]).ToArray());
        Assert.IsTrue(bench.Runs.All(r => r.Rows == 2), "rows 4 and 9");
    }

    [TestMethod]
    public void Large_rows_are_held_out_up_to_a_number_of_bytes()
    {
        // All rows are one tensor, so that the test needs no more memory than that.
        var row = new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros(new TensorSpec("x", ElementType.Float32, [(int)(CalibrationSweep.MostHeldOutBytes / 4 / 3)])) };
        ScriptedBench bench = Bench(_ => 0.1f);
        CalibrationSweep.Choose(bench, Enumerable.Repeat(row, 30), QaicOptions.Default, default);
        Assert.IsTrue(bench.Runs.All(r => r.Rows == 3), "of six rows that could be held out");
        Assert.HasCount(27, bench.Profiled[0], "the others are profiled");
        Assert.AreEqual(1, bench.Stacked, "once for all networks");
    }

    [TestMethod]
    public void What_is_stacked_once_is_run_as_it_is_and_gives_the_same()
    {
        using var directory = TemporaryDirectory.Create();
        string path = Graphs.Save(Graphs.Unary("Neg", Graphs.Value("x", Graphs.Float, "n", 3), Graphs.Value("y", Graphs.Float, "n", 3)), directory.Path);
        var bench = new SimulatedBench(path);
        var options = new QaicOptions { BatchSize = 2 };
        IReadOnlyDictionary<string, Tensor>[] rows = [.. Enumerable.Range(0, 70).Select(i => new Dictionary<string, Tensor> { ["x"] = Tensor.Create([i, i + 0.5f, -i]) })];
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> stacked = bench.Stack(rows, options);
        CollectionAssert.AreEqual(new[] { 32, 32, 6 }, stacked.Select(s => s["x"].Shape[0]).ToArray(), "sixteen inferences at a time");
        CollectionAssert.AreEqual(stacked.ToArray(), bench.Stack(stacked, options).ToArray(), "the same objects");
        CollectionAssert.AreEqual(bench.Run(options, null, null, rows, default).Outputs[0].Values, bench.Run(options, null, null, stacked, default).Outputs[0].Values);
        Assert.HasCount(2, bench.Stack([stacked[2], stacked[0]], options), "a short one in front is filled up");
    }

    [TestMethod]
    public void With_fewer_than_five_rows_all_serve_for_both_and_the_reason_says_so()
    {
        ScriptedBench bench = Bench(_ => 0.1f);
        CalibrationSweep sweep = CalibrationSweep.Choose(bench, ScriptedBench.Samples(3), QaicOptions.Default, default);
        Assert.HasCount(3, bench.Profiled[0]);
        Assert.IsTrue(bench.Runs.All(r => r.Rows == 3));
        StringAssert.Contains(sweep.Reason, "With only 3 rows none could be held out");
    }

    [TestMethod]
    public void Nothing_is_compiled_after_a_cancellation()
    {
        using var source = new CancellationTokenSource();
        ScriptedBench bench = Bench(o =>
        {
            source.Cancel();
            return 0.1f;
        });
        Assert.ThrowsExactly<OperationCanceledException>(() => CalibrationSweep.Run(bench, ScriptedBench.Data(5, 2), QaicOptions.Default, null, null, source.Token));
        Assert.HasCount(2, bench.Runs, "float32 and the method during which it was cancelled");
    }

    [TestMethod]
    public void The_table_names_every_method_and_marks_the_best()
    {
        string text = Sweep(c => c == QuantizationCalibration.Mse ? 0.01f : 0.1f).ToString();
        string[] best = [.. text.Split('\n').Where(l => l.EndsWith("  best", StringComparison.Ordinal))];
        Assert.HasCount(1, best);
        StringAssert.Contains(best[0], "MSE");
        StringAssert.Contains(text, "Percentile 99.999");
        Assert.IsTrue(text.Split('\n').All(l => l.Length <= 120), text);
    }

    private static CalibrationSweep Sweep(Func<QuantizationCalibration, float> error) =>
        CalibrationSweep.Run(Bench(o => error(o.QuantizationCalibration!.Value)), ScriptedBench.Data(5, 2), QaicOptions.Default, null, null, default);

    private static ScriptedBench Bench(Func<QaicOptions, float> error) => new()
    {
        Answers = (options, _) => options.QuantizationCalibration is null ? s_exact : [[10 - error(options), 0], [0, 10 - error(options)]],
    };
}
