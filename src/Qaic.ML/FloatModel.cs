using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.ML;

/// <summary>A model before it is quantized: its tensors, and the platform whose compiler can watch data run through it.</summary>
/// <param name="Tensors">As the compiled network will have them: a quantized network has the tensors of the float one.</param>
/// <param name="Own">As the model itself has them: without the types of a custom I/O file.</param>
/// <param name="Platform">Where it will be compiled.</param>
internal sealed record FloatModel(NetworkTensors Tensors, NetworkTensors Own, Platform Platform)
{
    /// <summary>Where a model is going to be compiled.</summary>
    /// <param name="options">The options that it will be quantized with.</param>
    /// <param name="platform">Where to run; null for what the options ask for.</param>
    /// <param name="loggerFactory">Receives the log.</param>
    /// <exception cref="QaicException">A card was asked for and is not there.</exception>
    public static Platform PlatformOf(QaicOptions options, Platform? platform, ILoggerFactory loggerFactory)
    {
        if (platform is not null)
        {
            return platform;
        }

        // As a session decides: a machine with a card but without its compiler runs ONNX models on the simulated card.
        Platform chosen = Platform.Select(options.Backend, loggerFactory.CreateLogger<Session>());
        return options.Backend == QaicBackend.Auto && chosen.CompilerFor(options) is not IProfilingCompiler ? Platform.Select(QaicBackend.Simulated) : chosen;
    }

    /// <summary>Learns the tensors of a model from a compilation in float; no device is touched.</summary>
    /// <remarks>For a card the embedded compiler does that, in seconds. The vendor's, which may take minutes, is used only where the embedded one does not understand the model.</remarks>
    /// <param name="path">Path of the <c>.onnx</c> file.</param>
    /// <param name="options">The options that it will be quantized with.</param>
    /// <param name="platform">Where it will be compiled; see <see cref="PlatformOf"/>.</param>
    /// <param name="loggerFactory">Receives the log.</param>
    /// <param name="cancellationToken">Ends the compilation.</param>
    public static FloatModel Compile(string path, QaicOptions options, Platform platform, ILoggerFactory loggerFactory, CancellationToken cancellationToken)
    {
        QaicOptions plain = InFloat(options);
        if (!platform.IsSimulated)
        {
            // The cache is for what runs. The vendor's compiler takes a free batch for 1 row; a fixed one goes without a number.
            QaicOptions embedded = plain with { UseCache = false, CompilerPath = null };
            foreach (QaicOptions attempt in embedded.BatchSize is null ? [embedded with { BatchSize = 1 }, embedded] : new[] { embedded })
            {
                try
                {
                    return Compile(path, attempt, Platform.Simulated(), platform, loggerFactory, cancellationToken);
                }
                catch (CompilationException)
                {
                    // Whoever compiles it in the end says what is wrong.
                }
            }
        }

        return Compile(path, plain, platform, platform, loggerFactory, cancellationToken);
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
        string path, CalibrationRows rows, QaicOptions options, IProgress<ProfilingProgress>? progress, ILogger logger, CancellationToken cancellationToken)
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

    private static FloatModel Compile(string path, QaicOptions plain, Platform describing, Platform platform, ILoggerFactory loggerFactory, CancellationToken cancellationToken)
    {
        using Session session = Open(path, plain, describing, loggerFactory, cancellationToken);
        var tensors = NetworkTensors.Of(session);
        if (plain.CustomIoListFile is null)
        {
            return new FloatModel(tensors, tensors, platform);
        }

        // The file's types are for the host's buffers; a profile is made from the model's own numbers.
        using Session own = Open(path, plain with { CustomIoListFile = null }, describing, loggerFactory, cancellationToken);
        return new FloatModel(tensors, NetworkTensors.Of(own), platform);
    }

    /// <summary>A session whose compilation can be cancelled.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static Session Open(string path, QaicOptions options, Platform? platform, ILoggerFactory loggerFactory, CancellationToken cancellationToken) => cancellationToken.CanBeCanceled
        ? Session.CreateAsync(path, options, platform, loggerFactory, cancellationToken).GetAwaiter().GetResult()
        : new Session(path, options, platform, loggerFactory);

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
