using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>How one way of compiling a model compares with float32.</summary>
public sealed record VariantAccuracy
{
    /// <summary><see cref="AccuracyVariant.Name"/>.</summary>
    public required string Name { get; init; }

    /// <summary>What the compiler did.</summary>
    public required PrecisionRecord Precision { get; init; }

    /// <summary>How well it answers.</summary>
    public required ModelAccuracy Accuracy { get; init; }

    /// <summary>The quantized tensors, worst first; what is not known last.</summary>
    public required ImmutableArray<TensorAccuracy> Tensors { get; init; }

    /// <summary>What costs accuracy, gravest first; empty if nothing was found.</summary>
    public required ImmutableArray<AccuracyFinding> Findings { get; init; }

    /// <summary>Size of the compiled network in bytes.</summary>
    public required long QpcBytes { get; init; }
}

/// <summary>How far an evaluation has come.</summary>
/// <param name="Step">What is done now: <c>INT8, MSE</c>.</param>
/// <param name="Done">Networks that have been compiled and run.</param>
/// <param name="Total">Networks there are at most.</param>
public readonly record struct AccuracyProgress(string Step, int Done, int Total);

/// <summary>Compares ways of compiling a model with float32: how well each answers, what it does to every tensor, and what to do about it.</summary>
/// <remarks>Everything runs on a simulated card. The same model, rows and options give the same report.</remarks>
public sealed class AccuracyReport
{
    private AccuracyReport(string model, int calibrationSamples, ImmutableArray<VariantAccuracy> variants, string metricName)
    {
        (Model, CalibrationSamples, Variants, MetricName) = (model, calibrationSamples, variants, metricName);
    }

    /// <summary>Name of the model's file.</summary>
    public string Model { get; }

    /// <summary>Samples that were profiled.</summary>
    public int CalibrationSamples { get; }

    /// <summary><see cref="AccuracyData.MetricName"/>.</summary>
    public string MetricName { get; }

    /// <summary>The variants, in the order they were given.</summary>
    public ImmutableArray<VariantAccuracy> Variants { get; }

    /// <summary>Compiles a model in several ways, runs each and float32 on the held-out rows, and compares.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="data">Rows to profile with and rows to compare on.</param>
    /// <param name="variants">What to compare; all with the same shapes of the model.</param>
    /// <param name="loggers">Receives the compiler's remarks; null for none.</param>
    /// <param name="progress">Is told before each network; null for none.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">There are no variants, no rows, or rows that are not the model's; or the labels are not as many as the held-out rows.</exception>
    /// <exception cref="CompilationException">The model cannot be compiled in one of these ways.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static AccuracyReport Evaluate(
        string modelPath,
        AccuracyData data,
        IReadOnlyList<AccuracyVariant> variants,
        ILoggerFactory? loggers = null,
        IProgress<AccuracyProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Evaluate(new SimulatedBench(modelPath, loggers), data, variants, progress, cancellationToken);

    internal static AccuracyReport Evaluate(
        IVariantBench bench, AccuracyData data, IReadOnlyList<AccuracyVariant> variants, IProgress<AccuracyProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(variants);
        data.Check();
        if (variants.Count == 0)
        {
            throw new ArgumentException("There is no variant to compare with float32. Give one, for example new(\"INT8\", new QaicOptions { ConvertToQuantize = true }).", nameof(variants));
        }

        int total = variants.Count + 1;
        progress?.Report(new("float32", 0, total));
        QaicOptions reference = VariantOptions.Reference(variants[0].Options);
        VariantRun exact = bench.Run(reference, null, null, data.HeldOut, cancellationToken);
        var inputs = new Lazy<IReadOnlyList<InputColumns>>(() => InputColumns.Of(bench.Rows(data.Calibration, reference)));
        var nodes = new Lazy<IReadOnlyList<ModelNode>>(() => bench.Nodes(reference));
        var profiles = new Dictionary<string, QuantizationProfile>();
        var results = ImmutableArray.CreateBuilder<VariantAccuracy>();
        foreach (AccuracyVariant variant in variants)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(new(variant.Name, results.Count + 1, total));
            QuantizationProfile? profile = null;
            QaicOptions options = variant.Options;
            if (VariantOptions.NeedsProfile(options) && !profiles.TryGetValue(VariantOptions.ProfileKey(options), out profile))
            {
                profile = bench.Profile(data.Calibration, options, cancellationToken);
                profiles.Add(VariantOptions.ProfileKey(options), profile);
            }

            string? reason = null;
            if (options.QuantizationCalibration == QuantizationCalibration.Auto && VariantOptions.NeedsProfile(options))
            {
                CalibrationSweep sweep = CalibrationSweep.Choose(bench, data.Calibration, options, cancellationToken);
                (options, reason) = (sweep.Best.ApplyTo(options), sweep.Reason);
            }

            VariantRun run = bench.Run(options, profile, null, data.HeldOut, cancellationToken);
            PrecisionRecord record = run.Precision ?? new PrecisionRecord();
            record = reason is null ? record : record with { CalibrationReason = reason };
            profile ??= options.LoadProfile is { } path ? QuantizationProfile.Load(path) : null;
            ModelAccuracy accuracy = OutputComparison.Compare(exact.Outputs, run.Outputs, data);
            List<(TensorAccuracy Accuracy, WeightStudy? Weight)> tensors = record.Tensors.Count == 0 ? [] : TensorStudy.Of(record, profile, bench.Weights(reference));
            results.Add(new VariantAccuracy
            {
                Name = variant.Name,
                Precision = record,
                Accuracy = accuracy,
                Tensors = [.. tensors.Select(t => t.Accuracy)],
                Findings = tensors.Count == 0 ? Diagnosis.Of(accuracy, record, [], [], []) : Diagnosis.Of(accuracy, record, tensors, inputs.Value, nodes.Value),
                QpcBytes = run.QpcBytes,
            });
        }

        progress?.Report(new("done", total, total));
        return new AccuracyReport(bench.ModelName, data.Calibration.Count, results.ToImmutable(), data.MetricName);
    }

    /// <summary>The report as plain text of at most 120 columns: a line per variant, then for each what was found and its worst tensors.</summary>
    /// <param name="tensors">Tensors per variant.</param>
    public string ToText(int tensors = 12)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensors);
        return AccuracyText.Of(this, tensors);
    }

    /// <summary>The report as a web page that needs nothing else: every tensor with a picture of its values and its range.</summary>
    public string ToHtml() => AccuracyPage.Of(this);

    /// <summary>Writes <see cref="ToHtml"/> to a file; an existing one is replaced, and only by a complete one.</summary>
    /// <param name="path">Path of the file; its directory is made if it is missing.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SaveHtml(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = Path.GetFullPath(path);
        string half = $"{full}.{Guid.NewGuid():n}";
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        try
        {
            File.WriteAllText(half, ToHtml());
            File.Move(half, full, overwrite: true);
        }
        catch
        {
            File.Delete(half);
            throw;
        }
    }

    /// <summary><see cref="ToText"/>.</summary>
    public override string ToString() => ToText();
}
