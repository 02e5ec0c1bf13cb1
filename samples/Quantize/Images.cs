using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic;
using Qaic.OnnxRuntime.Accuracy;

namespace Quantize;

/// <summary>A row of an <see cref="IDataView"/>: the model's input, and what it shows.</summary>
internal sealed class LabelledImage
{
    [ColumnName("image")]
    public float[] Image { get; set; } = [];

    public int Label { get; set; }
}

/// <summary>A model with the rows that it is calibrated and tested with.</summary>
/// <param name="Model">Path of the ONNX model.</param>
/// <param name="Shape">Dimensions of one row.</param>
/// <param name="Calibration">Rows to calibrate with.</param>
/// <param name="Test">Rows to test with.</param>
/// <param name="Labels">What the test rows show.</param>
internal sealed record Images(string Model, int[] Shape, float[][] Calibration, float[][] Test, int[] Labels)
{
    private static readonly float[] s_mean = [0.485f, 0.456f, 0.406f];
    private static readonly float[] s_std = [0.229f, 0.224f, 0.225f];

    /// <summary>Name of the model.</summary>
    public string Name => Path.GetFileNameWithoutExtension(Model);

    /// <summary>All test rows in one tensor.</summary>
    public Tensor TestTensor => Tensor.Create([.. Test.SelectMany(r => r)], [Test.Length, .. Shape]);

    /// <summary>Handwritten digits, 8 × 8, and a small convolutional network.</summary>
    public static Images Digits(string data)
    {
        (float[] calibration, int[] shape) = Npy.Read<float>(Path.Combine(data, "digits", "calib_x.npy"), "<f4");
        (float[] test, _) = Npy.Read<float>(Path.Combine(data, "digits", "test_x.npy"), "<f4");
        return new Images(Path.Combine(data, "digits_cnn.onnx"), shape[1..], Rows(calibration, 64), Rows(test, 64), ReadLabels(data, "digits"));
    }

    /// <summary>The same digits in colour, 32 × 32, and a network of depthwise convolutions.</summary>
    public static Images Depthwise(string data)
    {
        float[][] calibration = ReadPixels(Path.Combine(data, "digits32", "calib_u8.npy"));
        return new Images(Path.Combine(data, "dwsep.onnx"), [3, 32, 32], calibration, ReadPixels(Path.Combine(data, "digits32", "test_u8.npy")), ReadLabels(data, "digits32"));
    }

    /// <summary>The rows to calibrate with, as ML.NET sees them.</summary>
    public IDataView CalibrationView(MLContext ml) => ml.Data.LoadFromEnumerable(Calibration.Select(r => new LabelledImage { Image = r }));

    /// <summary>The rows to test with.</summary>
    public IDataView TestView(MLContext ml) => ml.Data.LoadFromEnumerable(Test.Zip(Labels, (r, l) => new LabelledImage { Image = r, Label = l }));

    /// <summary>All rows, as accuracy is judged with.</summary>
    public AccuracyData ToAccuracyData()
    {
        return new AccuracyData(Samples(Calibration), Samples(Test)) { Labels = Labels };

        List<IReadOnlyDictionary<string, Tensor>> Samples(float[][] rows) => [.. rows.Select(r => new Dictionary<string, Tensor> { ["image"] = Tensor.Create(r, Shape) })];
    }

    private static float[][] Rows(float[] values, int width) => [.. values.Chunk(width)];

    private static int[] ReadLabels(string data, string set) => [.. Npy.Read<long>(Path.Combine(data, set, "test_y.npy"), "<i8").Values.Select(l => (int)l)];

    // From uint8 [n, 32, 32, 3] to float [n, 3, 32, 32], normalised as the network was trained.
    private static float[][] ReadPixels(string path)
    {
        const int Plane = 32 * 32;
        return [.. Npy.Read<byte>(path, "|u1").Values.Chunk(3 * Plane).Select(pixels =>
        {
            float[] row = new float[pixels.Length];
            for (int i = 0; i < pixels.Length; i++)
            {
                int channel = i % 3;
                row[(channel * Plane) + (i / 3)] = ((pixels[i] / 255f) - s_mean[channel]) / s_std[channel];
            }

            return row;
        })];
    }
}
