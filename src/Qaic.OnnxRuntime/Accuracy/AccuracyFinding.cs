using System.Collections.Immutable;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>What can be wrong with a quantized network.</summary>
public enum FindingKind
{
    /// <summary>It answers otherwise than float32.</summary>
    AccuracyLost,

    /// <summary>The channels of a weight have very different ranges, and share one scale.</summary>
    UnevenChannels,

    /// <summary>The columns of an input have very different ranges, and share one scale.</summary>
    UnevenColumns,

    /// <summary>A few far values decide the range.</summary>
    Outliers,

    /// <summary>A symmetric range spends half of its numbers on a side where hardly anything is.</summary>
    LopsidedRange,

    /// <summary>Many values lie outside of the range.</summary>
    Clipping,
}

/// <summary>Something that costs accuracy, with its figures and its cure.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Tensors">The tensors or nodes concerned, worst first; empty for the whole network.</param>
/// <param name="Text">What was found, with figures: a sentence.</param>
/// <param name="Advice">What to do: a sentence that names the option.</param>
public sealed record AccuracyFinding(FindingKind Kind, ImmutableArray<string> Tensors, string Text, string Advice)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Text} {Advice}";
}
