using Microsoft.ML;
using Qaic.Interop;
using Qaic.ML.Tests.Support;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.ML.Tests.Faults;

/// <summary>What came of a cell.</summary>
/// <param name="Hits">Calls or inferences that the fault has hit.</param>
/// <param name="Errors">Errors that callers were told.</param>
/// <param name="Kept">Objects that the library keeps, because it had refused to release them.</param>
/// <param name="Calls">Calls in the act of the fault, by function; the empty name is for inferences. For a cell without a fault.</param>
internal sealed record FaultOutcome(int Hits, IReadOnlyList<QaicException> Errors, int Kept, IReadOnlyDictionary<string, int> Calls);

/// <summary>One machine, a session that four threads use and an ML.NET model that scores rows, a fault in the middle, and what has to be true afterwards.</summary>
internal sealed class FaultScenario(FaultCell cell, int inferences, int rows) : IDisposable
{
    private const int Threads = 4;

    // Far beyond what a loaded machine needs for one inference.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan s_longestPause = TimeSpan.FromMinutes(1);

    private readonly ManualClock _clock = new();
    private readonly RecordingLogger _log = new();
    private readonly List<FaultPlayer> _players = [];

    /// <summary>Whether no other session of the process loads or releases anything meanwhile. The machine's own objects are counted in any case.</summary>
    public bool IsAlone { get; init; } = true;

    /// <summary>Runs it.</summary>
    /// <exception cref="AssertFailedException">Something came out wrong, or did not end; the message names the cell.</exception>
    /// <exception cref="TimeoutException">It did not end; what it holds is left behind. The message names the cell and what waits.</exception>
    public FaultOutcome Run()
    {
        // On a thread of its own, so that what hangs can be left behind and told of.
        Task<FaultOutcome> play = Task.Factory.StartNew(Play, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (int seen = -1; !((IAsyncResult)play).AsyncWaitHandle.WaitOne(s_patience); seen = Steps)
        {
            if (seen == Steps)
            {
                throw new TimeoutException($"{cell}: nobody got on for {s_patience}.\n{Report()}");
            }
        }

        try
        {
            return play.GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            throw new AssertFailedException($"{cell}: {e}", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _log.Dispose();

    private FaultOutcome Play()
    {
        int qpcs = SimulatedApi.Handles.Live<SimulatedQpc>().Count();
        TensorSpec x = new("x", ElementType.Float32, [4, 3]);
        using var network = new TestNetwork(
            [x],
            [x with { Name = "y" }],
            b => b.Map<float, float>(0, 0, v => (2 * v) + 1),
            new() { Cards = [.. Enumerable.Range(0, cell.Devices).Select(_ => new SimulatedCardOptions())], TimeProvider = _clock })
        { MayKeepObjects = cell.IsRelease };
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
            outcome = Direct(machine, acts, session, model.Session);
            Array.ForEach(threads, t => t.Join());
            foreach (FaultPlayer player in _players.Where(p => p.Defect is not null))
            {
                throw new AssertFailedException($"{player.Step}\n{Report()}", player.Defect!);
            }

            Assert.IsEmpty(_players.SelectMany(p => p.Errors(0)), "Something failed before the fault.");
            AssertWorks(session);
            AssertWorks(model.Session);
            outcome = outcome with { Errors = [.. _players.SelectMany(p => Enumerable.Range(0, Acts.Count).SelectMany(p.Errors))] };
        }

        QaicHandle.RetryRefused();
        Assert.IsTrue(!IsAlone || QaicHandle.Live == 0, $"{QaicHandle.Live} handles of the runtime are left.");

        // A QPC is in the host's memory, and no machine counts it.
        return outcome with { Kept = machine.LiveObjects + SimulatedApi.Handles.Live<SimulatedQpc>().Count() - qpcs };
    }

    // Begins the acts, brings the fault about in the second one, and ends it before the third.
    private FaultOutcome Direct(SimulatedPlatform machine, Acts acts, params Session[] sessions)
    {
        acts.WhenEnded(0).Wait();
        Dictionary<string, Fault> counters = cell.Kind == FaultKind.None ? FaultPlan.Functions.Append("").ToDictionary(f => f, f => Counter(machine.Faults, f)) : [];
        using Fault fault = cell.Arm(machine.Faults);
        if (cell.Kind == FaultKind.None)
        {
            fault.Release();
        }

        if (cell.IsWithoutDevice)
        {
            machine.Faults.LoseDevice(cell.Victim);
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
        var outcome = new FaultOutcome(fault.Hits, [], 0, counters.ToDictionary(c => c.Key, c => c.Value.Hits));
        machine.Faults.Clear();
        machine.Faults.RestoreDevice(cell.Victim);
        acts.Begin(Acts.During + 1);
        return outcome;
    }

    private static Fault Counter(FaultPlan plan, string function)
    {
        Fault counter = function.Length == 0 ? plan.HoldInference() : plan.HoldCall(function);
        counter.Release();
        return counter;
    }

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
                machine.Faults.LoseDevice(cell.Victim);
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

        // Cleared before the look: a device that comes back after it leaves a line for the wait.
        _log.Entries.Clear();
        while (!HasAllSlots(session))
        {
            // A device is loaded again in the background after a pause, which passes when the clock is moved; each attempt leaves a line in the log.
            // The pause may begin only after the clock was moved, so the wait ends soon, and it is moved again.
            _clock.Advance(s_longestPause);
            using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
            Task line = _log.WaitFor("Device ", soon.Token);
            ((IAsyncResult)line).AsyncWaitHandle.WaitOne();
            _log.Entries.Clear();
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

    private int Steps => _players.Sum(p => p.Steps);

    private string Report() =>
        $"Native handles: {QaicHandle.Live}. {string.Join("; ", _players.Select(p => p.Step))}.\nThe end of the log:\n{string.Join('\n', _log.Entries.TakeLast(20).Select(e => e.Text))}";
}
