namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>When a <see cref="PrecisionSearch"/> is content, and when it gives up.</summary>
public sealed record PrecisionSearchOptions
{
    /// <summary>Percentage points of top-1 that the network may lose against float32: of the labels if there are any, else of float32's own answers. 0 to 100.</summary>
    public double Limit { get; init; } = 0.5;

    /// <summary>Networks that may be compiled; 3 or more, those that a calibration is chosen with not counted. With fewer than three for each node the list may be longer than it has to be.</summary>
    public int MostCompilations { get; init; } = 200;

    internal void Check()
    {
        if (!(Limit is >= 0 and <= 100))
        {
            throw new ArgumentOutOfRangeException(nameof(Limit), Limit, "The limit is in percentage points: 0 to 100.");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(MostCompilations, 3, nameof(MostCompilations));
    }
}
