using System.Collections.Immutable;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>What quantization does to one tensor.</summary>
public sealed record TensorAccuracy
{
    /// <summary>The tensor's name in the model.</summary>
    public required string Name { get; init; }

    /// <summary><c>activation</c>, <c>weight</c> or <c>bias</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Smallest value seen while profiling; of a constant, its smallest.</summary>
    public required float Minimum { get; init; }

    /// <summary>Largest value seen.</summary>
    public required float Maximum { get; init; }

    /// <summary>Number of parameters: 1, or the number of channels.</summary>
    public required int Channels { get; init; }

    /// <summary>Distance of two neighbouring numbers; with several channels, the smallest.</summary>
    public required float SmallestScale { get; init; }

    /// <summary>The same with several channels, the largest.</summary>
    public required float LargestScale { get; init; }

    /// <summary>The integer, -128 to 127, that stands for 0; with several channels, the first's.</summary>
    public required int Offset { get; init; }

    /// <summary>Smallest number that can be said; with several channels, in the widest.</summary>
    public required float RangeMinimum { get; init; }

    /// <summary>Largest number that can be said; with several channels, in the widest.</summary>
    public required float RangeMaximum { get; init; }

    /// <summary>
    /// Signal to quantization noise of this tensor alone, in dB: measured for weights, expected from the histogram for activations. NaN if values are not known; infinite without error.
    /// </summary>
    public required double SqnrDb { get; init; }

    /// <summary>Of a weight with channels, the <see cref="SqnrDb"/> of the worst; else that of the tensor.</summary>
    public required double WorstChannelSqnrDb { get; init; }

    /// <summary>Share of the values outside of the range: 0 to 1. They become its ends.</summary>
    public required double ClippedFraction { get; init; }

    /// <summary>How many of the 256 integers lie between the smallest and the largest value; with several channels, in the widest. 0 for a bias, which has 32 bits.</summary>
    public required int LevelsUsed { get; init; }

    /// <summary>Of a weight, the largest magnitude of each output channel; empty if values are not known.</summary>
    public ImmutableArray<float> ChannelMaxima { get; init; } = [];

    /// <summary>The values: a profile's histogram, or that of a weight; null if they are not known.</summary>
    public TensorStatistics? Histogram { get; init; }
}
