using System.Runtime.InteropServices;
using System.Text.Json;

namespace Qaic.TestSupport;

/// <summary>One trained model of the test data, with its test rows and what other software computed for them.</summary>
internal sealed class TestModel
{
    private readonly JsonElement _entry;

    internal TestModel(JsonElement entry)
    {
        _entry = entry;
        Name = entry.GetProperty("name").GetString()!;
        Inputs = [.. Names("inputs")];
        Outputs = [.. Names("outputs")];
        RowCount = entry.GetProperty("test_count").GetInt32();
    }

    public string Name { get; }

    /// <summary>The <c>.onnx</c> file.</summary>
    public string Path => Repository.Model(Name);

    public IReadOnlyList<string> Inputs { get; }

    public IReadOnlyList<string> Outputs { get; }

    /// <summary>Rows of the test split.</summary>
    public int RowCount { get; }

    /// <summary>Whether the reference was computed by another program's int8 or half arithmetic, so that outputs agree only roughly.</summary>
    public bool IsLowPrecision => Name.EndsWith("_qdq", StringComparison.Ordinal) || Name.EndsWith("_fp16", StringComparison.Ordinal);

    /// <summary>Largest absolute difference to the reference that counts as equal.</summary>
    public float Tolerance => IsLowPrecision ? 5e-2f : 1e-4f;

    /// <summary>Share of test rows that the reference classifies rightly, to four digits.</summary>
    public double Accuracy => (_entry.TryGetProperty("fp32_accuracy", out JsonElement value) ? value : _entry.GetProperty("int8_accuracy")).GetDouble();

    /// <summary>Multiplications with additions per row.</summary>
    public long MultiplyAccumulates => _entry.GetProperty("macs_per_sample").GetInt64();

    /// <summary>Test rows of an input.</summary>
    public Npy Input(string name)
    {
        string file = _entry.GetProperty("test_feeds").GetProperty(name).GetString()!;

        // Seven megabytes that can be computed are not kept.
        return file == "data/digits32/test_f32.npy" ? Digits32.TestFloats.Value : Npy.Load(Repository.Data(file));
    }

    /// <summary>Rows to calibrate with, of an input; disjoint from the test rows.</summary>
    /// <param name="name">The input.</param>
    /// <param name="isGlitched">Two of the values of enlarged digits are stuck at 600, as a broken sensor would have it.</param>
    public Npy CalibrationInput(string name, bool isGlitched = false)
    {
        string file = _entry.GetProperty("calib_feeds").GetProperty(name).GetString()!;
        return file == "data/digits32/calib_f32.npy"
            ? (isGlitched ? Digits32.GlitchedCalibrationFloats : Digits32.CalibrationFloats).Value
            : !isGlitched ? Npy.Load(Repository.Data(file)) : throw new ArgumentException($"There are no glitches for '{Name}'.", nameof(isGlitched));
    }

    /// <summary>The rows to calibrate with, one sample each: all inputs by name, without the leading dimension.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, Tensor>> CalibrationSamples(bool isGlitched = false)
    {
        Npy[] arrays = [.. Inputs.Select(name => CalibrationInput(name, isGlitched))];
        return [.. Enumerable.Range(0, arrays[0].Rows).Select(row => (IReadOnlyDictionary<string, Tensor>)Inputs.Zip(arrays).ToDictionary(i => i.First, i => i.Second.Row(row)))];
    }

    /// <summary>Reference output on the test rows.</summary>
    public Npy Reference(string output) => Npy.Load(Repository.Data(_entry.GetProperty("reference_outputs").GetProperty(output).GetString()!));

    /// <summary>The true class of every test row.</summary>
    public Npy Labels() => Npy.Load(Repository.Data(_entry.GetProperty("test_labels").GetString()!));

    /// <summary>Share of rows whose class, as the first output predicts it, is the label's.</summary>
    public double AccuracyOf(Npy firstOutput)
    {
        float[] scores = firstOutput.ToSingles();
        ReadOnlySpan<long> labels = Labels().As<long>();
        int width = scores.Length / labels.Length;
        int right = 0;
        for (int row = 0; row < labels.Length; row++)
        {
            Span<float> line = scores.AsSpan(row * width, width);

            // A single output is a logit: above 0 is class 1.
            int predicted = width == 1 ? (line[0] > 0 ? 1 : 0) : IndexOfMax(line);
            right += predicted == labels[row] ? 1 : 0;
        }

        return (double)right / labels.Length;
    }

    public override string ToString() => Name;

    private static int IndexOfMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            best = values[i] > values[best] ? i : best;
        }

        return best;
    }

    private IEnumerable<string> Names(string key) => _entry.GetProperty(key).EnumerateArray().Select(e => e.GetProperty("name").GetString()!);
}

/// <summary>The trained models of the test data, from <c>manifest.json</c>.</summary>
internal static class ModelManifest
{
    private static readonly Lazy<IReadOnlyList<TestModel>> s_models = new(() =>
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Repository.Data("manifest.json")));
        return [.. document.RootElement.GetProperty("models").EnumerateArray().Select(m => new TestModel(m.Clone()))];
    });

    public static IReadOnlyList<TestModel> Models => s_models.Value;

    public static TestModel Get(string name) =>
        Models.FirstOrDefault(m => m.Name == name) ?? throw new ArgumentException($"manifest.json has no model '{name}'.", nameof(name));
}

/// <summary>The float form of the enlarged digits: ((u8 / 255) - mean) / std, channels first.</summary>
internal static class Digits32
{
    private static readonly float[] s_mean = [0.485f, 0.456f, 0.406f];
    private static readonly float[] s_std = [0.229f, 0.224f, 0.225f];

    public static Lazy<Npy> TestFloats { get; } = new(() => Normalise(Npy.Load(Repository.Data("data", "digits32", "test_u8.npy"))));

    public static Lazy<Npy> CalibrationFloats { get; } = new(() => Normalise(Npy.Load(Repository.Data("data", "digits32", "calib_u8.npy"))));

    public static Lazy<Npy> GlitchedCalibrationFloats { get; } = new(() =>
    {
        Npy clean = CalibrationFloats.Value;
        byte[] bytes = [.. clean.Bytes];
        Span<float> values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
        using var document = JsonDocument.Parse(File.ReadAllBytes(Repository.Data("data", "digits32", "calib_glitch.json")));
        foreach (JsonElement glitch in document.RootElement.GetProperty("glitches").EnumerateArray())
        {
            int At(string key) => glitch.GetProperty(key).GetInt32();
            int index = (((((At("image") * clean.Shape[1]) + At("channel")) * clean.Shape[2]) + At("row")) * clean.Shape[3]) + At("col");
            values[index] = glitch.GetProperty("value").GetSingle();
        }

        return new Npy(clean.Type, clean.Shape, bytes);
    });

    /// <summary>From uint8 [n, height, width, 3] to float [n, 3, height, width].</summary>
    public static Npy Normalise(Npy pixels)
    {
        (int rows, int height, int width) = (pixels.Shape[0], pixels.Shape[1], pixels.Shape[2]);
        int plane = height * width;
        ReadOnlySpan<byte> source = pixels.As<byte>();
        float[] result = new float[source.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int at = 0; at < plane; at++)
            {
                for (int channel = 0; channel < 3; channel++)
                {
                    float value = source[(((row * plane) + at) * 3) + channel] / 255f;
                    result[(((row * 3) + channel) * plane) + at] = (value - s_mean[channel]) / s_std[channel];
                }
            }
        }

        return new Npy(ElementType.Float32, [rows, 3, height, width], MemoryMarshal.AsBytes<float>(result).ToArray());
    }
}
