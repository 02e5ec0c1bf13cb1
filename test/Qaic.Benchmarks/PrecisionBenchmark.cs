using System.Globalization;
using Qaic.Compilation;
using Qaic.OnnxRuntime;
using Qaic.OnnxRuntime.Tests.Quantization;
using Qaic.Qpc;
using Spectre.Console;

namespace Qaic.Benchmarks;

/// <summary>How much faster quantized networks are on the simulated card, and with which kernels.</summary>
internal static class PrecisionBenchmark
{
    private const int Rounds = 11;
    private const int BatchSize = 32;
    private static readonly TimeSpan s_budget = TimeSpan.FromMilliseconds(150);

    public static void Run(string[] names)
    {
        using var directory = TemporaryDirectory.Create();
        var platform = Platform.Simulated();
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumns("model", "MFLOP/row", "FP32 µs/row", "FP16", "INT8", "INT8 in float", "integer nodes", "float nodes", "");
        AnsiConsole.WriteLine($"Speed relative to FP32 (2 = twice as fast), one core, {BatchSize} rows per inference, median of {Rounds} alternating rounds.");
        AnsiConsole.WriteLine($"Integer kernels of this processor: {(IntegerKernels.AreExact ? "with VNNI" : "without VNNI")}.");
        foreach (BenchmarkModel model in BenchmarkModel.Chosen(directory.Path, names))
        {
            var common = new QaicOptions { BatchSize = BatchSize, UseCache = false, SetSize = 1 };
            string profile = Path.Combine(directory.Path, "profile.yaml");
            platform.Profile(model.Path, model.Samples, common).Save(profile);
            QaicOptions int8 = common with { LoadProfile = profile, EnableChannelwise = true, EnableRowwise = true };
            QaicOptions[] variants = [common, common with { ConvertToFp16 = true }, int8, int8 with { SimulateFakeQuantization = true }];
            Session[] sessions = [.. variants.Select(v => new Session(model.Path, v, platform))];
            try
            {
                double[][] times = Interleaved.Measure(Rounds, s_budget, [.. sessions.Select(s => Inferring(s, model))]);
                double[] speed = [.. times.Select(t => Interleaved.Ratio(times[0], t))];
                (int integer, int real) = Kernels(sessions[2].QpcPath);
                table.AddRow(
                    model.Name,
                    model.MegaFlops is { } flops ? Text(flops, "f2") : "",
                    Text(Interleaved.Median(times[0]) / BatchSize * 1e6, "f2"),
                    Text(speed[1], "f2"),
                    Text(speed[2], "f2"),
                    Text(speed[3], "f2"),
                    integer.ToString(CultureInfo.InvariantCulture),
                    real.ToString(CultureInfo.InvariantCulture),
                    speed[2] < 1 ? "slower in integers on this processor" : "");
            }
            finally
            {
                Array.ForEach(sessions, s => s.Dispose());
            }
        }

        AnsiConsole.Write(table);
    }

    // One inference at a time, on the calling thread.
    private static Action Inferring(Session session, BenchmarkModel model)
    {
        Inference inference = session.Rent();
        for (int i = 0; i < session.Inputs.Count; i++)
        {
            Span<byte> target = inference.InputBytes(i);
            int row = 0;
            for (int at = 0; at < target.Length; row++)
            {
                Span<byte> bytes = model.Samples[row % model.Samples.Count][session.Inputs[i].Name].Bytes;
                bytes.CopyTo(target[at..]);
                at += bytes.Length;
            }
        }

        return () =>
        {
            inference.Submit();
            inference.Wait();
        };
    }

    // Of the operators that do the arithmetic.
    private static (int Integer, int Real) Kernels(string qpcPath)
    {
        using var qpc = QpcFile.Open(qpcPath);
        NetworkImage image = NetworkImage.Read(qpc);
        var graph = OptimizedGraph.Of(image.Model, image.Weights);
        int Sum(params string[] operators) => operators.Sum(o => graph[o]);
        return (
            Sum("QLinearConv", "QGemm", "QLinearMatMul", "MatMulIntegerToFloat", "QLinearAdd", "QLinearMul", "QLinearGlobalAveragePool", "QLinearAveragePool", "QLinearConcat"),
            Sum("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "ConvTranspose"));
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
