using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Tests.Support;

namespace Qaic.Tests.Compilation;

[TestClass]
public sealed class CompileCacheTests : IDisposable
{
    private readonly CompileCacheWorkshop _workshop = new();
    private readonly CountingCompiler _compiler = new();
    private readonly RecordingLogger _log = new();

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => _workshop.Dispose();

    [TestMethod]
    public void What_was_compiled_is_found_again_without_compiling()
    {
        string model = _workshop.Model();
        string path;
        using (CacheEntry made = _workshop.Cache().Get(_compiler, model))
        {
            Assert.IsFalse(made.IsHit);
            path = made.QpcPath;
        }

        using CacheEntry found = _workshop.Cache().Get(_compiler, model, logger: _log);
        Assert.IsTrue(found.IsHit);
        Assert.AreEqual(path, found.QpcPath);
        Assert.AreEqual(1, _compiler.Compiled);
        using var qpc = QpcFile.Open(found.QpcPath);
        Assert.AreEqual("scaling", qpc.ReadNetworkDescriptor().NetworkName);
        Assert.Contains("compiled by counting 1", _log.Of(LogLevel.Information).Single());
    }

    [TestMethod]
    public void Finding_reads_neither_the_model_nor_the_network()
    {
        string model = _workshop.Model("m.onnx", "weights.bin");
        _workshop.File("weights.bin", "weights");
        _workshop.Cache().Get(_compiler, model).Dispose();
        CompileCache second = _workshop.Cache();
        second.Get(_compiler, model).Dispose();
        Assert.AreEqual(0, second.Digests.FilesRead);
    }

    [TestMethod]
    public void Warnings_of_the_compilation_are_repeated_to_whoever_finds_its_result()
    {
        string model = _workshop.Model();
        _compiler.OnCompile = (_, logger) => logger.Log(LogLevel.Warning, 7, "rows interact", null, (state, _) => state);
        _workshop.Cache().Get(_compiler, model, logger: _log).Dispose();
        Assert.AreEqual("rows interact", _log.Of(LogLevel.Warning).Single());
        var second = new RecordingLogger();
        _workshop.Cache().Get(_compiler, model, logger: second).Dispose();
        Assert.EndsWith("rows interact", second.Of(LogLevel.Warning).Single());
    }

    [TestMethod]
    public void A_failed_compilation_is_reported_and_leaves_nothing()
    {
        string model = _workshop.Model();
        _compiler.OnCompile = (directory, _) =>
        {
            File.WriteAllText(Path.Combine(directory, QpcFile.FileName), "half");
            throw new CompilationException("No such operator.");
        };
        Assert.ThrowsExactly<CompilationException>(() => _workshop.Cache().Get(_compiler, model));
        Assert.IsEmpty(_workshop.EntryPaths);
        Assert.IsEmpty(_workshop.BuildingPaths);
        Assert.AreEqual(1, _compiler.Compiled, "a model's fault is no fault of the cache and is not tried again without it");
        _compiler.OnCompile = null;
        using CacheEntry entry = _workshop.Cache().Get(_compiler, model);
        Assert.IsNotNull(entry.Key);
    }

    [TestMethod]
    public void A_missing_model_is_refused_by_name() =>
        Assert.Contains("none.onnx", Assert.ThrowsExactly<FileNotFoundException>(() => _workshop.Cache().Get(_compiler, Path.Combine(_workshop.Root, "none.onnx"))).Message);

    [TestMethod]
    public void Threads_that_want_the_same_network_compile_it_once()
    {
        string model = _workshop.Model();
        CacheEntry[] entries = new CacheEntry[8];
        var threads = Enumerable.Range(0, entries.Length).Select(i => new Thread(() => entries[i] = _workshop.Cache().Get(_compiler, model))).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.AreEqual(1, _compiler.Compiled);
        Assert.AreEqual(1, entries.Count(e => !e.IsHit));
        Array.ForEach(entries, e => e.Dispose());
    }

    [TestMethod]
    public async Task A_wait_for_somebody_elses_compilation_can_be_cancelled()
    {
        string model = _workshop.Model();
        using var begun = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        using var cancel = new CancellationTokenSource();
        _compiler.OnCompile = (_, _) =>
        {
            begun.Set();
            go.Wait(CancellationToken.None);
        };
        Task<CacheEntry> other = Task.Run(() => _workshop.Cache().Get(_compiler, model), TestContext.CancellationToken);
        begun.Wait(TestContext.CancellationToken);
        var log = new SignallingLogger(3106, cancel.Cancel);
        Assert.ThrowsExactly<OperationCanceledException>(() => _workshop.Cache().Get(_compiler, model, logger: log, cancellationToken: cancel.Token));
        go.Set();
        (await other).Dispose();
        Assert.AreEqual(1, _compiler.Compiled);
    }

    [TestMethod]
    public void A_model_that_changes_while_it_is_compiled_is_not_kept()
    {
        string model = _workshop.Model();
        _compiler.OnCompile = (_, _) => File.AppendAllText(model, "\u0008\u0009");
        string path;
        using (CacheEntry entry = _workshop.Cache().Get(_compiler, model, logger: _log))
        {
            Assert.IsNull(entry.Key);
            path = entry.QpcPath;
            Assert.IsTrue(File.Exists(path));
        }

        Assert.IsFalse(File.Exists(path), "it goes with its owner");
        Assert.IsEmpty(_workshop.EntryPaths);
        Assert.Contains("changed during the compilation", _log.Of(LogLevel.Warning).Single());
    }

    [TestMethod]
    [DataRow("programqpc.bin"), DataRow("notes.txt"), DataRow("manifest.json")]
    public void A_file_of_an_entry_with_a_wrong_byte_anywhere_is_noticed_and_made_again(string name)
    {
        string model = _workshop.Model();
        _workshop.Cache().Get(_compiler, model).Dispose();
        string path = Path.Combine(_workshop.EntryPaths.Single(), name);
        byte[] sound = File.ReadAllBytes(path);
        int compiled = 1;
        foreach (int at in new[] { 0, sound.Length / 2, sound.Length - 1 })
        {
            byte[] wrong = File.ReadAllBytes(path);
            wrong[Math.Min(at, wrong.Length - 1)] ^= 0x10;
            File.WriteAllBytes(path, wrong);
            AssertRebuilt(model, ++compiled);
        }
    }

    [TestMethod]
    [DataRow("programqpc.bin"), DataRow("notes.txt"), DataRow("manifest.json"), DataRow(".lease")]
    public void An_entry_without_one_of_its_files_is_noticed_and_made_again(string name)
    {
        string model = _workshop.Model();
        _workshop.Cache().Get(_compiler, model).Dispose();
        File.Delete(Path.Combine(_workshop.EntryPaths.Single(), name));
        AssertRebuilt(model, 2);
    }

    [TestMethod]
    [DataRow("programqpc.bin"), DataRow("notes.txt"), DataRow("manifest.json")]
    public void An_entry_with_a_file_cut_short_is_noticed_and_made_again(string name)
    {
        string model = _workshop.Model();
        _workshop.Cache().Get(_compiler, model).Dispose();
        string path = Path.Combine(_workshop.EntryPaths.Single(), name);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^1]);
        AssertRebuilt(model, 2);
        File.WriteAllBytes(path, []);
        AssertRebuilt(model, 3);
    }

    [TestMethod]
    public void An_entry_under_another_key_is_not_taken_for_it()
    {
        _workshop.Cache().Get(_compiler, _workshop.Model("a.onnx")).Dispose();
        string a = _workshop.EntryPaths.Single();
        using (CacheEntry b = _workshop.Cache().Get(_compiler, _workshop.Model("b.onnx")))
        {
            string path = Path.GetDirectoryName(b.QpcPath)!;
            b.Dispose();
            Directory.Delete(path, recursive: true);
            Directory.Move(a, path);
        }

        AssertRebuilt(Path.Combine(_workshop.Root, "b.onnx"), 3);
    }

    [TestMethod]
    public void A_damaged_entry_that_somebody_holds_is_left_and_the_network_compiled_beside_it()
    {
        string model = _workshop.Model();
        using CacheEntry held = _workshop.Cache().Get(_compiler, model);
        File.AppendAllText(Path.Combine(Path.GetDirectoryName(held.QpcPath)!, "notes.txt"), "x");
        using CacheEntry other = _workshop.Cache().Get(_compiler, model, logger: _log);
        Assert.IsNull(other.Key);
        Assert.IsTrue(File.Exists(held.QpcPath) && File.Exists(other.QpcPath));
        Assert.AreEqual(2, _compiler.Compiled, "what is compiled is used, although it cannot be kept");
    }

    [TestMethod]
    public void What_was_used_longest_ago_is_evicted_first()
    {
        string[] models = [_workshop.Model("a.onnx"), _workshop.Model("b.onnx"), _workshop.Model("c.onnx")];
        var clock = new ShiftedClock(TimeSpan.FromHours(1));
        var unlimited = new CompileCache(_workshop.CachePath, long.MaxValue, clock);
        foreach (string model in models[..2])
        {
            clock.Ahead += TimeSpan.FromHours(1);
            unlimited.Get(_compiler, model).Dispose();
        }

        clock.Ahead += TimeSpan.FromHours(1);
        unlimited.Get(_compiler, models[0]).Dispose();
        clock.Ahead += TimeSpan.FromHours(1);
        new CompileCache(_workshop.CachePath, unlimited.Size * 5 / 4, clock).Get(_compiler, models[2], logger: _log).Dispose();
        CollectionAssert.AreEqual(new[] { models[2], models[0] }, unlimited.Entries().Select(e => e.ModelPath).ToArray());
        Assert.Contains(e => e.Event == 3108, _log.Entries);
    }

    [TestMethod]
    public void What_is_held_is_not_evicted_however_old_or_large()
    {
        string[] models = [_workshop.Model("a.onnx"), _workshop.Model("b.onnx"), _workshop.Model("c.onnx")];
        CompileCache tiny = _workshop.Cache(limitBytes: 1);
        using CacheEntry held = tiny.Get(_compiler, models[0]);
        tiny.Get(_compiler, models[1]).Dispose();
        tiny.Get(_compiler, models[2]).Dispose();
        CollectionAssert.AreEquivalent(new[] { models[0], models[2] }, tiny.Entries().Select(e => e.ModelPath).ToArray(), "b went when c came");
        Assert.IsGreaterThan(0, tiny.Clear());
        Assert.AreEqual(held.QpcPath, tiny.Entries().Single().QpcPath);
        Assert.IsTrue(File.Exists(held.QpcPath));
        held.Dispose();
        Assert.AreEqual(tiny.Size, tiny.Trim());
        Assert.IsEmpty(_workshop.EntryPaths);
        Assert.IsEmpty(_workshop.BuildingPaths);
    }

    [TestMethod]
    public void Entries_tell_what_they_were_made_from_and_whether_they_are_in_use()
    {
        string model = _workshop.Model();
        using CacheEntry entry = _workshop.Cache().Get(_compiler, model);
        CachedQpc listed = _workshop.Cache().Entries().Single();
        Assert.AreEqual((entry.Key, entry.QpcPath, model, "counting", "1", true, null), (listed.Key, listed.QpcPath, listed.ModelPath, listed.Compiler, listed.CompilerVersion, listed.IsInUse, listed.Problem));
        Assert.IsGreaterThan(new FileInfo(entry.QpcPath).Length, listed.Bytes);
        Assert.AreEqual(listed.Bytes, _workshop.Cache().Size);
        entry.Dispose();
        Assert.IsFalse(_workshop.Cache().Entries().Single().IsInUse);
    }

    [TestMethod]
    public void Verify_finds_a_wrong_byte_that_the_file_system_does_not_tell_of()
    {
        string model = _workshop.Model();
        _workshop.Cache().Get(_compiler, model).Dispose();
        Assert.IsNull(_workshop.Cache().Verify(TestContext.CancellationToken).Single().Problem);

        // As a failing disk does it: the memo says that the file with exactly this stamp is sound.
        CompileCache cache = _workshop.Cache();
        string path = cache.Entries().Single().QpcPath;
        string digest = cache.Digests.Of(path, TestContext.CancellationToken);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        cache.Digests.Remember(path, FileStamp.Of(path)!.Value, digest, DateTimeOffset.UtcNow.AddDays(1));
        using (CacheEntry trusting = cache.Get(_compiler, model))
        {
            Assert.IsTrue(trusting.IsHit);
            Assert.Contains("other content", cache.Verify(TestContext.CancellationToken).Single().Problem!);
            Assert.HasCount(1, _workshop.EntryPaths, "in use");
        }

        Assert.IsNotNull(cache.Verify(TestContext.CancellationToken).Single().Problem);
        Assert.IsEmpty(_workshop.EntryPaths);
    }

    [TestMethod]
    public void A_cache_that_is_not_there_yet_is_empty()
    {
        CompileCache cache = _workshop.Cache();
        Assert.IsEmpty(cache.Entries());
        Assert.IsEmpty(cache.Verify(TestContext.CancellationToken));
        Assert.AreEqual((0L, 0L, 0L), (cache.Size, cache.Trim(), cache.Clear()));
        Assert.IsFalse(Directory.Exists(_workshop.CachePath), "asking makes nothing");
    }

    [TestMethod]
    [DataRow("under a file"), DataRow("where the system allows nothing")]
    public void A_directory_that_cannot_be_written_costs_a_warning_and_not_the_compilation(string where)
    {
        if (where != "under a file" && !Directory.Exists("/proc/self"))
        {
            Assert.Inconclusive("There is no /proc, where even the superuser makes no directories.");
        }

        string directory = where == "under a file" ? Path.Combine(_workshop.File("occupied", ""), "cache") : "/proc/self/cache";
        string model = _workshop.Model();
        string path;
        using (CacheEntry entry = new CompileCache(directory).Get(_compiler, model, logger: _log))
        {
            Assert.IsNull(entry.Key);
            path = entry.QpcPath;
            QpcFile.Open(path).Dispose();
        }

        Assert.IsFalse(File.Exists(path));
        string warning = _log.Of(LogLevel.Warning).Single();
        Assert.Contains(directory, warning);
        Assert.Contains("cache_dir", warning);
        Assert.AreEqual(1, _compiler.Compiled);
    }

    [TestMethod]
    public void A_disk_that_fills_up_costs_a_warning_and_not_the_compilation()
    {
        string model = _workshop.Model();

        // What a write to a full disk throws (28: ENOSPC).
        _compiler.OnCompile = (directory, _) =>
        {
            if (directory.StartsWith(_workshop.CachePath, StringComparison.Ordinal))
            {
                throw new IOException("No space left on device", 28);
            }
        };
        using CacheEntry entry = _workshop.Cache().Get(_compiler, model, logger: _log);
        Assert.IsNull(entry.Key);
        QpcFile.Open(entry.QpcPath).Dispose();
        Assert.Contains("No space left", _log.Of(LogLevel.Warning).Single());
        Assert.IsEmpty(_workshop.BuildingPaths);
    }

    [TestMethod]
    public void What_the_compiler_says_of_a_file_reaches_the_caller_and_is_not_taken_for_the_caches()
    {
        string model = _workshop.Model();
        _compiler.OnCompile = (_, _) => throw new FileNotFoundException("There is no profile 'p.yaml'.");
        Assert.Contains("p.yaml", Assert.ThrowsExactly<FileNotFoundException>(() => _workshop.Cache().Get(_compiler, model, logger: _log)).Message);
        Assert.AreEqual(1, _compiler.Compiled);
        Assert.IsEmpty(_log.Of(LogLevel.Warning));
        Assert.IsEmpty(_workshop.BuildingPaths);
    }

    [TestMethod]
    public void Entries_are_kept_and_found_where_the_system_tells_times_and_lengths_only()
    {
        string model = _workshop.Model();
        FileStamp.IsUntold = true;
        try
        {
            using (CacheEntry made = _workshop.Cache().Get(_compiler, model, logger: _log))
            {
                Assert.IsNotNull(made.Key);
            }

            using (CacheEntry found = _workshop.Cache().Get(_compiler, model, logger: _log))
            {
                Assert.IsTrue(found.IsHit);
                Assert.AreEqual(0, _workshop.Cache(limitBytes: 1).Trim(), "it is held");
            }

            // There an empty file cannot be told from a pipe.
            File.WriteAllBytes(Path.Combine(_workshop.EntryPaths.Single(), ".lease"), []);
            AssertRebuilt(model, 2);
        }
        finally
        {
            FileStamp.IsUntold = false;
        }
    }

    [TestMethod]
    public void An_empty_directory_and_a_limit_of_nothing_are_refused()
    {
        Assert.Contains("cache_dir", Assert.ThrowsExactly<ArgumentException>(() => new CompileCache(" ")).Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new CompileCache(_workshop.CachePath, 0));
    }

    [TestMethod]
    public void The_directory_is_the_options_then_the_environments_then_the_users()
    {
        string? named = Environment.GetEnvironmentVariable("QAIC_CACHE_DIR");
        string? home = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        try
        {
            Environment.SetEnvironmentVariable("QAIC_CACHE_DIR", _workshop.Root);
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", "/somewhere");
            Assert.AreEqual("/given", new CompileCache("/given").Location);
            Assert.AreEqual(_workshop.Root, new CompileCache().Location);
            Environment.SetEnvironmentVariable("QAIC_CACHE_DIR", null);
            Assert.AreEqual("/somewhere/qaic", new CompileCache().Location);
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", "not/absolute");
            Assert.EndsWith("qaic", new CompileCache().Location);
            Assert.DoesNotContain("not/absolute", new CompileCache().Location);
        }
        finally
        {
            Environment.SetEnvironmentVariable("QAIC_CACHE_DIR", named);
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", home);
        }
    }

    [TestMethod]
    public void A_new_cache_is_its_owners_alone_and_marked_for_backup_programs()
    {
        _workshop.Cache().Get(_compiler, _workshop.Model()).Dispose();
        Assert.StartsWith("Signature: 8a477f597d28d172789f06886806bc55", File.ReadAllText(Path.Combine(_workshop.CachePath, "CACHEDIR.TAG")));
        if (!OperatingSystem.IsWindows())
        {
            Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_workshop.CachePath));
        }
    }

    [TestMethod]
    public void With_an_output_directory_the_result_is_copied_there_and_what_is_there_already_is_left_alone()
    {
        string model = _workshop.Model();
        string output = Path.Combine(_workshop.Root, "out");
        QaicOptions options = new() { CacheDirectory = _workshop.CachePath, OutputDirectory = output };
        using CacheEntry first = CompileCache.Compile(_compiler, model, options, NullLogger.Instance, TestContext.CancellationToken);
        Assert.AreEqual(Path.Combine(output, QpcFile.FileName), first.QpcPath);
        CollectionAssert.AreEquivalent(new[] { "programqpc.bin", "notes.txt" }, Directory.GetFiles(output).Select(Path.GetFileName).ToArray());
        FileStamp written = FileStamp.Of(first.QpcPath)!.Value;
        CompileCache.Compile(_compiler, model, options, NullLogger.Instance, TestContext.CancellationToken).Dispose();
        Assert.AreEqual(written, FileStamp.Of(first.QpcPath), "sessions on it go on");
        CompileCache.Compile(_compiler, model, options with { BatchSize = 8 }, NullLogger.Instance, TestContext.CancellationToken).Dispose();
        Assert.AreNotEqual(written, FileStamp.Of(first.QpcPath));
        using (CacheEntry again = CompileCache.Compile(_compiler, model, options, NullLogger.Instance, TestContext.CancellationToken))
        {
            Assert.IsTrue(again.IsHit);
        }

        using var qpc = QpcFile.Open(output);
        Assert.AreEqual(4, qpc.ReadNetworkDescriptor().BatchSize);
        Assert.AreEqual(2, _compiler.Compiled);
    }

    [TestMethod]
    [DataRow("a model that changes meanwhile"), DataRow("an option that writes a file"), DataRow("a cache that cannot be written"), DataRow("no cache")]
    public void The_output_directory_has_the_result_also_where_it_cannot_be_kept(string why)
    {
        string model = _workshop.Model();
        string output = Path.Combine(_workshop.Root, "out");
        QaicOptions options = new() { CacheDirectory = _workshop.CachePath, OutputDirectory = output };
        options = why switch
        {
            "an option that writes a file" => options with { DumpCustomIoConfigTemplateFile = "template.yaml" },
            "a cache that cannot be written" => options with { CacheDirectory = Path.Combine(_workshop.File("occupied", ""), "cache") },
            "no cache" => options with { UseCache = false },
            _ => options,
        };
        if (why == "a model that changes meanwhile")
        {
            _compiler.OnCompile = (_, _) => File.AppendAllText(model, "\u0008\u0009");
        }

        using CacheEntry entry = CompileCache.Compile(_compiler, model, options, NullLogger.Instance, TestContext.CancellationToken);
        Assert.AreEqual((Path.Combine(output, QpcFile.FileName), null, false), (entry.QpcPath, entry.Key, entry.IsHit));
        CollectionAssert.AreEquivalent(new[] { "programqpc.bin", "notes.txt" }, Directory.GetFiles(output).Select(Path.GetFileName).ToArray());
        Assert.AreEqual(1, _compiler.Compiled);
    }

    [TestMethod]
    public void What_was_not_kept_can_be_copied_too()
    {
        using CacheEntry entry = CompileCache.Compile(_compiler, _workshop.Model(), new() { UseCache = false }, NullLogger.Instance, TestContext.CancellationToken);
        string output = Path.Combine(_workshop.Root, "out");
        Assert.AreEqual(Path.Combine(output, QpcFile.FileName), entry.CopyTo(output));
        CollectionAssert.AreEquivalent(new[] { "programqpc.bin", "notes.txt" }, Directory.GetFiles(output).Select(Path.GetFileName).ToArray());
    }

    [TestMethod]
    public void Without_the_cache_the_result_is_in_a_directory_that_goes_with_it()
    {
        string model = _workshop.Model();
        QaicOptions options = new() { CacheDirectory = _workshop.CachePath, UseCache = false };
        CacheEntry entry = CompileCache.Compile(_compiler, model, options, NullLogger.Instance, TestContext.CancellationToken);
        Assert.IsTrue(File.Exists(entry.QpcPath));
        entry.Dispose();
        Assert.IsFalse(File.Exists(entry.QpcPath));
        Assert.IsFalse(Directory.Exists(_workshop.CachePath));
    }

    private void AssertRebuilt(string model, int compiled)
    {
        var log = new RecordingLogger();
        using CacheEntry entry = _workshop.Cache().Get(_compiler, model, logger: log);
        Assert.IsFalse(entry.IsHit);
        Assert.IsNotNull(entry.Key);
        Assert.AreEqual(compiled, _compiler.Compiled);
        Assert.Contains("is damaged", log.Of(LogLevel.Warning).Single());
        using (var qpc = QpcFile.Open(entry.QpcPath))
        {
            Assert.AreEqual("scaling", qpc.ReadNetworkDescriptor().NetworkName);
        }

        using CacheEntry again = _workshop.Cache().Get(_compiler, model);
        Assert.IsTrue(again.IsHit, "the new entry is sound");
        Assert.IsEmpty(_workshop.BuildingPaths);
    }
}

/// <summary>Does something when an event is logged.</summary>
internal sealed class SignallingLogger(int eventId, Action onEvent) : ILogger
{
    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (id.Id == eventId)
        {
            onEvent();
        }
    }
}
