namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Rows to judge quantized networks with.</summary>
/// <param name="Calibration">
/// Rows to profile with. Per element all inputs by name, each with the model's shape and any number of rows (the same for all), or without the leading dimension, which is one row.
/// </param>
/// <param name="HeldOut">Rows to compare results on, in the same form; disjoint from <paramref name="Calibration"/>, or the comparison flatters.</param>
public sealed record AccuracyData(
    IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Calibration, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> HeldOut)
{
    /// <summary>The true class of every held-out row, for the first output; null if it is not known. A single output column of floats is a logit: class 1 above 0. An output of integers is the class itself.</summary>
    public IReadOnlyList<int>? Labels { get; init; }

    /// <summary>A figure of merit of the outputs on all held-out rows: gets every output by name, as float32 with the rows leading; null for none.</summary>
    public Func<IReadOnlyDictionary<string, Tensor>, double>? Metric { get; init; }

    /// <summary>Name of <see cref="Metric"/> for people: <c>AUC</c>.</summary>
    public string MetricName { get; init; } = "metric";

    internal void Check()
    {
        if (Calibration is not { Count: > 0 } || HeldOut is not { Count: > 0 })
        {
            throw new ArgumentException($"There {(Calibration is { Count: > 0 } ? "are no held-out rows to compare results on" : "are no rows to profile with")}. Give some of each: four fifths to calibrate, one fifth held out.");
        }
    }
}
