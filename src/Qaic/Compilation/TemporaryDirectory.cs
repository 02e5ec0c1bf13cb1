using System.Collections.Concurrent;

namespace Qaic.Compilation;

/// <summary>A new directory of its own that is deleted with its owner: by <see cref="Dispose"/>, by the finalizer, at the end of the process, or, if that was killed, by the next process that makes one.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    private const string Prefix = "qaic-";

    // Locked as long as the owner lives. The lock goes with the process, however it ends, and holds across containers that share a disk.
    private const string LockName = ".owner";

    // Between making the lock's file and locking it nobody has it; a maker that needs longer than this for that is gone.
    private static readonly TimeSpan s_youth = TimeSpan.FromMinutes(1);

    // Without a lock's file: its maker, or who deleted it, was killed within a moment.
    private static readonly TimeSpan s_longestMoment = TimeSpan.FromHours(1);

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

    /// <summary>Deletes what killed processes have left in <paramref name="parent"/>, when it is older than a minute. Where files cannot be locked, nothing.</summary>
    /// <param name="parent">The directory to look in.</param>
    /// <param name="isOwn">Whether everything in it is made here, so that directories without a lock go too, after an hour.</param>
    internal static void Sweep(string parent, bool isOwn = false)
    {
        try
        {
            foreach (string path in Directory.EnumerateDirectories(parent, Prefix + "*"))
            {
                var ownerLock = new FileInfo(System.IO.Path.Combine(path, LockName));
                if (ownerLock.Exists)
                {
                    SweepOne(path, ownerLock);
                }
                else if (isOwn && DateTime.UtcNow - Directory.GetLastWriteTimeUtc(path) > s_longestMoment)
                {
                    TryDelete(path, ownerLock: null);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody asked for the cleaning; what is in its way is no concern of the caller.
        }
    }

    private static void SweepOne(string path, FileInfo ownerLock)
    {
        if (DateTime.UtcNow - ownerLock.LastWriteTimeUtc < s_youth)
        {
            return;
        }

        try
        {
            if (FileLock.TryOwn(ownerLock.FullName) is { } taken)
            {
                TryDelete(path, taken);
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // Somebody else has swept it.
        }
    }

    private static void Delete(string path)
    {
        if (s_live.TryRemove(path, out FileStream? ownerLock))
        {
            TryDelete(path, ownerLock);
        }
    }

    // The lock is kept, and its file there, until all else is gone: whoever looks in between finds it owned, and after a crash abandoned.
    private static void TryDelete(string path, FileStream? ownerLock)
    {
        using FileStream? held = ownerLock;
        try
        {
            foreach (string entry in Directory.EnumerateFileSystemEntries(path).ToList())
            {
                if (File.GetAttributes(entry).HasFlag(FileAttributes.Directory) && new DirectoryInfo(entry).LinkTarget is null)
                {
                    Directory.Delete(entry, recursive: true);
                }
                else if (System.IO.Path.GetFileName(entry) != LockName)
                {
                    File.Delete(entry);
                }
            }

            if (OperatingSystem.IsWindows())
            {
                // It deletes no open file.
                held?.Dispose();
            }

            Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone already, or a file in it is still open elsewhere; then the next process that looks finds it abandoned.
        }
    }
}
