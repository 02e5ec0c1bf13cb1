using System.Collections.Immutable;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>How far one output is from float32.</summary>
/// <param name="Name">The output.</param>
/// <param name="SqnrDb">Signal to quantization noise in dB, over all elements of all rows: 10·log₁₀(Σ x² / Σ (x − x′)²). Infinite if there is no difference.</param>
/// <param name="LargestError">Largest absolute difference.</param>
public sealed record OutputAccuracy(string Name, double SqnrDb, double LargestError)
{
    /// <summary>Whether the output is of whole numbers, as labels are: how far they are apart says little.</summary>
    public bool IsWhole { get; init; }
}

/// <summary>How well a network answers, against float32 on the same rows.</summary>
public sealed record ModelAccuracy
{
    /// <summary>Rows that were compared.</summary>
    public required int Rows { get; init; }

    /// <summary>Share of rows for which the first output names the same class as float32 does: 0 to 1. A row with NaN agrees with nothing. An output of integers names a class with each element.</summary>
    public required double Agreement { get; init; }

    /// <summary>Share of rows that are classified rightly; null without labels.</summary>
    public double? Top1 { get; init; }

    /// <summary>The same for float32.</summary>
    public double? ReferenceTop1 { get; init; }

    /// <summary>The caller's figure of merit; null without one.</summary>
    public double? Metric { get; init; }

    /// <summary>The same for float32.</summary>
    public double? ReferenceMetric { get; init; }

    /// <summary>Every output, in the network's order.</summary>
    public required ImmutableArray<OutputAccuracy> Outputs { get; init; }

    /// <summary>What float32 does better, in percentage points of top-1: of the labels if there are any, else of float32's own answers.</summary>
    public double PointsLost => Top1 is { } top1 && ReferenceTop1 is { } reference ? 100 * (reference - top1) : 100 * (1 - Agreement);

    /// <summary><see cref="OutputAccuracy.SqnrDb"/> of the first output that is not of whole numbers; of the first, if all are.</summary>
    public double SqnrDb => (Outputs.FirstOrDefault(o => !o.IsWhole) ?? Outputs[0]).SqnrDb;
}
