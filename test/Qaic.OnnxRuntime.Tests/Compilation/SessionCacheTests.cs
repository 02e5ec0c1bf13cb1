using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Simulation;
using Qaic.TestSupport;

namespace Qaic.OnnxRuntime.Tests.Compilation;

/// <summary>Sessions on models, with the real embedded compiler.</summary>
[TestClass]
public sealed class SessionCacheTests : IDisposable
{
    private static readonly SimulatedPlatform s_platform = Platform.Simulated();
    private readonly TemporaryDirectory _directory = TemporaryDirectory.Create();
    private readonly string _cache;
    private readonly CompilationCounter _compilations = new();

    public SessionCacheTests() => _cache = Path.Combine(_directory.Path, "cache");

    public void Dispose()
    {
        _compilations.Dispose();
        _directory.Dispose();
    }

    [TestMethod]
    public void A_second_session_finds_what_the_first_has_compiled_and_computes_the_same()
    {
        TestModel model = ModelManifest.Get("wine_mlp");
        float[][] outputs = new float[2][];
        for (int i = 0; i < 2; i++)
        {
            using Session session = Open("wine_mlp", new());
            Tensor input = Tensor.Zeros(session.Inputs[0]);
            model.Input(session.Inputs[0].Name).RowSlice(0, session.BatchSize).CopyTo(input.Bytes);
            outputs[i] = session.Run(new Dictionary<string, Tensor> { [session.Inputs[0].Name] = input }).Values.First().AsSpan<float>().ToArray();
        }

        CollectionAssert.AreEqual(outputs[0], outputs[1]);
        Assert.AreEqual(1, _compilations.Count);
    }

    [TestMethod]
    public void The_entry_of_a_live_session_is_kept_and_let_go_with_it()
    {
        var cache = new CompileCache(_cache, limitBytes: 1);
        using (Session session = Open("wine_mlp", new()))
        {
            Assert.StartsWith(_cache, session.QpcPath);
            Assert.AreEqual(0, cache.Clear());
            session.Setup();
        }

        Assert.IsGreaterThan(0, cache.Clear());
    }

    [TestMethod]
    public void An_output_directory_gets_a_copy_and_sessions_on_it_survive_a_second_one()
    {
        string output = Path.Combine(_directory.Path, "out");
        using Session first = Open("wine_mlp", new() { OutputDirectory = output });
        Assert.AreEqual(Path.Combine(output, QpcFile.FileName), first.QpcPath);
        using Session second = Open("wine_mlp", new() { OutputDirectory = output });
        first.Setup();
        second.Setup();
        Assert.AreEqual(1, _compilations.Count);
    }

    [TestMethod]
    public void Another_batch_is_another_network()
    {
        using Session one = Open("digits_cnn", new() { BatchSize = 1 });
        using Session two = Open("digits_cnn", new() { BatchSize = 2 });
        Assert.AreEqual((1, 2), (one.BatchSize, two.BatchSize));
    }

    [TestMethod]
    public void Without_the_cache_every_session_compiles_and_leaves_nothing()
    {
        string path;
        using (Session session = Open("wine_mlp", new() { UseCache = false }))
        {
            path = session.QpcPath;
        }

        Open("wine_mlp", new() { UseCache = false }).Dispose();
        Assert.AreEqual(2, _compilations.Count);
        Assert.IsFalse(File.Exists(path));
        Assert.IsFalse(Directory.Exists(_cache));
    }

    private Session Open(string model, QaicOptions options) => new(Repository.Model(model), options with { CacheDirectory = _cache }, s_platform, _compilations);

    /// <summary>Counts the session's messages about compilations.</summary>
    private sealed class CompilationCounter : ILoggerFactory, ILogger
    {
        public int Count { get; private set; }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Count += eventId.Id == 3001 ? 1 : 0;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
