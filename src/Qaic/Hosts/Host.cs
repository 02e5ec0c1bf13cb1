using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;

namespace Qaic.Hosts;

/// <summary>A machine as a process sees it. Tests look at trees of files instead of the one they run on.</summary>
internal sealed class Host
{
    // What is longer is not what it should be.
    private const int LongestText = 1 << 20;

    // Most files of the kernel have a line.
    private const int UsualText = 512;

    /// <summary>Directory that holds <c>sys</c>, <c>dev</c>, <c>etc</c>, <c>proc</c> and <c>opt</c>.</summary>
    public string Root { get; init; } = "/";

    /// <summary>Value of an environment variable; null if it is not set.</summary>
    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>Whether this process may read and write a device node; null for the kernel's answer.</summary>
    public Func<string, bool>? MayOpen { get; init; }

    /// <summary>Makes the simulated card, or throws what is wrong with it.</summary>
    public Func<Platform> Simulated { get; init; } = static () => Platform.Simulated();

    /// <summary>Bytes that are free for this user where a directory is.</summary>
    public Func<string, long> FreeSpace { get; init; } = static directory => new DriveInfo(directory).AvailableFreeSpace;

    public Architecture Architecture { get; init; } = RuntimeInformation.ProcessArchitecture;

    /// <summary>Where the SDK is installed.</summary>
    public string Sdk => InRoot(LibraryCandidate.Sdk[1..]);

    public bool HasSdk => Directory.Exists(Sdk);

    /// <summary>A path of the machine.</summary>
    /// <param name="path">Without the leading slash.</param>
    public string InRoot(string path) => Path.Combine(Root, path);

    /// <summary>The value of an environment variable that is set to something.</summary>
    public bool TryGet(string variable, [NotNullWhen(true)] out string? value)
    {
        value = Variable(variable);
        return !string.IsNullOrEmpty(value);
    }

    /// <summary>A file's text without the spaces around it; null if it cannot be read.</summary>
    /// <param name="path">Without the leading slash.</param>
    public string? Text(string path)
    {
        try
        {
            // Files of the kernel have no length.
            using var reader = new StreamReader(InRoot(path));
            var text = new StringBuilder(UsualText);
            char[] part = new char[UsualText];
            for (int read; text.Length < LongestText && (read = reader.Read(part)) > 0;)
            {
                text.Append(part, 0, read);
            }

            return text.ToString().Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The names in a directory, in order; empty if it cannot be read.</summary>
    /// <param name="path">Without the leading slash.</param>
    public IReadOnlyList<string> Names(string path)
    {
        try
        {
            return [.. new DirectoryInfo(InRoot(path)).EnumerateFileSystemInfos().Select(info => info.Name).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The last part of what a link points to; null if it is none.</summary>
    /// <param name="path">Without the leading slash.</param>
    public string? Target(string path)
    {
        try
        {
            return new FileInfo(InRoot(path)).LinkTarget is { } target ? Path.GetFileName(target.TrimEnd('/')) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whether the process is in a container, as far as containers show it.</summary>
    public bool IsContainer => File.Exists(InRoot(".dockerenv")) || File.Exists(InRoot("run/.containerenv"))
        || (Text("proc/1/cgroup") is { } cgroup && (cgroup.Contains("docker", StringComparison.Ordinal) || cgroup.Contains("kubepods", StringComparison.Ordinal) || cgroup.Contains("lxc", StringComparison.Ordinal)));
}
