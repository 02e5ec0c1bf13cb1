using Qaic;
using Qaic.OnnxRuntime.Accuracy;

namespace Quantize;

/// <summary>The ways in which the sample compiles each model.</summary>
internal static class Variants
{
    /// <summary>One scale for all of a weight, ranges from the smallest to the largest value: the compiler's defaults.</summary>
    public const string PerTensor = "INT8 per tensor";

    /// <summary>One scale per channel.</summary>
    public const string PerChannel = "INT8 per channel";

    /// <summary>Everything but float32, which all are compared with.</summary>
    /// <param name="profile">What was seen of the calibration rows.</param>
    public static AccuracyVariant[] All(string profile)
    {
        QaicOptions perTensor = new() { LoadProfile = profile };
        QaicOptions perChannel = perTensor with { EnableChannelwise = true, EnableRowwise = true };
        AccuracyVariant Calibrated(QuantizationCalibration calibration, decimal? percentile = null) =>
            Named(PerChannel, perChannel with { QuantizationCalibration = calibration, PercentileCalibrationValue = percentile });
        return
        [
            new("FP16", new QaicOptions { ConvertToFp16 = true }),
            Named(PerTensor, perTensor),
            Calibrated(QuantizationCalibration.None),
            Calibrated(QuantizationCalibration.KLMinimization),
            Calibrated(QuantizationCalibration.KLMinimizationV2),
            Calibrated(QuantizationCalibration.Percentile, 99.9m),
            Calibrated(QuantizationCalibration.Mse),
            Calibrated(QuantizationCalibration.Sqnr),
        ];
    }

    /// <summary>How ranges are chosen, for people.</summary>
    public static string Calibration(QaicOptions options) => options switch
    {
        { LoadProfile: null, ConvertToQuantize: false } => "",
        { QuantizationCalibration: null or QuantizationCalibration.None } => "MinMax",
        { QuantizationCalibration: QuantizationCalibration.Percentile, PercentileCalibrationValue: { } percentile } => FormattableString.Invariant($"Percentile {percentile}"),
        { QuantizationCalibration: QuantizationCalibration.Mse } => "MSE",
        { QuantizationCalibration: QuantizationCalibration.Sqnr } => "SQNR",
        { QuantizationCalibration: var calibration } => $"{calibration}",
    };

    /// <summary>Granularity and calibration of the variant: <c>INT8 per channel, MSE</c>.</summary>
    private static AccuracyVariant Named(string granularity, QaicOptions options) => new($"{granularity}, {Calibration(options)}", options);
}
