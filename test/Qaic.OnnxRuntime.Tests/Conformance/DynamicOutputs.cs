namespace Qaic.OnnxRuntime.Tests.Conformance;

/// <summary>Cases with outputs whose size is not known before the model runs, so that a card's fixed buffers cannot be made for them.</summary>
internal static class DynamicOutputs
{
    // Elements of a sequence: shape inference knows only what all of them have in common.
    public static readonly HashSet<string> Cases = ["simple/test_sequence_model1", "simple/test_sequence_model4"];
}
