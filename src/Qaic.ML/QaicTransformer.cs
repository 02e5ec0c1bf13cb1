using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Qaic.ML;

/// <summary>Applies a compiled model to data. Made by <see cref="QaicEstimator.Fit"/>, or by loading a saved model.</summary>
/// <remarks>
/// <para><see cref="Transform"/> is lazy: rows are scored batch by batch while they are read, several batches in flight, in the order of the data. A row's
/// result does not depend on the rows beside it. Columns of the data are passed through.</para>
/// <para>Thread-safe. Any number of cursors and prediction engines share its session. Dispose it to give the device's resources back; a prediction engine
/// does so unless <c>PredictionEngineOptions.OwnsTransformer</c> is false.</para>
/// <para><c>mlContext.Model.Save</c> stores the compiled program, and <c>mlContext.Model.Load</c> needs nothing but this assembly beside the program. ML.NET's
/// <c>ConvertToOnnx</c> does not know third parties' transformers and leaves this one out without an error.</para>
/// </remarks>
public sealed class QaicTransformer : ITransformer, IDisposable
{
    private readonly IHost _host;
    private readonly SharedSession _shared;
    private readonly ModelSettings _settings;
    private int _disposed;

    internal QaicTransformer(IHostEnvironment environment, SharedSession shared, ModelSettings settings)
    {
        _host = environment.Register(nameof(QaicTransformer));
        _shared = shared;
        _settings = settings;
        shared.AddReference();
    }

    /// <summary>Opens a saved model.</summary>
    /// <param name="environment">The context that loads.</param>
    /// <param name="settings">The model's settings.</param>
    /// <param name="program">The model's program; owned.</param>
    internal static QaicTransformer Load(IHostEnvironment environment, ModelSettings settings, TemporaryFile program)
    {
        IHost host = environment.Register(nameof(QaicTransformer));
        Session? session = null;
        try
        {
            session = new Session(program.Path, settings.Options, platform: null, new ModelLog(host));
            settings.Columns.Check(session.Inputs, session.Outputs);
            using IChannel channel = host.Start("Load");
            ModelLog.Ready(channel, session);
            return new QaicTransformer(environment, new SharedSession(session, program, reusable: false), settings);
        }
        catch
        {
            session?.Dispose();
            program.Dispose();
            throw;
        }
    }

    /// <summary>The session that scores; shared with other transformers of the same estimator. Tells platform, tensors and batch size. Do not dispose it.</summary>
    public Session Session => _shared.Session;

    /// <inheritdoc/>
    public bool IsRowToRowMapper => true;

    internal SharedSession Shared
    {
        get
        {
            ThrowIfDisposed();
            return _shared;
        }
    }

    internal NaNPolicy NaNPolicy => _settings.NaNPolicy;

    /// <summary>The data's columns, and then the model's outputs.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An input column is missing, or of the wrong type or size.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).OutputSchema;

    /// <summary>The data with the model's outputs added, computed while it is read.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An input column is missing, or of the wrong type or size.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new BatchedView(this, Bind(input.Schema), input);
    }

    /// <summary>Scores single rows: one inference per row, padded to the model's batch.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An input column is missing, or of the wrong type or size.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => new RowMapper(this, Bind(inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ArgumentNullException.ThrowIfNull(ctx);
        ThrowIfDisposed();
        MlNetInternals.WriteHeader(ctx, SavedFormat.Model);
        MlNetInternals.WriteEntry(ctx, ModelSettings.EntryName, _settings.Write);
        MlNetInternals.WriteEntry(ctx, ModelSettings.ProgramEntryName, entry =>
        {
            using FileStream program = _shared.OpenProgram();
            program.CopyTo(entry);
        });
    }

    /// <summary>Gives the device's resources back, unless another transformer of the same estimator uses them. Idempotent.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _shared.Release();
        }
    }

    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);

    private SchemaBinding Bind(DataViewSchema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ThrowIfDisposed();
        return SchemaBinding.Create(_host, NetworkTensors.Of(_shared.Session), _settings.Columns, _settings.SqueezeOutputs, schema);
    }
}
