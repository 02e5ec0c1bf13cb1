using System.Collections.Immutable;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>One search for nodes to keep in FP16.</summary>
internal sealed class PrecisionSearcher(
    IVariantBench bench, AccuracyData data, QaicOptions options, PrecisionSearchOptions search, IProgress<AccuracyProgress>? progress, CancellationToken cancellationToken)
{
    private QaicOptions _options = VariantOptions.Isolated(options) with { NodePrecisionInfoFile = null };
    private readonly NodePrecision _given = options.NodePrecisionInfoFile is { } file ? NodePrecision.Load(file) : NodePrecision.None;
    private IReadOnlyList<IReadOnlyDictionary<string, Tensor>> _heldOut = [];
    private QuantizationProfile? _profile;
    private VariantRun? _exact;
    private string? _calibrationReason;
    private Trial? _best;
    private int _compilations;
    private bool _isExhausted;

    public PrecisionSearch Search()
    {
        Report("float32");
        _heldOut = bench.Stack(data.HeldOut, options);
        _exact = bench.Run(VariantOptions.Reference(options), null, null, _heldOut, cancellationToken);
        if (options.LoadProfile is null && options.ExternalQuantizationFile is null)
        {
            ChooseCalibration();
            _profile = bench.Profile(data.Calibration, _options, cancellationToken);
        }

        (ModelAccuracy before, PrecisionRecord? record) = Run([], "without a list");
        if (PrecisionSearch.IsWithin(before, search))
        {
            return Result([], before, before, []);
        }

        List<ModelNode> candidates = Candidates(record);
        List<NodeSensitivity> ranked = Rank(candidates, before, out Trial? enough);
        if (enough is not null)
        {
            return Result(enough.Nodes, before, enough.Accuracy, ranked);
        }

        Add(ranked);

        // What was measured on the way counts, too: the search may have had no compilations left to come back to it.
        Trial best = _best!;
        best = PrecisionSearch.IsWithin(best.Accuracy, search) ? Drop(best) : best;
        return Result(best.Nodes, before, best.Accuracy, ranked);
    }

    private sealed record Trial(ImmutableArray<string> Nodes, ModelAccuracy Accuracy);

    private PrecisionSearch Result(ImmutableArray<string> nodes, ModelAccuracy before, ModelAccuracy after, List<NodeSensitivity> sensitivities) =>
        new(bench.ModelName, search, nodes, _given, before, after, [.. sensitivities], _compilations, _isExhausted) { CalibrationReason = _calibrationReason };

    // The compiler chooses on data, which a search keeps for itself.
    private void ChooseCalibration()
    {
        if (options.QuantizationCalibration == QuantizationCalibration.Auto)
        {
            CalibrationSweep sweep = CalibrationSweep.Choose(bench, data.Calibration, options, cancellationToken);
            (_options, _calibrationReason) = (sweep.Best.ApplyTo(_options), sweep.Reason);
        }
    }

    // Nodes that are quantized, and those that read a tensor that is: what only reads an input is hurt by its quantization all the same.
    private List<ModelNode> Candidates(PrecisionRecord? record)
    {
        HashSet<string> quantized = [.. record?.QuantizedNodes ?? [], .. record?.RoundedNodes ?? []];
        HashSet<string> tensors = [.. (record?.Tensors ?? []).Where(t => t.Kind == "activation").Select(t => t.Name)];
        HashSet<string> decided = [.. _given.Fp16Nodes, .. _given.Fp32Nodes];
        IReadOnlyList<ModelNode> all = bench.Nodes(options);
        HashSet<string> decidedGroups = [.. all.Where(n => decided.Contains(n.Name)).Select(n => n.Group)];

        // One node stands for its group.
        List<ModelNode> nodes = [.. all.Where(n => n.Name.Length > 0 && !n.MovesData && !decidedGroups.Contains(n.Group)
            && (quantized.Contains(n.Name) || n.Inputs.Any(tensors.Contains))).DistinctBy(n => n.Group)];
        HashSet<string> known = [.. all.Select(n => n.Name)];

        // What the compiler made of several nodes may go by a name of its own.
        nodes.AddRange(quantized.Where(q => !known.Contains(q) && !decided.Contains(q)).Order(StringComparer.Ordinal).Select(q => new ModelNode(q, "", [], q)));
        return nodes;
    }

    // The most promising first; enough: a single node that is sufficient, the one with the best output if there are several.
    private List<NodeSensitivity> Rank(List<ModelNode> candidates, ModelAccuracy before, out Trial? enough)
    {
        var alone = new List<(NodeSensitivity Node, ModelAccuracy Accuracy)>();
        foreach (ModelNode node in candidates)
        {
            if (!MayCompile())
            {
                break;
            }

            ModelAccuracy accuracy = Run([node.Name], $"'{node.Name}' in FP16").Accuracy;
            alone.Add((new NodeSensitivity(node.Name, node.OpType, before.PointsLost - accuracy.PointsLost, accuracy.SqnrDb), accuracy));
        }

        var sufficient = alone.Where(a => PrecisionSearch.IsWithin(a.Accuracy, search)).OrderByDescending(a => a.Accuracy.SqnrDb).ToList();
        enough = sufficient.Count > 0 ? new Trial([sufficient[0].Node.Node], sufficient[0].Accuracy) : null;
        List<NodeSensitivity> nodes = [.. alone.Select(a => a.Node)];
        if (enough is null && nodes.Count > 1 && nodes.Max(n => n.PointsGained) < (before.PointsLost - search.Limit) / 2)
        {
            nodes = QuantizeAlone(nodes);
        }

        List<NodeSensitivity> ranked = [.. nodes.OrderByDescending(n => Score(n, before))];
        HashSet<string> seen = [.. ranked.Select(r => r.Node)];
        return enough is not null ? ranked : [.. ranked, .. candidates.Where(c => !seen.Contains(c.Name)).Select(c => new NodeSensitivity(c.Name, c.OpType, double.NaN, double.NaN))];
    }

    private List<NodeSensitivity> QuantizeAlone(List<NodeSensitivity> nodes)
    {
        var result = new List<NodeSensitivity>();
        foreach (NodeSensitivity node in nodes)
        {
            if (!MayCompile())
            {
                return [.. result, .. nodes.Skip(result.Count)];
            }

            ModelAccuracy accuracy = Run([.. nodes.Where(n => n != node).Select(n => n.Node)], $"'{node.Node}' alone in integers").Accuracy;
            result.Add(node with { PointsLostAlone = accuracy.PointsLost, SqnrDbAlone = accuracy.SqnrDb });
        }

        return result;
    }

    // Shares of what is lost: points, and noise power relative to the signal, which goes on telling nodes apart where no answer changes.
    private static double Score(NodeSensitivity node, ModelAccuracy before)
    {
        double noise = NoiseOf(before.SqnrDb);
        double gained = Share(node.PointsGained, before.PointsLost) + Share(noise - NoiseOf(node.SqnrDb), noise);
        double alone = node.PointsLostAlone is { } lost ? Share(lost, before.PointsLost) + Share(NoiseOf(node.SqnrDbAlone ?? double.PositiveInfinity), noise) : 0;
        return Math.Max(gained, alone);
    }

    private static double Share(double part, double whole) => whole > 0 && double.IsFinite(part / whole) ? Math.Clamp(part / whole, 0, 1) : 0;

    private static double NoiseOf(double sqnrDb) => Math.Pow(10, -sqnrDb / 10);

    // One more at a time, until the limit holds.
    private void Add(List<NodeSensitivity> ranked)
    {
        ImmutableArray<string> nodes = [];
        foreach (NodeSensitivity node in ranked)
        {
            nodes = nodes.Add(node.Node);

            // The first alone has been tried.
            if (nodes.Length == 1 && ranked.Count > 1 && !double.IsNaN(node.PointsGained))
            {
                continue;
            }

            if (!MayCompile() || PrecisionSearch.IsWithin(Run(nodes, $"{nodes.Length} nodes in FP16").Accuracy, search))
            {
                return;
            }
        }
    }

    // Each is tried without, the least promising first.
    private Trial Drop(Trial trial)
    {
        // The last one was needed when it came, but for what was added before it may not be.
        for (int i = trial.Nodes.Length - 1; i >= 0 && trial.Nodes.Length > 1 && MayCompile(); i--)
        {
            ImmutableArray<string> fewer = trial.Nodes.RemoveAt(i);
            ModelAccuracy accuracy = Run(fewer, $"without '{trial.Nodes[i]}'").Accuracy;
            trial = PrecisionSearch.IsWithin(accuracy, search) ? new Trial(fewer, accuracy) : trial;
        }

        return trial;
    }

    private bool MayCompile()
    {
        // float32 is one of them.
        bool may = _compilations < search.MostCompilations;
        _isExhausted |= !may;
        return may;
    }

    private (ModelAccuracy Accuracy, PrecisionRecord? Record) Run(ImmutableArray<string> nodes, string step)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Report(step);
        NodePrecision? precision = nodes.IsEmpty && _given == NodePrecision.None ? null : _given with { Fp16Nodes = [.. _given.Fp16Nodes, .. nodes] };
        VariantRun run = bench.Run(_options, _profile, precision, _heldOut, cancellationToken);
        ModelAccuracy accuracy = OutputComparison.Compare(_exact!.Outputs, run.Outputs, data);
        Keep(new Trial(nodes, accuracy));
        return (accuracy, run.Precision);
    }

    // The shortest list that holds the limit; while none does, the one that loses least, and the shorter of equals.
    private void Keep(Trial trial)
    {
        bool isWithin = PrecisionSearch.IsWithin(trial.Accuracy, search);
        if (_best is not { } best)
        {
            _best = trial;
        }
        else if (isWithin != PrecisionSearch.IsWithin(best.Accuracy, search))
        {
            _best = isWithin ? trial : best;
        }
        else
        {
            (double lost, double least) = isWithin ? (0, 0) : (trial.Accuracy.PointsLost, best.Accuracy.PointsLost);
            _best = lost < least || (lost.Equals(least) && trial.Nodes.Length < best.Nodes.Length) ? trial : best;
        }
    }

    private void Report(string step)
    {
        progress?.Report(new AccuracyProgress(step, _compilations, search.MostCompilations));
        _compilations++;
    }
}
