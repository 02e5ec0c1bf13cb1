using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Qaic.Options;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class CreationTests : SessionTest
{
    [TestMethod]
    public void Keywords_are_those_of_python_and_win_over_the_options_file()
    {
        string yaml = Path.Combine(Path.GetDirectoryName(Qpc)!, "options.yaml");
        File.WriteAllText(yaml, "num_activations: 2\nset-size: 7\n");
        using var session = new Session(Qpc, new Dictionary<string, object?> { ["num_activations"] = 3, ["dev_id"] = 1 }, yaml, Machine);
        Assert.AreEqual(3, session.Options.NumActivations);
        Assert.AreEqual(7, session.Options.SetSize);
        Assert.AreEqual(1, session.Options.DeviceId);
        AssertAnswers(4, session.Run(Input(4))["y"].AsSpan<float>());
    }

    [TestMethod]
    public void An_unknown_keyword_is_refused_with_the_nearest_one()
    {
        var e = Assert.ThrowsExactly<OptionException>(() => new Session(Qpc, new Dictionary<string, object?> { ["num_activatons"] = 3 }, platform: Machine));
        StringAssert.Contains(e.Message, "num_activatons");
        StringAssert.Contains(e.Message, "num_activations");
    }

    [TestMethod]
    public void Options_of_a_live_session_change_by_keyword()
    {
        using Session session = Open();
        session.UpdateBackendOptions(new Dictionary<string, object?> { ["num_activations"] = 2, ["dev_id"] = new[] { 0, 2 } });
        Assert.AreEqual(2, session.Options.NumActivations);
        CollectionAssert.AreEqual(new[] { 0, 2 }, session.Options.DeviceIds.ToArray());
        var other = Assert.ThrowsExactly<ArgumentException>(() => session.UpdateBackendOptions(new Dictionary<string, object?> { ["aic_num_cores"] = 2 }));
        StringAssert.Contains(other.Message, "NumCores (aic_num_cores)");
        StringAssert.Contains(other.Message, "set_size");
        Assert.ThrowsExactly<OptionException>(() => session.UpdateBackendOptions(new Dictionary<string, object?> { ["set_sise"] = 2 }));
    }

    [TestMethod]
    public async Task A_session_is_created_without_holding_a_thread()
    {
        await using Session session = await Session.CreateAsync(Qpc, platform: Machine, cancellationToken: Cancel);
        AssertAnswers(4, (await session.RunAsync(Input(4), Cancel))["y"].AsSpan<float>());
        await Assert.ThrowsExactlyAsync<FileNotFoundException>(() => Session.CreateAsync(Qpc + "x", platform: Machine, cancellationToken: Cancel));
        await Assert.ThrowsAsync<OperationCanceledException>(() => Session.CreateAsync(Qpc, platform: Machine, cancellationToken: new CancellationToken(canceled: true)));
    }

    [TestMethod]
    public async Task Nobody_is_held_while_the_network_is_loaded_and_a_wait_for_it_can_be_cancelled()
    {
        await using Session session = Open();
        using var cancel = new CancellationTokenSource();
        using Fault hold = Faults.HoldCall("LoadProgram", 1);
        Task<IReadOnlyDictionary<string, Tensor>> given = session.RunAsync(Input(1), cancel.Token);
        Task<IReadOnlyDictionary<string, Tensor>> waiting = session.RunAsync(Input(2), Cancel);
        Task<Inference> blocked = Task.Run(() => session.Rent(cancel.Token), Cancel);
        await hold.WhenHit.WaitAsync(Cancel);
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => given);
        await Assert.ThrowsAsync<OperationCanceledException>(() => blocked);
        Assert.IsFalse(waiting.IsCompleted);
        hold.Release();
        AssertAnswers(2, (await waiting)["y"].AsSpan<float>());
    }

    [TestMethod]
    public async Task A_session_that_ran_asynchronously_and_is_forgotten_gives_its_cores_to_the_next()
    {
        for (int i = 0; i < 12; i++)
        {
            await Forget();
        }

        // A thread of the pool remembers the last thing that it did until it does another.
        for (int i = 0; i < 20 && Qaic.Interop.QaicHandle.Live > 0; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(static () => { }, Cancel)));
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        async Task Forget() => await Open(new QaicOptions { NumActivations = 4 }).RunAsync(Input(1), Cancel);
    }

    [TestMethod]
    public void Doubtful_options_are_logged_and_contradictory_ones_refused()
    {
        var log = new RecordingLogger(LogLevel.Warning);
        using (Open(new QaicOptions { LoadProfile = "p.yaml", PercentileCalibrationValue = 99 }, log))
        {
            StringAssert.Contains(string.Join('\n', log.Of(LogLevel.Warning)), "percentile_calibration_value");
        }

        var e = Assert.ThrowsExactly<ArgumentException>(() => Open(new QaicOptions { EnableMetrics = true, EnableProfiling = true }));
        StringAssert.Contains(e.Message, "enable_metrics");
        StringAssert.Contains(e.Message, "enable_profiling");
    }

    [TestMethod]
    public async Task Loading_and_running_are_spans_and_failures_mark_them()
    {
        string network = $"of-{nameof(CreationTests)}";
        Runtime.ScalingEngine.WriteQpc(Path.GetDirectoryName(Qpc)!, name: network);
        var spans = new System.Collections.Concurrent.ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == QaicTelemetry.ActivitySourceName,
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = span =>
            {
                if ((string?)span.GetTagItem("qaic.network") == network)
                {
                    spans.Enqueue(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using Session session = Open();
        session.Run(Input(1));
        await session.RunAsync(Input(2), Cancel);
        using (Faults.FailInference(occurrence: 1))
        {
            Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(new float[8], new float[8]));
        }

        // The load is a part of the run that needed it, and ends before it.
        CollectionAssert.AreEqual(new[] { "qaic.load", "qaic.run", "qaic.run", "qaic.run" }, spans.Select(span => span.OperationName).ToArray());
        Assert.AreEqual(ActivityStatusCode.Error, spans.Last().Status);
        Assert.AreEqual(ActivityStatusCode.Unset, spans.First().Status);
    }
}
