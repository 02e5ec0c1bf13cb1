using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime;

/// <summary>Turns a profile into the parameters that a network would be quantized with, without compiling it.</summary>
public static class ProfileEncodings
{
    /// <summary>The encodings of a model's tensors: those that the compiled network's record has (<see cref="PrecisionRecord.ToEncodings"/>) with the same profile and options.</summary>
    /// <remarks>The profile is taken as its file has it, with six digits per count, so that it does not matter whether it was saved before.</remarks>
    /// <param name="modelPath">Path of the <c>.onnx</c> file that was profiled.</param>
    /// <param name="profile">Its profile.</param>
    /// <param name="options">
    /// How to quantize: schemas, calibration, channelwise and rowwise, precision of nodes and biases; and the shapes that the profile was made with. Null for the defaults.
    /// <see cref="QaicOptions.LoadProfile"/>, <see cref="QaicOptions.DumpProfile"/> and <see cref="QaicOptions.InputListFile"/> are not used: <paramref name="profile"/> takes their place.
    /// </param>
    /// <param name="logger">Receives remarks; null for none.</param>
    /// <returns>Encodings by the names of the model; <see cref="QuantizationEncodings.Save"/> writes AIMET's file.</returns>
    /// <exception cref="FileNotFoundException">There is no such model, or no file that an option names.</exception>
    /// <exception cref="ArgumentException">The options have nothing to choose with a profile: calibration auto, external encodings, or all of the network in FP16.</exception>
    /// <exception cref="CompilationException">The model cannot be quantized, or the profile is another model's (<see cref="CompilationError.ProfileMismatch"/>).</exception>
    public static QuantizationEncodings Of(string modelPath, QuantizationProfile profile, QaicOptions? options = null, ILogger? logger = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        ArgumentNullException.ThrowIfNull(profile);
        (options, logger) = (options ?? QaicOptions.Default, logger ?? NullLogger.Instance);
        Check(options);
        OnnxModel model = EmbeddedCompiler.Profiled(modelPath, options, logger, CancellationToken.None);
        using ExternalData files = model.ExternalData;
        return NetworkPrecision.AsCompilation(() =>
        {
            var graph = FloatGraph.Prepare(model);
            QuantizationProfile saved = AsSaved(profile);
            NetworkPrecision.CheckProfile(saved, graph, logger);
            return QdqRewriter.Apply(graph, saved, null, NodePrecisionFile.Load(options, logger), options, logger).ToEncodings();
        });
    }

    private static void Check(QaicOptions options)
    {
        string? objection = options switch
        {
            { QuantizationCalibration: QuantizationCalibration.Auto } =>
                "QuantizationCalibration (quantization_calibration) auto compares calibrations on data, and a profile has none. Choose a calibration, for example with CalibrationSweep.",
            { ExternalQuantizationFile: not null } => "ExternalQuantizationFile (external_quantization_file) has encodings already, so a profile adds nothing. Leave it out.",
            { ConvertToFp16: true } => "ConvertToFp16 (convert_to_fp16) puts all of the network in FP16, which has no encodings. Leave it out.",
            _ => null,
        };
        if (objection is not null)
        {
            throw new ArgumentException(objection, nameof(options));
        }
    }

    private static QuantizationProfile AsSaved(QuantizationProfile profile)
    {
        using var stream = new MemoryStream();
        profile.Write(stream);
        stream.Position = 0;
        return QuantizationProfile.Read(stream, profile.Source.Length > 0 ? profile.Source : "in memory");
    }
}
