namespace Qaic.Quantization;

/// <summary>How parameters are chosen for a tensor.</summary>
/// <param name="Schema">What integers stand for.</param>
/// <param name="Calibration">How the range is chosen from the statistics.</param>
/// <param name="Percentile">Percentage that the range covers, for <see cref="QuantizationCalibration.Percentile"/>: 90 to 100.</param>
public sealed record CalibrationMethod(QuantizationSchema Schema, QuantizationCalibration Calibration = QuantizationCalibration.None, double Percentile = 100);

/// <summary>Chooses quantization parameters from statistics.</summary>
/// <remarks>
/// None and KLMinimization are Glow's arithmetic, to the last bit. KLMinimizationV2, Percentile, MSE and SQNR follow AIMET's analyzers; the vendor's own are closed.
/// </remarks>
public static class Calibrator
{
    /// <summary>Parameters for what was seen of a tensor.</summary>
    public static QuantizationParameters Choose(TensorStatistics statistics, CalibrationMethod method) => throw new NotImplementedException(statistics + "" + method);

    /// <summary>Parameters for a range, without calibration: what weights and biases get.</summary>
    public static QuantizationParameters Choose(float minimum, float maximum, QuantizationSchema schema) => throw new NotImplementedException($"{minimum}{maximum}{schema}");
}
