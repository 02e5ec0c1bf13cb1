using Microsoft.Extensions.Logging;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using Qaic.Quantization;

namespace Qaic.ML;

/// <summary>Runs data through a model and keeps what a network is quantized with. See <see cref="QaicCatalog"/>.</summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// ### Estimator Characteristics
/// |  |  |
/// | -- | -- |
/// | Does this estimator need to look at the data to train its parameters? | Yes |
/// | Input column data type | Known-sized or variable vector, or scalar, of the tensor's type: Single (float32, float16), SByte, Byte, Int16, Int32, Int64, Boolean |
/// | Output column data type | None: rows are passed through |
/// | Required NuGet in addition to Microsoft.ML | Qaic.ML |
/// | Exportable to ONNX | No |
/// ]]></format>
/// <para>Columns are matched as by <see cref="QaicEstimator"/>. What comes before it in a pipeline, normalization for instance, is applied to the rows as always.
/// The model is compiled in float32 once, when the schema or a transformer is first asked for, by the embedded compiler even for a card: its tensors tell the types. Thread-safe.</para>
/// <para>A profile belongs to a model, a batch size and a node precision file; schema, calibration and precision are chosen when it is used:
/// <see cref="QaicModelOptions.Profile"/>, or <see cref="QaicOptions.LoadProfile"/> with the file that <see cref="QuantizationProfile.Save"/> writes.
/// Only apply models from trusted sources.</para>
/// </remarks>
public sealed class QaicCalibrationEstimator : IEstimator<QaicCalibrationTransformer>
{
    private readonly Lock _lock = new();
    private readonly IHost _host;
    private readonly QaicCalibrationOptions _options;
    private readonly ILoggerFactory _loggerFactory;
    private readonly ModelSource _source;
    private (FloatModel Model, ColumnMap Columns)? _described;

    internal QaicCalibrationEstimator(IHostEnvironment environment, QaicCalibrationOptions options)
    {
        _host = environment.Register(nameof(QaicCalibrationEstimator));
        ArgumentNullException.ThrowIfNull(options.Options, $"{nameof(options)}.{nameof(options.Options)}");
        ArgumentNullException.ThrowIfNull(options.InputTensors, $"{nameof(options)}.{nameof(options.InputTensors)}");
        _options = options with { InputColumns = ColumnMap.Names(options.InputColumns, nameof(options.InputColumns)) };
        if (options.RowLimit is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(options), $"{nameof(options.RowLimit)} is {options.RowLimit}; it must be 1 or more, or null for all rows.");
        }

        options.Options.Validate();
        _loggerFactory = options.LoggerFactory ?? new ModelLog(_host);
        _source = ModelSource.Of(_host, options.ModelPath, options.Model);
        if (_source.IsQpc)
        {
            string name = _source.Name;
            _source.Release();
            throw new ArgumentException($"'{name}' is not an .onnx file. A profile is made from the ONNX model; a QPC is compiled already.", nameof(options));
        }
    }

    /// <summary>Profiles the rows.</summary>
    /// <returns>A transformer that passes rows through and has the profile.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, of the wrong type or size, or the model has no such tensor.</exception>
    /// <exception cref="InvalidOperationException">A row holds NaN or infinity or has the wrong length (the message names row and column), or there are no rows.</exception>
    /// <exception cref="Compilation.CompilationException">The model cannot be compiled with these options, or not be run.</exception>
    /// <exception cref="NotSupportedException">The platform's compiler cannot profile.</exception>
    /// <exception cref="OperationCanceledException"><see cref="QaicCalibrationOptions.CancellationToken"/> was cancelled.</exception>
    public QaicCalibrationTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        (FloatModel model, ColumnMap columns) = Describe();
        var binding = SchemaBinding.Create(_host, model.Own, columns, squeeze: false, input.Schema);
        var rows = new CalibrationRows(input, binding, _options.RowLimit, _options.Seed);
        QuantizationProfile profile = _source.Lend(path =>
            model.Profile(path, rows, _options.Options, _options.Progress, _loggerFactory.CreateLogger<QaicCalibrationEstimator>(), _options.CancellationToken));
        if (_options.Options.DumpProfile is { } file)
        {
            profile.Save(file);
        }

        using IChannel channel = _host.Start("Profile");
        ModelLog.Profiled(channel, rows.Count, profile);
        return new QaicCalibrationTransformer(_host, profile);
    }

    /// <summary><paramref name="inputSchema"/> itself, once it has been seen to have the model's inputs.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type, or the model has no such tensor.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        (FloatModel model, ColumnMap columns) = Describe();
        SchemaShapes.RequireInputs(_host, inputSchema, columns, model.Own.Inputs);
        return inputSchema;
    }

    private (FloatModel Model, ColumnMap Columns) Describe()
    {
        lock (_lock)
        {
            if (_described is null)
            {
                Platform platform = FloatModel.PlatformOf(_options.Options, _options.Platform, _loggerFactory);
                FloatModel model = _source.Lend(path => FloatModel.Compile(path, _options.Options, platform, _loggerFactory, _options.CancellationToken));
                _described = (model, ColumnMap.OfInputs(_options, model.Own.Inputs));
            }

            return _described.Value;
        }
    }
}
