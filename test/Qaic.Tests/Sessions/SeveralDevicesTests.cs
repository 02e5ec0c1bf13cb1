using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Qaic.Simulation;
using Qaic.Tests.Support;

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
        }

        string[] warnings = [.. log.Entries.Where(e => e.Level == LogLevel.Warning && e.Text.StartsWith("Device 2 failed", StringComparison.Ordinal)).Select(e => e.Text)];
        Assert.HasCount(1, warnings);
        Assert.IsTrue(log.Entries.Any(e => e.Text.Contains("Device 2 is not used any more", StringComparison.Ordinal)));
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

        Assert.ThrowsExactly<QaicException>(() => session.Run(Input(1)));
        var e = Assert.ThrowsExactly<QaicException>(() => session.Run(Input(1)));
        Assert.AreEqual(QaicError.DeviceNotFound, e.Error);
        StringAssert.Contains(e.Message, "All devices of the session are lost: device 0:");
        StringAssert.Contains(e.Message, "device 2:");
        Faults.RestoreDevice(1);
        AssertAnswers(2, session.Run(Input(2))["y"].AsSpan<float>());
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
