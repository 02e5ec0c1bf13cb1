using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace Qaic.ML;

/// <summary>Compiles a model for the card and applies it to data. See <see cref="QaicCatalog"/>.</summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// ### Estimator Characteristics
/// |  |  |
/// | -- | -- |
/// | Does this estimator need to look at the data to train its parameters? | No, unless <c>ConvertToQuantize</c> or <c>DumpProfile</c> makes it quantize by the data |
/// | Input column data type | Known-sized or variable vector, or scalar, of the tensor's type: Single (float32, float16), SByte, Byte, Int16, Int32, Int64, Boolean |
/// | Output column data type | Known-sized vector of the tensor's type and shape, with a leading 1 where the batch was; a scalar for a tensor without dimensions |
/// | Required NuGet in addition to Microsoft.ML | Qaic.ML |
/// | Exportable to ONNX | No |
/// ]]></format>
/// <para>The model is compiled once, when the schema or a transformer is first asked for, and all transformers share the result. Thread-safe.
/// Only apply models from trusted sources.</para>
/// <para>With <see cref="QaicOptions.ConvertToQuantize"/> or <see cref="QaicOptions.DumpProfile"/> and without <see cref="QaicOptions.InputListFile"/>, <see cref="Fit"/> profiles rows of its
/// data (<see cref="QaicModelOptions.CalibrationRows"/>) and compiles the model with what was seen, each time: other data makes another network. The schema is that of the model compiled in
/// float32, by the embedded compiler even for a card. With an input list the compiler profiles that, and the data's rows are not used. With <see cref="QuantizationCalibration.Auto"/> the rows are handed to the compiler, which
/// holds some of them out to find the best calibration. A transformer holds its program, so neither data nor profile is needed any more.</para>
/// </remarks>
public sealed class QaicEstimator : IEstimator<QaicTransformer>
{
    private readonly Lock _lock = new();
    private readonly IHost _host;
    private readonly QaicModelOptions _options;
    private readonly ILoggerFactory _loggerFactory;
    private readonly ModelSource _source;
    private (SharedSession Shared, ModelSettings Settings)? _compiled;
    private (FloatModel Model, ColumnMap Columns)? _described;

    internal QaicEstimator(IHostEnvironment environment, QaicModelOptions options)
    {
        _host = environment.Register(nameof(QaicEstimator));
        _options = Checked(options);
        _loggerFactory = options.LoggerFactory ?? new ModelLog(_host);
        options.Options.Validate();
        RowQuantization.Check(options);
        _source = ModelSource.Of(_host, options.ModelPath, options.Model);
        if (_source.IsQpc && options.Profile is not null)
        {
            string name = _source.Name;
            _source.Release();
            throw new ArgumentException($"{nameof(options.Profile)} is given, but '{name}' is not an .onnx file. A QPC is compiled already; give the ONNX model, or leave the profile out.", nameof(options));
        }
    }

    // A QPC is compiled already, whatever the options say of compiling.
    private bool IsByRows => !_source.IsQpc && RowQuantization.IsByRows(_options);

    /// <summary>Compiles the model, if that has not been done, and checks that the data has its columns; or profiles rows of the data and compiles the model with what was seen.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, of the wrong type or size, or the model has no such tensor.</exception>
    /// <exception cref="Compilation.CompilationException">The model cannot be compiled with these options.</exception>
    /// <exception cref="Qpc.QpcFormatException">The QPC is damaged.</exception>
    /// <exception cref="QaicException">A card was asked for and is not there.</exception>
    /// <exception cref="InvalidOperationException">A row to profile holds NaN or infinity or has the wrong length (the message names row and column), or there are no rows.</exception>
    /// <exception cref="NotSupportedException">Rows are to be profiled, and the platform's compiler cannot.</exception>
    /// <exception cref="OperationCanceledException"><see cref="QaicModelOptions.CancellationToken"/> ended it.</exception>
    public QaicTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        (SharedSession shared, ModelSettings settings) = IsByRows ? Quantize(input) : Compile();
        var transformer = new QaicTransformer(_host, shared, settings);
        try
        {
            transformer.GetOutputSchema(input.Schema);
            return transformer;
        }
        catch
        {
            transformer.Dispose();
            throw;
        }
    }

    /// <summary>The columns of <paramref name="inputSchema"/> and the model's outputs. Compiles the model, if that has not been done: its tensors tell the types.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type, or the model has no such tensor.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        (NetworkTensors network, ColumnMap map) = DescribeNetwork();
        SchemaShapes.RequireInputs(_host, inputSchema, map, network.Inputs);
        var columns = inputSchema.ToDictionary(column => column.Name);

        // A shape has no sizes, so it does not matter how many rows will share an inference.
        ImmutableArray<OutputBinding> outputs = SchemaBinding.OutputsOf(network, map, _options.SqueezeOutputs, network.BatchSize);
        var made = new DataViewSchema.Builder();
        foreach (OutputBinding output in outputs)
        {
            made.AddColumn(output.Name, output.Type);
        }

        foreach (SchemaShape.Column column in SchemaShapes.Of(made.ToSchema()))
        {
            columns[column.Name] = column;
        }

        return new SchemaShape(columns.Values);
    }

    private (SharedSession Shared, ModelSettings Settings) Compile()
    {
        lock (_lock)
        {
            if (_compiled is { } compiled)
            {
                return compiled;
            }

            Session session = _source.Lend(path => _options.Profile is { } profile
                ? RowQuantization.WithProfile(profile, _options.Options, options => Open(path, options))
                : Open(path, _options.Options));
            try
            {
                ColumnMap columns = Match(NetworkTensors.Of(session));
                Log("Compile", channel => ModelLog.Ready(channel, session));
                bool runsContent = session.QpcPath == _source.Content?.Path;
                _compiled = (new SharedSession(session, runsContent ? _source.Content : null, reusable: true), Settings(columns));
                if (!runsContent)
                {
                    // The ONNX model of a stream; its program is elsewhere now.
                    _source.Release();
                }

                return _compiled.Value;
            }
            catch
            {
                session.Dispose();
                throw;
            }
        }
    }

    // Its own session for each fit, since other data makes another network.
    private (SharedSession Shared, ModelSettings Settings) Quantize(IDataView data)
    {
        (FloatModel model, ColumnMap columns) = Describe();
        var binding = SchemaBinding.Create(_host, model.Own, columns with { Outputs = [] }, squeeze: false, data.Schema);
        var rows = new CalibrationRows(data, binding, _options.CalibrationRows, _options.CalibrationSeed);
        ILogger logger = _loggerFactory.CreateLogger<QaicEstimator>();
        Session session = _source.Lend(path => RowQuantization.WithRows(
            model, path, rows, _options, logger, profile => Log("Profile", channel => ModelLog.Profiled(channel, rows.Count, profile)), options => Open(path, options)));
        try
        {
            columns.Check(session.Inputs, session.Outputs);
            Log("Compile", channel => ModelLog.Ready(channel, session));
            return (new SharedSession(session, program: null, reusable: false), Settings(columns));
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private (NetworkTensors Network, ColumnMap Columns) DescribeNetwork()
    {
        if (IsByRows)
        {
            (FloatModel model, ColumnMap map) = Describe();
            return (model.Tensors, map);
        }

        (SharedSession shared, ModelSettings settings) = Compile();
        return (NetworkTensors.Of(shared.Session), settings.Columns);
    }

    private (FloatModel Model, ColumnMap Columns) Describe()
    {
        lock (_lock)
        {
            if (_described is null)
            {
                Platform platform = FloatModel.PlatformOf(_options.Options, _options.Platform, _loggerFactory);
                RowQuantization.CheckCalibration(_options.Options, platform);
                FloatModel model = _source.Lend(path => FloatModel.Compile(path, _options.Options, platform, _loggerFactory, _options.CancellationToken));
                _described = (model, Match(model.Tensors));
            }

            return _described.Value;
        }
    }

    private ColumnMap Match(NetworkTensors network)
    {
        var columns = ColumnMap.Resolve(_options, network.Inputs, network.Outputs);
        foreach (TensorSpec tensor in network.Inputs.Concat(network.Outputs.Where(o => columns.Outputs.Any(c => c.Tensor == o.Name))))
        {
            ColumnTypes.ItemTypeOf(tensor);
        }

        return columns;
    }

    private ModelSettings Settings(ColumnMap columns) => new(columns, _options.Options, _options.NaNPolicy, _options.SqueezeOutputs);

    private Session Open(string path, QaicOptions options) => FloatModel.Open(path, options, _options.Platform, _loggerFactory, _options.CancellationToken);

    private void Log(string what, Action<IChannel> write)
    {
        using IChannel channel = _host.Start(what);
        write(channel);
    }

    // A copy, so that the caller's arrays may change afterwards.
    private static QaicModelOptions Checked(QaicModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options.Options, $"{nameof(options)}.{nameof(options.Options)}");
        ArgumentNullException.ThrowIfNull(options.InputTensors, $"{nameof(options)}.{nameof(options.InputTensors)}");
        ArgumentNullException.ThrowIfNull(options.OutputTensors, $"{nameof(options)}.{nameof(options.OutputTensors)}");
        return options with
        {
            InputColumns = ColumnMap.Names(options.InputColumns, nameof(options.InputColumns)),
            OutputColumns = ColumnMap.Names(options.OutputColumns, nameof(options.OutputColumns)),
        };
    }
}
