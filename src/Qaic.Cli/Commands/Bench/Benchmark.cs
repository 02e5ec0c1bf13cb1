using System.Globalization;

namespace Qaic.Cli.Commands.Bench;

/// <summary>A session with all its slots rented and filled, on which loads run one after the other.</summary>
internal sealed class Benchmark : IDisposable
{
    private readonly List<Inference> _slots = [];
    private readonly BenchInputs _inputs;

    /// <summary>Loads the network and takes every slot.</summary>
    /// <param name="session">Stays the caller's; nobody else uses it meanwhile.</param>
    /// <param name="inputs">The data.</param>
    /// <param name="cancellationToken">Ends the wait for the device.</param>
    /// <exception cref="QaicException">The network cannot be activated.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Benchmark(Session session, BenchInputs inputs, CancellationToken cancellationToken)
    {
        _inputs = inputs;
        try
        {
            _slots.Add(session.Rent(cancellationToken));
            while (_slots.Count < session.MaxInFlight && session.TryRent(out Inference slot))
            {
                _slots.Add(slot);
            }

            _slots.ForEach(inputs.Fill);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Keeps all slots busy for a while; nothing is counted.</summary>
    /// <exception cref="QaicException">The device failed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void WarmUp(TimeSpan duration, CancellationToken cancellationToken)
    {
        Measurement warm = Measure(new LoadSettings(LoadScenario.Offline, duration), cancellationToken);
        if (warm.Failure is { } failure)
        {
            throw failure;
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Runs a load once.</summary>
    public Measurement Measure(LoadSettings settings, CancellationToken cancellationToken) => new LoadRun(_slots, _inputs.RowsPerInference, settings, cancellationToken).Run();

    /// <summary>Repeats a load; ends after the first repetition that was interrupted or failed.</summary>
    /// <param name="settings">The load.</param>
    /// <param name="repetitions">How often, 1 or more.</param>
    /// <param name="progress">Is told of each.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>What was measured; at least one, which may be of nothing.</returns>
    public IReadOnlyList<Measurement> Repeat(LoadSettings settings, int repetitions, Action<string> progress, CancellationToken cancellationToken)
    {
        var measured = new List<Measurement>();
        for (int i = 0; i < repetitions && (i == 0 || !cancellationToken.IsCancellationRequested); i++)
        {
            Measurement one = Measure(settings, cancellationToken);
            if (one.Completed > 0 || one.Failure is not null || measured.Count == 0)
            {
                measured.Add(one);
            }

            progress(string.Create(CultureInfo.InvariantCulture, $"repetition {i + 1} of {repetitions}: {one.InferenceRate * one.RowsPerInference:0} rows/s, p99 {BenchReport.Number(one.Latency.Percentile(990) / 1e6)} ms"));
            if (one.Failure is not null)
            {
                break;
            }
        }

        return measured;
    }

    /// <summary>Gives the slots back; the session is still the caller's.</summary>
    public void Dispose() => _slots.ForEach(slot => slot.Dispose());
}
