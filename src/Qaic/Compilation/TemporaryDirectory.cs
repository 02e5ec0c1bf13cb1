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

    public TemporaryDirectory()
    {
        Path = Directory.CreateTempSubdirectory("qaic-").FullName;
        s_paths.TryAdd(Path, 0);
    }

    ~TemporaryDirectory() => Delete(Path);

    public string Path { get; }

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
