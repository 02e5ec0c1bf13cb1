using Qaic.Cli.Commands.Bench;

namespace Qaic.Cli.Tests.Bench;

/// <summary>When requests come, and how their moments are awaited.</summary>
[TestClass]
public sealed class ArrivalTests
{
    [TestMethod]
    public void Equal_distances_do_not_drift()
    {
        var schedule = new ArrivalSchedule(30_000, null);
        long[] arrivals = [.. Enumerable.Range(0, 3_000_001).Select(_ => schedule.Next())];
        Assert.AreEqual((0L, 33_333L, 66_666L, 100_000L), (arrivals[0], arrivals[1], arrivals[2], arrivals[3]));
        Assert.AreEqual(100_000_000_000, arrivals[^1]);
    }

    [TestMethod]
    public void Poisson_arrivals_have_the_rate_the_spread_and_the_seed()
    {
        const int Count = 200_000;
        long[] Arrivals(int seed)
        {
            var schedule = new ArrivalSchedule(1000, seed);
            return [.. Enumerable.Range(0, Count).Select(_ => schedule.Next())];
        }

        long[] arrivals = Arrivals(7);
        double[] distances = [.. arrivals.Zip(arrivals.Skip(1), (a, b) => (b - a) / 1e6)];
        double mean = distances.Average();
        double deviation = Math.Sqrt(distances.Average(d => (d - mean) * (d - mean)));
        Assert.AreEqual(0, arrivals[0]);
        Assert.AreEqual(1, mean, 0.01);
        Assert.AreEqual(1, deviation, 0.02, "of an exponential distribution it is the mean");
        Assert.AreEqual(Math.Exp(-2), distances.Count(d => d > 2) / (double)Count, 0.005);
        CollectionAssert.AreEqual(arrivals, Arrivals(7));
        CollectionAssert.AreNotEqual(arrivals, Arrivals(8));
    }

    [TestMethod]
    public void A_far_moment_is_slept_for_and_a_near_one_awaited()
    {
        var clock = new LookedAtClock();
        var rests = new List<TimeSpan>();
        var pacer = new Pacer(clock, rest =>
        {
            rests.Add(rest);
            clock.Move(rest + TimeSpan.FromMicroseconds(60));
        });
        pacer.WaitUntil(10_000_000, CancellationToken.None);
        Assert.IsTrue(pacer.Now is >= 10_000_000 and < 10_010_000, $"{pacer.Now} ns");
        Assert.HasCount(1, rests, "one sleep is enough, however late it wakes");
        Assert.IsLessThan(300, clock.Looks, "most of the time nobody looked at the clock");
        long before = pacer.Now;
        pacer.WaitUntil(before + 100_000, CancellationToken.None);
        Assert.HasCount(1, rests, "100 µs are too short to sleep");
        Assert.IsGreaterThanOrEqualTo(before + 100_000, pacer.Now);
    }

    [TestMethod]
    public void A_moment_that_has_passed_is_not_awaited()
    {
        var clock = new LookedAtClock();
        var pacer = new Pacer(clock, _ => Assert.Fail("slept"));
        clock.Move(TimeSpan.FromSeconds(1));
        int looks = clock.Looks;
        pacer.WaitUntil(999_000_000, CancellationToken.None);
        Assert.AreEqual(looks + 1, clock.Looks);
    }

    [TestMethod]
    public void A_wait_of_an_hour_is_ended_soon()
    {
        var clock = new LookedAtClock();
        using var stop = new CancellationTokenSource();
        int rests = 0;
        new Pacer(clock, rest =>
        {
            Assert.IsLessThanOrEqualTo(TimeSpan.FromMilliseconds(50), rest);
            clock.Move(rest);
            if (++rests == 3)
            {
                stop.Cancel();
            }
        }).WaitUntil(3_600_000_000_000, stop.Token);
        Assert.AreEqual(3, rests);
    }

    [TestMethod]
    public void The_operating_system_sleeps_no_shorter_than_asked()
    {
        var pacer = new Pacer(TimeProvider.System);
        for (int i = 1; i <= 20; i++)
        {
            long moment = pacer.Now + (i * 100_000);
            pacer.WaitUntil(moment, CancellationToken.None);
            Assert.IsGreaterThanOrEqualTo(moment, pacer.Now);
        }
    }

    /// <summary>A clock that moves on by a microsecond each time somebody looks.</summary>
    private sealed class LookedAtClock : TimeProvider
    {
        private long _now;

        public int Looks { get; private set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp()
        {
            Looks++;
            return _now += TimeSpan.TicksPerMicrosecond;
        }

        public void Move(TimeSpan by) => _now += by.Ticks;
    }
}
