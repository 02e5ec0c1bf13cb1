using Qaic.Simulation;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class RowsTests : SessionTest
{
    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(4)]
    [DataRow(5)]
    [DataRow(8)]
    [DataRow(1001)]
    public async Task Any_number_of_rows_is_answered_row_by_row(int rows)
    {
        await using Session session = Open(new QaicOptions { NumActivations = 2, SetSize = 2 });
        float[] x = [.. Enumerable.Range(0, rows * 2).Select(i => (float)i)];
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(x, rows, 2) };
        foreach (Tensor y in new[] { session.Run(inputs)["y"], (await session.RunAsync(inputs, Cancel))["y"] })
        {
            CollectionAssert.AreEqual(new[] { rows, 2 }, y.Shape.ToArray());
            CollectionAssert.AreEqual(x.Select(v => 2 * v).ToArray(), y.ToArray<float>());
        }
    }

    [TestMethod]
    public void The_padding_is_a_copy_of_the_last_row_and_not_what_an_earlier_caller_left()
    {
        using Session session = Open(new QaicOptions { SetSize = 1 });
        float[] secret = [.. Enumerable.Repeat(77f, 8)];
        session.Run<float, float>(secret, new float[8]);
        session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[] { 1, 2, 3, 4 }, 2, 2) });

        // One slot, so this is the one that was used.
        using Inference inference = session.Rent(Cancel);
        CollectionAssert.AreEqual(new float[] { 1, 2, 3, 4, 3, 4, 3, 4 }, inference.Input<float>(0).ToArray());
    }

    [TestMethod]
    public async Task Callers_with_more_rows_than_slots_do_not_wait_for_each_other_for_ever()
    {
        await using Session session = Open(new QaicOptions { SetSize = 2 });
        await Parallel.ForAsync(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancel }, async (i, cancel) =>
        {
            var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(Enumerable.Repeat((float)i, 2 * 41).ToArray(), 41, 2) };
            Tensor y = i % 2 == 0 ? session.Run(inputs)["y"] : (await session.RunAsync(inputs, cancel))["y"];
            Assert.IsTrue(y.ToArray<float>().All(v => v == 2f * i));
        });
    }

    [TestMethod]
    public async Task A_part_that_fails_is_the_error_and_all_slots_come_back()
    {
        await using Session session = Open(new QaicOptions { SetSize = 3 });
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[200], 100, 2) };
        foreach (bool isAsync in new[] { false, true })
        {
            using Fault fault = Faults.FailInference(occurrence: 7);
            await Assert.ThrowsExactlyAsync<QaicException>(async () => _ = isAsync ? await session.RunAsync(inputs, Cancel) : session.Run(inputs));
            Inference[] slots = [.. Enumerable.Range(0, 3).Select(_ => session.Rent(Cancel))];
            Array.ForEach(slots, slot => slot.Dispose());
        }
    }

    [TestMethod]
    public async Task Cancelling_ends_a_run_of_many_rows()
    {
        await using Session session = Open(new QaicOptions { SetSize = 1 });
        using var cancel = new CancellationTokenSource();
        using Fault hold = Faults.HoldInference(5);
        Task run = session.RunAsync(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[20_000], 10_000, 2) }, cancel.Token);
        await hold.WhenHit.WaitAsync(Cancel);
        await cancel.CancelAsync();
        hold.Release();
        await Assert.ThrowsAsync<OperationCanceledException>(() => run);
    }

    [TestMethod]
    public void Rows_of_another_width_are_refused_and_the_message_says_that_their_number_is_free()
    {
        using Session session = Open();
        var e = Assert.ThrowsExactly<ArgumentException>(() => session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[9], 3, 3) }));
        StringAssert.Contains(e.Message, "Input 'x' must be Float32[4, 2], but is Float32[3, 3]. Another number of rows is taken if it is the same for all inputs.");
        var span = Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, float>(new float[6], new float[6]));
        StringAssert.Contains(span.Message, "use the dictionary overload");
    }
}
