namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>One method of calibration and how well the network answers with it.</summary>
/// <param name="Schema">Schema of the activations.</param>
/// <param name="Calibration">How ranges were chosen.</param>
/// <param name="Percentile">Percentage of the values that ranges cover, for Percentile; else null.</param>
/// <param name="Accuracy">Against float32 on the held-out rows.</param>
public sealed record CalibrationTrial(QuantizationSchema Schema, QuantizationCalibration Calibration, decimal? Percentile, ModelAccuracy Accuracy)
{
    /// <summary>For people: <c>Percentile 99.99</c>.</summary>
    public string Name => VariantOptions.Describe(Calibration, Percentile);

    /// <summary>Options with this method in place of theirs.</summary>
    public QaicOptions ApplyTo(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return WithMethod(options, Schema, Calibration, Percentile);
    }

    // An option that stands for activations and constants is split, so that weights keep what they have.
    internal static QaicOptions WithMethod(QaicOptions options, QuantizationSchema schema, QuantizationCalibration calibration, decimal? percentile) => options with
    {
        QuantizationSchema = null,
        QuantizationSchemaActivations = schema,
        QuantizationSchemaConstants = options.QuantizationSchema ?? options.QuantizationSchemaConstants,
        QuantizationCalibration = calibration,
        PercentileCalibrationValue = percentile,
    };
}
