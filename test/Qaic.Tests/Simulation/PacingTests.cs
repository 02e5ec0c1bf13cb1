using System.Diagnostics;
using Qaic.Interop;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

[TestClass]
public sealed class PacingTests : SimulatedMachineTest
{
    private static readonly TimeSpan s_within = TimeSpan.FromSeconds(1);

    // The test network moves 16 bytes each way: 100 µs at this rate.
    private const double SlowLink = 160_000;

    private static readonly CardPacing s_computeOnly = new()
    {
        PerInference = TimeSpan.FromMicroseconds(900),
        PerRow = TimeSpan.FromMicroseconds(100),
        TurnAround = TimeSpan.Zero,
        HostToDeviceBytesPerSecond = double.PositiveInfinity,
        DeviceToHostBytesPerSecond = double.PositiveInfinity,
        CoefficientOfVariation = 0,
    };

    private CardPacing _pacing = s_computeOnly;

    private protected override SimulatedPlatformOptions Options => new() { Engine = Engine, Cards = [new() { Pacing = _pacing }], TimeProvider = Clock };

    [TestMethod]
    public void An_inference_takes_turn_around_transfers_and_service()
    {
        _pacing = s_computeOnly with { TurnAround = TimeSpan.FromMicroseconds(120), HostToDeviceBytesPerSecond = SlowLink, DeviceToHostBytesPerSecond = SlowLink / 2 };
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(3);
        exec.Output().Fill(-1);
        DateTimeOffset start = Clock.GetUtcNow();
        TableClient.Check(exec.Enqueue(client.Queue));
        Clock.AdvanceToNext(s_within);
        Assert.AreEqual(TimeSpan.FromMicroseconds(120 + 100 + 1000), Clock.GetUtcNow() - start, "computed");
        Clock.WaitUntilArmed(TimeSpan.FromMicroseconds(200));
        Assert.AreEqual((QStatus.TimedOut, -1f), (exec.Wait(0), exec.Output()[0]));
        Clock.AdvanceToNext(s_within);
        TableClient.Check(exec.Wait());
        Assert.AreEqual((TimeSpan.FromMicroseconds(1420), 6f), (Clock.GetUtcNow() - start, exec.Output()[0]));
    }

    [TestMethod]
    public void Throughput_grows_with_the_set_size_until_the_cores_are_never_idle()
    {
        // One inference alone takes 3.5 times its service: four keep the cores busy.
        _pacing = s_computeOnly with { TurnAround = TimeSpan.FromMicroseconds(2300), HostToDeviceBytesPerSecond = SlowLink, DeviceToHostBytesPerSecond = SlowLink };
        double[] perSecond = [.. Enumerable.Range(1, 6).Select(Throughput)];
        double alone = 1e6 / 3500;
        Assert.AreEqual(alone, perSecond[0], 1);
        Assert.AreEqual(2 * alone, perSecond[1], 5);
        Assert.AreEqual(3 * alone, perSecond[2], 10);
        foreach (double saturated in perSecond[3..])
        {
            Assert.AreEqual(1000, saturated, 5);
        }
    }

    [TestMethod]
    public void Activations_compute_side_by_side_also_on_the_one_thread_of_a_queue()
    {
        using TableClient client = Client(threads: 1);
        TestExec[] execs = [.. Enumerable.Range(0, 3).Select(_ => client.Exec(client.Program()))];
        DateTimeOffset start = Clock.GetUtcNow();
        Array.ForEach(execs, e => TableClient.Check(e.Enqueue(client.Queue)));
        Clock.AdvanceToNext(s_within);
        Array.ForEach(execs, e => TableClient.Check(e.Wait()));
        Assert.AreEqual(TimeSpan.FromMilliseconds(1), Clock.GetUtcNow() - start);
    }

    [TestMethod]
    public void Activations_of_a_card_share_each_direction_of_its_link()
    {
        _pacing = s_computeOnly with { HostToDeviceBytesPerSecond = SlowLink, DeviceToHostBytesPerSecond = SlowLink };
        using TableClient client = Client(threads: 1);
        TestExec first = client.Exec(client.Program()), second = client.Exec(client.Program());
        DateTimeOffset start = Clock.GetUtcNow();
        TableClient.Check(first.Enqueue(client.Queue));
        TableClient.Check(second.Enqueue(client.Queue));
        Clock.AdvanceToNext(s_within);
        Clock.AdvanceToNext(s_within);
        TableClient.Check(first.Wait());
        Assert.AreEqual(TimeSpan.FromMicroseconds(100 + 1000 + 100), Clock.GetUtcNow() - start);

        // Its inputs came second, its outputs had the other direction to themselves by then.
        Clock.AdvanceToNext(s_within);
        TableClient.Check(second.Wait());
        Assert.AreEqual(TimeSpan.FromMicroseconds(200 + 1000 + 100), Clock.GetUtcNow() - start);
    }

    [TestMethod]
    public void A_host_that_computes_for_longer_than_the_card_is_not_held_up_further()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        Engine.OnRun = _ => Clock.Advance(TimeSpan.FromMilliseconds(5));
        DateTimeOffset start = Clock.GetUtcNow();
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(TimeSpan.FromMilliseconds(5), Clock.GetUtcNow() - start);
    }

    [TestMethod]
    public void Rows_are_the_batch_size_and_fewer_in_smaller_shapes()
    {
        _pacing = s_computeOnly with { PerInference = TimeSpan.Zero };
        using TableClient client = Client(new TestQpc
        {
            Edit = network =>
            {
                network.BatchSize = 4;
                network.AllowedShapes.AddRange([TestQpc.Allow([4], [4]), TestQpc.Allow([1], [1])]);
            },
        });
        TestExec exec = client.Exec(client.Program());
        Assert.AreEqual(TimeSpan.FromMicroseconds(400), Time(client, exec));
        SetDims(exec, 1);
        Assert.AreEqual(TimeSpan.FromMicroseconds(100), Time(client, exec));
    }

    [TestMethod]
    public void An_inference_that_the_card_takes_too_long_for_times_out()
    {
        _pacing = s_computeOnly with { PerInference = TimeSpan.FromSeconds(3) };
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program(timeoutMs: 1000, retries: 0));
        TableClient.Check(exec.Enqueue(client.Queue));
        Clock.WaitUntilArmed(TimeSpan.FromTicks((TimeSpan.FromSeconds(3) + TimeSpan.FromMicroseconds(100)).Ticks));
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.AreEqual(QStatus.Error, exec.Wait());
        Assert.Contains("error state 100", client.LastLog);
    }

    [TestMethod]
    public void An_execution_object_is_released_at_once_however_long_the_card_would_take()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec exec = client.Exec(program);
        TableClient.Check(exec.Enqueue(client.Queue));
        Clock.WaitUntilArmed(TimeSpan.FromMilliseconds(1));
        TableClient.Check(client.Release(exec.Handle));
    }

    [TestMethod]
    public void An_inference_that_was_taken_away_does_not_hold_up_those_behind_it()
    {
        using TableClient client = Client();
        nint program = client.Program();
        TestExec released = client.Exec(program), next = client.Exec(program);
        TableClient.Check(released.Enqueue(client.Queue));
        Clock.WaitUntilArmed(TimeSpan.FromMilliseconds(1));
        Clock.Advance(TimeSpan.FromMicroseconds(300));
        TableClient.Check(client.Release(released.Handle));
        Assert.AreEqual(TimeSpan.FromMilliseconds(1), Time(client, next));
    }

    [TestMethod]
    public void A_card_that_is_lost_ends_the_wait()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        TableClient.Check(exec.Enqueue(client.Queue));
        Clock.WaitUntilArmed(TimeSpan.FromMilliseconds(1));
        Faults.LoseDevice(0);
        Assert.AreEqual(QStatus.DevError, exec.Wait());
    }

    [TestMethod]
    public void A_delay_of_the_fault_plan_comes_on_top()
    {
        using TableClient client = Client();
        TestExec exec = client.Exec(client.Program());
        using Fault delay = Faults.DelayInference(TimeSpan.FromMilliseconds(7), occurrence: 1);
        DateTimeOffset start = Clock.GetUtcNow();
        TableClient.Check(exec.Enqueue(client.Queue));
        Clock.AdvanceToNext(s_within);
        Await(delay.WhenHit);
        Clock.AdvanceToNext(s_within);
        TableClient.Check(exec.Wait());
        Assert.AreEqual(TimeSpan.FromMilliseconds(8), Clock.GetUtcNow() - start);
        Assert.AreEqual(TimeSpan.FromMilliseconds(1), Time(client, exec));
    }

    [TestMethod]
    public void The_same_seed_gives_the_same_times_and_another_one_others()
    {
        _pacing = s_computeOnly with { CoefficientOfVariation = 0.2, Seed = 7 };
        TimeSpan[] first = Times(), again = Times(), other;
        _pacing = _pacing with { Seed = 8 };
        other = Times();
        CollectionAssert.AreEqual(first, again);
        CollectionAssert.AreNotEqual(first, other);
        Assert.HasCount(20, first.Distinct());
        Assert.AreNotEqual(_pacing.Factor(0, 0, PacedPart.Service), _pacing.Factor(1, 0, PacedPart.Service), "another activation");

        TimeSpan[] Times()
        {
            // A machine of its own, as activations are numbered per card.
            SimulatedPlatform platform = new(Options);
            using TableClient client = new(platform.Api, platform.FirstQid, Write(new TestQpc()));
            TestExec exec = client.Exec(client.Program());
            return [.. Enumerable.Range(0, 20).Select(_ => Time(client, exec))];
        }
    }

    [TestMethod]
    [DataRow(PacingDistribution.LogNormal, 0.03)]
    [DataRow(PacingDistribution.LogNormal, 0.5)]
    [DataRow(PacingDistribution.Normal, 0.2)]
    public void Times_have_the_mean_and_the_scatter_that_were_asked_for(PacingDistribution distribution, double variation)
    {
        CardPacing pacing = new() { Distribution = distribution, CoefficientOfVariation = variation, Seed = 3 };
        double[] factors = [.. Enumerable.Range(0, 200_000).Select(i => pacing.Factor(i % 7, i / 7, (PacedPart)(i % 3)))];
        double mean = factors.Average();
        double deviation = Math.Sqrt(factors.Average(f => (f - mean) * (f - mean)));
        Assert.AreEqual(1, mean, 0.01 * variation + 0.002);
        Assert.AreEqual(variation, deviation, 0.02 * variation);
        Assert.IsTrue(factors.All(f => f >= 0));
        Assert.AreEqual(distribution == PacingDistribution.LogNormal && variation > 0.1, Median(factors) < 0.97 * mean);
    }

    [TestMethod]
    public void By_default_times_scatter_like_the_published_percentiles()
    {
        CardPacing pacing = new();
        double[] factors = [.. Enumerable.Range(0, 100_000).Select(i => pacing.Factor(0, i, PacedPart.Service)).Order()];
        Assert.AreEqual(1.82 / 1.75, factors[90_000] / factors[50_000], 0.005, "P90");
        Assert.AreEqual(1.89 / 1.75, factors[99_000] / factors[50_000], 0.01, "P99");
    }

    [TestMethod]
    public void Impossible_times_are_refused_by_name()
    {
        foreach ((CardPacing pacing, string named) in new[]
        {
            (new CardPacing { PerInference = TimeSpan.FromTicks(-1) }, "PerInference"),
            (new CardPacing { PerRow = TimeSpan.FromDays(2) }, "PerRow"),
            (new CardPacing { DeviceToHostBytesPerSecond = 0 }, "DeviceToHostBytesPerSecond"),
            (new CardPacing { HostToDeviceBytesPerSecond = double.NaN }, "HostToDeviceBytesPerSecond"),
            (new CardPacing { CoefficientOfVariation = -0.1 }, "CoefficientOfVariation"),
            (new CardPacing { CoefficientOfVariation = double.NaN }, "CoefficientOfVariation"),
            (new CardPacing { Distribution = (PacingDistribution)9 }, "Distribution"),
        })
        {
            SimulatedPlatformOptions options = new() { Engine = Engine, Cards = [new() { Pacing = pacing }] };
            Assert.AreEqual(named, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new SimulatedPlatform(options)).ParamName);
        }
    }

    [TestMethod]
    public void On_the_systems_clock_a_wait_is_never_too_short_and_can_be_cut_short()
    {
        PreciseWait wait = new(TimeProvider.System);
        foreach (long microseconds in new[] { 0, 5, 80, 700, 4_000, 12_000 })
        {
            long until = Stopwatch.GetTimestamp() + (microseconds * Stopwatch.Frequency / 1_000_000);
            wait.Until(until, CancellationToken.None);
            Assert.IsTrue(Stopwatch.GetTimestamp() >= until, $"{microseconds} µs");
        }

        using CancellationTokenSource cut = new();
        Task forever = Task.Run(() => wait.Until(long.MaxValue, cut.Token));
        cut.Cancel();
        Assert.ThrowsExactly<AggregateException>(() => forever.Wait(TimeSpan.FromSeconds(30)));
        Assert.IsTrue(forever.IsCanceled || forever.Exception?.InnerException is OperationCanceledException);
    }

    // Inferences per second of one activation with so many execution objects, each enqueued again as soon as it is complete.
    private double Throughput(int setSize)
    {
        const int Warm = 12, Counted = 60;
        SimulatedPlatform platform = new(Options);
        using TableClient client = new(platform.Api, platform.FirstQid, Write(new TestQpc()));
        nint program = client.Program();
        TestExec[] execs = [.. Enumerable.Range(0, setSize).Select(_ => client.Exec(program))];
        Array.ForEach(execs, e => TableClient.Check(e.Enqueue(client.Queue)));
        DateTimeOffset start = default;
        for (int i = 0; i < Warm + Counted; i++)
        {
            start = i == Warm ? Clock.GetUtcNow() : start;
            Clock.AdvanceToNext(s_within);
            Clock.AdvanceToNext(s_within);
            TestExec exec = execs[i % setSize];
            TableClient.Check(exec.Wait());
            TableClient.Check(exec.Enqueue(client.Queue));
        }

        return Counted / (Clock.GetUtcNow() - start).TotalSeconds;
    }

    private TimeSpan Time(TableClient client, TestExec exec)
    {
        DateTimeOffset start = Clock.GetUtcNow();
        TableClient.Check(exec.Enqueue(client.Queue));
        Clock.AdvanceToNext(s_within);
        TableClient.Check(exec.Wait());
        return Clock.GetUtcNow() - start;
    }

    private static unsafe void SetDims(TestExec exec, uint count)
    {
        QBufferDimensions* dims = stackalloc QBufferDimensions[2];
        uint dim = count;
        dims[0] = dims[1] = new QBufferDimensions { Count = 1, SizeOfElem = 4, Dims = &dim };
        QBuffer[] buffers = [.. exec.Buffers.Select(b => b with { Size = 4 * count })];
        fixed (QBuffer* first = buffers)
        {
            TableClient.Check(exec.SetDataExt(first, dims));
        }
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);
}
