using System.Collections.Immutable;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

[TestClass]
public sealed class PrecisionSearchTests
{
    private const int Rows = 100;

    [TestMethod]
    public void A_network_that_is_good_enough_needs_no_list()
    {
        PrecisionSearch search = Search(Network([("a", 0)]));
        Assert.IsEmpty(search.Nodes);
        Assert.IsTrue(search.IsWithinLimit);
        Assert.AreEqual(2, search.Compilations, "float32 and the network");
        StringAssert.Contains(search.ToString(), "No node has to stay in FP16.");
    }

    [TestMethod]
    public void One_node_that_does_all_the_damage_is_found()
    {
        PrecisionSearch search = Search(Network([("a", 0), ("b", 20), ("c", 0)]));
        CollectionAssert.AreEqual(new[] { "b" }, search.Nodes);
        Assert.IsTrue(search.IsWithinLimit);
        Assert.AreEqual(0.8, search.Before.Agreement, 1e-9);
        Assert.AreEqual(1.0, search.After.Agreement, 1e-9);
        Assert.AreEqual("b", search.Sensitivities[0].Node);
        Assert.AreEqual(20, search.Sensitivities[0].PointsGained, 1e-9);
        Assert.AreEqual(5, search.Compilations);
        StringAssert.Contains(search.ToString(), "One node has to stay in FP16: 'b'.");
    }

    [TestMethod]
    public void Of_several_that_do_damage_as_many_are_listed_as_it_takes_the_worst_first()
    {
        PrecisionSearch search = Search(Network([("a", 10), ("b", 1), ("c", 30), ("d", 0)]), limit: 1);
        CollectionAssert.AreEqual(new[] { "c", "a" }, search.Nodes);
        Assert.IsTrue(search.IsWithinLimit);
        Assert.AreEqual(1, search.After.PointsLost, 1e-9, "what b costs is allowed");
    }

    [TestMethod]
    public void Nodes_that_only_help_together_are_found()
    {
        // b and c read the same tensor: it stays quantized until both are exempted.
        ScriptedBench bench = Network([("a", 0), ("b", 0), ("c", 0), ("d", 0)], together: (["b", "c"], 25));
        PrecisionSearch search = Search(bench);
        CollectionAssert.AreEquivalent(new[] { "b", "c" }, search.Nodes);
        Assert.IsTrue(search.Sensitivities.First(s => s.Node == "b").PointsLostAlone > 20);
    }

    [TestMethod]
    public void What_turns_out_not_to_be_needed_is_dropped_again()
    {
        // a wins something by itself, but nothing more once b and c are out of the integers.
        ScriptedBench bench = Network([("a", 0), ("b", 0), ("c", 0)], custom: fp16 =>
            fp16.Contains("b") && fp16.Contains("c") ? 0 : fp16.Contains("a") ? 12 : fp16.Contains("b") || fp16.Contains("c") ? 15 : 20);
        PrecisionSearch search = Search(bench);
        CollectionAssert.AreEquivalent(new[] { "b", "c" }, search.Nodes);
        Assert.IsTrue(search.IsWithinLimit);
    }

    [TestMethod]
    public void A_node_that_only_reads_a_quantized_input_is_a_candidate_and_one_that_moves_data_is_none()
    {
        ScriptedBench bench = Network([("a", 20)], more: [new("sub", "Sub", ["features"], "sub"), new("flat", "Reshape", ["features"], "flat"), new("far", "Mul", ["other"], "far")]);
        CollectionAssert.AreEquivalent(new[] { "a", "sub" }, Search(bench).Sensitivities.Select(s => s.Node).ToList());
    }

    [TestMethod]
    public void Of_nodes_that_are_one_to_the_compiler_the_first_is_tried()
    {
        ScriptedBench bench = Network([("conv", 20), ("other", 0)], more: [new("relu", "Relu", ["features"], "conv")]);
        PrecisionSearch search = Search(bench);
        CollectionAssert.AreEquivalent(new[] { "conv", "other" }, search.Sensitivities.Select(s => s.Node).ToList());
        CollectionAssert.AreEqual(new[] { "conv" }, search.Nodes);
    }

    [TestMethod]
    public void With_labels_the_limit_is_on_the_rows_that_are_right()
    {
        // Half of the answers that change were wrong in float32 too.
        int[] labels = [.. Enumerable.Range(0, Rows).Select(i => i < 10 ? 1 : 0)];
        PrecisionSearch search = Search(Network([("a", 20)]), data: ScriptedBench.Data(1, Rows, labels));
        Assert.AreEqual(0.9, search.Before.ReferenceTop1!.Value, 1e-9);
        Assert.AreEqual(0.9, search.Before.Top1!.Value, 1e-9, "ten were righted, ten spoilt");
        Assert.IsEmpty(search.Nodes);
        StringAssert.Contains(search.ToString(), "top-1 stays within");
    }

    [TestMethod]
    public void A_limit_that_no_list_holds_is_said()
    {
        PrecisionSearch search = Search(Network([("a", 20), ("b", 10)], always: 5));
        Assert.IsFalse(search.IsWithinLimit);
        Assert.IsFalse(search.IsExhausted);
        CollectionAssert.AreEquivalent(new[] { "a", "b" }, search.Nodes);
        StringAssert.Contains(search.ToString(), "Even with 2 nodes in FP16 the limit does not hold (5.0 points are lost)");
    }

    [TestMethod]
    public void The_search_ends_with_its_last_compilation()
    {
        ScriptedBench bench = Network([.. Enumerable.Range(0, 30).Select(i => ($"n{i:00}", 3))]);
        PrecisionSearch search = Search(bench, compilations: 12);
        Assert.HasCount(12, bench.Runs);
        Assert.AreEqual(12, search.Compilations);
        Assert.IsTrue(search.IsExhausted);
        StringAssert.Contains(search.ToString(), "ended after 12 compilations");
    }

    [TestMethod]
    [DataRow(5), DataRow(6)]
    public void When_the_compilations_end_after_the_ranking_the_best_that_was_measured_is_the_result(int compilations)
    {
        PrecisionSearch search = Search(Network([("a", 20), ("b", 30), ("c", 10)]), compilations: compilations);
        Assert.IsTrue(search.IsExhausted);
        Assert.IsFalse(search.IsWithinLimit);
        CollectionAssert.Contains(search.Nodes, "b");
        Assert.IsLessThanOrEqualTo(30 + 1e-9, search.After.PointsLost);
    }

    [TestMethod]
    public void A_long_list_that_holds_the_limit_is_better_than_none_when_the_compilations_end()
    {
        // Each node alone wins nothing; all but d do, which is measured when each is quantized alone.
        ScriptedBench bench = Network([("a", 0), ("b", 0), ("c", 0), ("d", 0)], together: (["a", "b", "c"], 25));
        PrecisionSearch search = Search(bench, compilations: 10);
        Assert.IsTrue(search.IsExhausted);
        Assert.IsTrue(search.IsWithinLimit);
        CollectionAssert.AreEquivalent(new[] { "a", "b", "c" }, search.Nodes);
    }

    [TestMethod]
    public void The_calibration_auto_is_chosen_once_before_the_search()
    {
        ScriptedBench bench = Network([("a", 20), ("b", 0)]);
        PrecisionSearch search = PrecisionSearch.Run(bench, ScriptedBench.Data(10, Rows), new QaicOptions { QuantizationCalibration = QuantizationCalibration.Auto }, new(), null, default);
        Assert.IsFalse(bench.Runs.Any(r => r.Options.QuantizationCalibration == QuantizationCalibration.Auto), "a profile has no data to choose with");
        CollectionAssert.AreEqual(new[] { 8, 10 }, bench.Profiled.Select(p => p.Count).ToArray());
        CollectionAssert.AreEqual(new[] { "a" }, search.Nodes);
        Assert.AreEqual(4, search.Compilations);
        StringAssert.Contains(search.CalibrationReason, "held-out rows");
        StringAssert.Contains(search.ToString(), "None answers as float32 does");
    }

    [TestMethod]
    public void The_list_adds_to_the_one_that_was_given_and_comes_back_from_its_file()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-test-");
        try
        {
            string given = Path.Combine(directory.FullName, "given.yaml"), saved = Path.Combine(directory.FullName, "found.yaml");
            new NodePrecision(["first"], ["third"]).Save(given);
            ScriptedBench bench = Network([("first", 0), ("b", 20), ("third", 0)]);
            PrecisionSearch search = PrecisionSearch.Run(bench, ScriptedBench.Data(1, Rows), new QaicOptions { NodePrecisionInfoFile = given }, new(), null, default);
            Assert.IsTrue(bench.Runs.Skip(1).All(r => r.Precision!.Fp16Nodes.Contains("first") && r.Precision.Fp32Nodes.Contains("third")));
            CollectionAssert.AreEqual(new[] { "b" }, search.Sensitivities.Select(s => s.Node).ToArray(), "the others are decided");
            search.ToNodePrecision().Save(saved);
            var read = NodePrecision.Load(saved);
            CollectionAssert.AreEqual(new[] { "first", "b" }, read.Fp16Nodes);
            CollectionAssert.AreEqual(new[] { "third" }, read.Fp32Nodes);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [TestMethod]
    public void Progress_counts_the_compilations_and_a_cancellation_ends_them()
    {
        using var source = new CancellationTokenSource();
        var steps = new List<AccuracyProgress>();
        var progress = new Listener(p =>
        {
            steps.Add(p);
            if (p.Done == 3)
            {
                source.Cancel();
            }
        });
        Assert.ThrowsExactly<OperationCanceledException>(() => PrecisionSearch.Run(Network([("a", 20), ("b", 20), ("c", 20)]), ScriptedBench.Data(1, Rows), QaicOptions.Default, new(), progress, source.Token));
        CollectionAssert.AreEqual(new[] { 0, 1, 2, 3 }, steps.Select(s => s.Done).ToArray());
        Assert.AreEqual("float32", steps[0].Step);
        Assert.AreEqual("'a' in FP16", steps[2].Step);
    }

    [TestMethod]
    public void A_network_in_FP16_is_not_searched()
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => PrecisionSearch.Run(Network([("a", 1)]), ScriptedBench.Data(1, Rows), new QaicOptions { ConvertToFp16 = true }, new(), null, default));
        StringAssert.Contains(e.Message, "convert_to_fp16");
    }

    [TestMethod]
    public void A_limit_out_of_range_is_refused() => Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Search(Network([("a", 1)]), limit: double.NaN));

    private static PrecisionSearch Search(ScriptedBench bench, double limit = 0.5, int compilations = 200, AccuracyData? data = null) =>
        PrecisionSearch.Run(bench, data ?? ScriptedBench.Data(1, Rows), QaicOptions.Default, new() { Limit = limit, MostCompilations = compilations }, null, default);

    // Each node spoils a number of the hundred rows unless it is in FP16.
    private static ScriptedBench Network(
        (string Node, int Spoilt)[] nodes,
        (string[] Nodes, int Spoilt)? together = null,
        Func<IReadOnlyCollection<string>, int>? custom = null,
        int always = 0,
        ModelNode[]? more = null)
    {
        return new ScriptedBench
        {
            ModelNodes = [.. nodes.Select(n => new ModelNode(n.Node, "Gemm", ["hidden"], n.Node)), .. more ?? []],
            Record = new PrecisionRecord
            {
                Precision = "INT8",
                QuantizedNodes = [.. nodes.Select(n => n.Node)],
                Tensors = [new QuantizedTensor("features", "features:0", "activation", [0.1f], [0], -1, 1)],
            },
            Answers = (options, precision) =>
            {
                ImmutableArray<string> exempt = precision?.Fp16Nodes ?? [];
                int spoilt = !options.UseCache ? always + Spoilt(exempt) : 0;
                return [.. Enumerable.Range(0, Rows).Select(i => i < spoilt ? new float[] { 0, 1 } : [1, 0])];
            },
        };

        int Spoilt(IReadOnlyCollection<string> exempt) => custom is not null
            ? custom(exempt)
            : nodes.Where(n => !exempt.Contains(n.Node)).Sum(n => n.Spoilt) + (together is { } t && !t.Nodes.All(exempt.Contains) ? t.Spoilt : 0);
    }

    private sealed class Listener(Action<AccuracyProgress> report) : IProgress<AccuracyProgress>
    {
        public void Report(AccuracyProgress value) => report(value);
    }
}
