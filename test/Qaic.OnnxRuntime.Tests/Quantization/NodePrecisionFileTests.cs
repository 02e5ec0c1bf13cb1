using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class NodePrecisionFileTests
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"qaic-test-{Guid.NewGuid():n}.yaml");

    [TestCleanup]
    public void Delete() => File.Delete(_path);

    [TestMethod]
    public void Keys_that_are_not_known_are_warned_of()
    {
        File.WriteAllText(_path, "FP16NodeInstanceNames: [a]\nSomething: 1\n");
        var log = new Lines();
        Assert.AreEqual("a", NodePrecisionFile.Load(new QaicOptions { NodePrecisionInfoFile = _path }, log).Fp16Nodes.Single());
        Assert.AreEqual($"Warning 4034 Node precision file {_path} has keys that are not known and have no effect: Something", log.Single());
        File.WriteAllText(_path, "FP16NodeInstanceNames: [a]\n");
        NodePrecisionFile.Load(new QaicOptions { NodePrecisionInfoFile = _path }, log);
        Assert.HasCount(1, log);
    }

    [TestMethod]
    public void Without_a_file_there_are_no_exceptions() => Assert.AreEqual(NodePrecision.None, NodePrecisionFile.Load(new QaicOptions(), NullLogger.Instance));

    private sealed class Lines : List<string>, ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Add($"{logLevel} {eventId.Id} {formatter(state, exception)}");
    }
}
