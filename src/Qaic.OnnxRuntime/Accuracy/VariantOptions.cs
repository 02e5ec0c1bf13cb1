using Qaic.Options;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Options for networks that are compiled to be compared.</summary>
internal static class VariantOptions
{
    /// <summary>Whether the options quantize with a profile that is still to be made.</summary>
    public static bool NeedsProfile(QaicOptions options) => options.ConvertToQuantize || options.DumpProfile is not null;

    /// <summary>The same network where nobody sees it: one simulated card, no cache, no files of results. The rows have the model's types, so buffers have them too.</summary>
    public static QaicOptions Isolated(QaicOptions options) => options with
    {
        Backend = QaicBackend.Simulated,
        DeviceIds = [0],
        NumActivations = 1,
        UseCache = false,
        CompilerPath = null,
        OutputDirectory = null,
        EnableMetrics = false,
        EnableProfiling = false,
        ConvertToQuantize = false,
        DumpProfile = null,
        InputListFile = null,
        DumpQuantizedModel = null,
        CustomIoListFile = null,
    };

    /// <summary>The model in float32, with the same shapes.</summary>
    public static QaicOptions Reference(QaicOptions options) => QaicOptions.Default with
    {
        BatchSize = options.BatchSize,
        OnnxDefineSymbol = options.OnnxDefineSymbol,
        CompileTimeout = options.CompileTimeout,
    };

    /// <summary>What a profile depends on: options with equal texts can share one.</summary>
    public static string ProfileKey(QaicOptions options) => string.Join('\n', OptionTable.CompileValues(QaicOptions.Default with
    {
        BatchSize = options.BatchSize,
        OnnxDefineSymbol = options.OnnxDefineSymbol,
        NumHistogramBins = options.NumHistogramBins,
        NodePrecisionInfoFile = options.NodePrecisionInfoFile,
    }));

    /// <summary>A method of calibration as people and options write it: <c>Percentile 99.99</c>.</summary>
    public static string Describe(QuantizationCalibration calibration, decimal? percentile) =>
        OptionTable.CompileValues(QaicOptions.Default with { QuantizationCalibration = calibration })["quantization_calibration"]
        + (calibration == QuantizationCalibration.Percentile ? FormattableString.Invariant($" {percentile ?? 100:0.######}") : "");

    /// <summary>A schema as options write it.</summary>
    public static string Describe(QuantizationSchema schema) => OptionTable.CompileValues(QaicOptions.Default with { QuantizationSchema = schema })["quantization_schema"];
}
