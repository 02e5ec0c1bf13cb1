using Qaic.OnnxRuntime.Accuracy;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Accuracy;

/// <summary>The calibration and test rows of the trained models, as accuracy is judged with.</summary>
internal static class ModelRows
{
    public static AccuracyData Of(string name, bool isGlitched = false, int rows = int.MaxValue)
    {
        TestModel model = ModelManifest.Get(name);
        Npy[] inputs = [.. model.Inputs.Select(model.Input)];
        long[] labels = model.Labels().As<long>().ToArray();
        rows = Math.Min(rows, model.RowCount);
        return new AccuracyData(
            model.CalibrationSamples(isGlitched),
            [.. Enumerable.Range(0, rows).Select(row => (IReadOnlyDictionary<string, Tensor>)model.Inputs.Zip(inputs).ToDictionary(i => i.First, i => i.Second.Row(row)))])
        {
            Labels = [.. labels.Take(rows).Select(l => (int)l)],
        };
    }
}
