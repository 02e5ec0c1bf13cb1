using System.Collections.Concurrent;

namespace Qaic.Compilation;

/// <summary>A new directory of its own that is deleted with its owner: by <see cref="Dispose"/>, by the finalizer, at the end of the process, or, if that was killed, by the next process that makes one.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    private const string Prefix = "qaic-";

    // Locked as long as the owner lives. The lock goes with the process, however it ends, and holds across containers that share a disk.
    private const string LockName = ".owner";

    // By path, so that the registry keeps no owner alive.
    private static readonly ConcurrentDictionary<string, FileStream> s_live = new();
    private static int s_swept;

    static TemporaryDirectory() => AppDomain.CurrentDomain.ProcessExit += static (_, _) =>
    {
        foreach (string path in s_live.Keys)
        {
            Delete(path);
        }
    };

    private TemporaryDirectory(string path, FileStream ownerLock)
    {
        Path = path;
        s_live.TryAdd(path, ownerLock);
    }

    ~TemporaryDirectory() => Delete(Path);

    public string Path { get; }

    /// <exception cref="IOException">The directory for temporary files is missing, full, or not writable.</exception>
    public static TemporaryDirectory Create()
    {
        if (Interlocked.Exchange(ref s_swept, 1) == 0)
        {
            Sweep(System.IO.Path.GetTempPath());
        }

        try
        {
            return Own(Directory.CreateTempSubdirectory(Prefix).FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"No temporary directory could be made in '{System.IO.Path.GetTempPath()}'. Set TMPDIR to a directory that can be written to, or the option OutputDirectory (output_dir). {e.Message}", e);
        }
    }

    /// <summary>Makes one inside <paramref name="parent"/>, so that what is made in it can be renamed into its place; deletes there what killed processes have left.</summary>
    /// <exception cref="IOException">The parent is missing, full, or not writable.</exception>
    public static TemporaryDirectory CreateIn(string parent)
    {
        Sweep(parent);
        try
        {
            return Create(System.IO.Path.GetFullPath(parent));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"Nothing can be written into '{parent}' (OutputDirectory, output_dir). Choose a directory that can be written to. {e.Message}", e);
        }
    }

    /// <summary>One in <paramref name="parent"/>, which has to exist.</summary>
    /// <exception cref="IOException">The parent is missing, full, or not writable.</exception>
    /// <exception cref="UnauthorizedAccessException">The parent is not writable.</exception>
    public static TemporaryDirectory Create(string parent) => Own(Directory.CreateDirectory(System.IO.Path.Combine(parent, $"{Prefix}{Guid.NewGuid():n}")).FullName);

    private static TemporaryDirectory Own(string path) =>
        new(path, new FileStream(System.IO.Path.Combine(path, LockName), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None));

    public void Dispose()
    {
        Delete(Path);
        GC.SuppressFinalize(this);
    }

    /// <summary>Deletes what killed processes have left in <paramref name="parent"/>.</summary>
    internal static void Sweep(string parent)
    {
        try
        {
            foreach (string path in Directory.EnumerateDirectories(parent, Prefix + "*"))
            {
                string ownerLock = System.IO.Path.Combine(path, LockName);
                if (File.Exists(ownerLock) && IsAbandoned(ownerLock))
                {
                    TryDelete(path);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody asked for the cleaning; what is in its way is no concern of the caller.
        }
    }

    private static bool IsAbandoned(string ownerLock)
    {
        try
        {
            using var stream = new FileStream(ownerLock, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void Delete(string path)
    {
        if (s_live.TryRemove(path, out FileStream? ownerLock))
        {
            // First, because Windows deletes no open file.
            ownerLock.Dispose();
            TryDelete(path);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone already, or a file in it is still open elsewhere; then the next process that looks finds it abandoned.
        }
    }
}
