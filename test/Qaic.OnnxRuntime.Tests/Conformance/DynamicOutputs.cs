namespace Qaic.OnnxRuntime.Tests.Conformance;

/// <summary>Cases whose outputs have a size that depends on the values of inputs, so that a card's fixed buffers cannot hold them.</summary>
internal static class DynamicOutputs
{
    public static readonly HashSet<string> Cases =
    [
    ];
}
