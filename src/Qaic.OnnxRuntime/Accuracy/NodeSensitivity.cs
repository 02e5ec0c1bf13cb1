namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>What one node has to do with the accuracy of a quantized network.</summary>
/// <param name="Node">The node's first output.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="PointsGained">Percentage points of top-1 that are won by keeping this node alone in FP16.</param>
/// <param name="SqnrDb">SQNR of the first output with this node alone in FP16.</param>
public sealed record NodeSensitivity(string Node, string OpType, double PointsGained, double SqnrDb)
{
    /// <summary>Percentage points of top-1 that are lost by quantizing this node and no other; null where that was not needed.</summary>
    public double? PointsLostAlone { get; init; }

    /// <summary>SQNR of the first output with this node and no other quantized; null where that was not needed.</summary>
    public double? SqnrDbAlone { get; init; }
}
