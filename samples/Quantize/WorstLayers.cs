using Qaic;
using Qaic.OnnxRuntime.Accuracy;
using Qaic.Quantization;

namespace Quantize;

/// <summary>Finds the layers that quantization hurts most, and keeps them in FP16.</summary>
internal static class WorstLayers
{
    // One for each layer of the models here, and some more.
    private const int MostCompilations = 60;

    /// <summary>Writes a node precision file with the layers whose exemption wins most.</summary>
    /// <returns>The layers, the worst first; empty if the network answers as float32 does anyway.</returns>
    public static string[] Find(Images images, QaicOptions options, int count, string file)
    {
        // Against float32's own answers: labels would hide where an error happens to hit the right one.
        AccuracyData data = images.ToAccuracyData() with { Labels = null };
        var search = PrecisionSearch.Run(images.Model, data, options, new PrecisionSearchOptions { Limit = 0, MostCompilations = MostCompilations });
        string[] nodes = [.. search.Sensitivities.Where(s => !double.IsNaN(s.PointsGained)).Take(count).Select(s => s.Node)];
        new NodePrecision([.. nodes], []).Save(file);
        return nodes;
    }
}
