using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Diagnostics;
using Qaic.Interop;
using Qaic.Simulation;

namespace Qaic;

/// <summary>The vendor's library and the cards it knows; or the simulated card as a library, in its place.</summary>
internal sealed class NativePlatform : Platform
{
    private static readonly ConcurrentDictionary<QaicLibrary, NativePlatform> s_byLibrary = new();

    private readonly QaicLibrary _library;
    private int _announced;

    private NativePlatform(QaicLibrary library)
    {
        _library = library;
        Name = library.Version is null ? $"{LibraryCandidate.FileName} ({library.Path})" : $"{LibraryCandidate.FileName} {library.Version} ({library.Path})";
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override bool IsSimulated => _library.IsSimulated;

    /// <inheritdoc/>
    public override ICompiler Compiler => CompilerFor(QaicOptions.Default);

    internal override QaicApi Api => _library.Api;

    internal override bool TakesLogUser => _library.TakesLogUser;

    /// <summary>The platform of a library; one per library and process.</summary>
    public static NativePlatform Of(QaicLibrary library) => s_byLibrary.GetOrAdd(library, static library => new NativePlatform(library));

    /// <inheritdoc/>
    /// <remarks>Looked for each time, which costs a few microseconds: an SDK may be installed meanwhile.</remarks>
    public override ICompiler CompilerFor(QaicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (IsSimulated)
        {
            return EmbeddedCompiler();
        }

        if (options.CompilerPath is not null)
        {
            return QaicExecCompiler.Find(options);
        }

        return QaicExecCompiler.TryFind(options, out QaicExecCompiler? compiler, out string? reason) ? compiler : new UnavailableCompiler(Name, reason);
    }

    // What the simulated library runs is made by the compiler of the engine in it. A process that has the library alone runs QPCs made elsewhere.
    private ICompiler EmbeddedCompiler()
    {
        try
        {
            return SimulatedPlatform.DefaultEngine().Compiler;
        }
        catch (QaicException e)
        {
            return new UnavailableCompiler(Name, e.Message);
        }
    }

    internal override IReadOnlyList<QaicDevice> Describe(IReadOnlyList<QaicDevice> devices) => DeviceList.Merge(devices, Sysfs.System.Devices(), QaicUtil.Installed);

    /// <summary>Says once per process which library it is.</summary>
    internal override void Announce(ILogger logger)
    {
        if (logger.IsEnabled(LogLevel.Information) && Interlocked.Exchange(ref _announced, 1) == 0)
        {
            Log.LibraryLoaded(logger, _library.Path, _library.Version ?? "unknown", _library.Patch, _library.Variant);
        }
    }
}
