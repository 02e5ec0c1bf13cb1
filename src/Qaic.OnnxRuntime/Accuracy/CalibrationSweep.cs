using System.Collections.Immutable;
using System.Text;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;
using static System.FormattableString;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Tries the methods of calibration on one profile, and says which one loses least.</summary>
/// <remarks>
/// <para>The best is the one whose first output names the same class as float32 on most held-out rows; among those the one with the highest SQNR of the first output; within a tenth of a decibel the simplest,
/// in the order None, Percentile, MSE, SQNR, KLMinimization, KLMinimizationV2.</para>
/// <para>Everything runs on a simulated card. The same model, rows and options give the same result.</para>
/// </remarks>
public sealed class CalibrationSweep
{
    /// <summary>One row in so many is held out by <see cref="Choose(string, IEnumerable{IReadOnlyDictionary{string, Tensor}}, QaicOptions, ILoggerFactory, CancellationToken)"/>: rows 4, 9, 14 ….</summary>
    public const int HeldOutEvery = 5;

    // More rows would not tell more. Memory stays flat however many there are and however large they are.
    internal const int MostHeldOut = 2000;
    internal const long MostHeldOutBytes = 256L << 20;
    private const double SameDb = 0.1;

    // The simplest first: ties go to what comes first.
    private static readonly (QuantizationCalibration Calibration, decimal? Percentile)[] s_methods =
    [
        (QuantizationCalibration.None, null),
        (QuantizationCalibration.Percentile, 99.999m),
        (QuantizationCalibration.Percentile, 99.99m),
        (QuantizationCalibration.Percentile, 99.9m),
        (QuantizationCalibration.Mse, null),
        (QuantizationCalibration.Sqnr, null),
        (QuantizationCalibration.KLMinimization, null),
        (QuantizationCalibration.KLMinimizationV2, null),
    ];

    private CalibrationSweep(string model, ImmutableArray<CalibrationTrial> trials, string? remark)
    {
        (Model, Trials) = (model, trials);
        Best = Pick(trials);
        Reason = Explain(trials, Best) + remark;
    }

    /// <summary>Name of the model's file.</summary>
    public string Model { get; }

    /// <summary>What was tried, schema by schema, the simplest method first.</summary>
    public ImmutableArray<CalibrationTrial> Trials { get; }

    /// <summary>The one that loses least.</summary>
    public CalibrationTrial Best { get; }

    /// <summary>Why: a sentence with figures.</summary>
    public string Reason { get; }

    /// <summary>Profiles the calibration rows once, then compiles and runs the model with every method.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="data">Rows to profile with and rows to compare on.</param>
    /// <param name="options">Everything else about the network: shapes, channelwise, node precision. Of its calibration nothing is used; of its schemas the constants'.</param>
    /// <param name="schemas">Schemas of activations to try; null for the one of the options.</param>
    /// <param name="loggers">Receives the compiler's remarks; null for none.</param>
    /// <param name="progress">Is told before each network; null for none.</param>
    /// <param name="cancellationToken">Ends the sweep.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">There are no rows, or rows that are not the model's.</exception>
    /// <exception cref="CompilationException">The model cannot be compiled.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static CalibrationSweep Run(
        string modelPath,
        AccuracyData data,
        QaicOptions? options = null,
        IReadOnlyList<QuantizationSchema>? schemas = null,
        ILoggerFactory? loggers = null,
        IProgress<AccuracyProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Run(new SimulatedBench(modelPath, loggers), data, options ?? QaicOptions.Default, schemas, progress, cancellationToken);

    /// <summary>Chooses the calibration of a network from the rows it is to be profiled with: one row in five is held out, the profile is made of the others.</summary>
    /// <remarks>
    /// What <c>quantization_calibration: auto</c> does. The samples are read once, in order; up to 2000 rows or 256 MiB are held out, one at least, and nothing else is kept. With fewer than five rows all of them serve for both.
    /// The network itself is then compiled with <see cref="CalibrationTrial.ApplyTo"/> and a profile of all rows.
    /// </remarks>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="samples">See <see cref="IProfilingCompiler.Profile"/>.</param>
    /// <param name="options">Everything else about the network. Neither <see cref="QaicOptions.QuantizationCalibration"/> nor files of profiles are used.</param>
    /// <param name="loggers">Receives the compiler's remarks; null for none.</param>
    /// <param name="cancellationToken">Ends the sweep.</param>
    /// <inheritdoc cref="Run(string, AccuracyData, QaicOptions, IReadOnlyList{QuantizationSchema}, ILoggerFactory, IProgress{AccuracyProgress}, CancellationToken)" path="/exception"/>
    public static CalibrationSweep Choose(
        string modelPath,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions options,
        ILoggerFactory? loggers = null,
        CancellationToken cancellationToken = default) =>
        Choose(new SimulatedBench(modelPath, loggers), samples, options, cancellationToken);

    internal static CalibrationSweep Run(
        IVariantBench bench,
        AccuracyData data,
        QaicOptions options,
        IReadOnlyList<QuantizationSchema>? schemas,
        IProgress<AccuracyProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(data);
        data.Check();
        QuantizationProfile profile = bench.Profile(data.Calibration, Plain(options), cancellationToken);
        return Try(bench, profile, data, options, schemas, null, progress, cancellationToken);
    }

    internal static CalibrationSweep Choose(
        IVariantBench bench, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(options);
        var heldOut = new List<IReadOnlyDictionary<string, Tensor>>();
        var few = new List<IReadOnlyDictionary<string, Tensor>>();
        (long rows, long bytes) = (0, 0);
        QuantizationProfile profile = bench.Profile(Others(), Plain(options), cancellationToken);
        string? remark = null;
        if (heldOut.Count == 0)
        {
            heldOut = few;
            remark = Invariant($" With only {rows} rows none could be held out; give five or more.");
        }

        return Try(bench, profile, new AccuracyData(heldOut, heldOut), options, null, remark, null, cancellationToken);

        IEnumerable<IReadOnlyDictionary<string, Tensor>> Others()
        {
            foreach (IReadOnlyDictionary<string, Tensor> row in bench.Rows(samples, options))
            {
                long index = rows++;
                if (index % HeldOutEvery == HeldOutEvery - 1 && heldOut.Count < MostHeldOut)
                {
                    long size = row.Sum(t => (long)t.Value.Bytes.Length);
                    if (heldOut.Count == 0 || bytes + size <= MostHeldOutBytes)
                    {
                        bytes += size;
                        heldOut.Add(row);
                        continue;
                    }
                }

                // These serve for both if there are no more.
                if (index < HeldOutEvery - 1)
                {
                    few.Add(row);
                }
                else
                {
                    few.Clear();
                }

                yield return row;
            }
        }
    }

    /// <summary>The trials as a table in plain text, the best marked, and why it is.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Invariant($"{Model}: calibrations compared on {Best.Accuracy.Rows} held-out rows\n\n"));
        bool hasLabels = Best.Accuracy.Top1 is not null;
        var table = new TextTable(["schema", "<calibration", "agree %", .. hasLabels ? ["top-1 %"] : Array.Empty<string>(), "SQNR dB", "<"]);
        foreach (CalibrationTrial trial in Trials)
        {
            table.Add([
                VariantOptions.Describe(trial.Schema), trial.Name, AccuracyText.Percent(trial.Accuracy.Agreement),
                .. hasLabels ? [AccuracyText.Percent(trial.Accuracy.Top1!.Value)] : Array.Empty<string>(),
                AccuracyText.Decibels(trial.Accuracy.SqnrDb), trial == Best ? "best" : ""]);
        }

        table.AppendTo(text).Append('\n');
        return TextTable.Wrap(text, "", Reason, 120).ToString();
    }

    // The calibration is tried, the profile is given; asking for either again would have no end.
    private static QaicOptions Plain(QaicOptions options) => VariantOptions.Isolated(options) with
    {
        LoadProfile = null,
        ExternalQuantizationFile = null,
        QuantizationCalibration = null,
        PercentileCalibrationValue = null,
    };

    private static CalibrationSweep Try(
        IVariantBench bench,
        QuantizationProfile profile,
        AccuracyData data,
        QaicOptions options,
        IReadOnlyList<QuantizationSchema>? schemas,
        string? remark,
        IProgress<AccuracyProgress>? progress,
        CancellationToken cancellationToken)
    {
        schemas = schemas is { Count: > 0 } ? [.. schemas.Distinct()] : [options.QuantizationSchemaActivations ?? options.QuantizationSchema ?? QuantizationSchema.SymmetricWithUInt8];
        int total = 1 + (schemas.Count * s_methods.Length);
        progress?.Report(new("float32", 0, total));
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> heldOut = bench.Stack(data.HeldOut, options);
        VariantRun exact = bench.Run(VariantOptions.Reference(options), null, null, heldOut, cancellationToken);
        var trials = ImmutableArray.CreateBuilder<CalibrationTrial>();
        foreach (QuantizationSchema schema in schemas)
        {
            foreach ((QuantizationCalibration calibration, decimal? percentile) in s_methods)
            {
                cancellationToken.ThrowIfCancellationRequested();
                progress?.Report(new($"{VariantOptions.Describe(schema)}, {VariantOptions.Describe(calibration, percentile)}", trials.Count + 1, total));
                VariantRun run = bench.Run(CalibrationTrial.WithMethod(Plain(options), schema, calibration, percentile), profile, null, heldOut, cancellationToken);
                trials.Add(new CalibrationTrial(schema, calibration, percentile, OutputComparison.Compare(exact.Outputs, run.Outputs, data)));
            }
        }

        progress?.Report(new("done", total, total));
        return new CalibrationSweep(bench.ModelName, trials.ToImmutable(), remark);
    }

    private static CalibrationTrial Pick(ImmutableArray<CalibrationTrial> trials)
    {
        double agreement = trials.Max(t => t.Accuracy.Agreement);
        double sqnr = trials.Where(t => t.Accuracy.Agreement == agreement).Max(t => t.Accuracy.SqnrDb);
        return trials
            .Where(t => t.Accuracy.Agreement == agreement && (t.Accuracy.SqnrDb >= sqnr - SameDb || t.Accuracy.SqnrDb.Equals(sqnr)))
            .MinBy(t => Array.IndexOf(s_methods, (t.Calibration, t.Percentile)))!;
    }

    private static string Explain(ImmutableArray<CalibrationTrial> trials, CalibrationTrial best)
    {
        bool hasSchemas = trials.Select(t => t.Schema).Distinct().Count() > 1;
        string Name(CalibrationTrial t) => hasSchemas ? $"{t.Name} ({VariantOptions.Describe(t.Schema)})" : t.Name;
        var agreeing = trials.Where(t => t.Accuracy.Agreement == best.Accuracy.Agreement).ToList();
        string answers = Invariant($"{Name(best)} answers as float32 does on {AccuracyText.Percent(best.Accuracy.Agreement)} % of {best.Accuracy.Rows} held-out rows");
        if (agreeing.Count == 1)
        {
            CalibrationTrial? next = trials.Where(t => t != best).OrderByDescending(t => t.Accuracy.Agreement).ThenByDescending(t => t.Accuracy.SqnrDb).FirstOrDefault();
            return next is null ? $"{answers}." : $"{answers}, more than any other (next: {Name(next)} with {AccuracyText.Percent(next.Accuracy.Agreement)} %).";
        }

        CalibrationTrial? rival = agreeing.Where(t => t != best).OrderByDescending(t => t.Accuracy.SqnrDb).ThenBy(t => trials.IndexOf(t)).First();
        string alike = agreeing.Count == trials.Length ? "as all do" : Invariant($"as {agreeing.Count - 1} more do");
        string sqnr = Diagnosis.Decibels(best.Accuracy.SqnrDb);
        return rival.Accuracy.SqnrDb >= best.Accuracy.SqnrDb - SameDb
            ? $"{answers}, {alike}, and of those within {SameDb.ToString(System.Globalization.CultureInfo.InvariantCulture)} dB of the best output it is the simplest ({sqnr}; {Name(rival)}: {Diagnosis.Decibels(rival.Accuracy.SqnrDb)})."
            : $"{answers}, {alike}, and its first output is the closest: {sqnr} (next: {Name(rival)} with {Diagnosis.Decibels(rival.Accuracy.SqnrDb)}).";
    }
}
