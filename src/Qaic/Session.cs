using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Diagnostics;
using Qaic.Interop;
using Qaic.Options;
using Qaic.Qpc;
using Qaic.Runtime;

namespace Qaic;

/// <summary>Runs one compiled network on one device, or on several.</summary>
/// <remarks>
/// <para>Thread-safe. Up to <see cref="MaxInFlight"/> inferences (devices × activations × set size) are in flight; further callers wait, first in first out.
/// Owns the device resources it activates; dispose it to give the cores back.</para>
/// <para>On one device: when an inference fails, its caller gets a <see cref="QaicException"/>, and so may the callers of others in flight; the next call loads the network again.</para>
/// <para>On several: each inference goes to the device with the most free slots. When a device fails, what it had in flight runs again on another, once; its callers get their
/// results, or one error that says where it failed. The device is loaded again in the background, until it is back. When all are lost, callers get an error that names each.</para>
/// </remarks>
public sealed partial class Session : IDisposable, IAsyncDisposable
{
    // Closed ─Setup→ Ready ─Reset→ Closed;  any ─Dispose→ Disposed.  Renting moves Closed to Ready by itself; a failed pool is replaced on the way.
    private readonly Lock _lock = new();
    private readonly ILogger _logger;
    private readonly CacheEntry? _compiled;
    private readonly (long Length, DateTime Written) _qpcStamp;
    private readonly string _networkName;
    private readonly ShapeSelection _shapes;
    private readonly Lock _prepareLock = new();
    private Task<SlotPool>? _preparing;
    private volatile SlotPool? _pool;
    private volatile QaicOptions _options;
    private volatile bool _disposed;

    // Once all devices were there, some may be missing later.
    private bool _wasReady;

    // A collection stops the whole process; callers who ask again and again for what is not there do not cause one each.
    private static readonly TimeSpan s_collectionPause = TimeSpan.FromSeconds(1);
    private long _collectedInVain;

    /// <summary>Compiles an ONNX model, or opens a QPC. The device is not touched before <see cref="Setup"/> or the first run.</summary>
    /// <param name="modelPath">An <c>.onnx</c> file, a QPC file (<c>*</c> may stand for a part of its name), or a directory that holds <c>programqpc.bin</c>.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="platform">Where to run; null for what <see cref="QaicOptions.Backend"/> asks for.</param>
    /// <param name="loggerFactory">Receives the log; null for none.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the path is empty.</exception>
    /// <exception cref="FileNotFoundException">There is no such model or QPC, or no file that an option names.</exception>
    /// <exception cref="CompilationException">The model cannot be compiled with these options.</exception>
    /// <exception cref="QpcFormatException">The QPC is damaged.</exception>
    /// <exception cref="QaicException">A card was asked for and is not there, or the network keeps state on its device and several are given.</exception>
    public Session(string modelPath, QaicOptions? options = null, Platform? platform = null, ILoggerFactory? loggerFactory = null)
        : this(modelPath, options, platform, loggerFactory, CancellationToken.None)
    {
    }

    /// <summary>As the other constructor, with options by keyword as python takes them, on top of a YAML file.</summary>
    /// <param name="modelPath">An <c>.onnx</c> file, a QPC file, or a directory that holds <c>programqpc.bin</c>.</param>
    /// <param name="keywords">Options by keyword, in python's spelling: <c>num_activations</c>, <c>onnx_define_symbol</c>. They win over the file.</param>
    /// <param name="optionsPath">YAML file with options (python's <c>options_path</c>); null for none.</param>
    /// <param name="platform">Where to run; null for what the options ask for.</param>
    /// <param name="loggerFactory">Receives the log; null for none.</param>
    /// <exception cref="Options.OptionException">An option is unknown, or its value cannot be read.</exception>
    /// <inheritdoc cref="Session(string, QaicOptions, Platform, ILoggerFactory)" path="/exception"/>
    public Session(
        string modelPath, IEnumerable<KeyValuePair<string, object?>> keywords, string? optionsPath = null, Platform? platform = null, ILoggerFactory? loggerFactory = null)
        : this(modelPath, QaicOptions.FromKeywords(keywords, optionsPath is null ? null : QaicOptions.FromYaml(optionsPath)), platform, loggerFactory)
    {
    }

    private Session(string modelPath, QaicOptions? options, Platform? platform, ILoggerFactory? loggerFactory, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        _options = options ?? QaicOptions.Default;
        Options.Validate();
        if (Options.OutputDirectory is { } directory && (directory.Length == 0 || File.Exists(directory)))
        {
            throw new ArgumentException($"Option OutputDirectory (output_dir) must name a directory, but '{directory}' is {(directory.Length == 0 ? "empty" : "a file")}.", nameof(options));
        }

        _logger = new SafeLogger((loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<Session>());
        foreach (string warning in Options.GetWarnings())
        {
            Log.DoubtfulOption(_logger, warning);
        }

        Platform = platform ?? Platform.Select(Options.Backend, _logger);
        if (Path.GetExtension(modelPath).Equals(".onnx", StringComparison.OrdinalIgnoreCase))
        {
            if (platform is null && Options.Backend == QaicBackend.Auto && Platform.CompilerFor(Options) is UnavailableCompiler)
            {
                Platform = SimulatedInstead(null, modelPath, "is an ONNX model, which only the simulated card has a compiler for here");
            }

            _compiled = Compile(modelPath, cancellationToken);
            QpcPath = _compiled.QpcPath;
        }
        else
        {
            QpcPath = FindQpc(modelPath);
        }

        try
        {
            (_networkName, _shapes, bool isSimulated) = ReadQpc(QpcPath);
            _qpcStamp = Stamp(QpcPath);
            if (isSimulated && !Platform.IsSimulated)
            {
                Platform = SimulatedInstead(platform, QpcPath, "was compiled for the simulated card");
            }

            ThrowIfStateWouldSplit(Options);
        }
        catch
        {
            _compiled?.Dispose();
            throw;
        }

        BatchSize = LeadingDimension([.. Inputs, .. Outputs]);
        _recorder = new SessionRecorder(Options.EnableMetrics, Options.EnableProfiling);
        _runTags = new TelemetryTags(null, _networkName, Platform.Name);
    }

    /// <summary>Creates a session without holding the calling thread, which may take minutes when a model has to be compiled.</summary>
    /// <param name="modelPath">An <c>.onnx</c> file, a QPC file, or a directory that holds <c>programqpc.bin</c>.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="platform">Where to run; null for what <see cref="QaicOptions.Backend"/> asks for.</param>
    /// <param name="loggerFactory">Receives the log; null for none.</param>
    /// <param name="cancellationToken">Ends the compilation, and whatever processes it has started.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <inheritdoc cref="Session(string, QaicOptions, Platform, ILoggerFactory)" path="/exception"/>
    public static Task<Session> CreateAsync(
        string modelPath, QaicOptions? options = null, Platform? platform = null, ILoggerFactory? loggerFactory = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => new Session(modelPath, options, platform, loggerFactory, cancellationToken), cancellationToken);

    /// <summary>Full path of the QPC in use.</summary>
    public string QpcPath { get; }

    /// <summary>The options in force.</summary>
    public QaicOptions Options => _options;

    /// <summary>Where the network runs.</summary>
    public Platform Platform { get; }

    /// <summary>The network's inputs, in the order of its buffers. Of a network for several shapes, each in its largest.</summary>
    public IReadOnlyList<TensorSpec> Inputs => _shapes.Inputs;

    /// <summary>The network's outputs, in the order of its buffers. Of a network for several shapes, each in its largest.</summary>
    public IReadOnlyList<TensorSpec> Outputs => _shapes.Outputs;

    /// <summary>The sets of shapes that the network was compiled for: an inference has one of them. Empty if all shapes are fixed.</summary>
    public IReadOnlyList<AllowedShapeSet> AllowedShapes => _shapes.Allowed;

    /// <summary>Rows per inference: the leading dimension that all inputs and outputs share; 1 if they share none.</summary>
    public int BatchSize { get; }

    /// <summary>Inferences that can be in flight: devices × activations × set size.</summary>
    public int MaxInFlight
    {
        get
        {
            QaicOptions options = Options;
            return options.DeviceIds.Length * options.NumActivations * options.SetSize;
        }
    }

    /// <summary>Loads the network and activates it. Does nothing if that is done; runs do it by themselves.</summary>
    /// <exception cref="QaicException">The device is missing, or has not enough cores or memory.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public void Setup() => Ready();

    /// <summary>Waits for what is in flight and gives the device's resources back. The next run sets up again.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            TakePool()?.Dispose();
        }
    }

    /// <summary>Takes a slot: native buffers to fill, submit, wait for and read in place. Waits while all are taken, first in first out.</summary>
    /// <remarks>A thread that holds slots and waits for one more can wait for ever, if the others are held the same way; it should use <see cref="TryRent"/>.</remarks>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="QaicException">The network could not be activated.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public Inference Rent(CancellationToken cancellationToken = default) => Rent(Now(), cancellationToken);

    /// <summary>Takes a slot without holding a thread, neither while all are taken nor while the network is loaded; see <see cref="Rent(CancellationToken)"/>.</summary>
    /// <param name="cancellationToken">Ends the wait. A load that has begun goes on, for the next caller.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="QaicException">The network could not be activated.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public ValueTask<Inference> RentAsync(CancellationToken cancellationToken = default) => RentAsync(Now(), cancellationToken);

    /// <summary>Takes a slot if one is free at once.</summary>
    /// <param name="inference">The slot.</param>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="QaicException">The network could not be activated.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public bool TryRent(out Inference inference) => Ready().TryRent(Now(), out inference);

    /// <summary>Waits for what is in flight, gives the device's resources back, and lets go of what was compiled: the cache may evict it, or it is deleted if it was not kept.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            try
            {
                TakePool()?.Dispose();
            }
            finally
            {
                _compiled?.Dispose();
            }
        }
    }

    /// <inheritdoc cref="Dispose"/>
    public ValueTask DisposeAsync() => new(Task.Run(Dispose));

    // requested: when the slot was asked for, also if this is not the first attempt to get one.
    private Inference Rent(long requested, CancellationToken cancellationToken)
    {
        for (; ; )
        {
            cancellationToken.ThrowIfCancellationRequested();
            SlotPool pool = cancellationToken.CanBeCanceled && !IsReady ? Prepare().WaitAsync(cancellationToken).GetAwaiter().GetResult() : Ready();
            if (!pool.Rent(requested, out Inference inference, out SlotRequest? request))
            {
                continue;
            }

            inference = request is null ? inference : request.Wait(cancellationToken);
            if (!inference.IsDefault)
            {
                return inference;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Inference> RentAsync(long requested, CancellationToken cancellationToken)
    {
        for (; ; )
        {
            cancellationToken.ThrowIfCancellationRequested();
            SlotPool pool = IsReady ? Ready() : await Prepare().WaitAsync(cancellationToken).ConfigureAwait(false);
            if (!pool.Rent(requested, out Inference inference, out SlotRequest? request))
            {
                continue;
            }

            inference = request is null ? inference : await request.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (!inference.IsDefault)
            {
                return inference;
            }
        }
    }

    private long Now() => _recorder.Profiler is null ? 0 : Stopwatch.GetTimestamp();

    private bool IsReady => _pool is { HasFailed: false };

    // Loading, and waiting for somebody else's Reset or update, on one thread for all who wait for it.
    private Task<SlotPool> Prepare()
    {
        lock (_prepareLock)
        {
            if (_preparing is null or { IsCompleted: true })
            {
                _preparing = Task.Run(Ready);

                // Everybody may have given up by the time it fails.
                _preparing.ContinueWith(static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }

            return _preparing;
        }
    }

    private SlotPool Ready()
    {
        SlotPool? pool = _pool;
        if (pool is { HasFailed: false })
        {
            return pool;
        }

        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_pool is { HasFailed: true })
            {
                // Its cores are needed again, so it goes before the new one comes.
                TakePool()?.Dispose();
            }

            return _pool ??= Activate(Options, mayLack: _wasReady);
        }
    }

    // Out of everybody's sight before it is disposed, which waits for the device: callers then wait for the lock instead of asking a closed pool again and again.
    private SlotPool? TakePool()
    {
        SlotPool? pool = _pool;
        _pool = null;
        return pool;
    }

    private SlotPool Activate(QaicOptions options, bool mayLack)
    {
        var pool = new SlotPool(options.DeviceIds, (pool, device) => ActivateOn(pool, options, device), mayLack, _runTags, Platform.Clock, _logger);
        _wasReady = true;
        return pool;
    }

    private InferenceSet ActivateOn(SlotPool pool, QaicOptions options, int device)
    {
        if (Stamp(QpcPath) != _qpcStamp)
        {
            throw new QaicException(QaicError.InvalidCall, $"'{QpcPath}' was changed after the session had been created, so it may hold another network now. Create a new session.");
        }

        var tags = new TelemetryTags(device, _networkName, Platform.Name);
        using Activity? span = Telemetry.StartLoad(tags);
        try
        {
            return ActivateOn(pool, options, device, tags);
        }
        catch (QaicException e) when (e.Error == QaicError.DeviceNotFound && !Note(span, e))
        {
            throw new QaicException(e.Error, $"Device {device} (DeviceIds, dev_id) cannot be used. {e.Message}{KnownDevices()}", e.HResult, e);
        }
        catch (Exception e) when (Note(span, e))
        {
            throw;
        }
    }

    // State that stays on a device between inferences (retained_state) is of that device: another one would answer from its own.
    private void ThrowIfStateWouldSplit(QaicOptions options)
    {
        if (options.DeviceIds.Length > 1 && Outputs.FirstOrDefault(o => o.Name.EndsWith("RetainedState", StringComparison.Ordinal)) is { } state)
        {
            throw new QaicException(
                QaicError.NotSupported,
                $"The network keeps state on its device (output '{state.Name}'), so its inferences cannot be spread over devices {string.Join(", ", options.DeviceIds)}. Give one device (DeviceIds, dev_id), or a session for each.");
        }
    }

    // The vendor's documentation writes '*.bin' for the one file of a directory.
    private static string FindQpc(string path)
    {
        if (Directory.Exists(path))
        {
            return Path.GetFullPath(Path.Combine(path, QpcFile.FileName));
        }

        string pattern = Path.GetFileName(path);
        string directory = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";
        if (!pattern.Contains('*') || File.Exists(path) || !Directory.Exists(directory))
        {
            return Path.GetFullPath(path);
        }

        string[] found = Directory.GetFiles(directory, pattern);
        return found is [string only] ? only : throw new FileNotFoundException(
            $"'{path}' must stand for one file, but stands for {(found.Length == 0 ? "none" : string.Join(", ", found.Order().Select(Path.GetFileName)))}. Give the path of the QPC.", path);
    }

    // For messages; a library that cannot list its devices is no reason to fail twice.
    private string KnownDevices()
    {
        try
        {
            IReadOnlyList<QaicDevice> devices = Platform.GetDevices();
            return devices.Count == 0 ? $" {Platform.Name} has no devices." : $" {Platform.Name} has {string.Join("; ", devices)}.";
        }
        catch (QaicException)
        {
            return "";
        }
    }

    private InferenceSet ActivateOn(SlotPool pool, QaicOptions options, int device, TelemetryTags tags)
    {
        InferenceSet set;
        try
        {
            set = new InferenceSet(pool, Platform, QpcPath, options, device, _recorder, tags, _logger);
        }
        catch (QaicException e) when (e.Error is QaicError.OutOfDeviceResources or QaicError.OutOfDeviceMemory && Stopwatch.GetElapsedTime(Volatile.Read(ref _collectedInVain)) > s_collectionPause)
        {
            // Sessions that nobody refers to any more keep their cores until the collector has seen them; in ML.NET few people dispose a model.
            int live = QaicHandle.Live;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            if (QaicHandle.Live >= live)
            {
                Volatile.Write(ref _collectedInVain, Stopwatch.GetTimestamp());
                throw;
            }

            set = new InferenceSet(pool, Platform, QpcPath, options, device, _recorder, tags, _logger);
        }

        if (!set.Shapes.HasSameShapes(_shapes))
        {
            string loaded = string.Join("; ", set.Inputs.Concat(set.Outputs)) + (set.Shapes.IsFixed ? "" : $" ({set.Shapes.List()})");
            set.Dispose();
            throw new QaicException(
                QaicError.Internal,
                $"The library reports other buffers than '{QpcPath}' declares: {loaded} instead of {string.Join("; ", Inputs.Concat(Outputs))}{(_shapes.IsFixed ? "" : $" ({_shapes.List()})")}. The file may have been replaced meanwhile; create a new session.");
        }

        return set;
    }

    private CacheEntry Compile(string modelPath, CancellationToken cancellationToken)
    {
        foreach (OptionInfo option in OptionTable.All.Where(o => o.IsInputFile))
        {
            if (option.Files(Options).FirstOrDefault(f => !File.Exists(f)) is { } missing)
            {
                throw new FileNotFoundException(
                    $"Option {option} names '{missing}', and there is no such file in '{Environment.CurrentDirectory}'. Correct the path, or leave the option out.", missing);
            }
        }

        if (Platform.IsSimulated && Options.CompilerPath is { } unused)
        {
            Log.CompilerNotUsed(_logger, unused, Platform.Name);
        }

        ICompiler compiler = Platform.CompilerFor(Options);
        string network = Path.GetFileNameWithoutExtension(modelPath);
        using Activity? span = Telemetry.StartCompile(network, Platform.Name, compiler.Name, compiler.Version);
        long start = Stopwatch.GetTimestamp();
        try
        {
            CacheEntry compiled = CompileCache.Compile(compiler, modelPath, Options, _logger, cancellationToken);
            long ticks = Stopwatch.GetTimestamp() - start;
            if (compiled.IsHit)
            {
                Telemetry.CacheHit(network);

                // Whoever compiled it was told by the compiler.
                string recorded = Platform.IsSimulated ? string.Join(", ", OptionTable.NotSimulated(Options)) : "";
                if (recorded.Length > 0)
                {
                    Log.OnlyRecorded(_logger, modelPath, recorded);
                }
            }
            else
            {
                Telemetry.CacheMissed(network);
                Telemetry.CompileEnded(ticks, network, Platform.Name);
                TimeSpan elapsed = TimeSpan.FromSeconds((double)ticks / Stopwatch.Frequency);
                Log.Compiled(_logger, modelPath, compiler.Name, compiler.Version, compiled.QpcPath, elapsed);
            }

            return compiled;
        }
        catch (Exception e) when (Note(span, e))
        {
            throw;
        }
        catch (Exception e)
        {
            Telemetry.CompileEnded(Stopwatch.GetTimestamp() - start, network, Platform.Name, e);
            throw;
        }
    }

    private static (long Length, DateTime Written) Stamp(string path)
    {
        // Of the open file: the path may be a link whose own times mean nothing.
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        return (file.Length, File.GetLastWriteTimeUtc(file.SafeFileHandle));
    }

    // A QPC of the embedded compiler holds a model, not code for the card's cores.
    private Platform SimulatedInstead(Platform? given, string path, string reason)
    {
        if (given is not null || Options.Backend != QaicBackend.Auto)
        {
            throw new QaicException(
                QaicError.NotSupported,
                $"'{path}' {reason}; {Platform.Name} cannot run it. Compile the model with the vendor's compiler, or set Backend to Simulated.");
        }

        Platform simulated = Platform.Select(QaicBackend.Simulated, _logger);
        Log.SimulatedForModel(_logger, path, reason, Platform.Name, simulated.Name);
        return simulated;
    }

    private static (string Name, ShapeSelection Shapes, bool IsSimulated) ReadQpc(string path)
    {
        using var file = QpcFile.Open(path);
        NetworkDescriptor network = file.ReadNetworkDescriptor();
        IoDescriptor io = IoDescriptor.FromNetwork(network);
        CompilationRecord? record = CompilationRecord.Read(file);
        return (network.NetworkName, ShapeSelection.Of(io, record?.BooleanTensors), record is not null);
    }

    private static int LeadingDimension(IReadOnlyList<TensorSpec> tensors)
    {
        int[] leading = [.. tensors.Select(t => t.Shape.IsEmpty ? 1 : t.Shape[0]).Distinct()];
        return leading is [> 0 and int batch] ? batch : 1;
    }
}
