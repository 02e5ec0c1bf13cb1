using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Qaic.Compilation;

/// <summary>SHA-256 of files, remembered on disk by what the file system says of them, so that a model of gigabytes is read once and not for every session.</summary>
/// <remarks>
/// A digest is remembered only for a file that had rested when it was read: one that was written a moment ago can be written again within the same tick of the file system's clock,
/// and nothing but its content would tell (git calls such files racily clean). Thread-safe, also between processes. What cannot be remembered or recalled is read again.
/// </remarks>
/// <param name="directory">Where to remember. Need not exist; then nothing is remembered.</param>
/// <param name="clock">The time by which files rest.</param>
internal sealed class FileDigests(string directory, TimeProvider clock)
{
    private const int BufferSize = 1 << 20;
    private const int MaxAttempts = 3;
    private static readonly TimeSpan s_longestUnused = TimeSpan.FromDays(90);

    // Use is noted once a day, so that finding a network writes nothing.
    private static readonly TimeSpan s_noted = TimeSpan.FromDays(1);
    private long _read;

    /// <summary>Files that were read because nothing was remembered of them.</summary>
    public long FilesRead => Interlocked.Read(ref _read);

    /// <summary>The digest of a file's content, in lower-case hexadecimal.</summary>
    /// <exception cref="FileNotFoundException">There is no ordinary file of that name.</exception>
    /// <exception cref="IOException">The file cannot be read, or is being written to.</exception>
    public string Of(string path, CancellationToken cancellationToken)
    {
        path = Path.GetFullPath(path);
        FileStamp stamp = FileStamp.Of(path) ?? throw new FileNotFoundException($"There is no ordinary file '{path}'.", path);
        return Recall(path, stamp) ?? Read(path, cancellationToken);
    }

    /// <summary>The digest of a file's content, read whatever is remembered.</summary>
    /// <inheritdoc cref="Of" path="/exception"/>
    public string Read(string path, CancellationToken cancellationToken)
    {
        path = Path.GetFullPath(path);
        for (int attempt = 1; ; attempt++)
        {
            DateTimeOffset start = clock.GetUtcNow();
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            var before = FileStamp.Of(file.SafeFileHandle);
            string digest = Hash(file, cancellationToken);
            Interlocked.Increment(ref _read);
            if (FileStamp.Of(file.SafeFileHandle) == before)
            {
                Remember(path, before, digest, start);
                return digest;
            }

            if (attempt == MaxAttempts)
            {
                throw new IOException($"'{path}' is being written to: it changed each of {MaxAttempts} times while it was read.");
            }
        }
    }

    /// <summary>Remembers a digest, if the file had rested since it was last its owner's alone to write.</summary>
    /// <param name="path">Full path of the file.</param>
    /// <param name="stamp">Its stamp when it was read.</param>
    /// <param name="digest">Its digest.</param>
    /// <param name="ownedUntil">From this time on, others may have written to it.</param>
    public void Remember(string path, FileStamp stamp, string digest, DateTimeOffset ownedUntil)
    {
        string memo = MemoOf(path);
        try
        {
            if (!stamp.RestedBefore(ownedUntil))
            {
                File.Delete(memo);
                return;
            }

            string content = string.Create(CultureInfo.InvariantCulture, $"{stamp.Size} {stamp.Modified} {stamp.Changed} {stamp.Inode} {stamp.Device} {digest}");
            string written = $"{memo}.{Guid.NewGuid():n}";
            File.WriteAllText(written, $"{content} {Check(path, content)}");
            File.Move(written, memo, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then it is read again; the caller hears of an unusable cache elsewhere.
        }
    }

    /// <summary>Forgets what nobody has asked for since long, and what killed processes have left.</summary>
    public void Sweep()
    {
        DateTime oldest = clock.GetUtcNow().UtcDateTime - s_longestUnused;
        try
        {
            foreach (FileInfo memo in new DirectoryInfo(directory).EnumerateFiles())
            {
                bool isHalf = memo.Name.Contains('.', StringComparison.Ordinal) && memo.LastWriteTimeUtc < clock.GetUtcNow().UtcDateTime.AddHours(-1);
                if (isHalf || memo.LastWriteTimeUtc < oldest)
                {
                    memo.Delete();
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody else is sweeping, or nothing may be deleted; neither does harm.
        }
    }

    private string? Recall(string path, FileStamp stamp)
    {
        string memo = MemoOf(path);
        try
        {
            string text = File.ReadAllText(memo);
            int end = text.LastIndexOf(' ');
            string known = string.Create(CultureInfo.InvariantCulture, $"{stamp.Size} {stamp.Modified} {stamp.Changed} {stamp.Inode} {stamp.Device} ");
            if (end <= known.Length || !text.StartsWith(known, StringComparison.Ordinal) || text[(end + 1)..] != Check(path, text[..end]))
            {
                return null;
            }

            NoteUse(memo);
            return text[known.Length..end];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void NoteUse(string memo)
    {
        DateTime now = clock.GetUtcNow().UtcDateTime;
        try
        {
            if (now - File.GetLastWriteTimeUtc(memo) > s_noted)
            {
                File.SetLastWriteTimeUtc(memo, now);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A cache that may only be read is used as it is.
        }
    }

    private string MemoOf(string path) => Path.Combine(directory, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..32]);

    // A memo with a flipped bit must not pass as another digest.
    private static string Check(string path, string content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{path}\n{content}")))[..32];

    private static string Hash(FileStream file, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            for (int read; (read = file.Read(buffer)) > 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
