using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>Against the figures of another implementation: same models, same data to calibrate with, whole test split.</summary>
[TestClass]
public sealed class ReferenceAccuracyTests
{
    private static readonly Platform s_platform = Platform.Simulated();
    private static readonly ConcurrentDictionary<string, Lazy<string>> s_profiles = new();
    private static readonly ConcurrentDictionary<string, Lazy<Dictionary<string, Npy>>> s_float = new();
    private static readonly DirectoryInfo s_directory = Directory.CreateTempSubdirectory("qaic-profiles-");

    public static IEnumerable<object[]> Cases => ReferenceFigures.Cases.Select(c => new object[] { c });

    public TestContext TestContext { get; set; } = null!;

    [ClassCleanup]
    public static void DeleteProfiles() => s_directory.Delete(recursive: true);

    [TestMethod, DynamicData(nameof(Cases))]
    public void Quantized_networks_are_as_good_as_those_of_another_implementation(string name)
    {
        bool isDaily = Campaign.Size(0, 1) == 0;
        ReferenceFigures[] rows = [.. ReferenceFigures.All.Where(f => f.Case == name && (!isDaily || (f.Activations == "sym_u8" && f.Weights == "channel")))];
        var table = new StringBuilder();
        var wrong = new List<string>();
        foreach (ReferenceFigures row in rows)
        {
            (double accuracy, double sqnr) = Measure(row);
            string line = string.Create(CultureInfo.InvariantCulture, $"{row,-60} top-1 {100 * accuracy:f1} ({100 * row.Quantized:f1}, float {100 * row.Float:f1})  SQNR {sqnr:f1} ({row.Sqnr:f1})");
            table.AppendLine(line);
            if (sqnr < row.Sqnr - 1)
            {
                wrong.Add(line);
            }
        }

        TestContext.WriteLine(table.ToString());
        File.AppendAllText("/tmp/acc.txt", table.ToString());
        Assert.AreEqual(0, wrong.Count, string.Join('\n', wrong));
    }

    private static (double Accuracy, double Sqnr) Measure(ReferenceFigures row)
    {
        TestModel model = ModelManifest.Get(row.Model);
        string output = model.Outputs[0];
        Npy real = s_float.GetOrAdd(row.Model, name => new(() => Outputs(ModelManifest.Get(name), new() { UseCache = false }))).Value[output];
        string profile = s_profiles.GetOrAdd(row.Case, _ => new(() => Profile(model, row.IsGlitched))).Value;
        Npy quantized = Outputs(model, row.Options with { LoadProfile = profile })[output];
        return (model.AccuracyOf(quantized), Sqnr(real.ToSingles(), quantized.ToSingles()));
    }

    private static string Profile(TestModel model, bool isGlitched)
    {
        string path = Path.Combine(s_directory.FullName, $"{model.Name}{(isGlitched ? "-glitched" : "")}.yaml");
        s_platform.Profile(model.Path, model.CalibrationSamples(isGlitched)).Save(path);
        return path;
    }

    private static Dictionary<string, Npy> Outputs(TestModel model, QaicOptions options)
    {
        using var session = new Session(model.Path, options, s_platform);
        var inputs = model.Inputs.ToDictionary(i => i, i => model.Input(i).ToTensor());
        return session.Run(inputs).ToDictionary(o => o.Key, o => new Npy(o.Value.ElementType, [.. o.Value.Shape], o.Value.Bytes.ToArray()));
    }

    private static double Sqnr(float[] signal, float[] noisy)
    {
        double power = 0, noise = 0;
        for (int i = 0; i < signal.Length; i++)
        {
            double difference = (double)signal[i] - noisy[i];
            power += (double)signal[i] * signal[i];
            noise += difference * difference;
        }

        return 10 * Math.Log10(power / noise);
    }
}
