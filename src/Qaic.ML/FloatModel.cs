using Microsoft.Extensions.Logging;
using Qaic.Quantization;

namespace Qaic.ML;

/// <summary>A model before it is quantized: its tensors, and the platform whose compiler can watch data run through it.</summary>
/// <param name="Tensors">As the compiled network will have them: a quantized network has the tensors of the float one.</param>
/// <param name="Own">As the model itself has them: without the types of a custom I/O file.</param>
/// <param name="Platform">Where it was compiled.</param>
internal sealed record FloatModel(NetworkTensors Tensors, NetworkTensors Own, Platform Platform)
{
    /// <summary>Compiles a model in float, which tells its tensors; no device is touched.</summary>
    /// <param name="path">Path of the <c>.onnx</c> file.</param>
    /// <param name="options">The options that it will be quantized with.</param>
    /// <param name="platform">Where to run; null for what the options ask for.</param>
    /// <param name="loggerFactory">Receives the log.</param>
    public static FloatModel Compile(string path, QaicOptions options, Platform? platform, ILoggerFactory loggerFactory)
    {
        QaicOptions plain = InFloat(options);
        using var session = new Session(path, plain, platform, loggerFactory);
        var tensors = NetworkTensors.Of(session);
        if (options.CustomIoListFile is null)
        {
            return new FloatModel(tensors, tensors, session.Platform);
        }

        // The file's types are for the host's buffers; a profile is made from the model's own numbers.
        using var own = new Session(path, plain with { CustomIoListFile = null }, session.Platform, loggerFactory);
        return new FloatModel(tensors, NetworkTensors.Of(own), session.Platform);
    }

    /// <summary>Runs rows through the model.</summary>
    /// <param name="path">Path of the <c>.onnx</c> file.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="options">The options that it will be quantized with.</param>
    /// <param name="progress">Is told after each batch; null for none.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="cancellationToken">Ends the profiling.</param>
    /// <exception cref="InvalidOperationException">A row holds NaN or infinity, or has the wrong length; or there is none.</exception>
    /// <exception cref="NotSupportedException">The platform's compiler cannot profile.</exception>
    public QuantizationProfile Profile(
        string path, CalibrationRows rows, QaicOptions options, IProgress<Compilation.ProfilingProgress>? progress, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            return Platform.Profile(path, rows, ForProfiling(options), progress, logger, cancellationToken);
        }
        catch (Exception) when (rows.Failure is { } failure)
        {
            // In the words of who read the rows, which name row and column.
            failure.Throw();
            throw;
        }
    }

    // What decides how values run through the model stays; where they come from and what is done with them afterwards does not.
    private static QaicOptions ForProfiling(QaicOptions options) => options with
    {
        ConvertToFp16 = false,
        ConvertToQuantize = false,
        DumpProfile = null,
        LoadProfile = null,
        ExternalQuantizationFile = null,
        InputListFile = null,
        DumpQuantizedModel = null,
        OutputDirectory = null,
    };

    // Nothing of quantization, so that all ways to quantize a model share one entry of the compile cache, if it is used.
    private static QaicOptions InFloat(QaicOptions options) => ForProfiling(options) with
    {
        NodePrecisionInfoFile = null,
        ExecuteNodesInFp16 = [],
        KeepOriginalPrecisionForNodes = [],
        SimulateFp16Activations = false,
        SimulateFakeQuantization = false,
        QuantizationSchema = null,
        QuantizationSchemaActivations = null,
        QuantizationSchemaConstants = null,
        QuantizationCalibration = null,
        PercentileCalibrationValue = null,
        NumHistogramBins = null,
        QuantizationPrecision = null,
        QuantizationPrecisionBias = null,
        EnableRowwise = false,
        EnableChannelwise = false,
        ProfilingThreads = null,
    };
}
