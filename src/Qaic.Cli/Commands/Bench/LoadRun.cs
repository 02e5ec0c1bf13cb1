namespace Qaic.Cli.Commands.Bench;

/// <summary>One repetition: a thread per slot takes the next request, submits it, waits for it and takes the next one.</summary>
/// <remarks>
/// Requests of the server scenario are taken in the order of their arrival, whether or not anybody is free at that time, and their latency counts from the arrival. So a stall is seen by every
/// request that would have come during it, not by the few that were in flight (that is what "coordinated omission" leaves out). None is skipped.
/// Only the thread whose turn it is looks at the clock; the others wait for their turn.
/// </remarks>
/// <param name="slots">Rented and filled; used by nobody else meanwhile.</param>
/// <param name="rowsPerInference">Rows in each inference.</param>
/// <param name="settings">What to do.</param>
/// <param name="cancellationToken">Ends it early; what was measured until then is returned.</param>
internal sealed class LoadRun(IReadOnlyList<Inference> slots, int rowsPerInference, LoadSettings settings, CancellationToken cancellationToken)
{
    private const double NanosecondsPerSecond = 1e9;

    private readonly Lock _turn = new();
    private readonly ArrivalSchedule? _arrivals = settings.Scenario == LoadScenario.Server ? new(settings.Rate, settings.PoissonSeed) : null;
    private readonly LatencyHistogram _pacing = new();
    private readonly LatencyHistogram _unserved = new();
    private Pacer _pacer = null!;
    private long _taken;
    private bool _ended;
    private Exception? _failure;

    /// <summary>Runs it.</summary>
    public Measurement Run()
    {
        Worker[] workers = [.. slots.Take(settings.Scenario == LoadScenario.SingleStream ? 1 : slots.Count).Select(slot => new Worker(slot, _arrivals is not null))];
        using var ready = new CountdownEvent(workers.Length);
        using var go = new ManualResetEventSlim();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Thread[] threads = [.. workers.Select(worker => new Thread(() =>
        {
            ready.Signal();
            go.Wait();
            Serve(worker, stop);
        })
        { IsBackground = true, Name = "bench" })];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        ready.Wait(CancellationToken.None);
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        _pacer = new Pacer(TimeProvider.System);
        go.Set();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        cpu = Environment.CpuUsage.TotalTime - cpu;
        CountUnserved();
        return new Measurement
        {
            Completed = workers.Sum(w => w.Service.Count),
            RowsPerInference = rowsPerInference,
            Seconds = workers.Max(w => w.LastCompletion) / NanosecondsPerSecond,
            CpuSeconds = cpu.TotalSeconds,
            Latency = Sum([.. workers.Select(w => w.Latency), _unserved]),
            Service = _arrivals is null ? null : Sum(workers.Select(w => w.Service)),
            Pacing = _arrivals is null ? null : _pacing,
            Unserved = _unserved.Count,
            IsInterrupted = cancellationToken.IsCancellationRequested,
            Failure = _failure,
        };
    }

    private void Serve(Worker worker, CancellationTokenSource stop)
    {
        try
        {
            while (TakeTurn(out long arrival, stop.Token))
            {
                long submitted = _pacer.Now;
                worker.Slot.Submit();
                worker.Slot.Wait();
                long completed = _pacer.Now;
                worker.Service.Record(completed - submitted);
                if (worker.Latency != worker.Service)
                {
                    worker.Latency.Record(completed - arrival);
                }

                worker.LastCompletion = completed;
            }
        }
        catch (Exception e)
        {
            // Without the turn, which may be held by a worker that waits for an arrival that is far away.
            Interlocked.CompareExchange(ref _failure, e, null);
            stop.Cancel();
        }
    }

    private bool TakeTurn(out long arrival, CancellationToken stop)
    {
        arrival = 0;
        lock (_turn)
        {
            if (_ended || stop.IsCancellationRequested || _taken == settings.Count)
            {
                return false;
            }

            if (_arrivals is null)
            {
                _taken++;
                return _pacer.Now < settings.Duration.TotalNanoseconds;
            }

            arrival = _arrivals.Next();
            if (arrival >= settings.Duration.TotalNanoseconds)
            {
                _ended = true;
                return false;
            }

            bool isEarly = _pacer.Now < arrival;
            _pacer.WaitUntil(arrival, stop);
            long now = _pacer.Now;
            if (now < arrival)
            {
                return false;
            }

            _taken++;
            if (isEarly)
            {
                _pacing.Record(now - arrival);
            }

            // Whoever asks for ten times what the card can do would wait for ten times the duration; the queue has been seen by then.
            if (now > GiveUpAt)
            {
                _ended = true;
                _unserved.Record(now - arrival);
                return false;
            }

            return true;
        }
    }

    private double GiveUpAt
    {
        get
        {
            double end = Math.Min(settings.Duration.TotalNanoseconds, (settings.Count ?? double.PositiveInfinity) / settings.Rate * NanosecondsPerSecond);
            return end + (settings.Patience?.TotalNanoseconds ?? end + NanosecondsPerSecond);
        }
    }

    // Those that had arrived before the end: leaving them out would leave out the worst.
    private void CountUnserved()
    {
        if (_arrivals is null)
        {
            return;
        }

        long now = _pacer.Now;
        double end = Math.Min(now, settings.Duration.TotalNanoseconds);
        for (long arrival; _taken < (settings.Count ?? long.MaxValue) && (arrival = _arrivals.Next()) < end; _taken++)
        {
            _unserved.Record(now - arrival);
        }
    }

    private static LatencyHistogram Sum(IEnumerable<LatencyHistogram> parts)
    {
        var sum = new LatencyHistogram();
        foreach (LatencyHistogram part in parts)
        {
            sum.Add(part);
        }

        return sum;
    }

    private sealed class Worker
    {
        public Worker(Inference slot, bool isQueued)
        {
            Slot = slot;

            // Without a queue it is the same.
            Latency = isQueued ? new() : Service;
        }

        public Inference Slot { get; }

        public LatencyHistogram Service { get; } = new();

        public LatencyHistogram Latency { get; }

        public long LastCompletion { get; set; }
    }
}
