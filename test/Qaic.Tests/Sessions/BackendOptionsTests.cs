using System.Collections.Concurrent;
using Qaic.Interop;
using Qaic.Simulation;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class BackendOptionsTests : SessionTest
{
    [TestMethod]
    public void The_options_that_can_change_are_told_with_their_values()
    {
        using Session session = Open(new QaicOptions { NumActivations = 2, SetSize = 3, DeviceId = 1 });
        IReadOnlyDictionary<string, object> options = session.BackendOptions();
        CollectionAssert.AreEquivalent(new[] { "num_activations", "dev_id", "set_size" }, options.Keys.ToArray());
        Assert.AreEqual(2, options["num_activations"]);
        Assert.AreEqual(1, options["dev_id"]);
        Assert.AreEqual(3, options["set_size"]);
        session.UpdateBackendOptions(o => o with { DeviceIds = [0, 2] });
        CollectionAssert.AreEqual(new[] { 0, 2 }, (int[])session.BackendOptions()["dev_id"]);
    }

    [TestMethod]
    public void A_session_that_is_not_set_up_takes_note_only()
    {
        using Session session = Open();
        session.UpdateBackendOptions(o => o with { NumActivations = 8, SetSize = 1 });
        Assert.AreEqual(0, QaicHandle.Live);
        Assert.AreEqual(8, session.MaxInFlight);
        session.Run(Input(1));
    }

    [TestMethod]
    public void A_device_that_is_not_there_is_refused_before_it_is_needed()
    {
        using Session session = Open();
        var e = Assert.ThrowsExactly<QaicException>(() => session.UpdateBackendOptions(o => o with { DeviceId = 9 }));
        Assert.AreEqual(QaicError.DeviceNotFound, e.Error);
        StringAssert.Contains(e.Message, "There is no device 9 (DeviceIds, dev_id)");
        StringAssert.Contains(e.Message, "device 2: Ready");
        Assert.AreEqual(0, session.Options.DeviceId);
    }

    [TestMethod]
    public void A_live_session_moves_to_another_device()
    {
        using Session session = Open();
        session.Run(Input(1));
        session.UpdateBackendOptions(o => o with { DeviceId = 2 });
        Assert.AreEqual(16, Machine.GetDevices()[0].FreeCores);
        Assert.AreEqual(14, Machine.GetDevices()[2].FreeCores);
        AssertAnswers(2, session.Run(Input(2))["y"].AsSpan<float>());
    }

    [TestMethod]
    public async Task Changing_options_under_load_loses_nothing()
    {
        await using Session session = Open();
        var results = new ConcurrentDictionary<int, int>();
        Task load = Parallel.ForAsync(0, 3000, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancel }, async (i, cancel) =>
        {
            AssertAnswers(i, (await session.RunAsync(Input(i), cancel))["y"].AsSpan<float>());
            results.AddOrUpdate(i, 1, (_, times) => times + 1);
        });
        for (int i = 0; i < 40; i++)
        {
            int step = i;
            session.UpdateBackendOptions(o => o with { NumActivations = 1 + (step % 4), SetSize = 1 + (step % 3), DeviceIds = step % 2 == 0 ? [1] : [0, 2] });
        }

        await load;
        Assert.HasCount(3000, results);
        Assert.IsTrue(results.Values.All(times => times == 1));
    }

    [TestMethod]
    public async Task What_is_in_flight_ends_before_the_device_is_given_back()
    {
        using Session session = Open();
        using Fault hold = Faults.HoldInference(1);
        Task<IReadOnlyDictionary<string, Tensor>> run = session.RunAsync(Input(4), Cancel);
        await hold.WhenHit.WaitAsync(Cancel);
        Task update = Task.Run(() => session.UpdateBackendOptions(o => o with { SetSize = 1 }), Cancel);
        Task<IReadOnlyDictionary<string, Tensor>> later = Task.Run(() => session.Run(Input(5)), Cancel);
        hold.Release();
        await update;
        AssertAnswers(4, (await run)["y"].AsSpan<float>());
        AssertAnswers(5, (await later)["y"].AsSpan<float>());
    }

    [TestMethod]
    public void Options_that_the_device_cannot_satisfy_leave_the_old_ones_in_force()
    {
        using Session session = Open();
        session.Run(Input(1));
        var e = Assert.ThrowsExactly<QaicException>(() => session.UpdateBackendOptions(o => o with { NumActivations = 9 }));
        Assert.AreEqual(QaicError.OutOfDeviceResources, e.Error);
        Assert.AreEqual(1, session.Options.NumActivations);
        AssertAnswers(2, session.Run(Input(2))["y"].AsSpan<float>());
    }

    [TestMethod]
    public void Anything_else_is_refused_with_what_can_be_changed()
    {
        using Session session = Open();
        var e = Assert.ThrowsExactly<ArgumentException>(() => session.UpdateBackendOptions(o => o with { NumCores = 4 }));
        StringAssert.Contains(e.Message, "set_size");
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => session.UpdateBackendOptions(o => o with { SetSize = 0 }));
        Assert.IsNull(session.Options.NumCores);
        Assert.AreEqual(4, session.Options.SetSize);
    }

    [TestMethod]
    public void Shapes_and_types_are_told_by_name()
    {
        using Session session = Open();
        Assert.AreEqual(new TensorSpec("x", ElementType.Float32, [4, 2]), session.ModelInputShapeDict()["x"]);
        Assert.AreEqual(new TensorSpec("y", ElementType.Float32, [4, 2]), session.ModelOutputShapeDict()["y"]);
    }
}
