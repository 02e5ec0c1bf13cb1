using Qaic.Cli.Commands.Bench;

namespace Qaic.Cli.Tests.Bench;

/// <summary>Results of benchmarks that nobody ran.</summary>
internal static class BenchResults
{
    /// <summary>A repetition of one inference.</summary>
    public static Measurement Measured(long nanoseconds)
    {
        var latency = new LatencyHistogram();
        latency.Record(nanoseconds);
        return new Measurement { Completed = 1, RowsPerInference = 1, Seconds = 1, CpuSeconds = 1, Latency = latency };
    }

    /// <summary>A result with a target of a second.</summary>
    public static BenchResult Made(params Measurement[] repetitions) => new(new LoadSettings(LoadScenario.Offline, TimeSpan.FromSeconds(1)), repetitions)
    {
        ModelPath = "x.onnx",
        ModelHash = "ab",
        Options = QaicOptions.Default,
        Platform = "a card",
        IsSimulated = true,
        Devices = [new QaicDevice(0, DeviceState.Ready)],
        Inputs = "x Float32[1, 1]",
        TargetLatency = 1,
    };
}
