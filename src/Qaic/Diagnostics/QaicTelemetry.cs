namespace Qaic;

/// <summary>Names under which the runtime publishes metrics and traces, for <c>AddMeter</c> and <c>AddSource</c> of OpenTelemetry, <c>dotnet-counters</c> and the like.</summary>
/// <remarks>
/// <para>Metrics, with the tags <c>qaic.device.id</c>, <c>qaic.network</c> and <c>qaic.platform</c> where they apply: <c>qaic.inference.duration</c> (s), <c>qaic.inference.count</c>,
/// <c>qaic.inference.errors</c> (by <c>error.type</c>), <c>qaic.inferences.in_flight</c>, <c>qaic.slots.waiting</c>, <c>qaic.compile.duration</c> (s), <c>qaic.compile.cache.hits</c>,
/// <c>qaic.compile.cache.misses</c>, <c>qaic.device.lost</c>.</para>
/// <para>Spans: <c>qaic.compile</c>, <c>qaic.load</c>, <c>qaic.run</c>. What nobody listens to costs nothing.</para>
/// </remarks>
public static class QaicTelemetry
{
    /// <summary>Name of the <see cref="System.Diagnostics.Metrics.Meter"/>.</summary>
    public const string MeterName = "Qaic";

    /// <summary>Name of the <see cref="System.Diagnostics.ActivitySource"/>.</summary>
    public const string ActivitySourceName = "Qaic";
}
