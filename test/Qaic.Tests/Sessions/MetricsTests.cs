using System.Diagnostics.Metrics;
using System.Text.Json;
using Qaic.Simulation;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class MetricsTests : SessionTest
{
    private static readonly QaicOptions s_metrics = new() { EnableMetrics = true };
    private static readonly QaicOptions s_profile = new() { EnableProfiling = true };

    [TestMethod]
    public void Every_inference_that_ends_well_is_counted_once()
    {
        using Session session = Open(s_metrics);
        for (int i = 0; i < 100; i++)
        {
            session.Run(Input(i));
        }

        using (Faults.FailInference(occurrence: 1))
        {
            Assert.ThrowsExactly<QaicException>(() => session.Run(Input(1)));
        }

        session.Reset();
        session.Run(Input(1));
        QaicMetrics metrics = session.GetMetrics();
        Assert.AreEqual(101, metrics.NumOfInferences);
        Assert.IsGreaterThan(0, metrics.MinLatency);
        Assert.IsLessThanOrEqualTo(metrics.MaxLatency, metrics.P999);
        session.ResetMetrics();
        Assert.AreEqual(0, session.GetMetrics().NumOfInferences);
    }

    [TestMethod]
    public void A_benchmark_is_counted_without_its_warm_up()
    {
        using Session session = Open(s_profile);
        session.RunBenchmark(25, cancellationToken: Cancel);
        Assert.AreEqual(25, session.GetMetrics().NumOfInferences);
        Assert.AreEqual(25, session.GetProfile().NumOfInferences);
    }

    [TestMethod]
    public void A_latency_contains_the_time_on_the_device()
    {
        using Session session = Open(s_metrics);
        using Fault hold = Faults.HoldInference(1);
        using Inference inference = session.Rent(Cancel);
        inference.Input<float>(0).Clear();
        inference.Submit();
        long before = System.Diagnostics.Stopwatch.GetTimestamp();
        hold.WhenHit.Wait(Cancel);
        TimeSpan held = System.Diagnostics.Stopwatch.GetElapsedTime(before);
        hold.Release();
        inference.Wait();
        Assert.IsGreaterThanOrEqualTo(0.9 * held.TotalSeconds, session.GetMetrics().MaxLatency);
    }

    [TestMethod]
    public void Recording_metrics_and_phases_allocates_nothing()
    {
        using Session session = Open(s_profile);
        float[] x = new float[8];
        float[] y = new float[8];
        // The quietest of some rounds: a lock or an event makes its wait object when it first has to block, once in its life, and the first rounds run code that is not optimised yet.
        Assert.IsLessThan(1000, Enumerable.Range(0, 5).Min(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                session.Run<float, float>(x, y);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    [TestMethod]
    public async Task The_phases_of_each_inference_follow_each_other_and_tell_where_it_ran()
    {
        await using Session session = Open(s_profile with { DeviceIds = [0, 2], NumActivations = 2, SetSize = 2 });
        await Parallel.ForAsync(0, 200, Cancel, async (i, cancel) => await session.RunAsync(Input(i), cancel));
        QaicProfile profile = session.GetProfile();
        Assert.HasCount(200, profile.Inferences);
        CollectionAssert.AreEqual(Enumerable.Range(0, 200).Select(i => (long)i).ToArray(), profile.Inferences.Select(i => i.Index).ToArray());
        foreach (InferenceProfile one in profile.Inferences)
        {
            Assert.IsTrue(one.DeviceId is 0 or 2);
            Assert.IsTrue(one.Activation is 0 or 1);
            Assert.AreEqual(one.Total, one.LeaseWait + one.MarshalIn + one.SetData + one.Enqueue + one.DeviceWait + one.MarshalOut, 1e-9);
            Assert.IsGreaterThan(0, one.DeviceWait);
        }
    }

    [TestMethod]
    public void A_wait_for_a_slot_is_the_first_phase()
    {
        using Session session = Open(s_profile with { SetSize = 1 });
        Inference held = session.Rent(Cancel);
        Task<IReadOnlyDictionary<string, Tensor>> waiting = session.RunAsync(Input(1), Cancel);
        long before = System.Diagnostics.Stopwatch.GetTimestamp();
        Assert.IsFalse(waiting.IsCompleted);
        TimeSpan waited = System.Diagnostics.Stopwatch.GetElapsedTime(before);
        held.Dispose();
        waiting.Wait(Cancel);
        Assert.IsGreaterThanOrEqualTo(waited.TotalSeconds, session.GetProfile().Inferences.Single().LeaseWait);
    }

    [TestMethod]
    public void A_slot_that_is_submitted_again_and_again_is_an_inference_each_time()
    {
        using Session session = Open(s_profile);
        using (Inference inference = session.Rent(Cancel))
        {
            for (int i = 0; i < 5; i++)
            {
                inference.Input<float>(0).Clear();
                inference.Submit();
                inference.Wait();
            }
        }

        Assert.HasCount(5, session.GetProfile().Inferences);
    }

    [TestMethod]
    public void The_printed_forms_and_the_trace_are_those_of_the_session()
    {
        using Session session = Open(s_profile);
        session.Run(Input(1));
        session.Run(Input(2));
        var text = new StringWriter();
        session.PrintMetrics(text);
        StringAssert.Contains(text.ToString(), "Number of inferences utilized for calculation are 2");
        text = new StringWriter();
        session.PrintProfileData(1, text);
        StringAssert.Contains(text.ToString(), "device wait");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => session.PrintProfileData(-1, text));
        using var trace = new MemoryStream();
        session.GetProfile().WriteChromeTrace(trace);
        using var json = JsonDocument.Parse(trace.ToArray());
        Assert.AreEqual(JsonValueKind.Object, json.RootElement.ValueKind);
    }

    [TestMethod]
    public void A_refused_choice_of_shapes_costs_no_slot()
    {
        using Session session = Open(s_profile with { SetSize = 1 });
        Inference inference = session.Rent(Cancel);
        inference.Input<float>(0).Clear();
        inference.Submit();
        inference.Wait();
        Assert.ThrowsExactly<InvalidOperationException>(() => inference.SelectShapes(0));
        inference.Dispose();
        session.Run(Input(1));
        Assert.HasCount(2, session.GetProfile().Inferences);
    }

    [TestMethod]
    public void The_profile_names_the_device_and_the_activation_that_an_inference_ended_on()
    {
        using Session session = Open(s_profile with { DeviceIds = [0, 1], SetSize = 1 });
        using Fault hold = Faults.HoldInference(1);
        using (Inference inference = session.Rent(Cancel))
        {
            inference.Input<float>(0).Clear();
            inference.Submit();
            hold.WhenHit.Wait(Cancel);
            Faults.LoseDevice(0);
            inference.Wait();
        }

        Assert.AreEqual(1, session.GetProfile().Inferences.Single().DeviceId);
    }

    [TestMethod]
    public async Task Listeners_and_loggers_that_throw_take_nothing_with_them()
    {
        string network = $"throwing-{nameof(MetricsTests)}";
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == QaicTelemetry.MeterName)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        int thrown = 0;
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => Throw(tags));
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => Throw(tags));
        listener.Start();
        Qaic.Tests.Runtime.ScalingEngine.WriteQpc(Path.GetDirectoryName(Qpc)!, name: network);
        await using (Session session = Open(new QaicOptions { SetSize = 2 }, new ThrowingLogger()))
        {
            AssertAnswers(1, (await session.RunAsync(Input(1), Cancel))["y"].AsSpan<float>());
            AssertAnswers(2, session.Run(Input(2))["y"].AsSpan<float>());
            using (Faults.FailInference(occurrence: 1))
            {
                await Assert.ThrowsExactlyAsync<QaicException>(() => session.RunAsync(Input(1), Cancel));
            }

            AssertAnswers(3, session.Run(Input(3))["y"].AsSpan<float>());
        }

        Assert.IsGreaterThan(0, thrown);

        void Throw(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if ((string?)(tag.Value as string) == network)
                {
                    thrown++;
                    throw new InvalidOperationException("A listener throws.");
                }
            }
        }
    }

    [TestMethod]
    public void A_session_that_records_nothing_says_how_to_make_it()
    {
        using Session session = Open();
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(session.GetMetrics).Message, "enable_metrics");
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => session.PrintMetrics()).Message, "enable_metrics");
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(() => session.PrintProfileData(1)).Message, "enable_profiling");
        using Session metrics = Open(s_metrics);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidOperationException>(metrics.GetProfile).Message, "enable_profiling");
    }

    [TestMethod]
    public void Instruments_count_what_ends_well_what_fails_and_what_is_in_flight()
    {
        string network = $"of-{nameof(MetricsTests)}";
        var sums = new Dictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == QaicTelemetry.MeterName)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key == "qaic.network" && (string?)tag.Value == network)
                {
                    lock (sums)
                    {
                        sums[instrument.Name] = sums.GetValueOrDefault(instrument.Name) + value;
                    }
                }
            }
        });
        listener.Start();
        Qaic.Tests.Runtime.ScalingEngine.WriteQpc(Path.GetDirectoryName(Qpc)!, name: network);
        using Session session = Open();
        for (int i = 0; i < 10; i++)
        {
            session.Run(Input(i));
        }

        using (Faults.FailInference(occurrence: 1))
        {
            Assert.ThrowsExactly<QaicException>(() => session.Run(Input(1)));
        }

        Assert.AreEqual(10, sums["qaic.inference.count"]);
        Assert.AreEqual(1, sums["qaic.inference.errors"]);
        Assert.AreEqual(0, sums["qaic.inferences.in_flight"]);
    }

    private sealed class ThrowingLogger : Microsoft.Extensions.Logging.ILogger, Microsoft.Extensions.Logging.ILoggerFactory
    {
        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => true;

        public void Log<TState>(
            Microsoft.Extensions.Logging.LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new InvalidOperationException("A logger throws.");

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public Microsoft.Extensions.Logging.ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(Microsoft.Extensions.Logging.ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
