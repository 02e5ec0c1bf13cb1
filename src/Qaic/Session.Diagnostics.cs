using System.Diagnostics;
using Qaic.Diagnostics;

namespace Qaic;

public sealed partial class Session
{
    private readonly SessionRecorder _recorder;
    private readonly TelemetryTags _runTags;

    /// <summary>Latencies of the inferences so far, from submission until the host knows of the result, in seconds. Python's <c>get_metrics()</c>.</summary>
    /// <remarks>Counts every inference that ended well, those of <see cref="RunBenchmark"/> without its warm-up among them; survives <see cref="Reset"/>.</remarks>
    /// <exception cref="InvalidOperationException">The session records none: neither <see cref="QaicOptions.EnableMetrics"/> nor <see cref="QaicOptions.EnableProfiling"/> is set.</exception>
    public QaicMetrics GetMetrics() => Latencies.Snapshot();

    /// <summary>Prints what <see cref="GetMetrics"/> returns, every key once. Python's <c>print_metrics()</c>.</summary>
    /// <param name="writer">Where to; null for the console.</param>
    /// <exception cref="InvalidOperationException">The session records none; see <see cref="GetMetrics"/>.</exception>
    public void PrintMetrics(TextWriter? writer = null) => GetMetrics().Print(writer ?? Console.Out);

    /// <summary>Where the time of the first inferences went, phase by phase.</summary>
    /// <exception cref="InvalidOperationException">The session records none: <see cref="QaicOptions.EnableProfiling"/> is not set.</exception>
    public QaicProfile GetProfile() => Profiler.Snapshot();

    /// <summary>Prints the phases of the first inferences. Python's <c>print_profile_data(n)</c>.</summary>
    /// <param name="n">How many inferences, 0 or more.</param>
    /// <param name="writer">Where to; null for the console.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> is negative.</exception>
    /// <exception cref="InvalidOperationException">The session records none; see <see cref="GetProfile"/>.</exception>
    public void PrintProfileData(int n, TextWriter? writer = null) => GetProfile().Print(writer ?? Console.Out, n);

    /// <summary>Forgets the latencies and phases recorded so far, for example those of a warm-up.</summary>
    /// <exception cref="InvalidOperationException">The session records none; see <see cref="GetMetrics"/>.</exception>
    public void ResetMetrics()
    {
        Latencies.Reset();
        _recorder.Profiler?.Reset();
    }

    private LatencyRecorder Latencies => _recorder.Latencies
        ?? throw new InvalidOperationException("The session records no metrics. Create it with EnableMetrics (enable_metrics) or EnableProfiling (enable_profiling) set to true.");

    private InferenceProfiler Profiler => _recorder.Profiler
        ?? throw new InvalidOperationException("The session records no profile. Create it with EnableProfiling (enable_profiling) set to true.");

    // For exception filters: notes the failure on the span, and catches nothing.
    private static bool Note(Activity? span, Exception failure)
    {
        Telemetry.Fail(span, failure);
        return false;
    }
}
