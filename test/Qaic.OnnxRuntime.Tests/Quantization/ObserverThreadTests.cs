using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Quantization;
using Qaic.Quantization;
using Qaic.TestSupport;
using static Qaic.OnnxRuntime.Tests.Quantization.ObservedModels;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class ObserverThreadTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [TestMethod]
    public async Task The_profile_does_not_depend_on_the_number_of_threads()
    {
        // Each row is larger than the one before, so that a histogram that saw two batches in another order would differ.
        TestModel model = ModelManifest.Get("digits_cnn");
        IReadOnlyDictionary<string, Tensor>[] samples = [.. model.CalibrationSamples().Take(243).Select((sample, row) => Scaled(sample, 1 + (row / 16f)))];
        FloatGraph graph = Prepare(model.Path, 8);
        string expected = Bits(Observe(graph, samples));
        Assert.AreNotEqual(expected, Bits(Observe(graph, samples.Chunk(8).Reverse().SelectMany(b => b))), "the order of batches does not matter here, so the test shows nothing");
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            var options = new QaicOptions { ProfilingThreads = threads };
            Assert.AreEqual(expected, Bits(Observe(graph, samples, options)), $"{threads} threads");
            Assert.AreEqual(expected, Bits(await ActivationObserver.ObserveAsync(graph, Arriving(samples), options, NullLogger.Instance, null, CancellationToken.None)), $"{threads} threads, asynchronously");
        }
    }

    [TestMethod]
    public async Task Data_that_arrives_later_does_not_hold_up_the_caller()
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var told = new List<long>();
        async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Late()
        {
            await source.Task;
            foreach (IReadOnlyDictionary<string, Tensor> sample in Samples(Rows(6)))
            {
                yield return sample;
            }
        }

        FloatGraph graph = Prepare(Integers(4));
        Task<QuantizationProfile> profiling = ActivationObserver.ObserveAsync(graph, Late(), QaicOptions.Default, NullLogger.Instance, new Told(p => told.Add(p.Samples)), CancellationToken.None);
        Assert.IsFalse(profiling.IsCompleted);
        source.SetResult();
        Assert.AreEqual(Bits(Observe(graph, Samples(Rows(6)))), Bits(await profiling));
        CollectionAssert.AreEqual(new long[] { 4, 6 }, told);
    }

    [TestMethod]
    public async Task Data_that_never_arrives_can_be_cancelled()
    {
        using var stop = new CancellationTokenSource();
        using var isAsked = new SemaphoreSlim(0);
        async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Never([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            yield return Sample(Tensor.Create(Rows(1)[0]));
            isAsked.Release();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }

        Task profiling = ActivationObserver.ObserveAsync(Prepare(Integers(1)), Never(stop.Token), new QaicOptions { ProfilingThreads = 2 }, NullLogger.Instance, null, stop.Token);
        Assert.IsTrue(await isAsked.WaitAsync(s_patience));
        await stop.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => profiling.WaitAsync(s_patience));
    }

    [TestMethod]
    public async Task What_fails_asynchronously_fails_in_the_same_way()
    {
        FloatGraph graph = Prepare(Integers(2));
        float[][] rows = [.. Rows(5), [1, float.NaN, 2], .. Rows(5)];
        string expected = Assert.ThrowsExactly<ArgumentException>(() => Observe(graph, Samples(rows))).Message;
        foreach (int threads in new[] { 1, 3 })
        {
            var e = await Assert.ThrowsExactlyAsync<ArgumentException>(
                () => ActivationObserver.ObserveAsync(graph, Arriving(Samples(rows)), new QaicOptions { ProfilingThreads = threads }, NullLogger.Instance, null, CancellationToken.None));
            Assert.AreEqual(expected, e.Message);
        }
    }

    [TestMethod]
    public void What_is_allocated_on_the_callers_thread_does_not_grow_with_the_data()
    {
        // The source gives the same arrays again and again, so that what is allocated is ours. One thread: its allocations can be told from those of others.
        TestModel model = ModelManifest.Get("digits_mlp");
        IReadOnlyDictionary<string, Tensor>[] samples = [.. model.CalibrationSamples().Take(64)];
        FloatGraph graph = Prepare(model.Path, 8);
        using var network = new ObservedNetwork(graph.Model, [.. graph.Activations.Select(a => a.Tensor)], NullLogger.Instance, CancellationToken.None);
        long few = Allocated(64);
        long many = Allocated(64 * 50);
        Assert.AreEqual(few, many, $"64 rows take {few} bytes, 3200 take {many}");

        long Allocated(int rows)
        {
            var endless = new Endless(samples, rows);
            using var run = new ObservationRun(network, 512, 1, isInline: true, null, NullLogger.Instance, CancellationToken.None);
            long before = GC.GetAllocatedBytesForCurrentThread();
            run.Feed(endless);
            long after = GC.GetAllocatedBytesForCurrentThread();
            Assert.AreEqual(rows, run.Rows);
            return after - before;
        }
    }

    private sealed class Endless(IReadOnlyDictionary<string, Tensor>[] samples, int count) : IEnumerable<IReadOnlyDictionary<string, Tensor>>
    {
        public IEnumerator<IReadOnlyDictionary<string, Tensor>> GetEnumerator()
        {
            for (int i = 0; i < count; i++)
            {
                yield return samples[i % samples.Length];
            }
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private static Dictionary<string, Tensor> Scaled(IReadOnlyDictionary<string, Tensor> sample, float factor) =>
        sample.ToDictionary(s => s.Key, s => Tensor.Create(Array.ConvertAll(s.Value.ToArray<float>(), v => v * factor), s.Value.Shape.AsSpan()));

    private static async IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> Arriving(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples)
    {
        foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
        {
            await Task.Yield();
            yield return sample;
        }
    }
}
