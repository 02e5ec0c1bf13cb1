using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Qaic.Interop;

/// <summary>A place where the vendor's library may be.</summary>
/// <param name="Path">A path, or a bare file name for the loader to search.</param>
/// <param name="Origin">Who says so, for messages.</param>
internal sealed record LibraryCandidate(string Path, string Origin)
{
    /// <summary>The library's file name.</summary>
    public const string FileName = "libQAic.so";

    /// <summary>Overrides the search, here as in the vendor's own layers.</summary>
    public const string EnvironmentVariable = "QAIC_LIB";

    /// <summary>Where the vendor's packages are installed.</summary>
    public const string Sdk = "/opt/qti-aic";

    /// <summary>The SDK's name of an architecture; null if there is no library for it.</summary>
    public static string? DirectoryOf(Architecture architecture) => architecture switch
    {
        Architecture.X64 => "x86_64",
        Architecture.Arm64 => "aarch64",
        _ => null,
    };

    /// <summary>Where to look, in order. Somebody's explicit choice is the only candidate: silently using another library would be worse than an error.</summary>
    /// <param name="libraryPath">The caller's choice; null for none.</param>
    /// <param name="environment">Value of <see cref="EnvironmentVariable"/>; null or empty for none.</param>
    /// <param name="architecture">The process's architecture.</param>
    /// <param name="sdk">See <see cref="Sdk"/>.</param>
    public static IReadOnlyList<LibraryCandidate> For(string? libraryPath, string? environment, Architecture architecture, string sdk = Sdk)
    {
        if (libraryPath is not null)
        {
            return [new(libraryPath, "the path that was given")];
        }

        if (!string.IsNullOrEmpty(environment))
        {
            return [new(environment, EnvironmentVariable)];
        }

        string? directory = DirectoryOf(architecture);
        LibraryCandidate loader = new(FileName, "the loader's search path");
        return directory is null ? [loader] : [new($"{sdk}/dev/lib/{directory}/{FileName}", "the SDK's directory"), loader];
    }

    /// <summary>Loads it into the process.</summary>
    /// <param name="handle">The loader's handle; 0 on failure.</param>
    /// <param name="reason">Why not, in words; null on success.</param>
    public bool TryLoad(out nint handle, [NotNullWhen(false)] out string? reason)
    {
        handle = 0;
        reason = null;
        if (Path.Contains('/', StringComparison.Ordinal) && !File.Exists(Path))
        {
            reason = Directory.Exists(Path) ? $"a directory, not the file {FileName}" : "no such file";
            return false;
        }

        try
        {
            handle = NativeLibrary.Load(Path);
            return true;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            reason = LoaderWords(e.Message);
            return false;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Path} ({Origin})";

    // The framework puts general advice on the first line, which is one long sentence ending in a colon, and the loader's own words below it.
    private static string LoaderWords(string message)
    {
        string[] lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length > 1 ? string.Join("; ", lines[1..]) : message;
    }
}
