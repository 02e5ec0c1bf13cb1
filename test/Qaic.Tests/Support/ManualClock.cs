namespace Qaic.Tests.Support;

/// <summary>A clock that stands still until a test moves it. Timers that come due fire on the thread that moves it, in order.</summary>
internal sealed class ManualClock : TimeProvider
{
    private readonly object _sync = new();
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_sync)
        {
            return _now;
        }
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ManualTimer timer = new(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Waits until somebody has armed a timer that is due <paramref name="dueTime"/> from now.</summary>
    public void WaitUntilArmed(TimeSpan dueTime)
    {
        lock (_sync)
        {
            while (!_timers.Exists(t => t.Due == _now + dueTime))
            {
                Assert.IsTrue(Monitor.Wait(_sync, TimeSpan.FromSeconds(30)), $"No timer of {dueTime} was armed.");
            }
        }
    }

    /// <summary>Waits until a timer is armed that is due <paramref name="within"/> that time from now, and moves the clock to it.</summary>
    public void AdvanceToNext(TimeSpan within)
    {
        TimeSpan next;
        lock (_sync)
        {
            while (!_timers.Exists(t => t.Due <= _now + within))
            {
                Assert.IsTrue(Monitor.Wait(_sync, TimeSpan.FromSeconds(30)), $"No timer within {within} was armed.");
            }

            next = _timers.Min(t => t.Due) - _now;
        }

        Advance(next);
    }

    public void Advance(TimeSpan by)
    {
        DateTimeOffset target = GetUtcNow() + by;
        while (true)
        {
            ManualTimer? next;
            lock (_sync)
            {
                next = _timers.Where(t => t.Due <= target).MinBy(t => t.Due);
                _now = next?.Due ?? target;
                if (next is null)
                {
                    return;
                }

                _timers.Remove(next);
            }

            next.Fire();
        }
    }

    private sealed class ManualTimer(ManualClock clock, Action fire) : ITimer
    {
        public DateTimeOffset Due { get; private set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._sync)
            {
                clock._timers.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    Due = clock._now + dueTime;
                    clock._timers.Add(this);
                    Monitor.PulseAll(clock._sync);
                }
            }

            return true;
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
