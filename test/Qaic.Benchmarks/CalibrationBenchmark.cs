using System.Globalization;
using Qaic.Compilation;
using Qaic.Quantization;
using Spectre.Console;

namespace Qaic.Benchmarks;

/// <summary>What watching all tensors costs, against running the same samples through the same network.</summary>
internal static class CalibrationBenchmark
{
    private const int Rounds = 5;
    private const int BatchSize = 32;
    private const int Batches = 64;
    private static readonly TimeSpan s_budget = TimeSpan.FromMilliseconds(400);

    public static void Run(string[] names)
    {
        using var directory = TemporaryDirectory.Create();
        var platform = Platform.Simulated();
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumns("model", "tensors", "plain µs/row", "profiling µs/row", "ratio", "constant ms", "2 threads");
        AnsiConsole.WriteLine($"Profiling {Batches * BatchSize} rows against plain inference over them, {BatchSize} rows at a time, one core; the constant (loading, twice one batch) is taken off. Median of {Rounds} alternating rounds.");
        foreach (BenchmarkModel model in BenchmarkModel.Chosen(directory.Path, names))
        {
            var options = new QaicOptions { BatchSize = BatchSize, UseCache = false, SetSize = 1 };
            IEnumerable<IReadOnlyDictionary<string, Tensor>> Rows(int count) => Enumerable.Range(0, count).Select(i => model.Samples[i % model.Samples.Count]);
            using var session = new Session(model.Path, options, platform);
            int rows = Batches * BatchSize;
            QuantizationProfile profile = platform.Profile(model.Path, Rows(BatchSize), options);
            double[][] times = Interleaved.Measure(
                Rounds,
                s_budget,
                () => Infer(session, Rows(rows)),
                () => platform.Profile(model.Path, Rows(rows), options),
                () => platform.Profile(model.Path, Rows(BatchSize), options),
                () => platform.Profile(model.Path, Rows(rows), options with { ProfilingThreads = 2 }));

            // What the first batch takes is part of the constant: loading, optimising, allocating.
            double[] net = [.. times[1].Zip(times[2], (all, one) => all - one)];
            double[] parallel = [.. times[3].Zip(times[2], (all, one) => all - one)];
            table.AddRow(
                model.Name,
                profile.Tensors.Count.ToString(CultureInfo.InvariantCulture),
                Text(Interleaved.Median(times[0]) / rows * 1e6),
                Text(Interleaved.Median(net) / (rows - BatchSize) * 1e6),
                Text(Interleaved.Ratio(net, times[0]) * rows / (rows - BatchSize)),
                Text(Interleaved.Median(times[2]) * 1e3),
                Text(Interleaved.Ratio(parallel, times[0]) * rows / (rows - BatchSize)));
        }

        AnsiConsole.Write(table);
    }

    // Copying the rows in is part of both.
    private static void Infer(Session session, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples)
    {
        using Inference inference = session.Rent();
        foreach (IReadOnlyDictionary<string, Tensor>[] batch in samples.Chunk(BatchSize))
        {
            for (int i = 0; i < session.Inputs.Count; i++)
            {
                Span<byte> target = inference.InputBytes(i);
                foreach (IReadOnlyDictionary<string, Tensor> sample in batch)
                {
                    Span<byte> bytes = sample[session.Inputs[i].Name].Bytes;
                    bytes.CopyTo(target);
                    target = target[bytes.Length..];
                }
            }

            inference.Submit();
            inference.Wait();
        }
    }

    private static string Text(double value) => value.ToString("f2", CultureInfo.InvariantCulture);
}
