using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Qaic.Diagnostics;

namespace Qaic.Tests.Diagnostics;

[TestClass]
public sealed class TelemetryTests
{
    private static readonly TelemetryTags s_tags = new(2, "resnet50", "simulated card");

    [TestMethod]
    public void Each_event_is_measured_with_the_devices_tags()
    {
        using var seen = new Measurements();
        const string Where = "qaic.device.id=2 qaic.network=resnet50 qaic.platform=simulated card";
        Telemetry.InferenceCompleted(Stopwatch.Frequency / 4, s_tags);
        Telemetry.InferenceFailed(new QaicException(QaicError.Timeout, "late"), s_tags);
        Telemetry.InferenceFailed(new OperationCanceledException(), s_tags);
        bool counted = Telemetry.InferenceEntered(s_tags);
        Telemetry.InferenceLeft(counted, s_tags);
        counted = Telemetry.SlotWaitStarted(s_tags);
        Telemetry.SlotWaitEnded(counted, s_tags);
        Telemetry.CompileEnded(Stopwatch.Frequency * 3, "bert", "Cloud AI 100");
        Telemetry.CompileEnded(Stopwatch.Frequency, "bert", "Cloud AI 100", new QaicException(QaicError.NotSupported, "no"));
        Telemetry.CacheHit("bert");
        Telemetry.CacheMissed("bert");
        Telemetry.DeviceLost(s_tags);
        CollectionAssert.AreEqual(
            (string[])
            [
                $"qaic.inference.count 1 {{inference}} {Where}",
                $"qaic.inference.duration 0.25 s {Where}",
                $"qaic.inference.errors 1 {{inference}} {Where} error.type=Timeout",
                $"qaic.inference.errors 1 {{inference}} {Where} error.type=System.OperationCanceledException",
                $"qaic.inferences.in_flight 1 {{inference}} {Where}",
                $"qaic.inferences.in_flight -1 {{inference}} {Where}",
                $"qaic.slots.waiting 1 {{caller}} {Where}",
                $"qaic.slots.waiting -1 {{caller}} {Where}",
                "qaic.compile.duration 3 s qaic.network=bert qaic.platform=Cloud AI 100",
                "qaic.compile.duration 1 s qaic.network=bert qaic.platform=Cloud AI 100 error.type=NotSupported",
                "qaic.compile.cache.hits 1 {network} qaic.network=bert",
                "qaic.compile.cache.misses 1 {network} qaic.network=bert",
                $"qaic.device.lost 1 {{device}} {Where}",
            ],
            seen.List);
    }

    [TestMethod]
    public void Every_instrument_says_what_it_measures_and_in_which_unit()
    {
        using var seen = new Measurements();
        Assert.HasCount(9, seen.Instruments);
        Assert.IsTrue(seen.Instruments.All(i => !string.IsNullOrEmpty(i.Unit) && !string.IsNullOrEmpty(i.Description)));
    }

    [TestMethod]
    public void A_listener_that_comes_late_sees_no_inference_leave_that_it_did_not_see_enter()
    {
        bool entered = Telemetry.InferenceEntered(s_tags);
        bool waiting = Telemetry.SlotWaitStarted(s_tags);
        using var seen = new Measurements();
        Telemetry.InferenceLeft(entered, s_tags);
        Telemetry.SlotWaitEnded(waiting, s_tags);
        Assert.IsEmpty(seen.List);
    }

    [TestMethod]
    public void Nothing_is_allocated_while_nobody_listens()
    {
        var failure = new QaicException(QaicError.Timeout, "late");
        Everything(failure);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Everything(failure);
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Everything(Exception failure)
        {
            Telemetry.Fail(Telemetry.StartCompile("bert", "card", "qaic-exec", "1.20"), failure);
            Telemetry.StartLoad(s_tags)?.Dispose();
            Telemetry.StartRun(s_tags)?.Dispose();
            Inference();
            Telemetry.InferenceFailed(failure, s_tags);
            Telemetry.CompileEnded(1, "bert", "card", failure);
            Telemetry.CacheHit("bert");
            Telemetry.CacheMissed("bert");
            Telemetry.DeviceLost(s_tags);
        }
    }

    [TestMethod]
    public void Measuring_inferences_allocates_nothing_even_while_somebody_listens()
    {
        long measured = 0;
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => Listen(instrument, l) };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => measured++);
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => measured++);
        listener.Start();
        Inference();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Inference();
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.AreEqual(6 * 101, measured);
    }

    [TestMethod]
    public void Spans_carry_tags_that_samplers_see_and_nest()
    {
        using var seen = new Spans();
        using (Telemetry.StartCompile("bert", "Cloud AI 100", "qaic-exec", "1.20"))
        using (Activity? load = Telemetry.StartLoad(s_tags))
        using (Activity? run = Telemetry.StartRun(s_tags))
        {
            Assert.AreSame(load, run?.Parent);
        }

        const string Where = "qaic.device.id=2 qaic.network=resnet50 qaic.platform=simulated card";
        CollectionAssert.AreEqual(
            (string[])
            [
                "qaic.compile qaic.network=bert qaic.platform=Cloud AI 100 qaic.compiler.name=qaic-exec qaic.compiler.version=1.20",
                $"qaic.load {Where}",
                $"qaic.run {Where}",
            ],
            seen.Sampled);
        CollectionAssert.AreEqual((string[])["qaic.run", "qaic.load", "qaic.compile"], seen.Stopped.Select(a => a.OperationName).ToArray());
        Assert.IsTrue(seen.Stopped.All(a => a.Status == ActivityStatusCode.Unset));
    }

    [TestMethod]
    public void A_failed_span_tells_what_failed()
    {
        using var seen = new Spans();
        using (Activity? run = Telemetry.StartRun(s_tags))
        {
            Telemetry.Fail(run, new QaicException(QaicError.DeviceError, "The device was reset."));
        }

        Activity activity = seen.Stopped.Single();
        Assert.AreEqual((ActivityStatusCode.Error, "The device was reset."), (activity.Status, activity.StatusDescription));
        Assert.AreEqual("DeviceError", activity.GetTagItem("error.type"));
        ActivityEvent e = activity.Events.Single();
        Assert.AreEqual("exception", e.Name);
        Assert.AreEqual("Qaic.QaicException", e.Tags.Single(t => t.Key == "exception.type").Value);
    }

    [TestMethod]
    public void OpenTelemetry_exports_metrics_and_spans_by_the_public_names()
    {
        List<Metric> metrics = [];
        List<Activity> spans = [];
        using (MeterProvider meters = Sdk.CreateMeterProviderBuilder().AddMeter(QaicTelemetry.MeterName).AddInMemoryExporter(metrics).Build())
        using (TracerProvider tracers = Sdk.CreateTracerProviderBuilder().AddSource(QaicTelemetry.ActivitySourceName).AddInMemoryExporter(spans).Build())
        {
            for (int i = 1; i <= 3; i++)
            {
                using Activity? run = Telemetry.StartRun(s_tags);
                Telemetry.InferenceCompleted(i * Stopwatch.Frequency / 1000, s_tags);
            }

            Assert.IsTrue(meters.ForceFlush());
            Assert.IsTrue(tracers.ForceFlush());
            Assert.HasCount(3, spans);
            Metric duration = metrics.Single(m => m.Name == "qaic.inference.duration");
            int points = 0;
            foreach (ref readonly MetricPoint point in duration.GetMetricPoints())
            {
                points++;
                Assert.AreEqual(3, point.GetHistogramCount());
                Assert.AreEqual(0.006, point.GetHistogramSum(), 1e-6);
                double first = double.NaN;
                foreach (HistogramBucket bucket in point.GetHistogramBuckets())
                {
                    first = double.IsNaN(first) ? bucket.ExplicitBound : first;
                }

                Assert.AreEqual(0.00005, first, "boundaries fit latencies of less than a millisecond");
            }

            Assert.AreEqual(1, points);
        }
    }

    private static void Inference()
    {
        bool waiting = Telemetry.SlotWaitStarted(s_tags);
        Telemetry.SlotWaitEnded(waiting, s_tags);
        bool entered = Telemetry.InferenceEntered(s_tags);
        Telemetry.InferenceLeft(entered, s_tags);
        Telemetry.InferenceCompleted(1234, s_tags);
    }

    private static void Listen(Instrument instrument, MeterListener listener)
    {
        if (instrument.Meter.Name == QaicTelemetry.MeterName)
        {
            listener.EnableMeasurementEvents(instrument);
        }
    }

    private sealed class Measurements : IDisposable
    {
        private readonly MeterListener _listener;

        public Measurements()
        {
            // Instruments are published when they are made, which is at the first use.
            RuntimeHelpers.RunClassConstructor(typeof(Telemetry).TypeHandle);
            _listener = new MeterListener
            {
                InstrumentPublished = (instrument, listener) =>
                {
                    Listen(instrument, listener);
                    if (instrument.Meter.Name == QaicTelemetry.MeterName)
                    {
                        Instruments.Add(instrument);
                    }
                },
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => List.Add(Text(instrument, FormattableString.Invariant($"{value}"), tags)));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => List.Add(Text(instrument, FormattableString.Invariant($"{value}"), tags)));
            _listener.Start();
        }

        public List<string> List { get; } = [];

        public List<Instrument> Instruments { get; } = [];

        public void Dispose() => _listener.Dispose();

        private static string Text(Instrument instrument, string value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            $"{instrument.Name} {value} {instrument.Unit} {string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))}";
    }

    private sealed class Spans : IDisposable
    {
        private readonly ActivityListener _listener;

        public Spans()
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == QaicTelemetry.ActivitySourceName,
                Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
                {
                    Sampled.Add($"{options.Name} {string.Join(' ', (options.Tags ?? []).Select(t => $"{t.Key}={t.Value}"))}");
                    return ActivitySamplingResult.AllDataAndRecorded;
                },
                ActivityStopped = Stopped.Add,
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public List<string> Sampled { get; } = [];

        public List<Activity> Stopped { get; } = [];

        public void Dispose() => _listener.Dispose();
    }
}
