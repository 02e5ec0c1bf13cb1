using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Tests.Runtime;

namespace Qaic.Tests.Compilation;

/// <summary>The cache between two processes: this one, and one that goes on a step per line.</summary>
[TestClass]
public sealed class CompileCacheProcessTests : IDisposable
{
    private readonly CompileCacheWorkshop _workshop = new();
    private readonly string _model;
    private readonly string _qpc;
    private readonly Process _other;
    private int _compiledHere;

    public CompileCacheProcessTests()
    {
        _model = _workshop.Model();
        _qpc = ScalingEngine.WriteQpc(_workshop.Root);
        _other = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Qaic.Tests.CompilingProcess.dll"), _workshop.CachePath, _model, _qpc])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
    }

    public TestContext TestContext { get; set; } = null!;

    public void Dispose()
    {
        if (!_other.HasExited)
        {
            _other.Kill();
            _other.WaitForExit();
        }

        _other.Dispose();
        _workshop.Dispose();
    }

    [TestMethod]
    public async Task Two_processes_compile_once()
    {
        Expect("compiling");
        Task<CacheEntry> here = GetHere(() => _other.StandardInput.WriteLine());
        Expect("made ");
        using CacheEntry entry = await here;
        Assert.IsTrue(entry.IsHit);
        Assert.AreEqual(0, _compiledHere);
        CollectionAssert.AreEqual(File.ReadAllBytes(_qpc), File.ReadAllBytes(entry.QpcPath));
        _other.StandardInput.WriteLine();
        _other.WaitForExit();
        Assert.AreEqual(0, _other.ExitCode);
    }

    [TestMethod]
    public async Task A_process_killed_while_it_compiles_leaves_no_entry_and_no_lock()
    {
        Expect("compiling");
        File.SetLastWriteTimeUtc(Path.Combine(_workshop.BuildingPaths.Single(), ".owner"), DateTime.UtcNow.AddMinutes(-2));
        using CacheEntry entry = await GetHere(_other.Kill);
        Assert.IsFalse(entry.IsHit);
        Assert.AreEqual(1, _compiledHere);
        QpcFile.Open(entry.QpcPath).Dispose();
        Assert.HasCount(1, _workshop.EntryPaths);
        Assert.IsEmpty(_workshop.BuildingPaths, "what the killed process had begun is swept");
    }

    [TestMethod]
    public void What_another_process_holds_is_not_evicted_before_it_ends()
    {
        Expect("compiling");
        _other.StandardInput.WriteLine();
        string path = Expect("made ");
        CompileCache cache = _workshop.Cache(limitBytes: 1);
        Assert.AreEqual(0, cache.Trim());
        Assert.AreEqual(0, cache.Clear());
        Assert.IsTrue(cache.Entries().Single().IsInUse);
        Assert.IsTrue(File.Exists(path));
        _other.Kill();
        _other.WaitForExit();
        Assert.IsGreaterThan(0, cache.Trim());
        Assert.IsFalse(File.Exists(path));
    }

    [TestMethod]
    [DataRow("0"), DataRow("1")]
    public void A_process_whose_locks_keep_nobody_out_deletes_nothing(string isLockingDisabled)
    {
        Expect("compiling");
        _other.StandardInput.WriteLine();
        string path = Expect("made ");
        string abandoned = Directory.CreateDirectory(Path.Combine(_workshop.CachePath, "v1", "building", "qaic-abandoned")).FullName;
        File.WriteAllText(Path.Combine(abandoned, ".owner"), "");
        File.SetLastWriteTimeUtc(Path.Combine(abandoned, ".owner"), DateTime.UtcNow.AddMinutes(-2));
        _other.StandardInput.WriteLine();
        _other.WaitForExit();
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Qaic.Tests.CompilingProcess.dll"), _workshop.CachePath]) { RedirectStandardOutput = true };
        start.Environment["DOTNET_SYSTEM_IO_DISABLEFILELOCKING"] = isLockingDisabled;
        using Process clearing = Process.Start(start)!;
        string? said = clearing.StandardOutput.ReadLine();
        clearing.WaitForExit();
        bool isKept = isLockingDisabled == "1";
        Assert.AreEqual(isKept, said == "freed 0", said);
        Assert.AreEqual((isKept, isKept), (File.Exists(path), Directory.Exists(abandoned)));
    }

    // The same compiler, so that it is the same network.
    private Task<CacheEntry> GetHere(Action whenWaiting) => Task.Run(
        () => new CompileCache(_workshop.CachePath).GetOrCompile(
            new SteppedCompiler(_qpc, () => _compiledHere++), _model, QaicOptions.Default, new SignallingLogger(3106, whenWaiting), TestContext.CancellationToken),
        TestContext.CancellationToken);

    private string Expect(string beginning)
    {
        string? line = _other.StandardOutput.ReadLine();
        Assert.IsNotNull(line, "the other process ended");
        Assert.StartsWith(beginning, line);
        return line[beginning.Length..];
    }
}
