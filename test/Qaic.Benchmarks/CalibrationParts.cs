using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Quantization;
using Spectre.Console;

namespace Qaic.Benchmarks;

/// <summary>What profiling a batch consists of: running the network, showing its inside, counting what it shows.</summary>
internal static class CalibrationParts
{
    private const int Rounds = 7;
    private const int BatchSize = 32;
    private static readonly TimeSpan s_budget = TimeSpan.FromMilliseconds(60);

    public static void Run(string[] names)
    {
        using var directory = TemporaryDirectory.Create();
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumns("model", "tensors", "floats/row", "plain µs/row", "with outputs ×", "counting ×", "counting ns/float", "sum ×");
        AnsiConsole.WriteLine($"A batch of {BatchSize} rows on one thread; × is times the plain run. Processor time, least of {Rounds} alternating rounds.");
        foreach (BenchmarkModel model in BenchmarkModel.Chosen(directory.Path, names))
        {
            var onnx = OnnxModel.Load(model.Path);
            ShapeBinding.Fix(onnx, new QaicOptions { BatchSize = BatchSize });
            FloatGraph graph = FloatGraph.Prepare(onnx);
            using ExternalData files = graph.Model.ExternalData;
            using ObservedNetwork plain = new(graph.Model, [.. graph.Model.Outputs.Select(o => o.Name)], NullLogger.Instance, CancellationToken.None);
            using ObservedNetwork observed = new(graph.Model, [.. graph.Activations.Select(a => a.Tensor)], NullLogger.Instance, CancellationToken.None);
            using ObservationLane plainLane = Fed(plain, model), observedLane = Fed(observed, model);
            RunningHistogram[] histograms = [.. observed.Tensors.Select(_ => new RunningHistogram(512))];
            void Count()
            {
                for (int i = 0; i < histograms.Length; i++)
                {
                    histograms[i].Add(observedLane.Values(observed.Tensors[i]));
                }
            }

            void RunAndCount()
            {
                observedLane.Run();
                Count();
            }

            observedLane.Run();
            double[] least = [.. Interleaved.MeasureProcessor(Rounds, s_budget, plainLane.Run, observedLane.Run, Count, RunAndCount).Select(times => times.Min())];
            double floats = observed.Tensors.Sum(t => (double)observedLane.Values(t).Length);
            table.AddRow(
                model.Name,
                observed.Tensors.Count.ToString(CultureInfo.InvariantCulture),
                (floats / BatchSize).ToString("f0", CultureInfo.InvariantCulture),
                Text(least[0] / BatchSize * 1e6),
                Text(least[1] / least[0]),
                Text((least[3] - least[1]) / least[0]),
                Text((least[3] - least[1]) / floats * 1e9),
                Text(least[3] / least[0]));
        }

        AnsiConsole.Write(table);
    }

    private static ObservationLane Fed(ObservedNetwork network, BenchmarkModel model)
    {
        var lane = new ObservationLane(network, isInline: true, _ => { });
        var batcher = new SampleBatcher(network.Inputs, network.BatchSize, network.HasBatch);
        for (int row = 0; row < network.BatchSize; row++)
        {
            batcher.Begin(model.Samples[row % model.Samples.Count]);
            batcher.Take(lane.Inputs, row);
        }

        return lane;
    }

    private static string Text(double value) => value.ToString("f2", CultureInfo.InvariantCulture);
}
