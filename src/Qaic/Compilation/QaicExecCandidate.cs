namespace Qaic.Compilation;

/// <summary>A place where the vendor's compiler may be.</summary>
/// <param name="Path">Path of the executable.</param>
/// <param name="Origin">Who says so, for messages.</param>
internal sealed record QaicExecCandidate(string Path, string Origin)
{
    /// <summary>Overrides the search: the executable, or the directory it is in.</summary>
    public const string EnvironmentVariable = "QAIC_COMPILER";

    /// <summary>Where the SDK's packages put its tools.</summary>
    public const string SdkDirectory = "/opt/qti-aic/exec";

    /// <summary>What <see cref="Refusal"/> says where there is nothing.</summary>
    public const string Missing = "no such file";

    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    // The newer first: it is what current SDKs maintain.
    private static readonly string[] s_names = ["qaic-compile", "qaic-exec"];

    /// <summary>Where to look, in order. Somebody's explicit choice is the only one: silently compiling with another version would be worse than an error.</summary>
    /// <param name="explicitPath">The caller's choice; null for none.</param>
    /// <param name="origin">Who made that choice, for messages.</param>
    /// <param name="environment">Value of <see cref="EnvironmentVariable"/>; null or empty for none.</param>
    /// <param name="searchPath">Value of PATH.</param>
    /// <param name="sdkDirectory">See <see cref="SdkDirectory"/>.</param>
    public static IReadOnlyList<QaicExecCandidate> For(string? explicitPath, string origin, string? environment, string? searchPath, string sdkDirectory = SdkDirectory)
    {
        if (explicitPath is not null)
        {
            return Chosen(explicitPath, searchPath, origin);
        }

        if (!string.IsNullOrEmpty(environment))
        {
            return Chosen(environment, searchPath, EnvironmentVariable);
        }

        return [.. In(sdkDirectory, "the SDK's directory"), .. s_names.SelectMany(name => OnPath(name, searchPath))];
    }

    /// <summary>Why it cannot be the compiler, in words; null if it can.</summary>
    public string? Refusal()
    {
        if (!File.Exists(Path))
        {
            return Directory.Exists(Path) ? "a directory, not a program" : Missing;
        }

        return OperatingSystem.IsWindows() || (File.GetUnixFileMode(Path) & AnyExecute) != 0 ? null : "not executable (chmod +x)";
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Path} ({Origin})";

    private static IReadOnlyList<QaicExecCandidate> Chosen(string path, string? searchPath, string origin)
    {
        if (Directory.Exists(path))
        {
            return [.. In(path, origin)];
        }

        QaicExecCandidate itself = new(System.IO.Path.GetFullPath(path), origin);
        return path.Contains('/', StringComparison.Ordinal) ? [itself] : [itself, .. OnPath(path, searchPath)];
    }

    private static IEnumerable<QaicExecCandidate> In(string directory, string origin) =>
        s_names.Select(name => new QaicExecCandidate(System.IO.Path.Combine(System.IO.Path.GetFullPath(directory), name), origin));

    // Relative entries are left out: which program is run must not depend on the directory one happens to be in.
    private static IEnumerable<QaicExecCandidate> OnPath(string name, string? searchPath) =>
        (searchPath ?? "").Split(System.IO.Path.PathSeparator).Where(System.IO.Path.IsPathRooted).Distinct().Select(directory => new QaicExecCandidate(System.IO.Path.Combine(directory, name), "PATH"));
}
