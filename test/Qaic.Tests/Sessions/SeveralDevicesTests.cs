using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Qaic.Simulation;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class SeveralDevicesTests : SessionTest
{
    private static readonly QaicOptions s_three = new() { DeviceIds = [0, 1, 2], SetSize = 2 };

    // A campaign takes every point (about a minute); every day takes one in eight.
    private static readonly int s_step = Campaign.Size(everyDay: 8, campaign: 1);

    [TestMethod]
    public void Slots_come_from_the_device_with_the_most_free()
    {
        using Session session = Open(s_three);
        Assert.AreEqual(6, session.MaxInFlight);
        Inference[] slots = [.. Enumerable.Range(0, 6).Select(_ => session.Rent(Cancel))];
        CollectionAssert.AreEqual(new[] { 0, 1, 2, 0, 1, 2 }, slots.Select(s => s.DeviceId).ToArray());
        Assert.IsFalse(session.TryRent(out _));
        slots[4].Dispose();
        Inference again = session.Rent(Cancel);
        Assert.AreEqual(1, again.DeviceId);
        foreach (Inference slot in slots.Append(again))
        {
            slot.Dispose();
        }
    }

    [TestMethod]
    public void A_device_that_is_missing_from_the_start_is_an_error()
    {
        using Session session = Open(new QaicOptions { DeviceIds = [0, 7] });
        var e = Assert.ThrowsExactly<QaicException>(session.Setup);
        Assert.AreEqual(QaicError.DeviceNotFound, e.Error);
    }

    [TestMethod]
    public void A_network_with_state_on_its_device_is_refused_on_several()
    {
        Runtime.ScalingEngine.WriteQpc(Path.GetDirectoryName(Qpc)!, output: "past_key.0_RetainedState");
        var e = Assert.ThrowsExactly<QaicException>(() => Open(s_three));
        Assert.AreEqual(QaicError.NotSupported, e.Error);
        StringAssert.Contains(e.Message, "past_key.0_RetainedState");
        using Session session = Open();
        Assert.ThrowsExactly<QaicException>(() => session.UpdateBackendOptions(o => o with { DeviceIds = [0, 1] }));
    }

    [TestMethod]
    public void An_inference_in_flight_on_a_lost_device_ends_on_another()
    {
        using Session session = Open(s_three);
        using Fault hold = Faults.HoldInference(1);
        using Inference inference = session.Rent(Cancel);
        Values(7).CopyTo(inference.Input<float>(0));
        inference.Submit();
        hold.WhenHit.Wait(Cancel);
        Faults.LoseDevice(0);
        inference.Wait();
        AssertAnswers(7, inference.Output<float>(0));
        Assert.AreNotEqual(0, inference.DeviceId);
    }

    [TestMethod]
    public async Task An_awaited_inference_on_a_lost_device_ends_on_another()
    {
        await using Session session = Open(s_three);
        using Fault hold = Faults.HoldInference(1);
        Task<IReadOnlyDictionary<string, Tensor>> run = session.RunAsync(Input(9), Cancel);
        await hold.WhenHit.WaitAsync(Cancel);
        Faults.LoseDevice(0);
        AssertAnswers(9, (await run)["y"].AsSpan<float>());
    }

    [TestMethod]
    public void All_slots_in_flight_on_a_lost_device_end_elsewhere_though_their_owner_holds_every_slot()
    {
        using Session session = Open(s_three);
        using Fault hold = Faults.HoldInference();
        Inference[] slots = [.. Enumerable.Range(0, 6).Select(_ => session.Rent(Cancel))];
        for (int i = 0; i < slots.Length; i++)
        {
            Values(i).CopyTo(slots[i].Input<float>(0));
            slots[i].Submit();
        }

        hold.WhenHit.Wait(Cancel);
        Faults.LoseDevice(1);
        hold.Dispose();
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i].Wait();
            AssertAnswers(i, slots[i].Output<float>(0));
            Assert.AreNotEqual(1, slots[i].DeviceId);
            slots[i].Dispose();
        }
    }

    [TestMethod]
    public void A_lost_device_is_named_in_one_warning_and_the_others_go_on()
    {
        var log = new RecordingLogger();
        using (Session session = Open(s_three, log))
        {
            session.Setup();
            Faults.LoseDevice(2);
            for (int i = 0; i < 50; i++)
            {
                // All devices in turn: a single caller would always get the first.
                Inference[] slots = [.. Enumerable.Range(0, 3).Select(_ => session.Rent(Cancel))];
                foreach (Inference slot in slots)
                {
                    slot.Dispose();
                }

                AssertAnswers(i, session.Run(Input(i))["y"].AsSpan<float>());
            }

            Inference[] all = [.. Enumerable.Range(0, 3).Select(_ => session.Rent(Cancel))];
            all[2].Input<float>(0).Clear();
            Assert.IsFalse(all[2].TrySubmit());
            foreach (Inference slot in all)
            {
                slot.Dispose();
            }

            log.WaitFor("Device 2 cannot be used; the others go on", Cancel).Wait(Cancel);
        }

        string[] warnings = [.. log.Entries.Where(e => e.Level == LogLevel.Warning && e.Text.StartsWith("Device 2 failed", StringComparison.Ordinal)).Select(e => e.Text)];
        Assert.HasCount(1, warnings);
    }

    [TestMethod]
    public async Task A_device_that_failed_once_is_loaded_again_and_comes_back()
    {
        var log = new RecordingLogger();
        await using Session session = Open(s_three, log);
        for (int i = 0; i < 6; i++)
        {
            Inference[] slots = [.. Enumerable.Range(0, 6).Select(_ => session.Rent(Cancel))];
            Array.ForEach(slots, slot => slot.Input<float>(0).Clear());
            Array.ForEach(slots, slot => slot.Submit());
            Array.ForEach(slots, slot => slot.Wait());
            Array.ForEach(slots, slot => slot.Dispose());
        }

        using Fault fault = Faults.FailInference(occurrence: 1);
        AssertAnswers(3, (await session.RunAsync(Input(3), Cancel))["y"].AsSpan<float>());
        Assert.AreEqual(1, fault.Hits);
        await log.WaitFor("Device 0 was loaded again", Cancel);
        Inference[] all = [.. Enumerable.Range(0, 6).Select(_ => session.Rent(Cancel))];
        CollectionAssert.AreEquivalent(new[] { 0, 0, 1, 1, 2, 2 }, all.Select(slot => slot.DeviceId).ToArray());
        Array.ForEach(all, slot => slot.Dispose());
    }

    [TestMethod]
    public void An_inference_that_fails_on_two_devices_is_reported_with_both_reasons()
    {
        using Session session = Open(s_three);
        float[] bad = Values(1);
        bad[0] = float.NaN;
        var e = Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(bad, new float[8]));
        StringAssert.Contains(e.Message, "failed on device 0, and again on device 1");
        StringAssert.Contains(e.Message, "The network met NaN");
        AssertAnswers(5, session.Run(Input(5))["y"].AsSpan<float>());
    }

    [TestMethod]
    public void When_all_are_lost_the_error_names_each_and_they_are_used_again_when_they_are_back()
    {
        using Session session = Open(s_three);
        session.Run(Input(1));
        for (int device = 0; device < 3; device++)
        {
            Faults.LoseDevice(device);
        }

        var first = Assert.ThrowsExactly<QaicException>(() => session.Run(Input(1)));
        StringAssert.Contains(first.Message, "All devices of the session are lost: device 0:");
        StringAssert.Contains(first.Message, "1 inferences had completed");
        var e = Assert.ThrowsExactly<QaicException>(() => session.Run(Input(1)));
        Assert.AreEqual(QaicError.DeviceNotFound, e.Error);
        StringAssert.Contains(e.Message, "All devices of the session are lost: device 0:");
        StringAssert.Contains(e.Message, "device 2:");
        Faults.RestoreDevice(1);
        AssertAnswers(2, session.Run(Input(2))["y"].AsSpan<float>());
    }

    [TestMethod]
    public async Task A_device_that_stays_away_is_tried_again_in_growing_intervals_until_it_is_back()
    {
        var clock = new ManualClock();
        var log = new RecordingLogger();
        SimulatedPlatform machine = Runtime.ScalingEngine.Platform(new() { Cards = [new(), new()], TimeProvider = clock });
        await using var session = new Session(Qpc, new QaicOptions { DeviceIds = [0, 1], SetSize = 1 }, machine, log);
        session.Run(Input(1));
        machine.Faults.LoseDevice(1);
        Inference[] both = [session.Rent(Cancel), session.Rent(Cancel)];
        Assert.IsFalse(both.Single(slot => slot.DeviceId == 1).TrySubmit());
        Array.ForEach(both, slot => slot.Dispose());
        foreach (int seconds in new[] { 1, 5, 15, 60, 60 })
        {
            await log.WaitFor($"Device 1 cannot be used; the others go on, and it is tried again in {TimeSpan.FromSeconds(seconds)}", Cancel);
            clock.WaitUntilArmed(TimeSpan.FromSeconds(seconds));
            log.Entries.Clear();
            clock.Advance(TimeSpan.FromSeconds(seconds));
        }

        clock.WaitUntilArmed(TimeSpan.FromSeconds(60));
        machine.Faults.RestoreDevice(1);
        clock.Advance(TimeSpan.FromSeconds(60));
        await log.WaitFor("Device 1 was loaded again", Cancel);
        both = [session.Rent(Cancel), session.Rent(Cancel)];
        CollectionAssert.AreEquivalent(new[] { 0, 1 }, both.Select(slot => slot.DeviceId).ToArray());
        Array.ForEach(both, slot => slot.Dispose());
    }

    [TestMethod]
    public async Task An_inference_that_brings_devices_down_at_the_start_takes_none_away_for_good()
    {
        var log = new RecordingLogger();
        await using Session session = Open(s_three, log);
        float[] bad = Values(1);
        bad[0] = float.NaN;
        Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(bad, new float[8]));
        await log.WaitFor("Device 0 was loaded again", Cancel);
        await log.WaitFor("Device 1 was loaded again", Cancel);
        Inference[] all = [.. Enumerable.Range(0, 6).Select(_ => session.Rent(Cancel))];
        CollectionAssert.AreEquivalent(new[] { 0, 0, 1, 1, 2, 2 }, all.Select(slot => slot.DeviceId).ToArray());
        Array.ForEach(all, slot => slot.Dispose());
    }

    [TestMethod]
    public void A_device_that_is_only_busy_is_not_brought_down_by_an_inference_of_a_lost_one()
    {
        var log = new RecordingLogger();
        using Session session = Open(s_three, log);
        using Fault hold = Faults.HoldInference(1);
        using Inference inference = session.Rent(Cancel);
        Values(7).CopyTo(inference.Input<float>(0));
        inference.Submit();
        hold.WhenHit.Wait(Cancel);
        using Fault busy = Faults.FailCall("EnqueueExecObj", (int)Qaic.Interop.QStatus.Busy, occurrence: 1);
        Faults.LoseDevice(0);
        inference.Wait();
        AssertAnswers(7, inference.Output<float>(0));
        Assert.AreEqual(1, busy.Hits);
        Assert.IsFalse(log.Entries.Any(e => e.Text.StartsWith("Device 1 failed", StringComparison.Ordinal)));
    }

    [TestMethod]
    public async Task Changing_options_loses_nothing_of_a_device_that_fails_while_the_others_are_drained()
    {
        await using Session session = Open(s_three);
        Inference[] slots = [session.Rent(Cancel), session.Rent(Cancel), session.Rent(Cancel)];
        slots[0].Dispose();
        slots[1].Dispose();
        using Fault hold = Faults.HoldInference(1);
        Values(4).CopyTo(slots[2].Input<float>(0));
        slots[2].Submit();
        await hold.WhenHit.WaitAsync(Cancel);

        // The fourth is the last execution object of devices 0 and 1.
        using Fault drained = Faults.DelayCall("ReleaseExecObj", TimeSpan.FromTicks(1), 4);
        Task update = Task.Run(() => session.UpdateBackendOptions(o => o with { SetSize = 1 }), Cancel);
        await drained.WhenHit.WaitAsync(Cancel);
        Faults.LoseDevice(2);
        hold.Release();
        slots[2].Wait();
        AssertAnswers(4, slots[2].Output<float>(0));
        Assert.AreNotEqual(2, slots[2].DeviceId);
        slots[2].Dispose();
        await update;
    }

    [TestMethod]
    public async Task Whenever_a_device_is_lost_each_of_a_thousand_results_is_delivered_once()
    {
        for (int point = 1; point <= 1000; point += s_step)
        {
            await LoseAt(point, 1000);
        }
    }

    [TestMethod]
    public async Task Whenever_the_only_device_is_lost_each_of_a_thousand_results_is_delivered_or_reported_once()
    {
        var options = new QaicOptions { SetSize = 4 };
        for (int point = 1; point <= 1000; point += s_step)
        {
            await using Session session = Open(options);
            using Fault hold = Faults.HoldInference(point);
            int delivered = 0;
            int reported = 0;
            Task runs = Parallel.ForAsync(0, 1000, new ParallelOptions { CancellationToken = Cancel, MaxDegreeOfParallelism = 8 }, async (i, cancel) =>
            {
                try
                {
                    AssertAnswers(i, (await session.RunAsync(Input(i), cancel))["y"].AsSpan<float>());
                    Interlocked.Increment(ref delivered);
                }
                catch (QaicException)
                {
                    Interlocked.Increment(ref reported);
                }
            });
            await hold.WhenHit.WaitAsync(Cancel);
            Faults.LoseDevice(0);
            Faults.RestoreDevice(0);
            hold.Release();
            await runs;
            Assert.AreEqual(1000, delivered + reported);
            Assert.IsTrue(reported is >= 1 and <= 4, $"What was in flight is reported, nothing else; lost at {point}, {reported} were.");
        }
    }

    private async Task LoseAt(int point, int count)
    {
        await using Session session = Open(s_three);
        using Fault hold = Faults.HoldInference(point);
        var results = new ConcurrentDictionary<int, int>();
        Task runs = Parallel.ForAsync(0, count, new ParallelOptions { CancellationToken = Cancel, MaxDegreeOfParallelism = 8 }, async (i, cancel) =>
        {
            IReadOnlyDictionary<string, Tensor> outputs = await session.RunAsync(Input(i), cancel);
            AssertAnswers(i, outputs["y"].AsSpan<float>());
            results.AddOrUpdate(i, 1, (_, times) => times + 1);
        });
        await hold.WhenHit.WaitAsync(Cancel);
        int victim = point % 3;
        Faults.LoseDevice(victim);
        hold.Release();
        await runs;
        Assert.HasCount(count, results);
        Assert.IsTrue(results.Values.All(times => times == 1));
        Faults.RestoreDevice(victim);
    }
}
