using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Qaic.Compilation;
using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Simulation;
using Qaic.Tests.Runtime;
using Qaic.Tests.Support;

namespace Qaic.Tests;

[TestClass]
public sealed class SessionTests
{
    private readonly SimulatedPlatform _platform = ScalingEngine.Platform();
    private string _directory = null!;
    private string _qpc = null!;

    public TestContext TestContext { get; set; } = null!;

    [TestInitialize]
    public void WriteQpc()
    {
        _directory = Directory.CreateTempSubdirectory("qaic-test-").FullName;
        _qpc = ScalingEngine.WriteQpc(_directory);
    }

    [TestCleanup]
    public void NothingIsLeft()
    {
        // Only the test about forgotten sessions leaves anything to the collector.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Directory.Delete(_directory, recursive: true);
        Assert.AreEqual(0, QaicHandle.Live, "handles of the runtime");
        Assert.AreEqual(0, _platform.LiveObjects, "objects of the library");
    }

    [TestMethod]
    public void A_session_knows_its_tensors_before_it_touches_the_device()
    {
        using Session session = Open();
        Assert.AreEqual(new TensorSpec("x", ElementType.Float32, [4, 2]), session.Inputs.Single());
        Assert.AreEqual(new TensorSpec("y", ElementType.Float32, [4, 2]), session.Outputs.Single());
        Assert.AreEqual(4, session.BatchSize);
        Assert.AreEqual(0, QaicHandle.Live);
    }

    [TestMethod]
    public void A_directory_stands_for_the_qpc_in_it()
    {
        using var session = new Session(_directory, platform: _platform);
        Assert.AreEqual(_qpc, session.QpcPath);
    }

    [TestMethod]
    public void An_asterisk_stands_for_the_one_file_that_fits()
    {
        using (var session = new Session(Path.Combine(_directory, "*.bin"), platform: _platform))
        {
            Assert.AreEqual(_qpc, session.QpcPath);
        }

        File.WriteAllText(Path.Combine(_directory, "other.bin"), "");
        var e = Assert.ThrowsExactly<FileNotFoundException>(() => new Session(Path.Combine(_directory, "*.bin"), platform: _platform));
        StringAssert.Contains(e.Message, "stands for other.bin, programqpc.bin");
    }

    [TestMethod]
    public void A_run_over_spans_fills_the_output()
    {
        using Session session = Open();
        float[] y = new float[8];
        session.Run<float, float>([1, 2, 3, 4, 5, 6, 7, 8], y);
        CollectionAssert.AreEqual(new float[] { 2, 4, 6, 8, 10, 12, 14, 16 }, y);
    }

    [TestMethod]
    public async Task A_run_over_tensors_returns_them_by_name_in_their_shape()
    {
        using Session session = Open();
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[] { 1, 2, 3, 4, 5, 6, 7, 8 }, 4, 2) };
        foreach (IReadOnlyDictionary<string, Tensor> outputs in new[] { session.Run(inputs), await session.RunAsync(inputs, TestContext.CancellationToken) })
        {
            Tensor y = outputs["y"];
            Assert.AreEqual("Float32[4, 2]", y.ToString());
            Assert.AreEqual(16, y.AsSpan<float>()[7]);
        }
    }

    [TestMethod]
    public async Task Many_callers_share_the_slots_and_each_gets_its_own_answer()
    {
        await using var session = new Session(_qpc, new QaicOptions { NumActivations = 3, SetSize = 2 }, _platform);
        await Parallel.ForAsync(0, 2000, TestContext.CancellationToken, async (i, cancel) =>
        {
            float[] x = [i, 1, 2, 3, 4, 5, 6, -i];
            float[] y = new float[8];
            if (i % 2 == 0)
            {
                await session.RunAsync<float, float>(x, y, cancel);
            }
            else
            {
                session.Run<float, float>(x, y);
            }

            Assert.AreEqual(2f * i, y[0]);
            Assert.AreEqual(-2f * i, y[7]);
        });
    }

    [TestMethod]
    public void Steady_runs_allocate_nothing()
    {
        using Session session = Open();
        float[] x = new float[8];
        float[] y = new float[8];
        // Less than a byte per run in the quietest of some rounds: a lock or an event makes its wait object when it first has to block, once in its life.
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
    public void A_missing_input_is_refused_with_what_is_needed()
    {
        using Session session = Open();
        var e = Assert.ThrowsExactly<ArgumentException>(() => session.Run(new Dictionary<string, Tensor>()));
        StringAssert.Contains(e.Message, "Input 'x' is missing. The network needs: x Float32[4, 2].");
    }

    [TestMethod]
    public void An_unknown_input_is_refused_by_name()
    {
        using Session session = Open();
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Zeros(session.Inputs[0]), ["pixels"] = Tensor.Scalar(1f) };
        var e = Assert.ThrowsExactly<ArgumentException>(() => session.Run(inputs));
        StringAssert.Contains(e.Message, "no input 'pixels'");
    }

    [TestMethod]
    public void Another_type_or_shape_is_refused_with_both()
    {
        using Session session = Open();
        foreach (Tensor wrong in new[] { Tensor.Create(new int[8], 4, 2), Tensor.Create(new float[8], 2, 4), Tensor.Create(new float[8], 8), Tensor.Scalar(1f) })
        {
            var e = Assert.ThrowsExactly<ArgumentException>(() => session.Run(new Dictionary<string, Tensor> { ["x"] = wrong }));
            StringAssert.Contains(e.Message, $"Input 'x' must be Float32[4, 2], but is {wrong}");
        }
    }

    [TestMethod]
    public void Spans_of_another_length_or_type_are_refused()
    {
        using Session session = Open();
        var length = Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, float>(new float[7], new float[8]));
        StringAssert.Contains(length.Message, "has 8 elements, not 7");
        Assert.AreEqual("input", length.ParamName);
        var type = Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, int>(new float[8], new int[8]));
        StringAssert.Contains(type.Message, "Output 'y' is Float32 (Single), not Int32");
    }

    [TestMethod]
    public void A_path_without_a_qpc_is_refused_by_name()
    {
        var e = Assert.ThrowsExactly<FileNotFoundException>(() => new Session(Path.Combine(_directory, "missing"), platform: _platform));
        StringAssert.Contains(e.Message, "missing");
    }

    [TestMethod]
    public void A_file_that_is_no_qpc_is_refused_with_the_offset()
    {
        File.WriteAllBytes(_qpc, new byte[100]);
        var e = Assert.ThrowsExactly<QpcFormatException>(Open);
        Assert.AreEqual(0, e.Offset);
    }

    [TestMethod]
    public void More_cores_than_the_card_has_are_refused_and_nothing_stays_behind()
    {
        using var session = new Session(_qpc, new QaicOptions { NumActivations = 9 }, _platform);
        var e = Assert.ThrowsExactly<QaicException>(session.Setup);
        Assert.AreEqual(QaicError.OutOfDeviceResources, e.Error);
        StringAssert.Contains(e.Message, "NumActivations");
        Assert.AreEqual(0, QaicHandle.Live);
        using var smaller = new Session(_qpc, new QaicOptions { NumActivations = 8 }, _platform);
        smaller.Setup();
    }

    [TestMethod]
    public void A_device_that_is_not_there_is_an_error_that_says_so()
    {
        using var session = new Session(_qpc, new QaicOptions { DeviceId = 5 }, _platform);
        var e = Assert.ThrowsExactly<QaicException>(session.Setup);
        Assert.AreEqual(QaicError.DeviceNotFound, e.Error);
        Assert.AreEqual((int)QStatus.NoDev, e.HResult);
    }

    [TestMethod]
    public void Reset_gives_the_cores_back_and_the_next_run_takes_them_again()
    {
        using Session session = Open();
        session.Setup();
        session.Reset();
        Assert.AreEqual(0, QaicHandle.Live);
        session.Run<float, float>(new float[8], new float[8]);
        Assert.AreNotEqual(0, QaicHandle.Live);
    }

    [TestMethod]
    public void A_disposed_session_refuses_every_call()
    {
        Session session = Open();
        session.Setup();
        session.Dispose();
        session.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(session.Setup);
        Assert.ThrowsExactly<ObjectDisposedException>(() => session.Rent(TestContext.CancellationToken));
        Assert.ThrowsExactly<ObjectDisposedException>(() => session.Run<float, float>(new float[8], new float[8]));
    }

    [TestMethod]
    public void A_failed_inference_is_reported_with_the_cards_words_and_the_next_one_works()
    {
        using Session session = Open();
        float[] bad = new float[8];
        bad[0] = float.NaN;
        var e = Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(bad, new float[8]));
        Assert.AreEqual(QaicError.DeviceError, e.Error);
        Assert.IsTrue(e.IsTransient);
        StringAssert.Contains(e.Message, "The network met NaN");
        StringAssert.Contains(e.Message, "qaicExecObjWaitForCompletion returned 300");

        float[] y = new float[8];
        session.Run<float, float>([1, 0, 0, 0, 0, 0, 0, 0], y);
        Assert.AreEqual(2, y[0]);
    }

    [TestMethod]
    public void A_lost_device_fails_runs_until_it_comes_back()
    {
        using Session session = Open();
        session.Setup();
        _platform.Faults.LoseDevice(0);
        Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(new float[8], new float[8]));
        var e = Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(new float[8], new float[8]));
        Assert.AreEqual(QaicError.DeviceNotFound, e.Error);
        _platform.Faults.RestoreDevice(0);
        float[] y = new float[8];
        session.Run<float, float>([3, 0, 0, 0, 0, 0, 0, 0], y);
        Assert.AreEqual(6, y[0]);
    }

    [TestMethod]
    public async Task A_cancelled_wait_for_a_slot_loses_no_slot()
    {
        using var session = new Session(_qpc, new QaicOptions { SetSize = 1 }, _platform);
        Inference held = session.Rent(TestContext.CancellationToken);
        using var cancel = new CancellationTokenSource();
        Task waiting = session.RunAsync<float, float>(new float[8], new float[8], cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => waiting);
        Assert.IsFalse(session.TryRent(out _));
        held.Dispose();
        Assert.IsTrue(session.TryRent(out Inference next));
        next.Dispose();
    }

    [TestMethod]
    public async Task Slots_go_to_whoever_has_waited_longest()
    {
        using var session = new Session(_qpc, new QaicOptions { SetSize = 1 }, _platform);
        Inference held = session.Rent(TestContext.CancellationToken);
        var order = new ConcurrentQueue<int>();
        Task[] waiting = [.. Enumerable.Range(0, 20).Select(async i =>
        {
            using Inference mine = await session.RentAsync(TestContext.CancellationToken);
            order.Enqueue(i);
        })];
        held.Dispose();
        await Task.WhenAll(waiting);
        CollectionAssert.AreEqual(Enumerable.Range(0, 20).ToArray(), order.ToArray());
    }

    [TestMethod]
    public void A_slot_keeps_its_memory_when_the_session_is_disposed_under_it()
    {
        Session session = Open();
        Inference held = session.Rent(TestContext.CancellationToken);
        session.Dispose();
        held.Input<float>(0).Fill(1);
        Assert.ThrowsExactly<InvalidOperationException>(held.Submit);
        held.Dispose();
        Assert.ThrowsExactly<InvalidOperationException>(() => held.Input<float>(0).Length);
    }

    [TestMethod]
    public void A_slot_refuses_what_its_state_forbids()
    {
        using Session session = Open();
        Inference inference = session.Rent(TestContext.CancellationToken);
        Assert.ThrowsExactly<InvalidOperationException>(inference.Wait);
        Assert.ThrowsExactly<InvalidOperationException>(() => inference.Output<float>(0).Length);
        Assert.ThrowsExactly<ArgumentException>(() => inference.Input<int>(0).Length);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => inference.Input<float>(1).Length);
        inference.Input<float>(0).Clear();
        inference.Submit();
        Assert.ThrowsExactly<InvalidOperationException>(inference.Submit);
        Assert.ThrowsExactly<InvalidOperationException>(() => inference.InputBytes(0).Length);
        inference.Wait();
        inference.Wait();
        Assert.AreEqual(8, inference.Output<float>(0).Length);
        inference.Dispose();
        inference.Dispose();
        Assert.ThrowsExactly<InvalidOperationException>(inference.Submit);
        Assert.ThrowsExactly<InvalidOperationException>(() => default(Inference).Submit());
    }

    [TestMethod]
    public void A_slot_given_back_while_it_runs_is_waited_for()
    {
        using var session = new Session(_qpc, new QaicOptions { SetSize = 1 }, _platform);
        using Fault hold = _platform.Faults.HoldInference(1);
        Inference inference = session.Rent(TestContext.CancellationToken);
        inference.Input<float>(0).Clear();
        inference.Submit();
        Task given = Task.Run(inference.Dispose, TestContext.CancellationToken);
        Assert.IsFalse(session.TryRent(out _));
        hold.Dispose();
        given.Wait(TestContext.CancellationToken);
        Assert.IsTrue(session.TryRent(out Inference next));
        next.Dispose();
    }

    [TestMethod]
    public async Task An_inference_is_waited_for_once_at_a_time()
    {
        using Session session = Open();
        using Fault hold = _platform.Faults.HoldInference(1);
        using Inference inference = session.Rent(TestContext.CancellationToken);
        inference.Input<float>(0).Clear();
        inference.Submit();
        Task first = inference.WaitAsync().AsTask();
        Assert.ThrowsExactly<InvalidOperationException>(() => inference.WaitAsync().AsTask());
        hold.Dispose();
        await first;
        await inference.WaitAsync();
    }

    [TestMethod]
    public async Task A_wait_that_was_abandoned_is_answered_and_disturbs_no_later_one()
    {
        using var session = new Session(_qpc, new QaicOptions { SetSize = 1 }, _platform);
        float[] y = new float[8];
        for (int i = 0; i < 200; i++)
        {
            Inference inference = session.Rent(TestContext.CancellationToken);
            inference.Input<float>(0).Clear();
            inference.Submit();
            Task abandoned = inference.WaitAsync().AsTask();
            inference.Dispose();
            await session.RunAsync<float, float>(new float[] { i, 0, 0, 0, 0, 0, 0, 0 }, y, TestContext.CancellationToken);
            Assert.AreEqual(2f * i, y[0]);
            await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            {
                await abandoned;
                throw new InvalidOperationException("It was completed before it was given back, which is fine as well.");
            });
        }
    }

    [TestMethod]
    public void A_slot_whose_device_resources_are_gone_says_so_and_the_next_one_works()
    {
        using Session session = Open();
        using Inference inference = session.Rent(TestContext.CancellationToken);
        session.Reset();
        Assert.IsFalse(inference.TrySubmit());
        using Inference next = session.Rent(TestContext.CancellationToken);
        next.Input<float>(0).Clear();
        Assert.IsTrue(next.TrySubmit());
        next.Wait();
    }

    [TestMethod]
    public void A_qpc_that_was_replaced_is_not_loaded_in_the_place_of_the_other()
    {
        using Session session = Open();
        ScalingEngine.WriteQpc(_directory, cores: 3);
        File.SetLastWriteTimeUtc(_qpc, DateTime.UtcNow.AddSeconds(5));
        var e = Assert.ThrowsExactly<QaicException>(session.Setup);
        StringAssert.Contains(e.Message, "was changed after the session had been created");
    }

    [TestMethod]
    public void A_qpc_for_the_simulated_card_is_not_given_to_a_real_one()
    {
        NativeFake card = NativeFake.Build();
        byte[] record = new CompilationRecord { Compiler = "embedded" }.ToBytes();
        using (var file = QpcFile.Open(_qpc))
        {
            var writer = new QpcWriter().Add(CompilationRecord.SegmentName, record);
            foreach (QpcSegment segment in file.Segments)
            {
                writer.Add(segment.Name, segment.Span.ToArray());
            }

            writer.Write(_qpc);
        }

        var e = Assert.ThrowsExactly<QaicException>(() => new Session(_qpc, platform: card.Platform));
        Assert.AreEqual(QaicError.NotSupported, e.Error);
        StringAssert.Contains(e.Message, "was compiled for the simulated card");
    }

    [TestMethod]
    public void Sessions_that_nobody_refers_to_any_more_give_their_cores_to_the_next()
    {
        for (int i = 0; i < 20; i++)
        {
            Forget();
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        void Forget() => Open().Run<float, float>(new float[8], new float[8]);
    }

    private Session Open() => new(_qpc, platform: _platform);
}
