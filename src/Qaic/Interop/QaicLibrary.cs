using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Qaic.Interop;

/// <summary>A <c>libQAic.so</c> in this process: its functions, where it came from, its version.</summary>
/// <remarks>Never unloaded: its threads would run on in memory that is gone. Loading the same file again yields the same object.</remarks>
internal sealed unsafe class QaicLibrary
{
    /// <summary>What the simulated library calls its variant.</summary>
    public const string SimulatedVariant = "simulated";

    private static readonly ConcurrentDictionary<nint, QaicLibrary> s_byHandle = new();

    private QaicLibrary(QaicApi api, string path)
    {
        Api = api;
        Path = path;
        if (api.GetAicVersion is not null)
        {
            ushort major, minor;
            byte* patch = null, variant = null;
            if (api.GetAicVersion(&major, &minor, &patch, &variant) == QStatus.Success)
            {
                Version = string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}");
                Patch = Marshal.PtrToStringUTF8((nint)patch) ?? "";
                Variant = Marshal.PtrToStringUTF8((nint)variant) ?? "";
            }
        }
    }

    /// <summary>The library's functions.</summary>
    public QaicApi Api { get; }

    /// <summary>The file that was loaded, as the operating system knows it.</summary>
    public string Path { get; }

    /// <summary>Major and minor version, a number space of its own; null if the library does not tell.</summary>
    public string? Version { get; }

    /// <summary>Patch level; empty if the library does not tell.</summary>
    public string Patch { get; } = "";

    /// <summary>Build variant; empty if the library does not tell.</summary>
    public string Variant { get; } = "";

    /// <summary>Whether it is the simulated card as a library: it computes on the CPU, what the embedded compiler has made.</summary>
    public bool IsSimulated => Variant == SimulatedVariant;

    /// <summary>Whether the library is certainly of the eight-argument generation of qaicCreateContext (SDK 1.8 and later).</summary>
    /// <remarks>Version numbers of SDK and library are unrelated, so a function decides: qaicExecObjSetDataExt came with SDK 1.11, long after the change.</remarks>
    public bool TakesLogUser => Api.ExecObjSetDataExt is not null;

    /// <summary>Loads the first candidate that the operating system accepts.</summary>
    /// <param name="candidates">Where to look; see <see cref="LibraryCandidate.For"/>.</param>
    /// <exception cref="QaicException"><see cref="QaicError.LibraryNotAvailable"/>: nothing could be loaded, with the reason for each path; or what was loaded lacks functions, with their names.</exception>
    public static QaicLibrary Load(IReadOnlyList<LibraryCandidate> candidates)
    {
        var failures = new StringBuilder();
        foreach (LibraryCandidate candidate in candidates)
        {
            if (candidate.TryLoad(out nint handle, out string? reason))
            {
                return s_byHandle.TryGetValue(handle, out QaicLibrary? known) ? known : s_byHandle.GetOrAdd(handle, Bind(handle, candidate));
            }

            failures.Append(CultureInfo.InvariantCulture, $"\n  {candidate}: {reason}");
        }

        throw new QaicException(QaicError.LibraryNotAvailable, $"{LibraryCandidate.FileName} could not be loaded. Tried:{failures}\n{Remedy()}");
    }

    private static QaicLibrary Bind(nint handle, LibraryCandidate candidate)
    {
        (QaicApi api, IReadOnlyList<string> missing) = QaicApiBinder.Bind(handle);
        string path = MappedFile(api.CreateContext) ?? candidate.Path;
        return missing.Count == 0
            ? new QaicLibrary(api, path)
            : throw new QaicException(
                QaicError.LibraryNotAvailable,
                $"{path} ({candidate.Origin}) lacks {string.Join(", ", missing)}, which running a network needs. Give the {LibraryCandidate.FileName} of an SDK of version 1.8 or later.");
    }

    // dlopen by bare name searches directories of its own; users want to know which file it was.
    private static string? MappedFile(void* function)
    {
        if (function is null || !OperatingSystem.IsLinux())
        {
            return null;
        }

        // 7f5c00001000-7f5c00004000 r-xp 00001000 08:01 1234      /opt/qti-aic/dev/lib/x86_64/libQAic.so
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            int dash = line.IndexOf('-', StringComparison.Ordinal);
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            int slash = line.IndexOf('/', StringComparison.Ordinal);
            if (slash > 0
                && ulong.Parse(line.AsSpan(0, dash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) <= (ulong)function
                && (ulong)function < ulong.Parse(line.AsSpan(dash + 1, space - dash - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))
            {
                return line[slash..];
            }
        }

        return null;
    }

    private static string Remedy()
    {
        string machine = OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64
            ? ""
            : $"The vendor supplies it for Linux on x86-64 and AArch64; this is {RuntimeInformation.OSDescription} on {RuntimeInformation.ProcessArchitecture}. ";
        return machine + $"Install the Cloud AI Apps SDK, or set {LibraryCandidate.EnvironmentVariable} to the library's path; without a card, set Backend to Simulated.";
    }
}
