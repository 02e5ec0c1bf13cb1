using System.Globalization;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Quantization;

/// <summary>What another implementation reached with the same model, data and method: a row of <c>quant/ptq_onnx_qdq.csv</c>.</summary>
/// <param name="Case">Model, with what is special about it: <c>resnet8+glitch-calib</c>.</param>
/// <param name="Activations">asym, sym_u8 or sym.</param>
/// <param name="Weights">tensor or channel.</param>
/// <param name="Calibration">minmax, pct99.99, pct99.9, mse or kl.</param>
/// <param name="Float">Top-1 accuracy in float32.</param>
/// <param name="Quantized">Top-1 accuracy in int8.</param>
/// <param name="Sqnr">Signal to quantization noise of the first output, in dB.</param>
internal sealed record ReferenceFigures(string Case, string Activations, string Weights, string Calibration, double Float, double Quantized, double Sqnr)
{
    private static readonly Lazy<IReadOnlyList<ReferenceFigures>> s_all = new(() =>
    [
        .. from line in File.ReadLines(Repository.Data("quant", "ptq_onnx_qdq.csv")).Skip(1)
           let cells = line.Split(',')
           where !cells[0].StartsWith("public-", StringComparison.Ordinal)
           select new ReferenceFigures(cells[0], cells[2], cells[3], cells[4], Number(cells[5]), Number(cells[6]), Number(cells[8])),
    ]);

    public static IReadOnlyList<ReferenceFigures> All => s_all.Value;

    public static IReadOnlyList<string> Cases { get; } = [.. All.Select(f => f.Case).Distinct()];

    public string Model => Case.Split('+')[0];

    public bool IsGlitched => Case.EndsWith("+glitch-calib", StringComparison.Ordinal);

    /// <summary>Whether raw features are in int8, which is expected to fail.</summary>
    public bool IsRawInput => Case.EndsWith("+int8-raw-input", StringComparison.Ordinal);

    /// <summary>The same with our options. The reference keeps what it does not name in float; of the raw features of breast_cancer_mlp it does so unless it says otherwise.</summary>
    public QaicOptions Options => new()
    {
        UseCache = false,
        QuantizationSchemaActivations = Activations switch { "asym" => QuantizationSchema.Asymmetric, "sym" => QuantizationSchema.Symmetric, _ => QuantizationSchema.SymmetricWithUInt8 },
        QuantizationSchemaConstants = QuantizationSchema.Symmetric,
        EnableChannelwise = Weights == "channel",
        EnableRowwise = Weights == "channel",
        QuantizationPrecisionBias = BiasPrecision.Int32,
        QuantizationCalibration = Calibration switch
        {
            "minmax" => QuantizationCalibration.None,
            "mse" => QuantizationCalibration.Mse,
            "kl" => QuantizationCalibration.KLMinimization,
            _ => QuantizationCalibration.Percentile,
        },
        PercentileCalibrationValue = Calibration.StartsWith("pct", StringComparison.Ordinal) ? decimal.Parse(Calibration[3..], CultureInfo.InvariantCulture) : null,
        ExecuteNodesInFp16 = Case == "breast_cancer_mlp" ? ["Sub", "Mul"] : [],
    };

    public override string ToString() => $"{Case} {Activations} {Weights} {Calibration}";

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
