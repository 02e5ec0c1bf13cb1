using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Interop;
using Qaic.Quantization;
using Qaic.Simulation;

namespace Qaic;

/// <summary>Where sessions run: which library answers, and which compiler makes its QPCs.</summary>
/// <remarks>Thread-safe; sessions share one. Nothing above it asks whether it is simulated, except to tell the user.</remarks>
public abstract class Platform
{
    private static readonly BackendChoice s_choice = new(() => Native(), () => Simulated());

    private protected Platform()
    {
    }

    /// <summary>For people: <c>simulated card (ONNX Runtime 1.31.1)</c>, <c>libQAic.so 10.0 (/opt/qti-aic/dev/lib/x86_64/libQAic.so)</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Whether the card is a simulated one.</summary>
    public abstract bool IsSimulated { get; }

    /// <summary>Compiler that makes QPCs for this platform.</summary>
    public abstract ICompiler Compiler { get; }

    /// <summary>Compiler that makes QPCs for this platform with these options: <see cref="Compiler"/>, unless <see cref="QaicOptions.CompilerPath"/> chooses another one of the vendor's.</summary>
    /// <exception cref="CompilationException">There is no compiler at the chosen path.</exception>
    public virtual ICompiler CompilerFor(QaicOptions options) => Compiler;

    /// <summary>Runs data through a model and keeps, of every tensor, the range and a histogram: what a network is quantized with.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="samples">
    /// The data: per element all inputs by name, each with the model's shape and any number of rows (the same for all), or without the leading dimension, which is one row. Read once.
    /// </param>
    /// <param name="options">Compile-stage options: batch size and symbols, histogram bins, threads, node precision; null for the defaults.</param>
    /// <param name="progress">Is told after each batch; null for none.</param>
    /// <param name="logger">Receives remarks; null for none.</param>
    /// <param name="cancellationToken">Ends the profiling.</param>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="ArgumentException">A sample lacks an input, or one is of the wrong type or shape, or holds NaN or infinity; or there is no sample.</exception>
    /// <exception cref="CompilationException">The model cannot be run.</exception>
    /// <exception cref="NotSupportedException">The platform's compiler cannot profile.</exception>
    public QuantizationProfile Profile(
        string modelPath,
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions? options = null,
        IProgress<ProfilingProgress>? progress = null,
        ILogger? logger = null,
        CancellationToken cancellationToken = default)
    {
        options ??= QaicOptions.Default;
        return Profiler(options).Profile(modelPath, samples, options, logger ?? NullLogger.Instance, progress, cancellationToken);
    }

    /// <summary>The same for data that arrives asynchronously.</summary>
    /// <inheritdoc cref="Profile"/>
    public Task<QuantizationProfile> ProfileAsync(
        string modelPath,
        IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples,
        QaicOptions? options = null,
        IProgress<ProfilingProgress>? progress = null,
        ILogger? logger = null,
        CancellationToken cancellationToken = default)
    {
        options ??= QaicOptions.Default;
        return Profiler(options).ProfileAsync(modelPath, samples, options, logger ?? NullLogger.Instance, progress, cancellationToken);
    }

    /// <summary>The library's functions.</summary>
    internal abstract QaicApi Api { get; }

    /// <summary>Clock of pauses between attempts to bring a device back.</summary>
    internal virtual TimeProvider Clock => TimeProvider.System;

    /// <summary>Added to a device id to make the library's QID. 0 for the real library; a simulated machine has a range of its own, so that several live in one process.</summary>
    internal virtual int FirstQid => 0;

    /// <summary>Whether context creation certainly takes a user value for the log callback (SDK 1.8 and later). The older generation would call that value as a function.</summary>
    internal virtual bool TakesLogUser => false;

    /// <summary>The vendor's library. Loading the same file again yields the same platform.</summary>
    /// <param name="libraryPath">Path of <c>libQAic.so</c>; null: <c>QAIC_LIB</c> if it is set, else <c>/opt/qti-aic/dev/lib/&lt;arch&gt;</c>, then the loader's search path.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="QaicException"><see cref="QaicError.LibraryNotAvailable"/>: with the paths that were tried and what to do, or with the functions that the library lacks.</exception>
    public static Platform Native(string? libraryPath = null)
    {
        if (libraryPath is not null)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(libraryPath);
        }

        string? environment = Environment.GetEnvironmentVariable(LibraryCandidate.EnvironmentVariable);
        return NativePlatform.Of(QaicLibrary.Load(LibraryCandidate.For(libraryPath, environment, RuntimeInformation.ProcessArchitecture)));
    }

    /// <summary>A simulated machine of its own.</summary>
    /// <param name="options">Its cards and what computes on them; null for one card.</param>
    public static SimulatedPlatform Simulated(SimulatedPlatformOptions? options = null) => new(options ?? new());

    /// <summary>The platform that <paramref name="backend"/> asks for. The automatic choice is made once per process, and so is the simulated machine that is chosen here.</summary>
    /// <param name="backend">What to look for.</param>
    /// <param name="logger">Receives one warning per process if the automatic choice is the simulated card, and the library's version otherwise; null for none.</param>
    /// <exception cref="QaicException">A card was asked for, and the library is missing or no device is ready; with the reason and what to do.</exception>
    public static Platform Select(QaicBackend backend, ILogger? logger = null) => s_choice.Select(backend, logger ?? NullLogger.Instance);

    /// <summary>Asks the library for its devices, in the order of their ids, from 0 without gaps. <see cref="QaicDevice.List(Platform)"/> tells more of each and takes longer.</summary>
    /// <returns>The devices as they are now; empty if there are none.</returns>
    /// <exception cref="QaicException"><see cref="QaicError.NotSupported"/>: the library cannot list devices.</exception>
    public IReadOnlyList<QaicDevice> GetDevices()
    {
        IReadOnlyList<QaicDevice> devices = DeviceProbe.List(Api, FirstQid);
        return IsSimulated ? [.. devices.Select(device => device with { IsSimulated = true, Sku = "simulated" })] : devices;
    }

    /// <summary>Adds to the library's devices what others know of them.</summary>
    internal abstract IReadOnlyList<QaicDevice> Describe(IReadOnlyList<QaicDevice> devices);

    private IProfilingCompiler Profiler(QaicOptions options) => CompilerFor(options) is var compiler && compiler is IProfilingCompiler profiler
        ? profiler
        : throw new NotSupportedException($"The compiler of {Name}, {compiler.Name} {compiler.Version}, cannot profile. Profile on the simulated card: Platform.Simulated().Profile(…).");

    /// <summary>Says once, in the log, what the platform is; nothing by default.</summary>
    internal virtual void Announce(ILogger logger)
    {
    }
}
