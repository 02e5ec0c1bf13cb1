using System.Collections.Immutable;
using System.Text;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;
using static System.FormattableString;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>The shortest list that was found of nodes that have to stay in FP16 for a quantized network to answer as float32 does.</summary>
/// <remarks>
/// <para>Each node is exempted alone. If no single one is enough and none wins half of what is lost, each is also quantized alone, which finds nodes that share a tensor. Then nodes are exempted
/// together, the most promising first, until the limit holds; then each is tried without again. So no node of the list can be left out by itself.</para>
/// <para>Everything runs on a simulated card. The same model, rows and options give the same list.</para>
/// </remarks>
public sealed class PrecisionSearch
{
    internal PrecisionSearch(
        string model,
        PrecisionSearchOptions options,
        ImmutableArray<string> nodes,
        NodePrecision given,
        ModelAccuracy before,
        ModelAccuracy after,
        ImmutableArray<NodeSensitivity> sensitivities,
        int compilations,
        bool isExhausted)
    {
        (Model, Options, Nodes, Given, Before, After) = (model, options, nodes, given, before, after);
        (Sensitivities, Compilations, IsExhausted) = (sensitivities, compilations, isExhausted);
    }

    /// <summary>Name of the model's file.</summary>
    public string Model { get; }

    /// <summary>What was asked for.</summary>
    public PrecisionSearchOptions Options { get; }

    /// <summary>The nodes to keep in FP16, by first output, the most important first; empty if none has to be.</summary>
    public ImmutableArray<string> Nodes { get; }

    /// <summary>What <see cref="QaicOptions.NodePrecisionInfoFile"/> said before; it holds for every network here.</summary>
    public NodePrecision Given { get; }

    /// <summary>The network without the list.</summary>
    public ModelAccuracy Before { get; }

    /// <summary>The network with the list.</summary>
    public ModelAccuracy After { get; }

    /// <summary>Whether the network with the list loses no more than <see cref="PrecisionSearchOptions.Limit"/>.</summary>
    public bool IsWithinLimit => IsWithin(After, Options);

    /// <summary>What each node that was tried alone has to do with it, the most promising first.</summary>
    public ImmutableArray<NodeSensitivity> Sensitivities { get; }

    /// <summary>Why the network has its calibration, if <see cref="QaicOptions.QuantizationCalibration"/> was auto: it was chosen once, before the search, on every fifth calibration row; else null.</summary>
    public string? CalibrationReason { get; init; }

    /// <summary>Networks that were compiled; without those that a calibration was chosen with.</summary>
    public int Compilations { get; }

    /// <summary>Whether <see cref="PrecisionSearchOptions.MostCompilations"/> ended the search before it was through.</summary>
    public bool IsExhausted { get; }

    /// <summary>Searches.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="data">Rows to profile with and rows to compare on.</param>
    /// <param name="options">
    /// How the network is quantized: schemas, calibration, channelwise, or a profile; null for the defaults. <see cref="QaicOptions.NodePrecisionInfoFile"/> is the list to start with.
    /// </param>
    /// <param name="search">Limit and effort; null for half a point and 200 compilations.</param>
    /// <param name="loggers">Receives the compiler's remarks; null for none.</param>
    /// <param name="progress">Is told before each network; null for none.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">There are no rows, or rows that are not the model's; or the options put all of the network in FP16.</exception>
    /// <exception cref="CompilationException">The model cannot be compiled.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static PrecisionSearch Run(
        string modelPath,
        AccuracyData data,
        QaicOptions? options = null,
        PrecisionSearchOptions? search = null,
        ILoggerFactory? loggers = null,
        IProgress<AccuracyProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Run(new SimulatedBench(modelPath, loggers), data, options ?? QaicOptions.Default, search ?? new(), progress, cancellationToken);

    internal static PrecisionSearch Run(
        IVariantBench bench, AccuracyData data, QaicOptions options, PrecisionSearchOptions search, IProgress<AccuracyProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(data);
        data.Check();
        search.Check();
        if (options.ConvertToFp16)
        {
            throw new ArgumentException("A search for nodes to keep in FP16 needs a network that is quantized otherwise, but ConvertToFp16 (convert_to_fp16) puts all of it in FP16. Leave it out.", nameof(options));
        }

        return new PrecisionSearcher(bench, data, options, search, progress, cancellationToken).Search();
    }

    /// <summary>The list in the form that compilers take; save it and give it as <see cref="QaicOptions.NodePrecisionInfoFile"/>.</summary>
    public NodePrecision ToNodePrecision() => Given with { Fp16Nodes = [.. Given.Fp16Nodes, .. Nodes] };

    /// <summary>The result as plain text: the list, what it wins, and the nodes that matter most.</summary>
    public override string ToString()
    {
        string what = Before.Top1 is null ? "agreement with float32" : "top-1";
        string Value(ModelAccuracy a) => Invariant($"{100 * (a.Top1 ?? a.Agreement):0.0} % ({AccuracyText.Decibels(a.SqnrDb)}{(double.IsFinite(a.SqnrDb) ? " dB" : "")})");
        var text = new StringBuilder(Invariant($"{Model}: nodes to keep in FP16 so that {what} stays within {Options.Limit:0.##} points of float32, on {Before.Rows} held-out rows\n\n"));
        text.Append(Invariant($"float32       {100 * (Before.ReferenceTop1 ?? 1):0.0} %\n"));
        text.Append(Invariant($"without list  {Value(Before)}\n"));
        text.Append(Nodes.IsEmpty ? "" : Invariant($"with list     {Value(After)}\n"));
        text.Append('\n');
        if (CalibrationReason is not null)
        {
            TextTable.Wrap(text, "", CalibrationReason, 120).Append('\n');
        }

        string result = (IsWithinLimit, Nodes.Length) switch
        {
            (true, 0) => "No node has to stay in FP16.",
            (true, 1) => $"One node has to stay in FP16: '{Nodes[0]}'.",
            (true, _) => Invariant($"{Nodes.Length} nodes have to stay in FP16: {string.Join(", ", Nodes.Select(n => $"'{n}'"))}."),
            (false, _) when IsExhausted => Invariant($"The search ended after {Compilations} compilations without a list that holds the limit. Allow more (MostCompilations), or a wider limit."),
            (false, _) => Invariant($"Even with {Nodes.Length} nodes in FP16 the limit does not hold ({After.PointsLost:0.0} points are lost). Compare calibrations first, or compile the whole network for FP16 (convert_to_fp16)."),
        };
        TextTable.Wrap(text, "", result + (IsExhausted && IsWithinLimit && Nodes.Length > 1 ? Invariant($" A shorter list may exist: the search ended after {Compilations} compilations.") : Invariant($" {Compilations} networks were compiled.")), 120);
        if (Sensitivities.IsEmpty)
        {
            return text.ToString();
        }

        text.Append('\n');
        bool hasAlone = Sensitivities.Any(s => s.PointsLostAlone is not null);
        var table = new TextTable(["node", "<operator", "points gained", "SQNR dB", .. hasAlone ? ["points lost alone", "SQNR dB alone"] : Array.Empty<string>(), "<"]);
        foreach (NodeSensitivity s in Sensitivities.Take(20))
        {
            string[] alone = s.PointsLostAlone is { } lost ? [Invariant($"{lost:0.0}"), AccuracyText.Decibels(s.SqnrDbAlone ?? double.NaN)] : ["", ""];
            table.Add([TextTable.Shorten(s.Node, 40), s.OpType, Invariant($"{s.PointsGained:0.0}"), AccuracyText.Decibels(s.SqnrDb), .. hasAlone ? alone : [], Nodes.Contains(s.Node) ? "FP16" : ""]);
        }

        return table.AppendTo(text).ToString();
    }

    internal static bool IsWithin(ModelAccuracy accuracy, PrecisionSearchOptions options) =>
        // A share of rows is a quotient, and a hundred of them does not always come out even.
        accuracy.PointsLost <= options.Limit + 1e-9;
}
