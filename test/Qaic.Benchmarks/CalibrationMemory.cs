using System.Diagnostics;
using System.Globalization;
using Qaic.Compilation;
using Spectre.Console;

namespace Qaic.Benchmarks;

/// <summary>Peak memory of profiling, by the number of samples. Linux only: the peak is the kernel's.</summary>
internal static class CalibrationMemory
{
    private static readonly int[] s_counts = [100, 1_000, 10_000, 100_000];

    public static void Run(string[] names)
    {
        using var directory = TemporaryDirectory.Create();
        var platform = Platform.Simulated();
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumns(["model", .. s_counts.Select(c => string.Create(CultureInfo.InvariantCulture, $"{c} rows: MiB (s)"))]);
        AnsiConsole.WriteLine("Peak of the process's resident memory while profiling, and time taken.");
        foreach (BenchmarkModel model in BenchmarkModel.Chosen(directory.Path, names.Length == 0 ? ["digits_mlp", "digits_cnn", "resnet8"] : names))
        {
            var cells = new List<string> { model.Name };
            foreach (int count in s_counts)
            {
                GC.Collect();
                ResetPeak();
                long start = Stopwatch.GetTimestamp();
                platform.Profile(model.Path, Enumerable.Range(0, count).Select(i => model.Samples[i % model.Samples.Count]), new QaicOptions { BatchSize = 32 });
                cells.Add(string.Create(CultureInfo.InvariantCulture, $"{PeakMebibytes():f1} ({Stopwatch.GetElapsedTime(start).TotalSeconds:f1})"));
            }

            table.AddRow([.. cells]);
        }

        AnsiConsole.Write(table);
    }

    // 5: reset the high-water mark (proc(5)).
    private static void ResetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    private static double PeakMebibytes()
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return double.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024;
    }
}
