using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Qaic.Simulation;

namespace Qaic.Tests.Sessions;

[TestClass]
public sealed class StreamTests : SessionTest
{
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Every_input_has_one_result(bool ordered)
    {
        await using Session session = Open(new QaicOptions { NumActivations = 2, SetSize = 3 });
        var seen = new HashSet<long>();
        await foreach ((long index, IReadOnlyDictionary<string, Tensor> outputs) in session.RunStreamAsync(Enumerable.Range(0, 500).Select(Input), ordered, Cancel))
        {
            AssertAnswers((int)index, outputs["y"].AsSpan<float>());
            Assert.IsTrue(seen.Add(index));
            Assert.IsTrue(!ordered || index == seen.Count - 1);
        }

        Assert.HasCount(500, seen);
    }

    [TestMethod]
    public async Task A_stream_of_nothing_ends_at_once_and_does_not_touch_the_device()
    {
        await using Session session = Open();
        await foreach (StreamResult _ in session.RunStreamAsync([], cancellationToken: Cancel))
        {
            Assert.Fail("There was no input.");
        }

        Assert.AreEqual(0, Machine.LiveObjects);
    }

    [TestMethod]
    public async Task A_slow_reader_slows_the_reading_of_the_source()
    {
        await using Session session = Open(new QaicOptions { SetSize = 2 });
        int read = 0;
        IEnumerable<Dictionary<string, Tensor>> Source()
        {
            for (; ; read++)
            {
                yield return Input(read);
            }
        }

        await using IAsyncEnumerator<StreamResult> results = session.RunStreamAsync(Source(), cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        for (int taken = 1; taken <= 50; taken++)
        {
            Assert.IsTrue(await results.MoveNextAsync());

            // What was taken, what is in flight, and the one that waits to be let in.
            Assert.IsLessThanOrEqualTo(taken + 2 + 1, Volatile.Read(ref read));
        }
    }

    [TestMethod]
    public async Task Results_do_not_wait_for_a_source_that_rests()
    {
        await using Session session = Open();
        var source = Channel.CreateUnbounded<IReadOnlyDictionary<string, Tensor>>();
        await using IAsyncEnumerator<StreamResult> results = session.RunStreamAsync(source.Reader.ReadAllAsync(Cancel), cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        for (int i = 0; i < 5; i++)
        {
            await source.Writer.WriteAsync(Input(i), Cancel);
            Assert.IsTrue(await results.MoveNextAsync());
            Assert.AreEqual(i, results.Current.Index);
        }

        source.Writer.Complete();
        Assert.IsFalse(await results.MoveNextAsync());
    }

    [TestMethod]
    public async Task Out_of_order_a_held_inference_does_not_hold_back_the_others()
    {
        await using Session session = Open(new QaicOptions { NumActivations = 2, SetSize = 1 });
        using Fault hold = Faults.HoldInference(1);
        var order = new List<long>();
        await foreach (StreamResult result in session.RunStreamAsync(Held(), ordered: false, Cancel))
        {
            order.Add(result.Index);
            if (order.Count == 5)
            {
                hold.Release();
            }
        }

        Assert.HasCount(6, order);
        Assert.AreEqual(0, order[^1]);

        async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Held([EnumeratorCancellation] CancellationToken cancel = default)
        {
            yield return Input(0);
            await hold.WhenHit.WaitAsync(cancel);
            for (int i = 1; i < 6; i++)
            {
                yield return Input(i);
            }
        }
    }

    [TestMethod]
    public async Task In_order_what_came_before_a_failure_is_delivered_and_the_error_says_which_input_failed()
    {
        await using Session session = Open(new QaicOptions { SetSize = 1 });
        using Fault fault = Faults.FailInference(occurrence: 8);
        int delivered = 0;
        var e = await Assert.ThrowsExactlyAsync<QaicException>(async () =>
        {
            await foreach (StreamResult result in session.RunStreamAsync(Enumerable.Range(0, 20).Select(Input), cancellationToken: Cancel))
            {
                Assert.AreEqual(delivered++, result.Index);
            }
        });
        Assert.AreEqual(7, delivered);
        StringAssert.Contains(e.Message, "Input #7 of the stream failed; 7 results were delivered.");
    }

    [TestMethod]
    public async Task Out_of_order_everything_that_ended_well_is_delivered_and_the_rest_is_named()
    {
        await using Session session = Open(new QaicOptions { SetSize = 4 });
        using Fault fault = Faults.FailInference(occurrence: 8);
        var delivered = new HashSet<long>();
        var e = await Assert.ThrowsExactlyAsync<QaicException>(async () =>
        {
            await foreach (StreamResult result in session.RunStreamAsync(Enumerable.Range(0, 20).Select(Input), ordered: false, Cancel))
            {
                AssertAnswers((int)result.Index, result.Outputs["y"].AsSpan<float>());
                Assert.IsTrue(delivered.Add(result.Index));
            }
        });
        StringAssert.Contains(e.Message, $"{delivered.Count} results were delivered");
        long[] named = [.. System.Text.RegularExpressions.Regex.Matches(e.Message, "#([0-9]+)").Select(m => long.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)).Distinct()];
        Assert.IsGreaterThan(0, named.Length);
        Assert.IsFalse(named.Any(delivered.Contains), "An input is delivered or named, not both.");
        Assert.AreEqual(named.Concat(delivered).Max() + 1, named.Length + delivered.Count, "Every input that was read is delivered or named.");
    }

    [TestMethod]
    public async Task A_wrong_input_is_refused_with_its_place_in_the_stream()
    {
        await using Session session = Open();
        IReadOnlyDictionary<string, Tensor>[] inputs = [Input(0), new Dictionary<string, Tensor> { ["z"] = Tensor.Scalar(1f) }, Input(2)];
        var e = await Assert.ThrowsExactlyAsync<ArgumentException>(async () =>
        {
            await foreach (StreamResult result in session.RunStreamAsync(inputs, cancellationToken: Cancel))
            {
                Assert.AreEqual(0, result.Index);
            }
        });
        StringAssert.Contains(e.Message, "Input #1 of the stream failed");
        StringAssert.Contains(e.Message, "Input 'x' is missing");
    }

    [TestMethod]
    public async Task A_source_that_fails_ends_the_stream_after_the_results_before_it()
    {
        await using Session session = Open();
        static IEnumerable<Dictionary<string, Tensor>> Source()
        {
            yield return Input(0);
            yield return Input(1);
            throw new InvalidDataException("The file ends here.");
        }

        int delivered = 0;
        await Assert.ThrowsExactlyAsync<InvalidDataException>(async () =>
        {
            await foreach (StreamResult result in session.RunStreamAsync(Source(), cancellationToken: Cancel))
            {
                delivered++;
            }
        });
        Assert.AreEqual(2, delivered);
    }

    [TestMethod]
    public async Task Leaving_the_loop_early_ends_the_source_and_gives_all_slots_back()
    {
        await using Session session = Open();
        bool ended = false;
        IEnumerable<Dictionary<string, Tensor>> Source()
        {
            try
            {
                for (int i = 0; ; i++)
                {
                    yield return Input(i);
                }
            }
            finally
            {
                ended = true;
            }
        }

        await foreach (StreamResult result in session.RunStreamAsync(Source(), cancellationToken: Cancel))
        {
            if (result.Index == 10)
            {
                break;
            }
        }

        Assert.IsTrue(ended);
        Inference[] slots = [.. Enumerable.Range(0, session.MaxInFlight).Select(_ => session.TryRent(out Inference slot) ? slot : default)];
        Assert.IsTrue(slots.All(slot => slot != default));
        Array.ForEach(slots, slot => slot.Dispose());
    }

    [TestMethod]
    public async Task A_cancelled_stream_throws_and_gives_all_slots_back()
    {
        await using Session session = Open();
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAsync<OperationCanceledException>(async () =>
        {
            await foreach (StreamResult result in session.RunStreamAsync(Enumerable.Range(0, int.MaxValue).Select(Input), cancellationToken: cancel.Token))
            {
                if (result.Index == 10)
                {
                    await cancel.CancelAsync();
                }
            }
        });
        Assert.IsTrue(session.TryRent(out Inference slot));
        slot.Dispose();
    }

    [TestMethod]
    public async Task A_failure_is_told_and_a_loop_is_left_though_the_source_rests()
    {
        await using Session session = Open();
        using var inputs = new System.Collections.Concurrent.BlockingCollection<IReadOnlyDictionary<string, Tensor>> { Input(0), new Dictionary<string, Tensor>() };
        await Assert.ThrowsExactlyAsync<ArgumentException>(async () =>
        {
            await foreach (StreamResult result in session.RunStreamAsync(inputs.GetConsumingEnumerable(Cancel), cancellationToken: Cancel))
            {
                Assert.AreEqual(0, result.Index);
            }
        });
        using var more = new System.Collections.Concurrent.BlockingCollection<IReadOnlyDictionary<string, Tensor>> { Input(3) };
        await foreach (StreamResult result in session.RunStreamAsync(more.GetConsumingEnumerable(Cancel), ordered: false, Cancel))
        {
            AssertAnswers(3, result.Outputs["y"].AsSpan<float>());
            break;
        }

        // The threads that wait in them end.
        inputs.CompleteAdding();
        more.CompleteAdding();
    }

    [TestMethod]
    public async Task When_all_devices_are_lost_under_a_stream_each_input_is_delivered_or_named()
    {
        await using Session session = Open(new QaicOptions { DeviceIds = [0, 1], SetSize = 2 });
        var delivered = new HashSet<long>();
        var e = await Assert.ThrowsExactlyAsync<QaicException>(async () =>
        {
            await foreach (StreamResult result in session.RunStreamAsync(Enumerable.Range(0, 1000).Select(Input), ordered: false, Cancel))
            {
                Assert.IsTrue(delivered.Add(result.Index));
                if (delivered.Count == 100)
                {
                    Faults.LoseDevice(0);
                    Faults.LoseDevice(1);
                }
            }
        });
        StringAssert.Contains(e.Message, $"{delivered.Count} results were delivered");
        Assert.IsGreaterThanOrEqualTo(100, delivered.Count);
        Assert.IsLessThan(1000, delivered.Count);
    }
}
