using System.Reflection;
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

    [TestMethod]
    public void What_is_only_recorded_is_said_of_a_network_that_was_found_as_well()
    {
        Open("wine_mlp", new() { MulticastWeights = true }).Dispose();
        string[] compiled = [.. _compilations.Messages.Where(m => m.Contains("recorded in the QPC only: multicast_weights", StringComparison.Ordinal))];
        Assert.HasCount(1, compiled);
        Open("wine_mlp", new() { MulticastWeights = true }).Dispose();
        Assert.AreEqual(1, _compilations.Count);
        CollectionAssert.AreEqual(new[] { compiled[0], compiled[0] }, _compilations.Messages.Where(m => m.Contains("recorded in the QPC only", StringComparison.Ordinal)).ToArray());
    }

    [TestMethod]
    public void A_path_to_the_vendors_compiler_is_not_used_by_the_simulated_card_and_the_log_says_so()
    {
        for (int i = 1; i <= 2; i++)
        {
            Open("wine_mlp", new() { CompilerPath = "/sdk/qaic-compile" }).Dispose();
            Assert.HasCount(i, _compilations.Messages.Where(m => m.StartsWith("Option CompilerPath (compiler_path) '/sdk/qaic-compile' is not used", StringComparison.Ordinal)).ToList());
        }

        Open("wine_mlp", new()).Dispose();
        Assert.AreEqual(1, _compilations.Count, "it makes no other network");
    }

    [TestMethod]
    public void A_file_that_an_option_names_and_that_is_missing_is_reported_before_anything_is_compiled()
    {
        var e = Assert.ThrowsExactly<FileNotFoundException>(() => Open("wine_mlp", new() { ConvertToQuantize = true, InputListFile = "no/list.txt" }));
        Assert.Contains("Option InputListFile (input_list_file) names 'no/list.txt'", e.Message);
        Assert.AreEqual("no/list.txt", e.FileName);
        Assert.AreEqual(0, _compilations.Count);
    }

    [TestMethod]
    public void A_compilation_that_takes_too_long_is_ended_with_what_to_do()
    {
        var compiler = new EmbeddedCompiler { Clock = new ImpatientClock() };
        var e = Assert.ThrowsExactly<CompilationException>(
            () => compiler.Compile(Repository.Model("wine_mlp"), Path.Combine(_directory.Path, "out"), new() { CompileTimeout = 3 }, _compilations, CancellationToken.None));
        Assert.AreEqual(CompilationError.Timeout, e.Error);
        Assert.Contains("within 3 s. Raise CompileTimeout (compile_timeout)", e.Message);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.AreEqual(cancelled.Token, Assert.ThrowsExactly<OperationCanceledException>(
            () => compiler.Compile(Repository.Model("wine_mlp"), Path.Combine(_directory.Path, "out"), new() { CompileTimeout = 3 }, _compilations, cancelled.Token)).CancellationToken);
    }

    [TestMethod]
    public void Every_event_of_the_log_has_a_number_of_its_own()
    {
        int[] events =
        [
            .. from assembly in new[] { typeof(Session).Assembly, typeof(EmbeddedCompiler).Assembly }
               from type in assembly.GetTypes()
               from method in type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
               from message in method.GetCustomAttributes<LoggerMessageAttribute>()
               select message.EventId,
        ];
        Assert.IsGreaterThan(20, events.Length);
        Assert.AreEqual("", string.Join(' ', events.GroupBy(e => e).Where(g => g.Count() > 1).Select(g => g.Key)));
    }

    private Session Open(string model, QaicOptions options) => new(Repository.Model(model), options with { CacheDirectory = _cache }, s_platform, _compilations);

    /// <summary>Time that is over as soon as it is asked for.</summary>
    private sealed class ImpatientClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            ITimer timer = base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            callback(state);
            return timer;
        }
    }

    /// <summary>Keeps the session's messages, and counts those about compilations.</summary>
    private sealed class CompilationCounter : ILoggerFactory, ILogger
    {
        public int Count { get; private set; }

        public List<string> Messages { get; } = [];

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Count += eventId.Id == 3001 ? 1 : 0;
            Messages.Add(formatter(state, exception));
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
