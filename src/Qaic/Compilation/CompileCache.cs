using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Qaic.Qpc;

namespace Qaic.Compilation;

/// <summary>Keeps compiled networks on disk and finds them again, by what they were made from: the model and its external data, the options of compilation with the files they name, the compiler.</summary>
/// <remarks>
/// <para>Thread-safe, and safe between processes that share the directory: the same network is compiled once, others wait for it. An entry appears complete or not at all, whenever a process is killed.
/// A damaged entry is noticed and made again. Beyond its limit the cache evicts what was used longest ago, but nothing that a process holds;
/// where files cannot be locked, nobody can tell, and it evicts nothing.</para>
/// <para>No fault of the cache fails a compilation: what cannot be kept is compiled, with a warning, and not kept.</para>
/// <para>A directory is trusted as its files are: whoever may write to it chooses what the card runs. A new one is made for its owner alone.</para>
/// </remarks>
public sealed class CompileCache
{
    // Of the directory:
    //   v1/entries/<key>/     programqpc.bin, what else the compiler wrote, manifest.json, .lease (locked shared by whoever holds the entry)
    //   v1/locks/<3 digits>   locked while a network whose key begins so is compiled, and "trim"
    //   v1/building/qaic-…/   what is being compiled or deleted; swept when its process is gone
    //   v1/digests/           see FileDigests

    /// <summary>Environment variable that names the directory where no option does.</summary>
    public const string DirectoryVariable = "QAIC_CACHE_DIR";

    /// <summary>Size that a cache is held to by default: 16 GiB.</summary>
    public const long DefaultLimitBytes = 16L << 30;

    private const string Layout = "v1";

    // Never deleted: a lock whose file can go protects nothing. So there is a bounded number of them, and two networks in 4096 share one.
    private const int LockDigits = 3;

    private const long MinimumFreeBytes = 1 << 20;

    // How often an entry may be replaced in the moment between opening its lease and looking at it; more often than that, it is something else.
    private const int MaxReplacements = 8;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMilliseconds(200);

    // Evictors and listings hold an entry's lock for the time of a rename.
    private static readonly TimeSpan s_momentaryLock = TimeSpan.FromSeconds(2);

    // Bytes that this process has added to a cache since it last counted it, by location.
    private static readonly ConcurrentDictionary<string, long> s_addedSinceTrim = new();

    private readonly TimeProvider _clock;
    private readonly string _entries;
    private readonly string _locks;
    private readonly string _building;
    private readonly string _digests;

    /// <summary>A cache in a directory; nothing is made or read yet.</summary>
    /// <param name="directory">Null: <c>QAIC_CACHE_DIR</c> if it is set, else <c>qaic</c> in the user's cache directory (<c>XDG_CACHE_HOME</c>, <c>~/.cache</c>).</param>
    /// <param name="limitBytes">Bytes that all entries together are held to; 1 or more. One entry alone may be larger while it is in use.</param>
    /// <exception cref="ArgumentException">The directory is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not positive.</exception>
    /// <exception cref="InvalidOperationException">No directory is given, and the user has none.</exception>
    public CompileCache(string? directory = null, long limitBytes = DefaultLimitBytes)
        : this(directory, limitBytes, TimeProvider.System)
    {
    }

    internal CompileCache(string? directory, long limitBytes, TimeProvider clock)
    {
        if (directory is not null && string.IsNullOrWhiteSpace(directory))
        {
            throw new ArgumentException("The directory of the compile cache (option CacheDirectory, cache_dir) is empty; leave it out for the default.", nameof(directory));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(limitBytes, 1);
        Location = Path.GetFullPath(directory ?? DefaultLocation() ?? throw new InvalidOperationException(
            $"The user has no home directory to keep compiled networks in. Set {DirectoryVariable}, or the option CacheDirectory (cache_dir)."));
        LimitBytes = limitBytes;
        _clock = clock;
        string root = Path.Combine(Location, Layout);
        _entries = Path.Combine(root, "entries");
        _locks = Path.Combine(root, "locks");
        _building = Path.Combine(root, "building");
        _digests = Path.Combine(root, "digests");
        Digests = new FileDigests(_digests, clock);
    }

    /// <summary>Full path of the cache's directory.</summary>
    public string Location { get; }

    /// <summary>Bytes that all entries together are held to.</summary>
    public long LimitBytes { get; }

    /// <summary>Bytes of all entries now.</summary>
    public long Size => Entries().Sum(e => e.Bytes);

    internal FileDigests Digests { get; }

    /// <summary>Compiles as the session's options say: through the cache or not, into <see cref="QaicOptions.OutputDirectory"/> or to where the result may stay until it is disposed.</summary>
    /// <inheritdoc cref="GetOrCompile" path="/param"/>
    /// <returns>The compiled network; dispose it when it is not needed any more.</returns>
    /// <inheritdoc cref="GetOrCompile" path="/exception"/>
    public static CacheEntry Compile(ICompiler compiler, string modelPath, QaicOptions options, ILogger logger, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(compiler);
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        if (!options.UseCache)
        {
            return Uncached(compiler, modelPath, options, logger, options.OutputDirectory, cancellationToken);
        }

        CompileCache cache;
        try
        {
            cache = new CompileCache(options.CacheDirectory, (long)options.CacheLimitMiB << 20);
        }
        catch (InvalidOperationException e)
        {
            CompileCacheLog.Unusable(logger, "the user's directory", modelPath, e.Message);
            return Uncached(compiler, modelPath, options, logger, options.OutputDirectory, cancellationToken);
        }

        CacheEntry entry = cache.Obtain(compiler, modelPath, options, logger, options.OutputDirectory, cancellationToken);
        if (options.OutputDirectory is not { } output || entry.IsForeign)
        {
            return entry;
        }

        using (entry)
        {
            return CacheEntry.Foreign(entry.CopyTo(output), entry.Key, entry.IsHit);
        }
    }

    /// <summary>Finds a compiled network, or compiles it and keeps it.</summary>
    /// <remarks><see cref="QaicOptions.OutputDirectory"/> and the options that choose a cache are ignored. Options that have the compiler write further files bypass the cache.</remarks>
    /// <param name="compiler">The compiler; its name and version are part of what is looked for.</param>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="options">Compile-stage options.</param>
    /// <param name="logger">Receives the compiler's remarks, also those of an earlier compilation, and the cache's.</param>
    /// <param name="cancellationToken">Ends the compilation, and the wait for somebody else's.</param>
    /// <returns>The entry, held until it is disposed. If nothing could be kept, the QPC is in a temporary directory that goes with it.</returns>
    /// <exception cref="FileNotFoundException">There is no such model.</exception>
    /// <exception cref="CompilationException">The model or an option cannot be compiled.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public CacheEntry GetOrCompile(ICompiler compiler, string modelPath, QaicOptions options, ILogger logger, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(compiler);
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        return Obtain(compiler, modelPath, options, logger, output: null, cancellationToken);
    }

    /// <summary>What the cache holds, in the order of last use, the latest first. Reads manifests, not networks.</summary>
    /// <exception cref="IOException">The directory cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory may not be read.</exception>
    public IReadOnlyList<CachedQpc> Entries() => [.. EntryPaths().Select(Describe).OfType<CachedQpc>().OrderByDescending(e => e.LastUsedAt)];

    /// <summary>Reads every byte of every entry. Damaged ones are removed, unless a process holds them; they would be compiled again anyway.</summary>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>The entries as they were found, damaged ones with <see cref="CachedQpc.Problem"/>.</returns>
    /// <exception cref="IOException">The directory cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory may not be read.</exception>
    public IReadOnlyList<CachedQpc> Verify(CancellationToken cancellationToken = default)
    {
        var found = new List<CachedQpc>();
        foreach (CachedQpc entry in Entries())
        {
            string path = Path.GetDirectoryName(entry.QpcPath)!;
            using FileStream? lease = OpenLease(path, cancellationToken);
            if (!Directory.Exists(path))
            {
                continue;
            }

            string? problem = CompileCacheManifest.Problem(path, entry.Key, file => Digests.Read(file, cancellationToken), out _)
                ?? (lease is null ? $"{CompileCacheManifest.LeaseName} is missing" : null);
            found.Add(entry with { Problem = problem });
            if (problem is not null)
            {
                lease?.Dispose();
                Discard(path);
            }
        }

        return found;
    }

    /// <summary>Evicts what was used longest ago until the cache is within its limit, and deletes what killed processes have left.</summary>
    /// <returns>Bytes that were freed; 0 also if another process is trimming.</returns>
    /// <exception cref="IOException">The directory cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory may not be read.</exception>
    public long Trim() => Evict(LimitBytes).Bytes;

    /// <summary>Evicts everything that no process holds, and forgets the digests of models.</summary>
    /// <returns>Bytes that were freed.</returns>
    /// <exception cref="IOException">The directory cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory may not be read.</exception>
    public long Clear()
    {
        long freed = Evict(0, wait: true).Bytes;
        if (Directory.Exists(_digests))
        {
            foreach (string memo in Directory.EnumerateFiles(_digests))
            {
                File.Delete(memo);
            }
        }

        return freed;
    }

    /// <summary>Evicts what was last used before a moment and what no process holds.</summary>
    /// <param name="lastUsedBefore">What was used then or later stays.</param>
    /// <returns>Bytes that were freed.</returns>
    /// <exception cref="IOException">The directory cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory may not be read.</exception>
    public long Clear(DateTimeOffset lastUsedBefore) => Evict(0, wait: true, lastUsedBefore).Bytes;

    /// <summary>The directory where no option names one; null if the user has none.</summary>
    internal static string? DefaultLocation()
    {
        if (Environment.GetEnvironmentVariable(DirectoryVariable) is { Length: > 0 } named)
        {
            return named;
        }

        // The convention asks for an absolute path, and for others to be ignored.
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache && Path.IsPathFullyQualified(cache))
        {
            return Path.Combine(cache, "qaic");
        }

        string home = Environment.GetFolderPath(OperatingSystem.IsWindows() ? Environment.SpecialFolder.LocalApplicationData : Environment.SpecialFolder.UserProfile);
        return home.Length == 0 ? null
            : OperatingSystem.IsWindows() ? Path.Combine(home, "qaic", "cache")
            : OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches", "qaic")
            : Path.Combine(home, ".cache", "qaic");
    }

    private CacheEntry Obtain(ICompiler compiler, string modelPath, QaicOptions options, ILogger logger, string? output, CancellationToken cancellationToken)
    {
        options.Validate();
        if (!File.Exists(modelPath))
        {
            throw new FileNotFoundException($"There is no model '{modelPath}'.", modelPath);
        }

        Exception? compilers = null;
        try
        {
            if (CompileCacheKey.Of(compiler, modelPath, options, Digests, out string reason, cancellationToken) is not { } key)
            {
                CompileCacheLog.Bypassed(logger, modelPath, reason);
            }
            else if (Find(key, modelPath, logger, out _, cancellationToken) is { } found)
            {
                return found;
            }
            else if (Make(key, compiler, modelPath, options, logger, ref compilers, cancellationToken) is { } made)
            {
                return made;
            }
        }
        catch (Exception e) when (IsFault(e) && e != compilers)
        {
            CompileCacheLog.Unusable(logger, Location, modelPath, e.Message);
        }

        return Uncached(compiler, modelPath, options, logger, output, cancellationToken);
    }

    private static bool IsFault(Exception e) => e is IOException or UnauthorizedAccessException;

    // ENOSPC and EDQUOT of Linux, EDQUOT of macOS, ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL. The vendor's compiler says it in words of its own, so the disk is asked too.
    private static bool IsDiskFull(string directory, Exception e) =>
        e.HResult is 28 or 122 or 69 or unchecked((int)0x80070027) or unchecked((int)0x80070070) || new DriveInfo(directory).AvailableFreeSpace < MinimumFreeBytes;

    private static CacheEntry Uncached(ICompiler compiler, string modelPath, QaicOptions options, ILogger logger, string? output, CancellationToken cancellationToken)
    {
        if (output is not null)
        {
            return CacheEntry.Foreign(compiler.Compile(modelPath, output, options, logger, cancellationToken));
        }

        var directory = TemporaryDirectory.Create();
        try
        {
            string target = Directory.CreateDirectory(Path.Combine(directory.Path, "entry")).FullName;
            return CacheEntry.Temporary(compiler.Compile(modelPath, target, options, logger, cancellationToken), directory);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    private CacheEntry? Find(string key, string modelPath, ILogger logger, out string? problem, CancellationToken cancellationToken)
    {
        problem = null;
        string entry = EntryPath(key);
        if (!Directory.Exists(entry))
        {
            return null;
        }

        FileStream? lease = OpenLease(entry, cancellationToken);
        try
        {
            problem = CompileCacheManifest.Problem(entry, key, path => Digests.Of(path, cancellationToken), out CompileCacheManifest? manifest);
            problem ??= lease is null ? $"{CompileCacheManifest.LeaseName} is missing" : null;
            if (problem is not null)
            {
                return null;
            }

            Touch(entry);
            CompileCacheLog.Found(logger, modelPath, manifest!.Compiler, manifest.CompilerVersion, entry, manifest.Elapsed);
            foreach (string remark in manifest.Remarks)
            {
                CompileCacheLog.Remark(logger, modelPath, remark);
            }

            var found = CacheEntry.Leased(entry, key, isHit: true, lease!);
            lease = null;
            return found;
        }
        finally
        {
            lease?.Dispose();
        }
    }

    // Null: it cannot be kept, so it is to be compiled elsewhere; the log says why.
    private CacheEntry? Make(string key, ICompiler compiler, string modelPath, QaicOptions options, ILogger logger, ref Exception? compilers, CancellationToken cancellationToken)
    {
        Prepare();
        using FileStream keyLock = Lock(key[..LockDigits], () => CompileCacheLog.Waiting(logger, modelPath), cancellationToken);

        // Whoever had the lock has made it, most likely.
        if (Find(key, modelPath, logger, out string? problem, cancellationToken) is { } found)
        {
            return found;
        }

        if (problem is not null)
        {
            CompileCacheLog.Damaged(logger, EntryPath(key), modelPath, problem);
        }

        TemporaryDirectory.Sweep(_building, isOwn: true);
        var building = TemporaryDirectory.Create(_building);
        bool isGivenAway = false;
        try
        {
            string output = Directory.CreateDirectory(Path.Combine(building.Path, "entry")).FullName;
            var remarks = new RemarkLogger(logger);
            long start = Stopwatch.GetTimestamp();
            string qpc;
            try
            {
                qpc = compiler.Compile(modelPath, output, options, remarks, cancellationToken);
            }
            catch (Exception e) when ((e is CompilationException || IsFault(e)) && IsDiskFull(building.Path, e))
            {
                throw new IOException($"The disk is full, and the compiler failed: {e.Message}", e);
            }
            catch (Exception e) when (IsFault(e))
            {
                // A file that an option names is missing, for instance: the cache is not to blame, and without it the same would come again.
                compilers = e;
                throw;
            }

            var manifest = new CompileCacheManifest
            {
                Key = key,
                Model = Path.GetFullPath(modelPath),
                Compiler = compiler.Name,
                CompilerVersion = compiler.Version,
                Compiled = _clock.GetUtcNow(),
                Elapsed = Stopwatch.GetElapsedTime(start),
                Remarks = remarks.Remarks,
            };
            if (CompileCacheKey.Of(compiler, modelPath, options, Digests, out _, cancellationToken) != key)
            {
                CompileCacheLog.ChangedMeanwhile(logger, modelPath);
                isGivenAway = true;
                return CacheEntry.Temporary(qpc, building);
            }

            try
            {
                return Publish(output, manifest, logger, cancellationToken);
            }
            catch (Exception e) when (IsFault(e) && File.Exists(qpc))
            {
                // It is compiled, and that may have taken minutes.
                CompileCacheLog.Unusable(logger, Location, modelPath, e.Message);
                isGivenAway = true;
                return CacheEntry.Temporary(qpc, building);
            }
        }
        finally
        {
            if (!isGivenAway)
            {
                building.Dispose();
            }
        }
    }

    private CacheEntry Publish(string output, CompileCacheManifest manifest, ILogger logger, CancellationToken cancellationToken)
    {
        string entry = EntryPath(manifest.Key);
        var files = new List<CachedFile>();
        var stamps = new List<FileStamp>();
        foreach (string path in Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories))
        {
            // Down to the disk, so that no crash leaves a name without its content.
            using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0))
            {
                file.Flush(flushToDisk: true);
                stamps.Add(FileStamp.Of(file.SafeFileHandle));
            }

            files.Add(new CachedFile(Path.GetRelativePath(output, path), stamps[^1].Size, Digests.Read(path, cancellationToken)));
        }

        (manifest with { Files = files }).Write(output);

        // Not empty: where the system does not tell what is an ordinary file, only the length does.
        File.WriteAllBytes(Path.Combine(output, CompileCacheManifest.LeaseName), "1"u8);
        Touch(output);

        // Held before it can be seen, so that nobody evicts it in between. Windows renames no directory with an open file in it.
        FileStream? lease = OperatingSystem.IsWindows() ? null : OpenLease(output, cancellationToken);
        try
        {
            if (Directory.Exists(entry) && !Discard(entry))
            {
                throw new IOException($"'{entry}' is damaged, but a process still uses it, or files cannot be locked there.");
            }

            DateTimeOffset published = _clock.GetUtcNow();
            Directory.Move(output, entry);
            for (int i = 0; i < files.Count; i++)
            {
                string path = Path.Combine(entry, files[i].Name);
                if (FileStamp.Of(path) == stamps[i])
                {
                    Digests.Remember(path, stamps[i], files[i].Digest, published);
                }
            }

            lease ??= OpenLease(entry, cancellationToken) ?? throw new IOException($"'{entry}' was evicted at once.");
            var made = CacheEntry.Leased(entry, manifest.Key, isHit: false, lease);
            lease = null;
            (int count, long bytes) = IsTrimDue(files.Sum(f => f.Size)) ? TryEvict() : default;
            if (count > 0)
            {
                CompileCacheLog.Trimmed(logger, count, bytes, Location, LimitBytes);
            }

            return made;
        }
        finally
        {
            lease?.Dispose();
        }
    }

    // Counting the whole cache takes longer than compiling a small network into it, so it is done for the first one and then for every 64th part of the limit.
    private bool IsTrimDue(long added) => s_addedSinceTrim.AddOrUpdate(Location, LimitBytes, (_, before) => before + added) >= LimitBytes / 64;

    private (int Count, long Bytes) TryEvict()
    {
        try
        {
            return Evict(LimitBytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next one tries again.
            return default;
        }
    }

    private (int Count, long Bytes) Evict(long limit, bool wait = false, DateTimeOffset? lastUsedBefore = null)
    {
        if (!Directory.Exists(_entries))
        {
            return default;
        }

        Prepare();

        // Two at once would each evict enough for both.
        using FileStream? trimLock = wait ? Lock("trim", static () => { }, CancellationToken.None) : TryLock("trim");
        if (trimLock is null)
        {
            return default;
        }

        s_addedSinceTrim[Location] = 0;
        TemporaryDirectory.Sweep(_building, isOwn: true);
        Digests.Sweep();
        IReadOnlyList<CachedQpc> entries = Entries();
        long size = entries.Sum(e => e.Bytes);
        (int count, long freed) = (0, 0L);
        foreach (CachedQpc entry in entries.Reverse())
        {
            // The one that was used longest ago comes first.
            if (size <= limit || entry.LastUsedAt >= lastUsedBefore)
            {
                break;
            }

            if (Discard(Path.GetDirectoryName(entry.QpcPath)!))
            {
                size -= entry.Bytes;
                freed += entry.Bytes;
                count++;
            }
        }

        return (count, freed);
    }

    private void Prepare()
    {
        bool isNew = !Directory.Exists(Location);
        if (isNew && !OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(Location, OwnerOnly);
        }

        foreach (string directory in new[] { _entries, _locks, _building, _digests })
        {
            Directory.CreateDirectory(directory);
        }

        if (isNew)
        {
            // Tells backup programs that nothing in here needs saving (bford.info/cachedir).
            File.WriteAllText(Path.Combine(Location, "CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n# Networks compiled by Qaic.ML. May be deleted at any time.\n");
        }
    }

    // Waits by asking again: the lock of a file can be waited for only without being cancelled.
    private FileStream Lock(string name, Action onWait, CancellationToken cancellationToken)
    {
        var pause = TimeSpan.FromMilliseconds(10);
        for (bool waiting = false; ; waiting = true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (TryLock(name) is { } taken)
            {
                return taken;
            }

            if (!waiting)
            {
                onWait();
            }

            cancellationToken.WaitHandle.WaitOne(pause);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
    }

    private FileStream? TryLock(string name)
    {
        try
        {
            return new FileStream(Path.Combine(_locks, name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException e) when (FileLock.IsLocked(e))
        {
            return null;
        }
    }

    /// <summary>Takes a share in an entry. Null: there is no entry, or one without a lease that can be told from another's.</summary>
    private static FileStream? OpenLease(string entry, CancellationToken cancellationToken)
    {
        string path = Path.Combine(entry, CompileCacheManifest.LeaseName);
        long start = Stopwatch.GetTimestamp();
        for (int replaced = 0; replaced < MaxReplacements;)
        {
            FileStream? lease = null;
            try
            {
                lease = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);

                // Between opening and locking the entry may have been evicted and made anew; this would then hold the old one.
                if (FileStamp.Of(path) is { } there && there.IsSameFile(FileStamp.Of(lease.SafeFileHandle)))
                {
                    return lease;
                }

                lease.Dispose();
                replaced++;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                return null;
            }
            catch (IOException e) when (FileLock.IsLocked(e) && Stopwatch.GetElapsedTime(start) < s_momentaryLock)
            {
                cancellationToken.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(5));
                cancellationToken.ThrowIfCancellationRequested();
            }
            catch
            {
                lease?.Dispose();
                throw;
            }
        }

        return null;
    }

    /// <summary>Removes an entry that nobody holds: out of sight at once, then from the disk.</summary>
    /// <returns>False if somebody holds it, or it is gone.</returns>
    private bool Discard(string entry)
    {
        using FileStream? lease = TryOwn(entry, out bool isHeld);
        if (isHeld)
        {
            return false;
        }

        try
        {
            using var trash = TemporaryDirectory.Create(_building);
            if (OperatingSystem.IsWindows())
            {
                lease?.Dispose();
            }

            Directory.Move(entry, Path.Combine(trash.Path, "entry"));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static FileStream? TryOwn(string entry, out bool isHeld)
    {
        isHeld = false;
        try
        {
            // Without it: locked, not ours to write to and so not ours to delete, or nobody can tell.
            FileStream? lease = FileLock.TryOwn(Path.Combine(entry, CompileCacheManifest.LeaseName));
            isHeld = lease is null;
            return lease;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private void Touch(string entry)
    {
        try
        {
            File.SetLastWriteTimeUtc(Path.Combine(entry, CompileCacheManifest.LeaseName), _clock.GetUtcNow().UtcDateTime);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A cache that is mounted read-only is used as it is.
        }
    }

    private string EntryPath(string key) => Path.Combine(_entries, key);

    private string[] EntryPaths() => Directory.Exists(_entries) ? Directory.GetDirectories(_entries) : [];

    // Null: evicted meanwhile.
    private static CachedQpc? Describe(string entry)
    {
        var found = new CachedQpc(Path.GetFileName(entry), Path.Combine(entry, QpcFile.FileName));
        try
        {
            TryOwn(entry, out bool isHeld)?.Dispose();
            found = found with
            {
                IsInUse = isHeld,
                LastUsedAt = File.GetLastWriteTimeUtc(Path.Combine(entry, CompileCacheManifest.LeaseName)),
                Bytes = new DirectoryInfo(entry).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length),
            };
            var manifest = CompileCacheManifest.Read(entry);
            return found with
            {
                ModelPath = manifest.Model,
                Compiler = manifest.Compiler,
                CompilerVersion = manifest.CompilerVersion,
                CompiledAt = manifest.Compiled,
                CompileTime = manifest.Elapsed,
            };
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            return Directory.Exists(entry) ? found with { Problem = e.Message.TrimEnd('.') } : null;
        }
    }
}
