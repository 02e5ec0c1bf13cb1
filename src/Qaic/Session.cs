using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Diagnostics;
using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Runtime;

namespace Qaic;

/// <summary>Runs one compiled network on one device.</summary>
/// <remarks>
/// <para>Thread-safe. Up to <see cref="MaxInFlight"/> inferences (activations × set size) are in flight; further callers wait, first in first out.
/// Owns the device resources it activates; dispose it to give the cores back.</para>
/// <para>When an inference fails, its caller gets a <see cref="QaicException"/>, and so may the callers of others in flight; the next call loads the network again.</para>
/// </remarks>
public sealed class Session : IDisposable, IAsyncDisposable
{
    // Closed ─Setup→ Ready ─Reset→ Closed;  any ─Dispose→ Disposed.  Renting moves Closed to Ready by itself; a failed set is replaced on the way.
    private readonly Lock _lock = new();
    private readonly ILogger _logger;
    private readonly TemporaryDirectory? _compiled;
    private readonly (long Length, DateTime Written) _qpcStamp;
    private volatile InferenceSet? _set;
    private volatile bool _disposed;

    /// <summary>Compiles an ONNX model, or opens a QPC. The device is not touched before <see cref="Setup"/> or the first run.</summary>
    /// <param name="modelPath">An <c>.onnx</c> file, a QPC file, or a directory that holds <c>programqpc.bin</c>.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="platform">Where to run; null for what <see cref="QaicOptions.Backend"/> asks for.</param>
    /// <param name="loggerFactory">Receives the log; null for none.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the path is empty.</exception>
    /// <exception cref="FileNotFoundException">There is no such model or QPC.</exception>
    /// <exception cref="CompilationException">The model cannot be compiled with these options.</exception>
    /// <exception cref="QpcFormatException">The QPC is damaged.</exception>
    /// <exception cref="QaicException">A card was asked for and is not there.</exception>
    public Session(string modelPath, QaicOptions? options = null, Platform? platform = null, ILoggerFactory? loggerFactory = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        Options = options ?? QaicOptions.Default;
        Options.Validate();
        if (Options.OutputDirectory is { } directory && (directory.Length == 0 || File.Exists(directory)))
        {
            throw new ArgumentException($"Option OutputDirectory (output_dir) must name a directory, but '{directory}' is {(directory.Length == 0 ? "empty" : "a file")}.", nameof(options));
        }

        _logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<Session>();
        Platform = platform ?? Platform.Select(Options.Backend, _logger);
        if (Path.GetExtension(modelPath).Equals(".onnx", StringComparison.OrdinalIgnoreCase))
        {
            if (platform is null && Options.Backend == QaicBackend.Auto && Platform.Compiler is UnavailableCompiler)
            {
                Platform = SimulatedInstead(null, modelPath, "is an ONNX model, which only the simulated card has a compiler for here");
            }

            string target = Options.OutputDirectory ?? (_compiled = TemporaryDirectory.Create()).Path;
            try
            {
                QpcPath = Path.GetFullPath(Compile(modelPath, target));
            }
            catch
            {
                _compiled?.Dispose();
                throw;
            }
        }
        else
        {
            QpcPath = Path.GetFullPath(Directory.Exists(modelPath) ? Path.Combine(modelPath, QpcFile.FileName) : modelPath);
        }

        try
        {
            (Inputs, Outputs, bool isSimulated) = ReadQpc(QpcPath);
            _qpcStamp = Stamp(QpcPath);
            if (isSimulated && !Platform.IsSimulated)
            {
                Platform = SimulatedInstead(platform, QpcPath, "was compiled for the simulated card");
            }
        }
        catch
        {
            _compiled?.Dispose();
            throw;
        }

        BatchSize = LeadingDimension([.. Inputs, .. Outputs]);
    }

    /// <summary>Full path of the QPC in use.</summary>
    public string QpcPath { get; }

    /// <summary>The options in force.</summary>
    public QaicOptions Options { get; }

    /// <summary>Where the network runs.</summary>
    public Platform Platform { get; }

    /// <summary>The network's inputs, in the order of its buffers.</summary>
    public IReadOnlyList<TensorSpec> Inputs { get; }

    /// <summary>The network's outputs, in the order of its buffers.</summary>
    public IReadOnlyList<TensorSpec> Outputs { get; }

    /// <summary>Rows per inference: the leading dimension that all inputs and outputs share; 1 if they share none.</summary>
    public int BatchSize { get; }

    /// <summary>Inferences that can be in flight: activations × set size.</summary>
    public int MaxInFlight => Options.NumActivations * Options.SetSize;

    /// <summary>Loads the network and activates it. Does nothing if that is done; runs do it by themselves.</summary>
    /// <exception cref="QaicException">The device is missing, or has not enough cores or memory.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public void Setup() => Ready();

    /// <summary>Waits for what is in flight and gives the device's resources back. The next run sets up again.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            TakeSet()?.Dispose();
        }
    }

    /// <summary>Runs the network once.</summary>
    /// <param name="inputs">Every input by name, with exactly its shape and element type; or <see cref="ElementType.Float32"/> where that can be converted (<see cref="ElementConversion.IsConvertible"/>).</param>
    /// <returns>Every output by name, with the element type of its buffer; <see cref="Tensor.ToFloat32"/> gives its numbers.</returns>
    /// <exception cref="ArgumentException">An input is missing, unknown, or of another type or shape; the message names it.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs)
    {
        Check(inputs);
        for (; ; )
        {
            using Inference inference = Rent();
            Fill(inference, inputs);
            if (inference.TrySubmit())
            {
                inference.Wait();
                return Drain(inference);
            }
        }
    }

    /// <summary>Runs a network of one input and one output without allocating. <see cref="float"/> stands for every type that <see cref="ElementConversion"/> converts.</summary>
    /// <param name="input">The input's elements, row-major; exactly as many as its shape has.</param>
    /// <param name="output">Receives the output's elements; exactly as many as its shape has.</param>
    /// <exception cref="ArgumentException">Another number or type of elements; the message names the tensor.</exception>
    /// <exception cref="InvalidOperationException">The network has more than one input or output.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public void Run<TIn, TOut>(ReadOnlySpan<TIn> input, Span<TOut> output)
        where TIn : unmanaged
        where TOut : unmanaged
    {
        CheckSingle<TIn, TOut>(input.Length, output.Length);
        for (; ; )
        {
            using Inference inference = Rent();
            Fill(inference, input);
            if (inference.TrySubmit())
            {
                inference.Wait();
                Drain(inference, output);
                return;
            }
        }
    }

    /// <summary>Runs the network once without holding a thread.</summary>
    /// <param name="inputs">
    /// Every input by name, with exactly its shape and element type; or <see cref="ElementType.Float32"/> where that can be converted (<see cref="ElementConversion.IsConvertible"/>).
    /// Must not change before the task ends.
    /// </param>
    /// <param name="cancellationToken">Ends the wait for a free slot. Once submitted, the device is waited for; then the call is cancelled.</param>
    /// <returns>Every output by name, with the element type of its buffer; <see cref="Tensor.ToFloat32"/> gives its numbers.</returns>
    /// <exception cref="ArgumentException">An input is missing, unknown, or of another type or shape; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public Task<IReadOnlyDictionary<string, Tensor>> RunAsync(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancellationToken = default)
    {
        Check(inputs);
        return Run(inputs, cancellationToken);

        async Task<IReadOnlyDictionary<string, Tensor>> Run(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancellationToken)
        {
            for (; ; )
            {
                using Inference inference = await RentAsync(cancellationToken).ConfigureAwait(false);
                Fill(inference, inputs);
                if (inference.TrySubmit())
                {
                    await inference.WaitAsync().ConfigureAwait(false);
                    cancellationToken.ThrowIfCancellationRequested();
                    return Drain(inference);
                }
            }
        }
    }

    /// <summary>Runs a network of one input and one output without holding a thread. <see cref="float"/> stands for every type that <see cref="ElementConversion"/> converts.</summary>
    /// <param name="input">The input's elements, row-major; exactly as many as its shape has. Must not change before the task ends.</param>
    /// <param name="output">Receives the output's elements; exactly as many as its shape has.</param>
    /// <param name="cancellationToken">Ends the wait for a free slot. Once submitted, the device is waited for; then the call is cancelled.</param>
    /// <exception cref="ArgumentException">Another number or type of elements; the message names the tensor.</exception>
    /// <exception cref="InvalidOperationException">The network has more than one input or output.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; <paramref name="output"/> is untouched.</exception>
    /// <exception cref="QaicException">The device failed.</exception>
    public ValueTask RunAsync<TIn, TOut>(ReadOnlyMemory<TIn> input, Memory<TOut> output, CancellationToken cancellationToken = default)
        where TIn : unmanaged
        where TOut : unmanaged
    {
        CheckSingle<TIn, TOut>(input.Length, output.Length);
        return Run(input, output, cancellationToken);

        async ValueTask Run(ReadOnlyMemory<TIn> input, Memory<TOut> output, CancellationToken cancellationToken)
        {
            for (; ; )
            {
                using Inference inference = await RentAsync(cancellationToken).ConfigureAwait(false);
                Fill(inference, input.Span);
                if (inference.TrySubmit())
                {
                    await inference.WaitAsync().ConfigureAwait(false);
                    cancellationToken.ThrowIfCancellationRequested();
                    Drain(inference, output.Span);
                    return;
                }
            }
        }
    }

    /// <summary>Takes a slot: native buffers to fill, submit, wait for and read in place. Waits while all are taken, first in first out.</summary>
    /// <remarks>A thread that holds slots and waits for one more can wait for ever, if the others are held the same way; it should use <see cref="TryRent"/>.</remarks>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="QaicException">The network could not be activated.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public Inference Rent(CancellationToken cancellationToken = default)
    {
        for (; ; )
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!Ready().Rent(out Inference inference, out SlotRequest? request))
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

    /// <summary>Takes a slot without holding a thread while all are taken; see <see cref="Rent"/>.</summary>
    /// <remarks>Loading the network, when that has to be done first, is done on the calling thread; call <see cref="Setup"/> ahead where that matters.</remarks>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="QaicException">The network could not be activated.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public async ValueTask<Inference> RentAsync(CancellationToken cancellationToken = default)
    {
        for (; ; )
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!Ready().Rent(out Inference inference, out SlotRequest? request))
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

    /// <summary>Takes a slot if one is free at once.</summary>
    /// <param name="inference">The slot.</param>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="QaicException">The network could not be activated.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    public bool TryRent(out Inference inference) => Ready().TryRent(out inference);

    /// <summary>Waits for what is in flight, gives the device's resources back, and deletes what was compiled into a temporary directory.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            TakeSet()?.Dispose();
        }

        _compiled?.Dispose();
    }

    /// <inheritdoc cref="Dispose"/>
    public ValueTask DisposeAsync() => new(Task.Run(Dispose));

    private InferenceSet Ready()
    {
        InferenceSet? set = _set;
        if (set is { Failure: null })
        {
            return set;
        }

        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_set is { Failure: not null })
            {
                // Its cores are needed again, so it goes before the new one comes.
                TakeSet()?.Dispose();
            }

            return _set ??= Activate();
        }
    }

    // Out of everybody's sight before it is disposed, which waits for the device: callers then wait for the lock instead of asking a closed set again and again.
    private InferenceSet? TakeSet()
    {
        InferenceSet? set = _set;
        _set = null;
        return set;
    }

    private InferenceSet Activate()
    {
        if (Stamp(QpcPath) != _qpcStamp)
        {
            throw new QaicException(QaicError.InvalidCall, $"'{QpcPath}' was changed after the session had been created, so it may hold another network now. Create a new session.");
        }

        InferenceSet set;
        try
        {
            set = new InferenceSet(Platform, QpcPath, Options, _logger);
        }
        catch (QaicException e) when (e.Error is QaicError.OutOfDeviceResources or QaicError.OutOfDeviceMemory)
        {
            // Sessions that nobody refers to any more keep their cores until the collector has seen them; in ML.NET few people dispose a model.
            int live = QaicHandle.Live;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            if (QaicHandle.Live >= live)
            {
                throw;
            }

            set = new InferenceSet(Platform, QpcPath, Options, _logger);
        }

        if (!SameTensors(set.Inputs, Inputs) || !SameTensors(set.Outputs, Outputs))
        {
            string loaded = string.Join("; ", set.Inputs.Concat(set.Outputs));
            set.Dispose();
            throw new QaicException(
                QaicError.Internal,
                $"The library reports other buffers than '{QpcPath}' declares: {loaded} instead of {string.Join("; ", Inputs.Concat(Outputs))}. The file may have been replaced meanwhile; create a new session.");
        }

        return set;
    }

    private string Compile(string modelPath, string directory)
    {
        long start = Stopwatch.GetTimestamp();
        ICompiler compiler = Platform.Compiler;
        string qpc = compiler.Compile(modelPath, directory, Options, _logger, CancellationToken.None);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        Log.Compiled(_logger, modelPath, compiler.Name, compiler.Version, qpc, elapsed);
        return qpc;
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

    private static (IReadOnlyList<TensorSpec> Inputs, IReadOnlyList<TensorSpec> Outputs, bool IsSimulated) ReadQpc(string path)
    {
        using var file = QpcFile.Open(path);
        IoDescriptor io = IoDescriptor.FromNetwork(file.ReadNetworkDescriptor());
        CompilationRecord? record = CompilationRecord.Read(file);
        IReadOnlyList<string> booleans = record?.BooleanTensors ?? [];
        TensorSpec[] Of(DmaDirection direction) =>
            [.. io.SelectedSet.Bindings.Where(b => b.Direction == direction).Select(b => b.ToTensorSpec()).Select(s => s with { IsBoolean = booleans.Contains(s.Name) })];
        return (Of(DmaDirection.In), Of(DmaDirection.Out), record is not null);
    }

    private static bool SameTensors(IReadOnlyList<TensorSpec> loaded, IReadOnlyList<TensorSpec> declared) =>
        loaded.Count == declared.Count
        && loaded.Zip(declared).All(p => p.First.Name == p.Second.Name && p.First.ElementType == p.Second.ElementType && p.First.Shape.AsSpan().SequenceEqual(p.Second.Shape.AsSpan()));

    private static int LeadingDimension(IReadOnlyList<TensorSpec> tensors)
    {
        int[] leading = [.. tensors.Select(t => t.Shape.IsEmpty ? 1 : t.Shape[0]).Distinct()];
        return leading is [> 0 and int batch] ? batch : 1;
    }

    private void Check(IReadOnlyDictionary<string, Tensor> inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        foreach (TensorSpec spec in Inputs)
        {
            if (!inputs.TryGetValue(spec.Name, out Tensor? tensor))
            {
                throw new ArgumentException($"Input '{spec.Name}' is missing. The network needs: {string.Join("; ", Inputs)}. Given: {(inputs.Count == 0 ? "nothing" : string.Join(", ", inputs.Keys))}.", nameof(inputs));
            }

            bool isConverted = spec.ElementType != ElementType.Float32 && ElementConversion.IsConvertible(spec);
            bool isTaken = tensor is not null && (tensor.ElementType.ClrType() == spec.ElementType.ClrType() || (isConverted && tensor.ElementType == ElementType.Float32));
            if (!isTaken || !tensor!.Shape.AsSpan().SequenceEqual(spec.Shape.AsSpan()))
            {
                throw new ArgumentException($"Input '{spec.Name}' must be {spec.ElementType}{(isConverted ? " or Float32" : "")}[{string.Join(", ", spec.Shape)}], but is {tensor?.ToString() ?? "null"}.", nameof(inputs));
            }
        }

        if (inputs.Count != Inputs.Count)
        {
            string unknown = inputs.Keys.First(name => Inputs.All(spec => spec.Name != name));
            throw new ArgumentException($"The network has no input '{unknown}'. It needs: {string.Join("; ", Inputs)}.", nameof(inputs));
        }
    }

    private void CheckSingle<TIn, TOut>(int inputLength, int outputLength)
        where TIn : unmanaged
        where TOut : unmanaged
    {
        if (Inputs.Count != 1 || Outputs.Count != 1)
        {
            throw new InvalidOperationException(
                $"This overload is for networks of one input and one output; this one has {Inputs.Count} ({string.Join("; ", Inputs)}) and {Outputs.Count} ({string.Join("; ", Outputs)}). Use the dictionary overload, or Rent.");
        }

        Check<TIn>(Inputs[0], "Input", inputLength, "input");
        Check<TOut>(Outputs[0], "Output", outputLength, "output");
    }

    private static void Check<T>(TensorSpec spec, string what, int length, string parameter) where T : unmanaged
    {
        bool isConverted = spec.ElementType != ElementType.Float32 && ElementConversion.IsConvertible(spec);
        if (!spec.ElementType.Holds<T>() && !(isConverted && typeof(T) == typeof(float)))
        {
            throw new ArgumentException($"{what} '{spec.Name}' is {spec.ElementType} ({spec.ElementType.ClrType().Name}{(isConverted ? ", or Single with a conversion" : "")}), not {typeof(T).Name}.", parameter);
        }

        if (length != spec.ElementCount)
        {
            throw new ArgumentException($"{what} '{spec.Name}' is {spec.ElementType}[{string.Join(", ", spec.Shape)}] and has {spec.ElementCount} elements, not {length}.", parameter);
        }
    }

    private void Fill(Inference inference, IReadOnlyDictionary<string, Tensor> inputs)
    {
        for (int i = 0; i < Inputs.Count; i++)
        {
            Tensor tensor = inputs[Inputs[i].Name];
            if (tensor.ElementType == ElementType.Float32)
            {
                // Straight into the device's buffer, in its precision.
                ElementConversion.FromSingle(tensor.AsSpan<float>(), Inputs[i], inference.InputBytes(i));
            }
            else
            {
                tensor.Bytes.CopyTo(inference.InputBytes(i));
            }
        }
    }

    private void Fill<T>(Inference inference, ReadOnlySpan<T> input) where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            ElementConversion.FromSingle(MemoryMarshal.Cast<T, float>(input), Inputs[0], inference.InputBytes(0));
        }
        else
        {
            input.CopyTo(inference.Input<T>(0));
        }
    }

    private void Drain<T>(Inference inference, Span<T> output) where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            ElementConversion.ToSingle(inference.OutputBytes(0), Outputs[0], MemoryMarshal.Cast<T, float>(output));
        }
        else
        {
            inference.Output<T>(0).CopyTo(output);
        }
    }

    private Dictionary<string, Tensor> Drain(Inference inference)
    {
        var outputs = new Dictionary<string, Tensor>(Outputs.Count);
        for (int i = 0; i < Outputs.Count; i++)
        {
            Tensor tensor = Tensor.Zeros(Outputs[i]);
            inference.OutputBytes(i).CopyTo(tensor.Bytes);
            outputs.Add(Outputs[i].Name, tensor);
        }

        return outputs;
    }
}
