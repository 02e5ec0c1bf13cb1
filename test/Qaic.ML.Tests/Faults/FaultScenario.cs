using Microsoft.ML;
using Qaic.Interop;
using Qaic.ML.Tests.Support;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.ML.Tests.Faults;

/// <summary>What came of a cell.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="Hits">Calls or inferences that the fault has hit.</param>
/// <param name="Told">Errors that callers were told while the fault lasted, and afterwards.</param>
/// <param name="Left">Objects that the library was left with, because it had refused to release them.</param>
internal sealed record FaultOutcome(FaultCell Cell, int Hits, IReadOnlyList<QaicException> Told, int Left)
{
    public override string ToString() =>
        Hits == 0 ? "not called" : Told.Count == 0 ? "tolerated" : "reported";
}

/// <summary>One machine, a session that four threads use and an ML.NET model that scores rows, a fault in the middle, and what has to be true afterwards.</summary>
internal sealed class FaultScenario(FaultCell cell, int inferences, int rows)
{
    private const int Threads = 4;

    // Far beyond what a loaded machine needs. A scenario takes some ten milliseconds.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan s_longestPause = TimeSpan.FromMinutes(1);

    private readonly ManualClock _clock = new();
    private readonly RecordingLogger _log = new();
    private readonly List<FaultPlayer> _players = [];

    /// <summary>Runs it.</summary>
    /// <exception cref="AssertFailedException">Something came out wrong, or did not end; the message names the cell.</exception>
    public FaultOutcome Run()
    {
        try
        {
            // On a thread of its own, so that what hangs is left behind and told of.
            Task<FaultOutcome> play = Task.Factory.StartNew(Play, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Assert.IsTrue(((IAsyncResult)play).AsyncWaitHandle.WaitOne(s_patience), $"It did not end within {s_patience}.\n{Report()}");
            return play.GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            throw new AssertFailedException($"{cell}: {e.Message}", e);
        }
    }

    private FaultOutcome Play()
    {
        TensorSpec x = new("x", ElementType.Float32, [4, 3]);
        using var network = new TestNetwork(
            [x],
            [x with { Name = "y" }],
            b => b.Map<float, float>(0, 0, v => (2 * v) + 1),
            new() { Cards = [.. Enumerable.Range(0, cell.Devices).Select(_ => new SimulatedCardOptions())], TimeProvider = _clock });
        SimulatedPlatform machine = network.Platform;
        var options = new QaicOptions { DeviceIds = [.. Enumerable.Range(0, cell.Devices)], NumActivations = 2, SetSize = 2 };
        FaultOutcome outcome;
        using (var session = new Session(network.QpcPath, options, machine, _log))
        using (QaicTransformer model = new MLContext(1).Transforms.ApplyQaicModel(network.Options() with { Options = options with { NumActivations = 1 }, LoggerFactory = _log }).Fit(TestView.Features(1, 3)))
        {
            var acts = new Acts(Threads + 1);
            _players.AddRange(Enumerable.Range(0, Threads).Select(t => new InferencePlayer(acts, session, t, inferences)));
            _players.Add(new ScoringPlayer(acts, model, rows));
            Thread[] threads = [.. _players.Select(p => p.Start())];
            int hits = Direct(machine, acts, session, model.Session);
            Array.ForEach(threads, t => t.Join());
            foreach (FaultPlayer player in _players.Where(p => p.Defect is not null))
            {
                throw new AssertFailedException($"{player.Step}\n{Report()}", player.Defect!);
            }

            AssertWorks(session);
            AssertWorks(model.Session);
            outcome = new FaultOutcome(cell, hits, [.. _players.SelectMany(p => Enumerable.Range(0, Acts.Count).SelectMany(p.Errors))], 0);
            Assert.IsEmpty(_players.SelectMany(p => p.Errors(0)), "Something failed before the fault.");
        }

        QaicHandle.RetryRefused();
        int left = machine.LiveObjects;
        Assert.AreEqual(0, left, "objects of the library");
        Assert.AreEqual(0, QaicHandle.Live, "handles of the runtime");
        return outcome with { Left = left };
    }

    // Begins the acts, brings the fault about in the second one, and ends it before the third.
    private int Direct(SimulatedPlatform machine, Acts acts, params Session[] sessions)
    {
        acts.WhenEnded(0).Wait();
        using Fault fault = cell.Arm(machine.Faults);
        if (cell.Kind == FaultKind.None)
        {
            fault.Release();
        }

        acts.Begin(Acts.During);

        // So that the functions of a load and of a release are called, too.
        Task reset = Task.Run(() => Array.ForEach(sessions, s => s.Reset()));
        Task.WhenAny(fault.WhenHit, Task.WhenAll(acts.WhenEnded(Acts.During), reset)).Wait();
        if (fault.Hits > 0)
        {
            Strike(machine, fault);
        }

        Task.WhenAll(acts.WhenEnded(Acts.During), reset).Wait();
        int hits = fault.Hits;
        machine.Faults.Clear();
        if (cell.Kind == FaultKind.LosesDevice)
        {
            machine.Faults.RestoreDevice(Victim);
        }

        acts.Begin(Acts.During + 1);
        return hits;
    }

    private int Victim => cell.Occurrence % cell.Devices;

    private void Strike(SimulatedPlatform machine, Fault fault)
    {
        switch (cell.Kind)
        {
            case FaultKind.IsLate:
                _clock.Advance(FaultCell.Lateness);
                break;
            case FaultKind.IsHeld:
                fault.Release();
                break;
            case FaultKind.LosesDevice:
                machine.Faults.LoseDevice(Victim);
                fault.Release();
                break;
        }
    }

    // The same session works again, on every device.
    private void AssertWorks(Session session)
    {
        float[] y = new float[12];
        for (int i = 0; i < 3; i++)
        {
            float[] x = InferencePlayer.Question(Threads, i);
            session.Run<float, float>(x, y);
            CollectionAssert.AreEqual(x.Select(v => (2 * v) + 1).ToArray(), y);
        }

        while (!HasAllSlots(session))
        {
            // A device is loaded again in the background after a pause, which passes when the clock is moved; each attempt leaves a line in the log.
            _log.Entries.Clear();
            _clock.Advance(s_longestPause);
            _log.WaitFor("Device ", CancellationToken.None).Wait();
        }
    }

    private static bool HasAllSlots(Session session)
    {
        var slots = new List<Inference>();
        while (session.TryRent(out Inference slot))
        {
            slots.Add(slot);
        }

        slots.ForEach(slot => slot.Dispose());
        return slots.Count == session.MaxInFlight;
    }

    private string Report() => $"Native handles: {QaicHandle.Live}. {string.Join("; ", _players.Select(p => p.Step))}.\n{string.Join('\n', _log.Entries.Where(e => e.Level > Microsoft.Extensions.Logging.LogLevel.Debug).TakeLast(20).Select(e => e.Text))}";
}
