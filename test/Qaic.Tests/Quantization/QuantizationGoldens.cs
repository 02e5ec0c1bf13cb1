using System.Text.Json;
using Qaic.Quantization;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

/// <summary>Histograms and what Glow and AIMET choose for them; test/data/quantization/README.md tells how they were made.</summary>
internal static class QuantizationGoldens
{
    private static readonly Lazy<JsonDocument> s_glow = new(() => Read("goldens_choose_params_synthetic.json"));

    public static Dictionary<string, TensorStatistics> Cases { get; } = s_glow.Value.RootElement.GetProperty("cases").EnumerateArray().ToDictionary(
        c => c.GetProperty("name").GetString()!,
        c => new TensorStatistics(c.GetProperty("name").GetString()!, c.GetProperty("min").GetSingle(), c.GetProperty("max").GetSingle(), Doubles(c.GetProperty("histogram"))));

    public static IEnumerable<Choice> Glow =>
        from c in s_glow.Value.RootElement.GetProperty("cases").EnumerateArray()
        from e in c.GetProperty("expect").EnumerateArray()
        let calibration = Enum.Parse<QuantizationCalibration>(e.GetProperty("calibration").GetString()!)
        select new Choice(c.GetProperty("name").GetString()!, new(Schema(e), calibration), new(e.GetProperty("scale").GetSingle(), e.GetProperty("offset").GetInt32()));

    // AIMET's offset has the other sign, and its integers start at 0.
    public static IEnumerable<Choice> Aimet =>
        from r in Read("goldens_aimet_synthetic.json").RootElement.GetProperty("rows").EnumerateArray()
        select new Choice(r.GetProperty("case").GetString()!, Method(r), new(r.GetProperty("delta").GetSingle(), -r.GetProperty("offset").GetInt32() - 128));

    public static JsonElement RunningHistograms => Read("goldens_running_histogram.json").RootElement;

    public static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];

    private static JsonDocument Read(string name) => JsonDocument.Parse(File.ReadAllBytes(Repository.Data("quantization", name)));

    private static CalibrationMethod Method(JsonElement row) => row.GetProperty("method").GetString()!.Split('_') switch
    {
        ["entropy"] => new(Schema(row), QuantizationCalibration.KLMinimizationV2),
        ["mse"] => new(Schema(row), QuantizationCalibration.Mse),
        ["tf", "enhanced"] => new(Schema(row), QuantizationCalibration.Sqnr),
        ["percentile", var p] => new(Schema(row), QuantizationCalibration.Percentile, double.Parse(p, System.Globalization.CultureInfo.InvariantCulture)),
        _ => throw new InvalidDataException(row.ToString()),
    };

    private static QuantizationSchema Schema(JsonElement row) => row.GetProperty("schema").GetString() switch
    {
        "asymmetric" => QuantizationSchema.Asymmetric,
        "symmetric" => QuantizationSchema.Symmetric,
        "symmetric_with_uint8" => QuantizationSchema.SymmetricWithUInt8,
        "symmetric_with_power2_scale" => QuantizationSchema.SymmetricWithPower2Scale,
        _ => throw new InvalidDataException(row.ToString()),
    };

    internal sealed record Choice(string Case, CalibrationMethod Method, QuantizationParameters Expected)
    {
        public QuantizationParameters Actual => Calibrator.Choose(Cases[Case], Method);
    }
}
