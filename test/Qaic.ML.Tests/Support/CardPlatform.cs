using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Interop;
using Qaic.Quantization;
using Qaic.Simulation;

namespace Qaic.ML.Tests.Support;

/// <summary>A platform that says it is a card. Its compiler profiles, and compiles nothing.</summary>
internal sealed class CardPlatform : Platform, IProfilingCompiler
{
    private readonly SimulatedPlatform _machine = Simulated();

    public override string Name => "a card";

    public override bool IsSimulated => false;

    public override ICompiler Compiler => this;

    public string Version => "1";

    internal override QaicApi Api => _machine.Api;

    /// <summary>The options of each compilation that was asked for.</summary>
    public List<QaicOptions> Compiled { get; } = [];

    /// <summary>The shapes of each sample that was profiled, by input.</summary>
    public List<string> Profiled { get; } = [];

    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        Compiled.Add(options);
        throw new CompilationException("This compiler compiles nothing.");
    }

    public QuantizationProfile Profile(
        string modelPath, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options, ILogger logger, IProgress<ProfilingProgress>? progress, CancellationToken cancellationToken)
    {
        Profiled.AddRange(samples.Select(s => string.Join("; ", s.Select(input => $"{input.Key} {input.Value}"))));
        return new QuantizationProfile(QuantizationProfile.OwnToolsVersion, 1, [new TensorStatistics("x:0", 0, 1, [1])]);
    }

    public Task<QuantizationProfile> ProfileAsync(
        string modelPath, IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options, ILogger logger, IProgress<ProfilingProgress>? progress, CancellationToken cancellationToken) =>
        throw new NotSupportedException("ML.NET's data is not asynchronous.");

    internal override IReadOnlyList<QaicDevice> Describe(IReadOnlyList<QaicDevice> devices) => devices;
}
