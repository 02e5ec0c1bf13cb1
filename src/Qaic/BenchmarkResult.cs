namespace Qaic;

/// <summary>What <see cref="Session.RunBenchmark"/> has measured: below the managed API, without warm-up.</summary>
/// <param name="InferencesCompleted">Inferences that were counted (python's <c>inf_completed</c>).</param>
/// <param name="InferenceRate">Inferences per second (python's <c>inf_rate</c>). Each has <see cref="BatchSize"/> rows.</param>
/// <param name="InferenceTime">From the first submission to the last completion (python's <c>inf_time</c>, there in seconds).</param>
/// <param name="BatchSize">Rows per inference (python's <c>batch_size</c>).</param>
public sealed record BenchmarkResult(long InferencesCompleted, double InferenceRate, TimeSpan InferenceTime, int BatchSize)
{
    /// <summary>Rows per second: <see cref="InferenceRate"/> × <see cref="BatchSize"/>.</summary>
    public double RowRate => InferenceRate * BatchSize;
}
