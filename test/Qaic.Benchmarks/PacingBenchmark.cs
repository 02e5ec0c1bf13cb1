using System.Diagnostics;
using System.Globalization;
using Qaic.Compilation;
using Qaic.Simulation;
using Spectre.Console;

namespace Qaic.Benchmarks;

/// <summary>How a paced card saturates, through the whole runtime; and how exactly it is paced on this machine.</summary>
internal static class PacingBenchmark
{
    private const int BatchSize = 8;
    private const int CoresPerNetwork = 4;
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(1.5);

    public static void Run(string[] names)
    {
        Waits();
        using var directory = TemporaryDirectory.Create();
        foreach (BenchmarkModel model in BenchmarkModel.Chosen(directory.Path, names.Length == 0 ? ["digits_mlp"] : names))
        {
            Saturation(model);
        }
    }

    // How late a wait ends, alone and while the machine does what else it does.
    private static void Waits()
    {
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumns("wait µs", "late µs, median", "P99", "processor time of it");
        var wait = new PreciseWait(TimeProvider.System);
        foreach (int microseconds in new[] { 50, 220, 1_500, 5_000, 20_000 })
        {
            int count = Math.Clamp(400_000 / microseconds, 50, 1_000);
            double[] late = new double[count];
            TimeSpan before = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++)
            {
                long until = Stopwatch.GetTimestamp() + (microseconds * Stopwatch.Frequency / 1_000_000);
                wait.Until(until, CancellationToken.None);
                late[i] = Stopwatch.GetElapsedTime(until).TotalMicroseconds;
            }

            double busy = (Environment.CpuUsage.TotalTime - before) / Stopwatch.GetElapsedTime(start);
            Array.Sort(late);
            table.AddRow(microseconds.ToString(CultureInfo.InvariantCulture), Text(late[count / 2], "f1"), Text(late[count * 99 / 100], "f1"), Text(100 * busy, "f0") + " %");
        }

        AnsiConsole.Write(table);
    }

    private static void Saturation(BenchmarkModel model)
    {
        CardPacing pacing = new();
        TimeSpan service = pacing.PerInference + (BatchSize * pacing.PerRow);
        var platform = Platform.Simulated(new SimulatedPlatformOptions { Cards = [new() { Pacing = pacing }] });
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumns("activations", "set size", "inferences/s", "rows/s", "of capacity", "P50 ms", "P99 ms");
        AnsiConsole.WriteLine($"{model.Name}, {BatchSize} rows per inference: {Text(service.TotalMilliseconds, "f3")} ms on {CoresPerNetwork} cores, {Text(pacing.TurnAround.TotalMicroseconds, "f0")} µs of turn-around. Capacity is activations / service time.");
        foreach (int activations in new[] { 1, 2, 4 })
        {
            foreach (int setSize in new[] { 1, 2, 3, 4, 10 })
            {
                var options = new QaicOptions { BatchSize = BatchSize, NumCores = CoresPerNetwork, NumActivations = activations, SetSize = setSize, EnableMetrics = true, UseCache = false };
                using var session = new Session(model.Path, options, platform);
                session.RunBenchmark(infTime: s_duration / 5);
                session.ResetMetrics();
                BenchmarkResult result = session.RunBenchmark(infTime: s_duration);
                QaicMetrics metrics = session.GetMetrics();
                table.AddRow(
                    activations.ToString(CultureInfo.InvariantCulture),
                    setSize.ToString(CultureInfo.InvariantCulture),
                    Text(result.InferenceRate, "f0"),
                    Text(result.RowRate, "f0"),
                    Text(100 * result.InferenceRate * service.TotalSeconds / activations, "f1") + " %",
                    Text(1e3 * metrics.P50, "f2"),
                    Text(1e3 * metrics.P99, "f2"));
            }
        }

        AnsiConsole.Write(table);
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
