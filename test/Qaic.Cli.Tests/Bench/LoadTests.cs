using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Cli.Commands.Bench;
using Qaic.Cli.Data;
using Qaic.Simulation;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests.Bench;

/// <summary>Loads on a simulated card, also on one that stalls and fails.</summary>
[TestClass]
public sealed class LoadTests : IDisposable
{
    private const long Millisecond = 1_000_000;

    private readonly SimulatedPlatform _card = Platform.Simulated();

    public TestContext TestContext { get; set; } = null!;

    public void Dispose() => Assert.AreEqual(0, _card.LiveObjects);

    [TestMethod]
    [DataRow("offline"), DataRow("single-stream"), DataRow("server")]
    public void As_many_inferences_are_counted_as_were_asked_for(string name)
    {
        LoadScenario scenario = new[] { LoadScenario.Offline, LoadScenario.SingleStream, LoadScenario.Server }.Single(s => LoadSettings.NameOf(s) == name);
        Measurement measured = Measure(new LoadSettings(scenario, TimeSpan.MaxValue) { Count = 203, Rate = 5000 }, slots: 3);
        Assert.AreEqual((203L, 203L, 0L, 32), (measured.Completed, measured.Latency.Count, measured.Unserved, measured.RowsPerInference));
        Assert.IsTrue(measured is { Failure: null, IsInterrupted: false, Seconds: > 0, CpuSeconds: >= 0 });
        Assert.AreEqual(scenario == LoadScenario.Server, measured.Service is not null);
    }

    [TestMethod]
    [DataRow(null), DataRow(3)]
    public void Every_request_that_comes_in_the_time_is_served_and_none_is_made_up(int? poissonSeed)
    {
        var settings = new LoadSettings(LoadScenario.Server, TimeSpan.FromMilliseconds(200)) { Rate = 2000, PoissonSeed = poissonSeed };
        var schedule = new ArrivalSchedule(settings.Rate, poissonSeed);
        int expected = 0;
        while (schedule.Next() < settings.Duration.TotalNanoseconds)
        {
            expected++;
        }

        Measurement measured = Measure(settings, slots: 2);

        Assert.AreEqual((expected, 0), ((int)measured.Completed, (int)measured.Unserved));
        Assert.AreEqual(expected, measured.Service!.Count);
    }

    [TestMethod]
    public void A_stall_is_seen_by_every_request_that_comes_during_it_and_not_by_one_alone()
    {
        // 100 of the 400 requests come while one inference takes 200 ms; half of them wait for 100 ms or more.
        using Fault stall = _card.Faults.DelayInference(TimeSpan.FromMilliseconds(200), occurrence: 100);
        Measurement measured = Measure(new LoadSettings(LoadScenario.Server, TimeSpan.MaxValue) { Rate = 500, Count = 400 }, slots: 1);
        Assert.AreEqual(1, stall.Hits);
        Assert.IsGreaterThanOrEqualTo(99 * Millisecond, measured.Latency.Percentile(900), "the 90th percentile knows of the stall");
        Assert.IsGreaterThanOrEqualTo(180 * Millisecond, measured.Latency.Percentile(990));
        Assert.IsLessThan(measured.Latency.Percentile(900), measured.Service!.Percentile(900), "what counts from the submission hides it");
    }

    [TestMethod]
    public void A_rate_that_is_too_high_ends_and_leaves_no_request_out()
    {
        using Fault slow = _card.Faults.DelayInference(TimeSpan.FromMilliseconds(5));
        Measurement measured = Measure(new LoadSettings(LoadScenario.Server, TimeSpan.FromMilliseconds(20)) { Rate = 1_000_000, Patience = TimeSpan.FromMilliseconds(300) }, slots: 2);
        Assert.AreEqual(20_000, measured.Completed + measured.Unserved);
        Assert.AreEqual(20_000, measured.Latency.Count);
        Assert.IsGreaterThan(measured.Completed, measured.Unserved);
        Assert.IsGreaterThanOrEqualTo(295 * Millisecond, measured.Latency.Percentile(990), "who was not served has waited until the end");
    }

    [TestMethod]
    public void An_inference_that_fails_ends_the_load_with_what_was_measured_before()
    {
        using Fault fault = _card.Faults.FailInference(occurrence: 20);
        using Session session = NewSession(1);
        using var benchmark = new Benchmark(session, BenchInputs.Create(session, [], 1, null), CancellationToken.None);
        var progress = new List<string>();
        IReadOnlyList<Measurement> measured = benchmark.Repeat(new LoadSettings(LoadScenario.Offline, TimeSpan.MaxValue) { Count = 100 }, 3, progress.Add, CancellationToken.None);
        Assert.HasCount(1, measured);
        Assert.AreEqual(19, measured[0].Completed);
        Assert.IsInstanceOfType<QaicException>(measured[0].Failure);
        StringAssert.StartsWith(progress.Single(), "repetition 1 of 3: ");
    }

    [TestMethod]
    public async Task A_failure_ends_a_load_whose_next_request_is_far_away()
    {
        using Fault fault = _card.Faults.FailInference(occurrence: 1);
        var settings = new LoadSettings(LoadScenario.Server, TimeSpan.MaxValue) { Rate = 1e-5, Count = 2 };
        Measurement measured = await Task.Run(() => Measure(settings, slots: 2), TestContext.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.CancellationToken);
        Assert.IsInstanceOfType<QaicException>(measured.Failure);
        Assert.AreEqual((0L, 0L, false), (measured.Completed, measured.Unserved, measured.IsInterrupted));
    }

    [TestMethod]
    [DataRow("offline"), DataRow("server")]
    public async Task Interrupted_it_returns_what_was_measured_so_far(string scenario)
    {
        using Fault hold = _card.Faults.HoldInference(occurrence: 50);
        using var stop = new CancellationTokenSource();
        LoadSettings settings = scenario == "offline" ? new(LoadScenario.Offline, TimeSpan.MaxValue) : new(LoadScenario.Server, TimeSpan.FromHours(1)) { Rate = 1000 };
        Task<Measurement> running = Task.Run(() => Measure(settings, slots: 1, stop.Token), TestContext.CancellationToken);
        await hold.WhenHit;
        await stop.CancelAsync();
        hold.Release();
        Measurement measured = await running;
        Assert.AreEqual((true, 50L, true), (measured.IsInterrupted, measured.Completed, measured.Failure is null));
        Assert.AreEqual(measured.Completed + measured.Unserved, measured.Latency.Count);
    }

    [TestMethod]
    public void Random_inputs_depend_on_the_seed_alone()
    {
        using Session session = NewSession(1);
        byte[] first = Filled(session, [], 1);
        CollectionAssert.AreEqual(first, Filled(session, [], 1));
        CollectionAssert.AreNotEqual(first, Filled(session, [], 2));
        Assert.IsTrue(MemoryMarshal.Cast<byte, float>(first).ToArray().All(v => v is >= 0 and < 1));
    }

    [TestMethod]
    public void Inputs_come_from_files_whose_rows_are_taken_in_turn_until_the_batch_is_full()
    {
        using Session session = NewSession(1);
        byte[] data = new byte[session.Inputs[0].ByteLength];
        new Random(3).NextBytes(data);
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, data);
            CollectionAssert.AreEqual(data, Filled(session, [file], 1));
            CollectionAssert.AreEqual(data, Filled(session, [$"image={file}"], 1));
            Assert.Contains("no input 'images'. Did you mean 'image'?", Refused<UsageException>(session, $"images={file}"));
            Assert.Contains("given twice", Refused<UsageException>(session, file, file));
            int row = data.Length / 32;
            File.WriteAllBytes(file, data[..(5 * row)]);
            byte[] filled = Filled(session, [file], 1);
            CollectionAssert.AreEqual(data[..(5 * row)], filled[..(5 * row)]);
            CollectionAssert.AreEqual(data[..(2 * row)], filled[(30 * row)..]);
            File.WriteAllBytes(file, data[1..]);
            Assert.Contains($"{data.Length - 1} bytes", Refused<DataFormatException>(session, file));
        }
        finally
        {
            File.Delete(file);
        }

        Assert.ThrowsExactly<FileNotFoundException>(() => BenchInputs.Create(session, ["/nowhere/x.raw"], 1, null));
        Assert.Contains("fixed shapes", Assert.ThrowsExactly<UsageException>(() => BenchInputs.Create(session, [], 1, 0)).Message);
    }

    [TestMethod]
    public void Numbers_from_files_become_the_inputs_type()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-load-");
        try
        {
            string io = Path.Combine(directory.FullName, "io.yaml"), array = Path.Combine(directory.FullName, "rows.npy"), table = Path.Combine(directory.FullName, "row.csv");
            File.WriteAllText(io, " - IOName: image\n   Precision: float16\n");
            using var session = new Session(Repository.Model("digits_cnn"), new QaicOptions { CustomIoListFile = io }, _card);
            Assert.AreEqual(ElementType.Float16, session.Inputs[0].ElementType);
            float[] values = [.. Enumerable.Range(0, 2 * 64).Select(i => i / 3f)];
            File.WriteAllBytes(array, [.. NpyFile.Preamble(ElementType.Float32, [2, 1, 8, 8]), .. MemoryMarshal.AsBytes<float>(values)]);
            File.WriteAllText(table, string.Join(',', values[..64].Select((_, i) => $"p{i}")) + "\n" + string.Join(',', values[..64].Select(v => v.ToString("r", System.Globalization.CultureInfo.InvariantCulture))));

            ReadOnlySpan<Half> filled = MemoryMarshal.Cast<byte, Half>(Filled(session, [array], 1));
            CollectionAssert.AreEqual(Enumerable.Repeat(values, 16).SelectMany(v => v).Select(v => (Half)v).ToArray(), filled.ToArray());
            filled = MemoryMarshal.Cast<byte, Half>(Filled(session, [table], 1));
            CollectionAssert.AreEqual(Enumerable.Repeat(values[..64], 32).SelectMany(v => v).Select(v => (Half)v).ToArray(), filled.ToArray());
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [TestMethod]
    public void Of_a_network_for_several_shapes_one_set_is_measured()
    {
        using var session = new Session(Repository.Model("langid_dyn"), Dynamic(), _card);
        foreach (int? set in new int?[] { null, 0, 1 })
        {
            BenchInputs inputs = BenchInputs.Create(session, [], 1, set);
            StringAssert.Contains(inputs.Description, set == 0 ? "[2, 8]" : "[4, 16]");
            Assert.AreEqual(set == 0 ? 2 : 4, inputs.RowsPerInference);
            using var benchmark = new Benchmark(session, inputs, CancellationToken.None);
            Measurement measured = benchmark.Measure(new LoadSettings(LoadScenario.Offline, TimeSpan.MaxValue) { Count = 9 }, CancellationToken.None);
            Assert.AreEqual((9L, true), (measured.Completed, measured.Failure is null), measured.Failure?.Message);
        }

        Assert.Contains("the network has the sets 0: ", Assert.ThrowsExactly<UsageException>(() => BenchInputs.Create(session, [], 1, 2)).Message);
    }

    private static QaicOptions Dynamic()
    {
        var none = System.Collections.Immutable.ImmutableDictionary<string, int>.Empty;
        return new QaicOptions { Specializations = [none.Add("batch", 2).Add("sequence", 8), none.Add("batch", 4).Add("sequence", 16)] };
    }

    private static string Refused<T>(Session session, params string[] files) where T : Exception => Assert.ThrowsExactly<T>(() => BenchInputs.Create(session, files, 1, null)).Message;

    private static byte[] Filled(Session session, string[] files, int seed)
    {
        using Inference slot = session.Rent();
        BenchInputs.Create(session, files, seed, null).Fill(slot);
        return slot.InputBytes(0).ToArray();
    }

    private Session NewSession(int slots) => new(Repository.Model("digits_cnn"), new QaicOptions { SetSize = slots }, _card, NullLoggerFactory.Instance);

    private Measurement Measure(LoadSettings settings, int slots, CancellationToken cancellationToken = default)
    {
        using Session session = NewSession(slots);
        using var benchmark = new Benchmark(session, BenchInputs.Create(session, [], 1, null), CancellationToken.None);

        // However slow the machine is.
        return benchmark.Measure(settings with { Patience = settings.Patience ?? TimeSpan.MaxValue }, cancellationToken);
    }
}
