using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Qaic.Diagnostics;

namespace Qaic.Tests.Diagnostics;

[TestClass]
public sealed class ProfileTests
{
    private static readonly long s_microsecond = Stopwatch.Frequency / 1_000_000;

    [TestMethod]
    public void Phases_follow_each_other_and_add_up_to_the_total()
    {
        var profiler = new InferenceProfiler(10);
        profiler.Record(At(1000, 1, 2, 3, 4, 500, 6), deviceId: 3, activation: 2, sequence: 0);
        InferenceProfile inference = profiler.Snapshot().Inferences.Single();
        Assert.AreEqual((0L, 3, 2), (inference.Index, inference.DeviceId, inference.Activation));
        double[] phases = [inference.LeaseWait, inference.MarshalIn, inference.SetData, inference.Enqueue, inference.DeviceWait, inference.MarshalOut];
        CollectionAssert.AreEqual((double[])[1e-6, 2e-6, 3e-6, 4e-6, 500e-6, 6e-6], phases);
        Assert.AreEqual(516e-6, inference.Total);
        Assert.AreEqual(inference.Total, phases.Sum(), 1e-15);

        PhaseTimestamps t = inference.Timestamps;
        Assert.AreEqual(t.Total, Enumerable.Range(0, PhaseTimestamps.PhaseCount).Sum(t.Phase), "in ticks to the last one");
    }

    [TestMethod]
    public void Random_phases_add_up_in_ticks_whatever_their_lengths()
    {
        var random = new Random(2);
        for (int i = 0; i < 10_000; i++)
        {
            long[] stamps = [.. Enumerable.Range(0, 7).Select(_ => random.NextInt64() >> random.Next(63)).Order()];
            var t = new PhaseTimestamps
            {
                Requested = stamps[0],
                Leased = stamps[1],
                MarshalledIn = stamps[2],
                DataSet = stamps[3],
                Enqueued = stamps[4],
                Completed = stamps[5],
                MarshalledOut = stamps[6],
            };
            t.Validate();
            Assert.AreEqual(stamps[6] - stamps[0], Enumerable.Range(0, PhaseTimestamps.PhaseCount).Sum(t.Phase));
        }
    }

    [TestMethod]
    public void Inferences_are_in_the_order_of_their_numbers_and_start_at_the_earliest_request()
    {
        var profiler = new InferenceProfiler(10);
        profiler.Record(At(150, 0, 0, 0, 0, 1, 0), 0, 0, sequence: 1);
        profiler.Record(At(100, 0, 0, 0, 0, 90, 0), 0, 0, sequence: 0);
        QaicProfile profile = profiler.Snapshot();
        CollectionAssert.AreEqual((long[])[0, 1], profile.Inferences.Select(i => i.Index).ToArray());
        CollectionAssert.AreEqual((double[])[0, 50e-6], profile.Inferences.Select(i => i.Start).ToArray());
    }

    [TestMethod]
    public void The_first_inferences_are_kept_and_the_others_counted()
    {
        var profiler = new InferenceProfiler(3);
        for (int i = 0; i < 5; i++)
        {
            profiler.Record(At(10 * i, 1, 1, 1, 1, 1, 1), 0, 0, i);
        }

        QaicProfile profile = profiler.Snapshot();
        CollectionAssert.AreEqual((long[])[0, 1, 2], profile.Inferences.Select(i => i.Index).ToArray());
        Assert.AreEqual(5, profile.NumOfInferences);
        StringAssert.EndsWith(Printed(profile, 4), "2 more inferences ran; a profile keeps the first 3.\n");
        Assert.DoesNotContain("more inferences", Printed(profile, 3));
    }

    [TestMethod]
    public void A_snapshot_stays_as_it_was_and_a_reset_begins_anew()
    {
        var profiler = new InferenceProfiler(2);
        profiler.Record(At(5, 1, 1, 1, 1, 1, 1), 0, 0, 0);
        QaicProfile before = profiler.Snapshot();
        profiler.Reset();
        profiler.Record(At(900, 1, 1, 1, 1, 1, 1), 7, 0, 12);
        Assert.AreEqual(0, before.Inferences.Single().DeviceId);
        InferenceProfile after = profiler.Snapshot().Inferences.Single();
        Assert.AreEqual((12L, 7, 0.0), (after.Index, after.DeviceId, after.Start));
    }

    [TestMethod]
    public void A_forgotten_time_stamp_is_refused_by_name()
    {
        var profiler = new InferenceProfiler(2);
        PhaseTimestamps t = At(5, 1, 1, 1, 1, 1, 1) with { DataSet = 0 };
        var e = Assert.ThrowsExactly<ArgumentException>(() => profiler.Record(t, 0, 0, 0));
        StringAssert.Contains(e.Message, "DataSet (0) is earlier than MarshalledIn");
        Assert.AreEqual(0, profiler.Snapshot().NumOfInferences);
    }

    [TestMethod]
    public void A_profile_of_no_capacity_is_refused() =>
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new InferenceProfiler(0)).Message, "1 inference or more");

    [TestMethod]
    public void Threads_that_record_at_once_lose_nothing_and_mix_nothing_up()
    {
        const int Threads = 8, Each = 2_000;
        var profiler = new InferenceProfiler(Threads * Each);
        Parallel.For(0, Threads, thread =>
        {
            for (int i = 0; i < Each; i++)
            {
                int number = (i * Threads) + thread;
                profiler.Record(At(number, 1, 1, 1, 1, number, 1), thread, thread, number);
            }
        });
        IReadOnlyList<InferenceProfile> inferences = profiler.Snapshot().Inferences;
        Assert.HasCount(Threads * Each, inferences);
        for (int i = 0; i < inferences.Count; i++)
        {
            Assert.AreEqual((i, i % Threads, i * s_microsecond), ((int)inferences[i].Index, inferences[i].DeviceId, inferences[i].Timestamps.Phase(4)));
        }
    }

    [TestMethod]
    public void Recording_allocates_nothing_neither_below_nor_above_the_capacity()
    {
        var profiler = new InferenceProfiler(1_000);
        PhaseTimestamps t = At(5, 1, 1, 1, 1, 1, 1);
        profiler.Record(t, 0, 0, 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 2_000; i++)
        {
            profiler.Record(t, 0, 0, i);
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void The_table_has_a_block_per_inference_and_one_of_sums()
    {
        var profiler = new InferenceProfiler(10);
        profiler.Record(At(0, 1, 2, 0, 4, 1000, 6), 0, 0, 0);
        profiler.Record(At(500, 10, 2, 0, 4, 2_000_000, 6), 12, 3, 1);
        profiler.Record(At(900, 1, 1, 1, 1, 1, 1), 0, 0, 2);
        const string Expected = """
            | name                                  | num calls | func time (s) | total time (s) |
            | inference 0 (device 0, activation 0)  |         1 |   0.000000000 |    0.001013000 |
            |   lease wait                          |         1 |   0.000001000 |    0.000001000 |
            |   marshal in                          |         1 |   0.000002000 |    0.000002000 |
            |   set data                            |         1 |   0.000000000 |    0.000000000 |
            |   enqueue                             |         1 |   0.000004000 |    0.000004000 |
            |   device wait                         |         1 |   0.001000000 |    0.001000000 |
            |   marshal out                         |         1 |   0.000006000 |    0.000006000 |
            | inference 1 (device 12, activation 3) |         1 |   0.000000000 |    2.000022000 |
            |   lease wait                          |         1 |   0.000010000 |    0.000010000 |
            |   marshal in                          |         1 |   0.000002000 |    0.000002000 |
            |   set data                            |         1 |   0.000000000 |    0.000000000 |
            |   enqueue                             |         1 |   0.000004000 |    0.000004000 |
            |   device wait                         |         1 |   2.000000000 |    2.000000000 |
            |   marshal out                         |         1 |   0.000006000 |    0.000006000 |
            | 2 inferences                          |         2 |   0.000000000 |    2.001035000 |
            |   lease wait                          |         2 |   0.000011000 |    0.000011000 |
            |   marshal in                          |         2 |   0.000004000 |    0.000004000 |
            |   set data                            |         2 |   0.000000000 |    0.000000000 |
            |   enqueue                             |         2 |   0.000008000 |    0.000008000 |
            |   device wait                         |         2 |   2.001000000 |    2.001000000 |
            |   marshal out                         |         2 |   0.000012000 |    0.000012000 |

            """;
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("de-DE");
        try
        {
            Assert.AreEqual(Expected, Printed(profiler.Snapshot(), 2));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [TestMethod]
    public void Printing_nothing_writes_the_heading_and_a_negative_number_is_refused()
    {
        QaicProfile profile = new InferenceProfiler(1).Snapshot();
        Assert.AreEqual("| name | num calls | func time (s) | total time (s) |\n", Printed(profile, 5));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => profile.Print(TextWriter.Null, -1));
    }

    [TestMethod]
    public void In_the_trace_phases_fill_their_inference_and_inferences_of_a_lane_do_not_overlap()
    {
        var random = new Random(3);
        var profiler = new InferenceProfiler(1_000);
        for (int i = 0; i < 300; i++)
        {
            // Up to about ten at a time per activation; some begin exactly when another ends, some phases take no time.
            long[] lengths = [.. Enumerable.Range(0, 6).Select(_ => (long)random.Next(0, 8))];
            profiler.Record(At(i, lengths[0], lengths[1], lengths[2], lengths[3], lengths[4], lengths[5]), deviceId: i % 3, activation: i % 2, sequence: i);
        }

        QaicProfile profile = profiler.Snapshot();
        using JsonDocument trace = Trace(profile);
        Event[] complete = Events(trace);
        Event[] inferences = [.. complete.Where(e => e.Name.StartsWith("inference ", StringComparison.Ordinal))];
        Assert.HasCount(300, inferences);
        Assert.HasCount(300 * 7, complete);
        string[] phases = ["lease wait", "marshal in", "set data", "enqueue", "device wait", "marshal out"];
        for (int i = 0; i < complete.Length; i += 7)
        {
            Event inference = complete[i];
            InferenceProfile expected = profile.Inferences[int.Parse(inference.Name["inference ".Length..], CultureInfo.InvariantCulture)];
            Assert.AreEqual(expected.Start * 1e6, (double)inference.Start, 1e-3);
            Assert.AreEqual(expected.Total * 1e6, (double)inference.Duration, 1e-3);
            Assert.AreEqual(expected.DeviceId, inference.Process);
            decimal at = inference.Start;
            for (int phase = 0; phase < 6; phase++)
            {
                Event inner = complete[i + 1 + phase];
                Assert.AreEqual((phases[phase], inference.Process, inference.Thread, at), (inner.Name, inner.Process, inner.Thread, inner.Start));
                at += inner.Duration;
            }

            Assert.AreEqual(inference.Start + inference.Duration, at, "durations add up exactly");
        }

        foreach (IGrouping<(int, int), Event> lane in inferences.GroupBy(e => (e.Process, e.Thread)))
        {
            decimal end = 0;
            foreach (Event e in lane)
            {
                Assert.IsGreaterThanOrEqualTo(end, e.Start, $"{e.Name} in lane {lane.Key}");
                end = e.Start + e.Duration;
            }
        }
    }

    [TestMethod]
    public void In_the_trace_devices_are_processes_and_lanes_are_threads_named_by_activation()
    {
        var profiler = new InferenceProfiler(10);
        profiler.Record(At(0, 0, 0, 0, 0, 10, 0), deviceId: 0, activation: 0, sequence: 0);
        profiler.Record(At(5, 0, 0, 0, 0, 10, 0), deviceId: 0, activation: 0, sequence: 1);
        profiler.Record(At(10, 0, 0, 0, 0, 10, 0), deviceId: 0, activation: 0, sequence: 2);
        profiler.Record(At(11, 0, 0, 0, 0, 10, 0), deviceId: 0, activation: 1, sequence: 3);
        profiler.Record(At(11, 0, 0, 0, 0, 10, 0), deviceId: 4, activation: 0, sequence: 4);
        using JsonDocument trace = Trace(profiler.Snapshot());
        string[] names =
        [
            .. trace.RootElement.GetProperty("traceEvents").EnumerateArray()
                .Where(e => e.GetProperty("ph").GetString() == "M" && e.GetProperty("name").GetString()!.EndsWith("_name", StringComparison.Ordinal))
                .Select(e => $"{e.GetProperty("name")} {e.GetProperty("pid")}/{e.GetProperty("tid")}: {e.GetProperty("args").GetProperty("name")}"),
        ];
        CollectionAssert.AreEqual(
            (string[])
            [
                "process_name 0/0: device 0",
                "thread_name 0/1: activation 0, lane 0",
                "thread_name 0/2: activation 0, lane 1",
                "thread_name 0/3: activation 1, lane 0",
                "process_name 4/0: device 4",
                "thread_name 4/1: activation 0, lane 0",
            ],
            names);
        CollectionAssert.AreEqual(
            (string[])["inference 0 0/1", "inference 2 0/1", "inference 1 0/2", "inference 3 0/3", "inference 4 4/1"],
            Events(trace).Where(e => e.Name.StartsWith("inference", StringComparison.Ordinal)).Select(e => $"{e.Name} {e.Process}/{e.Thread}").ToArray(),
            "one that begins when another ends takes its lane");
    }

    [TestMethod]
    public void A_trace_of_nothing_is_a_trace()
    {
        using JsonDocument trace = Trace(new InferenceProfiler(1).Snapshot());
        Assert.AreEqual(0, trace.RootElement.GetProperty("traceEvents").GetArrayLength());
    }

    [TestMethod]
    public void A_large_trace_is_written_in_pieces_into_a_file_that_it_replaces()
    {
        var profiler = new InferenceProfiler(2_000);
        for (int i = 0; i < 2_000; i++)
        {
            profiler.Record(At(i * 7, 1, 1, 1, 1, 1, 1), 0, 0, i);
        }

        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, new string('x', 5_000_000));
            profiler.Snapshot().WriteChromeTrace(path);
            using FileStream file = File.OpenRead(path);
            using JsonDocument trace = JsonDocument.Parse(file);
            Assert.HasCount(2_000 * 7, Events(trace));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void The_callers_stream_stays_open()
    {
        using var stream = new MemoryStream();
        new InferenceProfiler(1).Snapshot().WriteChromeTrace(stream);
        Assert.IsTrue(stream.CanWrite);
        Assert.IsGreaterThan(0, stream.Length);
    }

    // In microseconds: the request, then how long each phase took.
    private static PhaseTimestamps At(long requested, long lease, long marshalIn, long set, long enqueue, long device, long marshalOut)
    {
        PhaseTimestamps t = default;
        t.Requested = requested * s_microsecond;
        t.Leased = t.Requested + (lease * s_microsecond);
        t.MarshalledIn = t.Leased + (marshalIn * s_microsecond);
        t.DataSet = t.MarshalledIn + (set * s_microsecond);
        t.Enqueued = t.DataSet + (enqueue * s_microsecond);
        t.Completed = t.Enqueued + (device * s_microsecond);
        t.MarshalledOut = t.Completed + (marshalOut * s_microsecond);
        return t;
    }

    private static string Printed(QaicProfile profile, int n)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        profile.Print(writer, n);
        return writer.ToString();
    }

    private static JsonDocument Trace(QaicProfile profile)
    {
        using var stream = new MemoryStream();
        profile.WriteChromeTrace(stream);
        return JsonDocument.Parse(stream.ToArray());
    }

    private static Event[] Events(JsonDocument trace) =>
    [
        .. trace.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == "X").Select(e => new Event(
            e.GetProperty("name").GetString()!,
            e.GetProperty("pid").GetInt32(),
            e.GetProperty("tid").GetInt32(),
            e.GetProperty("ts").GetDecimal(),
            e.GetProperty("dur").GetDecimal())),
    ];

    private sealed record Event(string Name, int Process, int Thread, decimal Start, decimal Duration);
}
