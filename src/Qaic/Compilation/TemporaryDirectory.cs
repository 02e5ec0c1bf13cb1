using System.Collections.Concurrent;

namespace Qaic.Compilation;

/// <summary>A new directory of its own that is deleted with its owner: by <see cref="Dispose"/>, by the finalizer, or at the end of the process.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    private static readonly ConcurrentDictionary<string, byte> s_paths = new();

    static TemporaryDirectory() => AppDomain.CurrentDomain.ProcessExit += static (_, _) =>
    {
        foreach (string path in s_paths.Keys)
        {
            Delete(path);
        }
    };

    private TemporaryDirectory(string path)
    {
        Path = path;
        s_paths.TryAdd(path, 0);
    }

    ~TemporaryDirectory() => Delete(Path);

    public string Path { get; }

    /// <exception cref="IOException">The directory for temporary files is missing, full, or not writable.</exception>
    public static TemporaryDirectory Create()
    {
        try
        {
            return new TemporaryDirectory(Directory.CreateTempSubdirectory("qaic-").FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"No temporary directory could be made in '{System.IO.Path.GetTempPath()}'. Set TMPDIR to a directory that can be written to, or the option OutputDirectory (output_dir). {e.Message}", e);
        }
    }

    public void Dispose()
    {
        Delete(Path);
        GC.SuppressFinalize(this);
    }

    private static void Delete(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Somebody cleaned up before us.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A file in it is still open elsewhere, or the disk is gone: try once more at the end of the process.
            return;
        }

        s_paths.TryRemove(path, out _);
    }
}
