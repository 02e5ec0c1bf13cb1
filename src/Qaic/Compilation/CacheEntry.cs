using Qaic.Qpc;

namespace Qaic.Compilation;

/// <summary>A compiled network that stays where it is until this is disposed: kept by the cache, in a temporary directory, or in a directory of the caller's.</summary>
/// <remarks>Thread-safe. As long as a process holds an entry of the cache, no process evicts or replaces it; the hold ends with the process, however that ends.</remarks>
public sealed class CacheEntry : IDisposable
{
    private readonly IDisposable? _hold;

    private CacheEntry(string qpcPath, string? key, bool isHit, IDisposable? hold)
    {
        QpcPath = Path.GetFullPath(qpcPath);
        Key = key;
        IsHit = isHit;
        _hold = hold;
    }

    /// <summary>Full path of the QPC.</summary>
    public string QpcPath { get; }

    /// <summary>The entry's key in the cache, 64 hexadecimal digits; null if the result was not kept there.</summary>
    public string? Key { get; }

    /// <summary>Whether it had been compiled before.</summary>
    public bool IsHit { get; }

    /// <summary>Whether it lies in a directory of the caller's.</summary>
    internal bool IsForeign => _hold is null;

    /// <summary>Lets the cache evict the entry, or deletes the temporary directory. Idempotent.</summary>
    public void Dispose() => _hold?.Dispose();

    /// <summary>An entry of the cache, held by the lock of an open file.</summary>
    internal static CacheEntry Leased(string entry, string key, bool isHit, FileStream lease) => new(Path.Combine(entry, QpcFile.FileName), key, isHit, lease);

    /// <summary>A result that goes with its owner.</summary>
    internal static CacheEntry Temporary(string qpcPath, TemporaryDirectory directory) => new(qpcPath, null, isHit: false, directory);

    /// <summary>A result in a directory that is the caller's.</summary>
    internal static CacheEntry Foreign(string qpcPath, string? key = null, bool isHit = false) => new(qpcPath, key, isHit, hold: null);

    /// <summary>Copies the QPC, and what the compiler wrote beside it, to a directory. A reader of that directory sees the old file or the new one, never half of one.</summary>
    /// <param name="directory">Created if it is missing. A file that is there already with the same content is left alone, so that sessions on it go on.</param>
    /// <returns>Full path of the copied QPC.</returns>
    /// <exception cref="IOException">The directory cannot be made or written to.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory cannot be written to.</exception>
    public string CopyTo(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The directory '{Path.GetFullPath(directory)}' for the QPC (OutputDirectory, output_dir) cannot be made: {e.Message}", e);
        }

        string entry = Path.GetDirectoryName(QpcPath)!;
        string[] beside = [.. Directory.EnumerateFiles(entry, "*", SearchOption.AllDirectories)
            .Where(path => path != QpcPath && Path.GetFileName(path) is not (CompileCacheManifest.FileName or CompileCacheManifest.LeaseName))];

        // The QPC comes last: where it is, everything is.
        foreach (string path in beside.Append(QpcPath))
        {
            Copy(path, Path.Combine(directory, Path.GetRelativePath(entry, path)));
        }

        return Path.GetFullPath(Path.Combine(directory, QpcFile.FileName));
    }

    private static void Copy(string from, string to)
    {
        if (SameContent(from, to))
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        string half = $"{to}.{Guid.NewGuid():n}";
        try
        {
            File.Copy(from, half);

            // A copy takes over the original's times; a session tells by them that its file was replaced.
            File.SetLastWriteTimeUtc(half, DateTime.UtcNow);
            File.Move(half, to, overwrite: true);
        }
        catch
        {
            File.Delete(half);
            throw;
        }
    }

    private static bool SameContent(string left, string right)
    {
        if (!File.Exists(right) || new FileInfo(left).Length != new FileInfo(right).Length)
        {
            return false;
        }

        using var a = new FileStream(left, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        using var b = new FileStream(right, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        byte[] ofA = new byte[1 << 16];
        byte[] ofB = new byte[1 << 16];
        for (; ; )
        {
            int read = a.ReadAtLeast(ofA, ofA.Length, throwOnEndOfStream: false);
            if (b.ReadAtLeast(ofB, ofB.Length, throwOnEndOfStream: false) != read || !ofA.AsSpan(0, read).SequenceEqual(ofB.AsSpan(0, read)))
            {
                return false;
            }

            if (read < ofA.Length)
            {
                return true;
            }
        }
    }
}
