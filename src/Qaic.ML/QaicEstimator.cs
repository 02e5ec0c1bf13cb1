using System.Collections.Immutable;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using Qaic.Qpc;

namespace Qaic.ML;

/// <summary>Compiles a model for the card and applies it to data. See <see cref="QaicCatalog"/>.</summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// ### Estimator Characteristics
/// |  |  |
/// | -- | -- |
/// | Does this estimator need to look at the data to train its parameters? | No |
/// | Input column data type | Known-sized or variable vector, or scalar, of the tensor's type: Single (float32, float16), SByte, Byte, Int16, Int32, Int64, Boolean |
/// | Output column data type | Known-sized vector of the tensor's type and shape, with a leading 1 where the batch was; a scalar for a tensor without dimensions |
/// | Required NuGet in addition to Microsoft.ML | Qaic.ML |
/// | Exportable to ONNX | No |
/// ]]></format>
/// <para>The model is compiled once, when the schema or a transformer is first asked for, and all transformers share the result. Thread-safe.
/// Only apply models from trusted sources.</para>
/// </remarks>
public sealed class QaicEstimator : IEstimator<QaicTransformer>
{
    private readonly Lock _lock = new();
    private readonly IHost _host;
    private readonly QaicModelOptions _options;
    private readonly string? _modelPath;
    private TemporaryFile? _content;
    private (SharedSession Shared, ModelSettings Settings)? _compiled;

    internal QaicEstimator(IHostEnvironment environment, QaicModelOptions options)
    {
        _host = environment.Register(nameof(QaicEstimator));
        _options = Checked(options);
        options.Options.Validate();
        switch (options)
        {
            case { ModelPath: not null, Model: not null }:
                throw new ArgumentException($"Both {nameof(options.ModelPath)} and {nameof(options.Model)} are given; give one.", nameof(options));
            case { Model: { } stream }:
                _content = TemporaryFile.CopyOf(stream);
                break;
            case { ModelPath: { } path } when !string.IsNullOrWhiteSpace(path):
                if (!File.Exists(path) && !Directory.Exists(path))
                {
                    throw _host.Process(new FileNotFoundException($"Model file {Path.GetFullPath(path)} does not exist.", path));
                }

                // The model is compiled later, when the current directory may be another.
                _modelPath = Path.GetFullPath(path);
                break;
            default:
                throw new ArgumentException($"Neither {nameof(options.ModelPath)} nor {nameof(options.Model)} is given; give one.", nameof(options));
        }
    }

    /// <summary>Compiles the model, if that has not been done, and checks that the data has its columns.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, of the wrong type or size, or the model has no such tensor.</exception>
    /// <exception cref="Compilation.CompilationException">The model cannot be compiled with these options.</exception>
    /// <exception cref="Qpc.QpcFormatException">The QPC is damaged.</exception>
    /// <exception cref="QaicException">A card was asked for and is not there.</exception>
    public QaicTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        (SharedSession shared, ModelSettings settings) = Compile();
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
        (SharedSession shared, ModelSettings settings) = Compile();
        var columns = inputSchema.ToDictionary(column => column.Name);
        foreach (ColumnTensor input in settings.Columns.Inputs)
        {
            TensorSpec tensor = shared.Session.Inputs.Single(t => t.Name == input.Tensor);
            if (!columns.TryGetValue(input.Column, out SchemaShape.Column column))
            {
                throw SchemaErrors.Missing(_host, input.Column);
            }

            if (!ColumnTypes.Accepts(tensor, column.ItemType))
            {
                throw SchemaErrors.Mismatch(_host, input.Column, ColumnTypes.ItemTypeOf(tensor), column.ItemType);
            }
        }

        // A shape has no sizes, so it does not matter how many rows will share an inference.
        ImmutableArray<OutputBinding> outputs = SchemaBinding.OutputsOf(shared.Session, settings.Columns, settings.SqueezeOutputs, shared.Session.BatchSize);
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

            Session session = _content is null ? Open(_modelPath!) : IsQpc(_content) ? Open(_content.Path) : CompileContent(_content);
            try
            {
                ColumnMap columns = ColumnMap.Resolve(_options, session.Inputs, session.Outputs);
                foreach (TensorSpec tensor in session.Inputs.Concat(session.Outputs.Where(o => columns.Outputs.Any(c => c.Tensor == o.Name))))
                {
                    ColumnTypes.ItemTypeOf(tensor);
                }

                using IChannel channel = _host.Start("Compile");
                ModelLog.Ready(channel, session);
                var shared = new SharedSession(session, session.QpcPath == _content?.Path ? _content : null, reusable: true);
                _compiled = (shared, new ModelSettings(columns, _options.Options, _options.NaNPolicy, _options.SqueezeOutputs));
                if (session.QpcPath != _content?.Path)
                {
                    // The ONNX model of a stream; its program is elsewhere now.
                    _content?.Dispose();
                    _content = null;
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

    // A copy, so that the caller's arrays may change afterwards.
    private static QaicModelOptions Checked(QaicModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options.Options, $"{nameof(options)}.{nameof(options.Options)}");
        ArgumentNullException.ThrowIfNull(options.InputTensors, $"{nameof(options)}.{nameof(options.InputTensors)}");
        ArgumentNullException.ThrowIfNull(options.OutputTensors, $"{nameof(options)}.{nameof(options.OutputTensors)}");
        return options with { InputColumns = Names(options.InputColumns, nameof(options.InputColumns)), OutputColumns = Names(options.OutputColumns, nameof(options.OutputColumns)) };

        static string[] Names(IReadOnlyList<string> names, string parameter)
        {
            ArgumentNullException.ThrowIfNull(names, parameter);
            return names.All(name => !string.IsNullOrWhiteSpace(name)) ? [.. names] : throw new ArgumentException("A column name is null, empty or white space.", parameter);
        }
    }

    private Session Open(string path) => new(path, _options.Options, _options.Platform, _options.LoggerFactory ?? new ModelLog(_host));

    // Compilers take files, and tell an ONNX model by its name.
    private Session CompileContent(TemporaryFile content)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-");
        try
        {
            string path = Path.Combine(directory.FullName, "model.onnx");
            using (FileStream source = content.OpenRead())
            using (FileStream target = File.Create(path))
            {
                source.CopyTo(target);
            }

            return Open(path);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static bool IsQpc(TemporaryFile content)
    {
        using FileStream file = content.OpenRead();
        Span<byte> start = stackalloc byte[sizeof(uint)];
        return QpcFile.BeginsLikeQpc(start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]);
    }
}
