using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Gives a network the precision that the options ask for, and makes the profile that it takes.</summary>
/// <param name="options">The options; the batch size is settled.</param>
/// <param name="bind">Reads the model again, all its inputs fixed in the shapes that profiles are made with.</param>
/// <param name="logger">Receives remarks.</param>
/// <param name="cancellationToken">Ends the work.</param>
internal sealed partial class NetworkPrecision(QaicOptions options, Func<OnnxModel> bind, ILogger logger, CancellationToken cancellationToken)
{
    // Batches of made-up data, where there is no other.
    private const int RandomBatches = 4;
    private const int RandomSeed = 1;

    /// <summary>Whether the options ask for integers.</summary>
    public static bool Quantizes(QaicOptions options) =>
        options.ConvertToQuantize || options.DumpProfile is not null || options.LoadProfile is not null || options.ExternalQuantizationFile is not null;

    /// <summary>The data to profile with: that of <see cref="QaicOptions.InputListFile"/>, or random data.</summary>
    /// <param name="bound">The model, its inputs fixed in the shapes that profiles are made with.</param>
    /// <param name="options">The options.</param>
    /// <param name="logger">Is warned of random data.</param>
    public static IEnumerable<IReadOnlyDictionary<string, Tensor>> Samples(OnnxModel bound, QaicOptions options, ILogger logger)
    {
        TensorSpec[] inputs = [.. bound.Inputs.Select(Spec)];
        if (options.InputListFile is { } list)
        {
            return InputListFile.Load(list).Read(inputs);
        }

        RandomData(logger, bound.Source);
        return RandomSamples.Create(inputs, RandomBatches, RandomSeed);
    }

    /// <summary>Changes the model in place.</summary>
    /// <param name="model">The model, its inputs fixed or, with several sets of shapes, partly open.</param>
    /// <param name="isProfileShape">Whether the model's inputs are fixed in the shapes that profiles are made with.</param>
    /// <exception cref="CompilationException">The network cannot have that precision, or the profile is another network's.</exception>
    public PrecisionRecord Apply(OnnxModel model, bool isProfileShape)
    {
        return AsCompilation(() => options.ConvertToFp16 ? Fp16Rewriter.Apply(model, options, logger, cancellationToken)
            : Quantizes(options) ? Quantize(model, isProfileShape)
            : new PrecisionRecord());
    }

    /// <summary>Does a part of a compilation: a file that cannot be used is a network that cannot be compiled.</summary>
    /// <exception cref="CompilationException">A file of the options is not as it should be, or a profile is another network's.</exception>
    public static T AsCompilation<T>(Func<T> part)
    {
        try
        {
            return part();
        }
        catch (ProfileMismatchException e)
        {
            throw new CompilationException(e.Message, e) { Error = CompilationError.ProfileMismatch };
        }
        catch (QuantizationFormatException e)
        {
            throw new CompilationException(e.Message, e);
        }
    }

    /// <summary>Does what runs the data of the options through the model: data that does not fit is a network that cannot be compiled.</summary>
    /// <exception cref="CompilationException">The data does not fit the model.</exception>
    public static T WithData<T>(OnnxModel model, QaicOptions options, Func<T> part)
    {
        try
        {
            return AsCompilation(part);
        }
        catch (ArgumentException e)
        {
            string data = options.InputListFile is { } list ? $"data of InputListFile (input_list_file) '{list}'" : "random data that stands in for an InputListFile (input_list_file)";
            throw new CompilationException($"With the {data} '{model.Source}' cannot be profiled: {e.Message}", e);
        }
    }

    /// <summary>Checks that a profile is of this graph, or warns that this cannot be known.</summary>
    /// <exception cref="ProfileMismatchException">It is another graph's.</exception>
    public static void CheckProfile(QuantizationProfile profile, FloatGraph graph, ILogger logger)
    {
        if (!profile.CheckGraph(graph.Hash))
        {
            ForeignProfile(logger, profile.Source, profile.ToolsVersion);
        }
    }

    private PrecisionRecord Quantize(OnnxModel model, bool isProfileShape)
    {
        NodePrecision nodes = NodePrecisionFile.Load(options, logger);
        var graph = FloatGraph.Prepare(model, cancellationToken);
        if (options.ExternalQuantizationFile is { } encodings)
        {
            return QdqRewriter.Apply(graph, null, QuantizationEncodings.Load(encodings), nodes, options, logger, cancellationToken);
        }

        OnnxModel? bound = isProfileShape ? null : bind();
        using ExternalData? files = bound?.ExternalData;
        FloatGraph profiled = bound is null ? graph : FloatGraph.Prepare(bound, cancellationToken);
        QuantizationProfile profile = options.LoadProfile is { } known ? Load(known, profiled, logger) : Observe(profiled);
        if (options.DumpProfile is { } target)
        {
            // The file has counts of six digits. Taken from it, the ranges are those that the same network gets when the profile is loaded.
            profile.Save(target);
            profile = QuantizationProfile.Load(target);
        }

        return QdqRewriter.Apply(graph, profile, null, nodes, options, logger, cancellationToken);
    }

    private static QuantizationProfile Load(string path, FloatGraph profiled, ILogger logger)
    {
        var profile = QuantizationProfile.Load(path);
        CheckProfile(profile, profiled, logger);
        return profile;
    }

    private QuantizationProfile Observe(FloatGraph profiled) => WithData(
        profiled.Model, options, () => ActivationObserver.Observe(profiled, Samples(profiled.Model, options, logger), options, logger, null, cancellationToken));

    private static TensorSpec Spec(OnnxTensor input) => new(input.Name, OnnxTypes.BufferType(input.DataType)!.Value, [.. input.Shape!.Select(d => (int)d.Value!.Value)]);

    [LoggerMessage(EventId = 4022, Level = LogLevel.Warning, Message = "Profile {Path} was made by other tools (GlowToolsVersion {Version}), whose hash is not public: that it is of this model and batch size is not checked, tensors are found by their names")]
    private static partial void ForeignProfile(ILogger logger, string path, string version);

    [LoggerMessage(EventId = 4023, Level = LogLevel.Warning, Message = "{Model} is profiled with random data, because there is no InputListFile (input_list_file): its ranges will not fit real data")]
    private static partial void RandomData(ILogger logger, string model);
}
