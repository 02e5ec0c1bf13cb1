using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Qaic.Diagnostics;

/// <summary>The runtime's instruments and spans. While nobody listens, each call is a comparison and allocates nothing; measurements allocate nothing in any case.</summary>
internal static class Telemetry
{
    private const string ErrorTypeTag = "error.type";

    private static readonly Meter s_meter = new(QaicTelemetry.MeterName);

    // The usual default boundaries are meant for milliseconds; a card answers in tenths of one.
    private static readonly Histogram<double> s_inferenceDuration = s_meter.CreateHistogram(
        "qaic.inference.duration",
        unit: "s",
        description: "Latency of an inference.",
        tags: null,
        advice: new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries =
                [0.00005, 0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
        });

    private static readonly Counter<long> s_inferenceCount =
        s_meter.CreateCounter<long>("qaic.inference.count", unit: "{inference}", description: "Inferences that completed.");

    private static readonly Counter<long> s_inferenceErrors =
        s_meter.CreateCounter<long>("qaic.inference.errors", unit: "{inference}", description: "Inferences that failed, by error.type.");

    private static readonly UpDownCounter<long> s_slotsWaiting =
        s_meter.CreateUpDownCounter<long>("qaic.slots.waiting", unit: "{caller}", description: "Callers that wait for a free slot.");

    private static readonly UpDownCounter<long> s_inFlight =
        s_meter.CreateUpDownCounter<long>("qaic.inferences.in_flight", unit: "{inference}", description: "Inferences that the device has and has not completed.");

    private static readonly Histogram<double> s_compileDuration = s_meter.CreateHistogram(
        "qaic.compile.duration",
        unit: "s",
        description: "Time of a compilation, without those that the cache answered.",
        tags: null,
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200] });

    private static readonly Counter<long> s_cacheHits =
        s_meter.CreateCounter<long>("qaic.compile.cache.hits", unit: "{network}", description: "Networks that the compile cache had.");

    private static readonly Counter<long> s_cacheMisses =
        s_meter.CreateCounter<long>("qaic.compile.cache.misses", unit: "{network}", description: "Networks that had to be compiled.");

    private static readonly Counter<long> s_deviceLost =
        s_meter.CreateCounter<long>("qaic.device.lost", unit: "{device}", description: "Devices that were lost while a network was active on them.");

    private static readonly ActivitySource s_source = new(QaicTelemetry.ActivitySourceName);

    /// <summary>An inference ended well.</summary>
    /// <param name="ticks">Its latency in ticks of <see cref="Stopwatch"/>.</param>
    /// <param name="tags">Where it ran.</param>
    public static void InferenceCompleted(long ticks, TelemetryTags tags)
    {
        Count(s_inferenceCount, 1, tags.Span);
        if (s_inferenceDuration.Enabled)
        {
            Record(s_inferenceDuration, ticks, tags.Span);
        }
    }

    /// <summary>An inference failed.</summary>
    public static void InferenceFailed(Exception failure, TelemetryTags tags)
    {
        if (s_inferenceErrors.Enabled)
        {
            KeyValuePair<string, object?>[] all = [.. tags.Span, new(ErrorTypeTag, ErrorType(failure))];
            Count(s_inferenceErrors, 1, all);
        }
    }

    /// <summary>Whether somebody counts the inferences in flight.</summary>
    public static bool CountsInFlight => s_inFlight.Enabled;

    /// <summary>The device has taken an inference.</summary>
    /// <returns>Whether that was counted, for <see cref="InferenceLeft"/>: a listener that comes later must not see inferences leave that it did not see enter.</returns>
    public static bool InferenceEntered(TelemetryTags tags) => Up(s_inFlight, tags);

    /// <summary>The device has given an inference back, completed or failed.</summary>
    /// <param name="counted">What <see cref="InferenceEntered"/> returned.</param>
    /// <param name="tags">The tags given then.</param>
    public static void InferenceLeft(bool counted, TelemetryTags tags) => Down(s_inFlight, counted, tags);

    /// <summary>A caller waits for a slot.</summary>
    /// <returns>Whether that was counted, for <see cref="SlotWaitEnded"/>.</returns>
    public static bool SlotWaitStarted(TelemetryTags tags) => Up(s_slotsWaiting, tags);

    /// <summary>A caller waits no longer: it has a slot, or was sent away, or was cancelled.</summary>
    /// <param name="counted">What <see cref="SlotWaitStarted"/> returned.</param>
    /// <param name="tags">The tags given then.</param>
    public static void SlotWaitEnded(bool counted, TelemetryTags tags) => Down(s_slotsWaiting, counted, tags);

    /// <summary>A compilation ended.</summary>
    /// <param name="ticks">Its time in ticks of <see cref="Stopwatch"/>.</param>
    /// <param name="network">Name of the network.</param>
    /// <param name="platform">Name of the platform that it was compiled for.</param>
    /// <param name="failure">Why it failed; null if it did not.</param>
    public static void CompileEnded(long ticks, string network, string platform, Exception? failure = null)
    {
        if (s_compileDuration.Enabled)
        {
            KeyValuePair<string, object?>[] tags = [new(TelemetryTags.Network, network), new(TelemetryTags.Platform, platform)];
            Record(s_compileDuration, ticks, failure is null ? tags : [.. tags, new(ErrorTypeTag, ErrorType(failure))]);
        }
    }

    /// <summary>The compile cache had the network.</summary>
    public static void CacheHit(string network) => Count(s_cacheHits, 1, [new(TelemetryTags.Network, network)]);

    /// <summary>The compile cache did not have the network.</summary>
    public static void CacheMissed(string network) => Count(s_cacheMisses, 1, [new(TelemetryTags.Network, network)]);

    /// <summary>A device was lost while a network was active on it.</summary>
    public static void DeviceLost(TelemetryTags tags) => Count(s_deviceLost, 1, tags.Span);

    /// <summary>Begins the span of a compilation; dispose it at the end.</summary>
    /// <param name="network">Name of the network.</param>
    /// <param name="platform">Name of the platform that it is compiled for.</param>
    /// <param name="compiler">The compiler's name.</param>
    /// <param name="version">The compiler's version.</param>
    /// <returns>Null while nobody listens.</returns>
    public static Activity? StartCompile(string network, string platform, string compiler, string version)
    {
        if (!s_source.HasListeners())
        {
            return null;
        }

        KeyValuePair<string, object?>[] tags =
            [new(TelemetryTags.Network, network), new(TelemetryTags.Platform, platform), new("qaic.compiler.name", compiler), new("qaic.compiler.version", version)];
        return s_source.StartActivity("qaic.compile", ActivityKind.Internal, default(ActivityContext), tags);
    }

    /// <summary>Begins the span of loading and activating a network; dispose it at the end.</summary>
    /// <returns>Null while nobody listens.</returns>
    public static Activity? StartLoad(TelemetryTags tags) => Start("qaic.load", tags);

    /// <summary>Begins the span of one run, from the request to the outputs; dispose it at the end.</summary>
    /// <returns>Null while nobody listens.</returns>
    public static Activity? StartRun(TelemetryTags tags) => Start("qaic.run", tags);

    /// <summary>Marks a span as failed, with the exception and its type. Does nothing for null.</summary>
    public static void Fail(Activity? activity, Exception failure)
    {
        if (activity is not null)
        {
            activity.SetStatus(ActivityStatusCode.Error, failure.Message);
            activity.SetTag(ErrorTypeTag, ErrorType(failure));
            activity.AddException(failure);
        }
    }

    // The tags go with the start, so that samplers can decide by them.
    private static Activity? Start(string name, TelemetryTags tags) =>
        s_source.HasListeners() ? s_source.StartActivity(name, ActivityKind.Internal, default(ActivityContext), tags.Sequence) : null;

    private static bool Up(UpDownCounter<long> counter, TelemetryTags tags)
    {
        if (!counter.Enabled)
        {
            return false;
        }

        Change(counter, 1, tags);
        return true;
    }

    private static void Down(UpDownCounter<long> counter, bool counted, TelemetryTags tags)
    {
        if (counted)
        {
            Change(counter, -1, tags);
        }
    }

    // Listeners are somebody else's code: what they throw must not end a thread that nobody watches, or take the place of a device's error.
    private static void Count(Counter<long> counter, long delta, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            counter.Add(delta, tags);
        }
        catch (Exception)
        {
            // There is nobody to tell.
        }
    }

    private static void Change(UpDownCounter<long> counter, long delta, TelemetryTags tags)
    {
        try
        {
            counter.Add(delta, tags.Span);
        }
        catch (Exception)
        {
            // There is nobody to tell.
        }
    }

    private static void Record(Histogram<double> histogram, long ticks, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            histogram.Record((double)ticks / Stopwatch.Frequency, tags);
        }
        catch (Exception)
        {
            // There is nobody to tell.
        }
    }

    // A value that can be grouped by: the device's error, or the exception's type.
    private static string ErrorType(Exception failure) => failure is QaicException qaic ? qaic.Error.ToString() : failure.GetType().FullName!;
}
