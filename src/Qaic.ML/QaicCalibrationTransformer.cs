using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Qaic.OnnxRuntime;
using Qaic.Quantization;

namespace Qaic.ML;

/// <summary>Passes rows through, and carries the profile of a model. Made by <see cref="QaicCalibrationEstimator.Fit"/>, or by loading a saved model.</summary>
/// <remarks>Thread-safe. It needs neither the model nor its columns. <c>mlContext.Model.Save</c> stores the profile, in the vendor's form, whose counts have six digits.</remarks>
public sealed class QaicCalibrationTransformer : ITransformer
{
    /// <summary>Entry of the profile in a saved model.</summary>
    internal const string EntryName = "Profile.yaml";

    private readonly IHost _host;

    internal QaicCalibrationTransformer(IHostEnvironment environment, QuantizationProfile profile)
    {
        _host = environment.Register(nameof(QaicCalibrationTransformer));
        Profile = profile;
    }

    /// <summary>What was seen of every tensor. <see cref="QuantizationProfile.Save"/> writes the vendor's file, <see cref="SaveEncodings"/> AIMET's; <see cref="QaicModelOptions.Profile"/> quantizes with it.</summary>
    public QuantizationProfile Profile { get; }

    /// <summary>Writes what the profile makes of a model's tensors as AIMET's encodings, which <see cref="QaicOptions.ExternalQuantizationFile"/> takes.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file that was profiled.</param>
    /// <param name="path">Path of the file: YAML if it ends in .yaml or .yml, else JSON. Its directory is made if it is missing.</param>
    /// <param name="options">How to quantize: schemas, calibration, channelwise, precision of nodes; and the shapes that the profile was made with. Null for the defaults. See <see cref="ProfileEncodings.Of"/>.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">The options have nothing to choose with a profile: calibration auto, external encodings, or all of the network in FP16.</exception>
    /// <exception cref="Compilation.CompilationException">The model cannot be quantized, or is not the one that was profiled.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void SaveEncodings(string modelPath, string path, QaicOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var log = new ModelLog(_host);
        ProfileEncodings.Of(modelPath, Profile, options, log).Save(path);
    }

    /// <inheritdoc/>
    public bool IsRowToRowMapper => true;

    /// <summary><paramref name="inputSchema"/> itself.</summary>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return inputSchema;
    }

    /// <summary><paramref name="input"/> itself.</summary>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return input;
    }

    /// <summary>A mapper that hands rows on.</summary>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return new PassThroughMapper(_host, inputSchema);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ArgumentNullException.ThrowIfNull(ctx);
        MlNetInternals.WriteHeader(ctx, SavedFormat.Calibration);
        MlNetInternals.WriteEntry(ctx, EntryName, Profile.Write);
    }

    private sealed class PassThroughMapper(IExceptionContext context, DataViewSchema schema) : IRowToRowMapper
    {
        public DataViewSchema InputSchema => schema;

        public DataViewSchema OutputSchema => schema;

        public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) => dependingColumns;

        public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
        {
            ArgumentNullException.ThrowIfNull(input);
            return input.Schema == schema
                ? input
                : throw context.Process(new ArgumentException(
                    "The row's schema is not the one that this mapper was made for (compared by reference). Get a mapper for the row's own schema.", nameof(input)));
        }
    }
}
