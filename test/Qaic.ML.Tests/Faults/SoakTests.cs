using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.Interop;
using Qaic.ML.Tests.Support;
using Qaic.Simulation;
using Qaic.TestSupport;

namespace Qaic.ML.Tests.Faults;

/// <summary>Sessions, streams, models and faults, opened and closed again and again, beside a session that stays: nothing grows.</summary>
/// <remarks>Every day a few rounds; with <c>QAIC_TEST_CAMPAIGN=1</c> ten minutes, or <c>QAIC_SOAK_MINUTES</c>.</remarks>
[TestClass]
public sealed class SoakTests
{
    private const int Devices = 3;

    // Between the first fifth of the samples and the last.
    private const double Growth = 0.02;

    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(2);

    private static readonly string[] s_functions = ["CreateContext", "CreateProgram", "LoadProgram", "RunActivationCmd", "CreateExecObj", "EnqueueExecObj", "ExecObjWaitForCompletion", "ReleaseExecObj"];

    private static readonly QStatus[] s_failures = [QStatus.Busy, QStatus.Again, QStatus.DevError, QStatus.Error, QStatus.NoDev];

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void Nothing_grows_however_long_it_goes_on()
    {
        bool isCampaign = Campaign.Size(0, 1) == 1;
        TimeSpan length = isCampaign ? TimeSpan.FromMinutes(Minutes()) : TimeSpan.Zero;
        var samples = new List<Sample>();
        int round = 0;
        using (var network = Machine())
        using (var session = new Session(network.QpcPath, new QaicOptions { DeviceIds = [0, 1, 2], NumActivations = 2, EnableMetrics = true }, network.Platform))
        using (QaicTransformer model = new MLContext(1).Transforms.ApplyQaicModel(network.Options() with { Options = new QaicOptions { DeviceIds = [0, 1, 2] } }).Fit(TestView.Features(1, 3)))
        {
            // What is compiled, pooled and cached along the way is there before the first sample: a tenth of the time, and some hundred rounds, are for that.
            long start = Stopwatch.GetTimestamp();
            while (round < Campaign.Size(everyDay: 3, campaign: 300) || Stopwatch.GetElapsedTime(start) < length / 10)
            {
                Round(round++, network, session, model);
            }

            start = Stopwatch.GetTimestamp();
            do
            {
                long begun = Stopwatch.GetTimestamp();
                do
                {
                    Round(round++, network, session, model);
                }
                while (isCampaign && Stopwatch.GetElapsedTime(begun) < s_between);
                samples.Add(Sample.Take(network.Platform.LiveObjects));
            }
            while (Stopwatch.GetElapsedTime(start) < length);
        }

        Assert.AreEqual(0, QaicHandle.Live);
        TestContext.WriteLine($"{round} rounds, {samples.Count} samples");
        TestContext.WriteLine(Report(samples, out string[] grown));
        if (isCampaign)
        {
            Assert.IsEmpty(grown, string.Join(", ", grown));
        }
    }

    private static double Minutes() =>
        double.TryParse(Environment.GetEnvironmentVariable("QAIC_SOAK_MINUTES"), CultureInfo.InvariantCulture, out double minutes) ? minutes : 10;

    private static TestNetwork Machine() => new(
        [new("x", ElementType.Float32, [4, 3])],
        [new("y", ElementType.Float32, [4, 3])],
        b => b.Map<float, float>(0, 0, v => (2 * v) + 1),
        new() { Cards = [.. Enumerable.Range(0, Devices).Select(_ => new SimulatedCardOptions())] });

    private static void Round(int round, TestNetwork network, Session session, QaicTransformer model)
    {
        // A machine that comes and goes, with all that can happen to it.
        var random = new Random(round);
        string? function = random.Next(4) == 0 ? null : s_functions[random.Next(s_functions.Length)];
        var kind = (FaultKind)random.Next(1, 6);
        bool fails = kind is FaultKind.Fails or FaultKind.FailsOnce;
        QStatus status = !fails ? 0 : s_failures[random.Next(function == "ReleaseExecObj" ? 2 : s_failures.Length)];
        using (var scenario = new FaultScenario(new FaultCell(function, kind, status, random.Next(2) == 0 ? 1 : Devices, 1 + random.Next(3)), 24, 90) { IsAlone = false })
        {
            scenario.Run();
        }

        // And one that stays, with a fault now and then. One of several devices fails at a time, so nobody hears of it.
        using Fault? fault = round % 5 == 0 ? network.Platform.Faults.FailInference(occurrence: 20) : null;
        Parallel.For(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            float[] x = InferencePlayer.Question(5, i), y = new float[12];
            session.Run<float, float>(x, y);
            Assert.AreEqual((2 * x[11]) + 1, y[11]);
        });
        using PredictionEngine<Row, ScoredRow> engine = new MLContext().Model.CreatePredictionEngine<Row, ScoredRow>(model, new PredictionEngineOptions { OwnsTransformer = false });
        for (int i = 0; i < 10; i++)
        {
            Assert.AreEqual((2f * i) + 1, engine.Predict(new Row { X = [0, 0, i] }).Y[2]);
        }

        Rows.AssertAffine(Rows.ReadVectors<float>(model.Transform(TestView.Features(200, 3)), "y"), 200, 3);
    }

    private static string Report(List<Sample> samples, out string[] grown)
    {
        var text = new StringBuilder("| | first fifth | last fifth | growth | by tenths |\n|---|---|---|---|---|\n");
        var found = new List<string>();
        int fifth = Math.Max(1, samples.Count / 5);

        // Threads and handles are few, and the pool's come and go.
        foreach ((string what, Func<Sample, long> value, int slack) in new (string, Func<Sample, long>, int)[]
        {
            ("working set, KiB", s => s.WorkingSet / 1024, 0), ("managed heap, KiB", s => s.Managed / 1024, 0), ("native handles", s => s.Handles, 0), ("objects of the library", s => s.Objects, 0), ("threads", s => s.Threads, 2), ("file handles", s => s.Files, 2),
        })
        {
            long first = Median(samples.Take(fifth).Select(value)), last = Median(samples.TakeLast(fifth).Select(value));
            double growth = first == 0 ? last : ((double)last / first) - 1;
            text.Append(CultureInfo.InvariantCulture, $"| {what} | {first} | {last} | {growth:+0.0 %;-0.0 %;0 %} | ");
            text.AppendJoin(' ', samples.Chunk(Math.Max(1, samples.Count / 10)).Select(tenth => Median(tenth.Select(value)))).Append(" |\n");
            if (last > (first * (1 + Growth)) + slack)
            {
                found.Add($"{what} grew from {first} to {last}");
            }
        }

        grown = [.. found];
        return text.ToString();
    }

    private static long Median(IEnumerable<long> values)
    {
        long[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private sealed record Sample(long WorkingSet, long Managed, int Handles, int Objects, int Threads, int Files)
    {
        public static Sample Take(int objects)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            using var self = Process.GetCurrentProcess();
            int files = OperatingSystem.IsLinux() ? Directory.GetFileSystemEntries("/proc/self/fd").Length : self.HandleCount;
            return new Sample(self.WorkingSet64, GC.GetTotalMemory(forceFullCollection: false), QaicHandle.Live, objects, self.Threads.Count, files);
        }
    }

    private sealed class Row
    {
        [ColumnName("x"), VectorType(3)]
        public float[] X { get; set; } = [];
    }

    private sealed class ScoredRow
    {
        [ColumnName("y"), VectorType(3)]
        public float[] Y { get; set; } = [];
    }
}
