using System.Globalization;
using System.Runtime.InteropServices;
using Qaic.Compilation;
using Qaic.Interop;
using static Qaic.HostCheckStatus;

namespace Qaic.Hosts;

/// <summary>What a machine needs beside the card: compiler, simulated card, cache.</summary>
internal sealed class ToolChecks(Host host, bool hasCards)
{
    private const string CompilerLibraryVariable = "QAIC_COMPILER_LIB";
    private const long LittleSpace = 1L << 30;
    private const double MiB = 1L << 20;
    private const double GiB = 1L << 30;

    // Those that ONNX Runtime's kernels are written for, in the kernel's words.
    private static readonly string[] s_instructions = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_fp16", "amx_int8", "asimddp", "i8mm", "sve"];

    private static readonly string[] s_variables =
        ["QAIC_LIB", "QAIC_COMPILER", CompilerLibraryVariable, "QAIC_COMPILER_OPTS_UNSUPPORTED", CompileCache.DirectoryVariable, "QAIC_SERIALIZE_DEVICE", "QAIC_VISIBLE_DEVICES", "QAIC_DEBUG", "LD_LIBRARY_PATH"];

    /// <summary>Whether it can be made; known when all checks have been asked for.</summary>
    public bool HasSimulatedCard { get; private set; }

    /// <summary>The system itself.</summary>
    public static HostCheck System(Host host)
    {
        string found = string.Create(
            CultureInfo.InvariantCulture, $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}, {host.Architecture}, {Environment.ProcessorCount} processors{(host.IsContainer ? ", in a container" : "")}.");
        return OperatingSystem.IsLinux() && LibraryCandidate.DirectoryOf(host.Architecture) is not null
            ? new("system", Ok, found)
            : new("system", Warning, found, "The vendor's library is for Linux on x86-64 and AArch64; anywhere else there is only the simulated card.");
    }

    public IReadOnlyList<HostCheck> All() => [.. Compiler(), Simulated(), Processor(), Cache(), Variables()];

    private IEnumerable<HostCheck> Compiler()
    {
        const string Name = "compiler";
        IReadOnlyList<QaicExecCandidate> places = QaicExecCandidate.For(
            null, "", host.Variable(QaicExecCandidate.EnvironmentVariable), host.Variable("PATH"), Path.Combine(host.Sdk, "exec"));
        (QaicExecCandidate Place, string? Refusal)[] looked = [.. places.Select(p => (p, p.Refusal()))];
        if (looked.FirstOrDefault(l => l.Refusal is null).Place is not { } place)
        {
            // Of the many places where it could be, those where something is wrong are worth a word.
            (QaicExecCandidate Place, string? Refusal)[] wrong = [.. looked.Where(l => l.Refusal != QaicExecCandidate.Missing)];
            yield return wrong.Length > 0
                ? new(Name, Problem, string.Join("; ", wrong.Select(l => $"{l.Place}: {l.Refusal}")) + ".", $"Make it executable, or set {QaicExecCandidate.EnvironmentVariable} to qaic-compile or qaic-exec.")
                : host.TryGet(QaicExecCandidate.EnvironmentVariable, out string? chosen)
                    ? new(Name, Problem, $"{QaicExecCandidate.EnvironmentVariable} is '{chosen}', and there is no such program.", "Correct it, or unset it.")
                : hasCards || host.HasSdk
                    ? new(Name, Warning, $"Neither qaic-compile nor qaic-exec is in {Path.Combine(host.Sdk, "exec")} or in PATH.", "ONNX models have to be compiled for the card elsewhere, and given as QPC; or install the Apps SDK.")
                : new(Name, NotApplicable, "Neither qaic-compile nor qaic-exec; the simulated card has a compiler of its own.");
            yield break;
        }

        yield return Version(place);
        if (CompilerLibrary(place) is { } library)
        {
            yield return library;
        }
    }

    private static HostCheck Version(QaicExecCandidate place)
    {
        try
        {
            QaicExecCapabilities tool = QaicExecCapabilities.Of(place.Path, TimeProvider.System, CancellationToken.None);
            string version = tool.Version.Length == 0 ? "of unknown version" : tool.Version;
            return tool.Flags is null
                ? new("compiler", Warning, $"{place}, {version}; its help cannot be read.", "Options that it does not know will fail when they are used. Run it by hand with -h: it may lack a library (ldd) or a licence.")
                : new("compiler", Ok, string.Create(CultureInfo.InvariantCulture, $"{place}, {version}, {tool.Flags.Count} options."));
        }
        catch (CompilationException e)
        {
            return new("compiler", Problem, $"{place}: {e.Message}", "Run it by hand with -h: it may be for another processor, or lack a library (ldd).");
        }
    }

    private HostCheck? CompilerLibrary(QaicExecCandidate place)
    {
        const string Name = "compiler library";
        if (host.TryGet(CompilerLibraryVariable, out string? chosen))
        {
            return File.Exists(chosen)
                ? new(Name, Ok, $"{chosen} ({CompilerLibraryVariable}).")
                : new(Name, Problem, $"{CompilerLibraryVariable} is '{chosen}', and there is no such file.", "Correct it, or unset it.");
        }

        string root = Path.GetDirectoryName(Path.GetDirectoryName(place.Path)) ?? "/";
        string expected = Path.Combine(root, "dev/lib/x86_64/libQAicCompiler.so");
        return File.Exists(expected) ? new(Name, Ok, expected)
            : place.Path.StartsWith(host.Sdk, StringComparison.Ordinal) ? new(Name, Warning, $"There is no {expected}.", $"The compiler may not start: reinstall the Apps SDK, or set {CompilerLibraryVariable}.")
            : null;
    }

    private HostCheck Simulated()
    {
        try
        {
            string name = host.Simulated().Name;
            HasSimulatedCard = true;
            return new("simulated card", Ok, name);
        }
        catch (Exception e)
        {
            // Anything: a native library that does not load shows in many ways.
            Exception cause = e.GetBaseException();
            string reason = cause is QaicException ? cause.Message : $"{cause.GetType().Name}: {cause.Message}";
            return new("simulated card", Problem, reason, "Reference Qaic.OnnxRuntime, and publish for this system (runtime identifier) so that ONNX Runtime's native library is copied; it needs glibc, so Alpine has none.");
        }
    }

    private HostCheck Processor()
    {
        const string Name = "processor";
        if (host.Text("proc/cpuinfo") is not { } info)
        {
            return new(Name, NotApplicable, "This system does not tell (no /proc/cpuinfo).");
        }

        string? model = Line(info, "model name") ?? Line(info, "Hardware");
        HashSet<string> flags = [.. (Line(info, "flags") ?? Line(info, "Features") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        string[] known = [.. s_instructions.Where(flags.Contains)];
        string found = $"{model ?? "of unknown name"}: {(known.Length == 0 ? "none of the known vector instructions" : string.Join(", ", known))}.";
        bool isX64 = host.Architecture == Architecture.X64;
        return isX64 && !flags.Contains("avx512_vnni") && !flags.Contains("avx_vnni")
            ? new(Name, Warning, found, "Without VNNI quantized networks are right on the simulated card, but slower. For the card it does not matter.")
            : new(Name, Ok, found);

        static string? Line(string info, string key) => info.Split('\n').FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal) && l.Contains(':', StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() : null;
    }

    private HostCheck Cache()
    {
        const string Name = "compile cache";
        CompileCache cache;
        try
        {
            cache = new CompileCache(host.TryGet(CompileCache.DirectoryVariable, out string? chosen) ? chosen : null);
        }
        catch (InvalidOperationException e)
        {
            return new(Name, Warning, e.Message, $"Models are compiled again each time. Set {CompileCache.DirectoryVariable}.");
        }

        // Where it will be made, if it is not there yet.
        string existing = cache.Location;
        while (!Directory.Exists(existing) && !File.Exists(existing) && Path.GetDirectoryName(existing) is { } parent)
        {
            existing = parent;
        }

        if (File.Exists(existing) || !Sysfs.MayReadAndWrite(existing))
        {
            return new(Name, Problem, $"{cache.Location} cannot be written to{(File.Exists(existing) ? $": {existing} is a file" : "")}.", $"Models are compiled again each time. Set {CompileCache.DirectoryVariable} (or the option cache_dir) to a directory of this user's, or correct the permissions of {existing}.");
        }

        try
        {
            long free = host.FreeSpace(existing);
            IReadOnlyList<CachedQpc> entries = cache.Entries();
            string found = string.Create(
                CultureInfo.InvariantCulture, $"{cache.Location}: {entries.Count} networks, {entries.Sum(e => e.Bytes) / MiB:0.#} MiB of at most {cache.LimitBytes / GiB:0.##} GiB; {free / GiB:0.0} GiB free on the disk.");
            return free < LittleSpace ? new(Name, Warning, found, "The disk is nearly full; 'qaic cache clear' makes room.") : new(Name, Ok, found);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new(Name, Warning, $"{cache.Location}: {e.Message}", $"Set {CompileCache.DirectoryVariable} to a directory on a local disk.");
        }
    }

    private HostCheck Variables()
    {
        string[] set = [.. s_variables.Where(v => host.TryGet(v, out _)).Select(v => $"{v}={host.Variable(v)}")];
        return set.Length == 0 ? new("environment", Ok, "No variable that changes anything.")
            : host.TryGet("QAIC_COMPILER_OPTS_UNSUPPORTED", out _) ? new("environment", Warning, string.Join(", ", set), "QAIC_COMPILER_OPTS_UNSUPPORTED changes what the compiler makes; unset it if you do not know why it is set.")
            : new("environment", Ok, string.Join(", ", set));
    }
}
