using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.OnnxRuntime.Quantization;
using Qaic.OnnxRuntime.Tests.Onnx;
using static Qaic.OnnxRuntime.Tests.Quantization.ObservedModels;

namespace Qaic.OnnxRuntime.Tests.Quantization;

[TestClass]
public sealed class ObserverFailureTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly int[] s_threads = [1, 3];

    [TestMethod]
    public void No_sample_at_all_is_an_error()
    {
        FloatGraph graph = Prepare(Integers(4));
        foreach (int threads in s_threads)
        {
            StringAssert.Contains(Fails<ArgumentException>(graph, [], threads).Message, "There is no sample to profile 'test.onnx' with.");
            StringAssert.Contains(Fails<ArgumentException>(graph, [Sample(Tensor.Create(Array.Empty<float>(), 0, 3))], threads).Message, "There is no sample");
        }
    }

    [TestMethod, DataRow(1), DataRow(3)]
    public void An_activation_that_becomes_infinite_is_named_with_its_sample(int threads)
    {
        // 1 / x: sample 6 has a zero. In the same batch, and in later ones, are more of them.
        FloatGraph graph = Prepare(Graphs.Model(
            [Graphs.Node("Reciprocal", ["x"], ["y"]), Graphs.Node("Neg", ["y"], ["z"])], [Graphs.Value("x", Graphs.Float, 4, 3)], [Graphs.Value("z", Graphs.Float, 4, 3)]));
        IEnumerable<float[]> rows = Enumerable.Range(0, 40).Select(row => new[] { 1f, row is 6 or > 6 and < 20 ? 0 : 2, 3 });
        string message = Fails<CompilationException>(graph, Samples(rows), threads).Message;
        StringAssert.Contains(message, "Tensor 'y' of 'test.onnx' becomes infinity for sample 6 (element 7 of 12 in the batch)");
    }

    [TestMethod, DataRow(1), DataRow(3)]
    public void A_batch_that_the_network_refuses_is_named_by_its_first_sample(int threads)
    {
        FloatGraph graph = Prepare(Graphs.Model(
            [Graphs.Node("Gather", ["table", "x"], ["y"])],
            [Graphs.Value("x", Graphs.Int64, 2)],
            [Graphs.Value("y", Graphs.Float, 2)],
            Graphs.Weights("table", [3], [1, 2, 3])));
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples = Enumerable.Range(0, 30).Select(i => Sample(Tensor.Scalar(i < 5 ? 2L : 3L)));
        string message = Fails<CompilationException>(graph, samples, threads).Message;
        StringAssert.Contains(message, "cannot run 'test.onnx' on a batch of samples that begins with sample 4: ");
    }

    [TestMethod, DataRow(1), DataRow(3)]
    public void A_bad_sample_does_not_hide_what_came_before_it(int threads)
    {
        FloatGraph graph = Prepare(Graphs.Model([Graphs.Node("Reciprocal", ["x"], ["y"])], [Graphs.Value("x", Graphs.Float, 1, 1)], [Graphs.Value("y", Graphs.Float, 1, 1)]));
        StringAssert.Contains(Fails<CompilationException>(graph, Samples([[1], [0], [float.NaN]]), threads).Message, "sample 1");
        StringAssert.Contains(Fails<ArgumentException>(graph, Samples([[1], [float.NaN], [0]]), threads).Message, "Sample 1: element 0 of input 'x'");
    }

    [TestMethod, DataRow(1), DataRow(3)]
    public void What_the_source_throws_arrives_as_it_is(int threads)
    {
        var fault = new InvalidDataException("the disk is gone");
        bool isClosed = false;
        IEnumerable<IReadOnlyDictionary<string, Tensor>> Source()
        {
            try
            {
                foreach (IReadOnlyDictionary<string, Tensor> sample in Samples(Rows(9)))
                {
                    yield return sample;
                }

                throw fault;
            }
            finally
            {
                isClosed = true;
            }
        }

        Assert.AreSame(fault, Fails<InvalidDataException>(Prepare(Integers(2)), Source(), threads));
        Assert.IsTrue(isClosed);
    }

    [TestMethod, DataRow(1), DataRow(3)]
    public void Progress_tells_of_each_batch_in_order_on_the_calling_thread(int threads)
    {
        var told = new List<ProfilingProgress>();
        int caller = Environment.CurrentManagedThreadId;
        var progress = new Told(p =>
        {
            Assert.AreEqual(caller, Environment.CurrentManagedThreadId);
            told.Add(p);
        });
        Observe(Prepare(Integers(4)), Samples(Rows(18)), new QaicOptions { ProfilingThreads = threads }, progress);
        CollectionAssert.AreEqual(new long[] { 4, 8, 12, 16, 18 }, told.Select(t => t.Samples).ToArray(), "the rows that fill the last batch do not count");
        Assert.IsTrue(told.All(t => t.Tensors == 5));
    }

    [TestMethod, DataRow(1), DataRow(3)]
    public void Progress_that_throws_ends_the_profiling_and_is_not_told_again(int threads)
    {
        var fault = new InvalidOperationException("enough");
        (int read, var told) = (0, new List<long>());
        var progress = new Told(p =>
        {
            told.Add(p.Samples);
            if (p.Samples == 4)
            {
                throw fault;
            }
        });
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples = Samples(Rows(1000)).Select(s =>
        {
            read++;
            return s;
        });
        Assert.AreSame(fault, Assert.ThrowsExactly<InvalidOperationException>(() => Observe(Prepare(Integers(2)), samples, new QaicOptions { ProfilingThreads = threads }, progress)));
        CollectionAssert.AreEqual(new long[] { 2, 4 }, told);
        Assert.IsLessThan(20, read);
    }

    [TestMethod, DataRow(1), DataRow(3)]
    public void Cancelling_between_batches_ends_the_profiling(int threads)
    {
        using var stop = new CancellationTokenSource();
        int read = 0;
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples = Samples(Rows(1000)).Select(s =>
        {
            if (++read == 7)
            {
                stop.Cancel();
            }

            return s;
        });
        var e = Assert.ThrowsExactly<OperationCanceledException>(() => Observe(Prepare(Integers(2)), samples, new QaicOptions { ProfilingThreads = threads }, cancellationToken: stop.Token));
        Assert.AreEqual(stop.Token, e.CancellationToken);
        Assert.AreEqual(7, read);
    }

    [TestMethod]
    public void A_token_that_is_cancelled_before_reads_nothing()
    {
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples = Samples(Rows(1)).Select(s => { Assert.Fail("it was read"); return s; });
        Assert.ThrowsExactly<OperationCanceledException>(() => Observe(Prepare(Integers(2)), samples, cancellationToken: new CancellationToken(canceled: true)));
    }

    [TestMethod, DataRow(1), DataRow(2)]
    public async Task Cancelling_ends_a_network_that_would_never_end(int threads)
    {
        // It counts to 2^62, so that only being cancelled ends it: before its run or in it, whichever the moment is.
        using var stop = new CancellationTokenSource();
        FloatGraph graph = Prepare(Counting());
        using var isFed = new SemaphoreSlim(0);
        IEnumerable<IReadOnlyDictionary<string, Tensor>> Source()
        {
            for (int batch = 0; batch < threads; batch++)
            {
                if (batch == threads - 1)
                {
                    isFed.Release();
                }

                yield return Sample(Tensor.Create([1f]));
            }

            // Asked for when a batch is done, or, where the caller's thread runs them, never.
            Assert.Fail("A batch was done.");
        }

        Task profiling = Task.Run(() => Observe(graph, Source(), new QaicOptions { ProfilingThreads = threads }, cancellationToken: stop.Token));
        Assert.IsTrue(await isFed.WaitAsync(s_patience));
        stop.CancelAfter(TimeSpan.FromMilliseconds(50));
        await Assert.ThrowsExactlyAsync<OperationCanceledException>(() => profiling.WaitAsync(s_patience));
    }

    [TestMethod]
    public void Open_shapes_and_types_without_a_buffer_are_refused()
    {
        OnnxModel open = Parse(Graphs.Unary("Relu", Graphs.Value("x", Graphs.Float, "n", 3), Graphs.Value("y", Graphs.Float, "n", 3)));
        StringAssert.Contains(Refused(open, "y").Message, "has an open dimension");
        OnnxModel wide = Parse(Graphs.Model(
            [Graphs.Node("Cast", ["x"], ["y"], new AttributeProto { Name = "to", I = Graphs.Float, Type = AttributeProto.Types.AttributeType.Int })],
            [Graphs.Value("x", Graphs.Double, 1, 3)],
            [Graphs.Value("y", Graphs.Float, 1, 3)]));
        StringAssert.Contains(Refused(wide, "y").Message, "Input 'x' of 'test.onnx' is double, which no buffer can carry");
        OnnxModel integers = Parse(Graphs.Unary("Shape", Graphs.Value("x", Graphs.Float, 1, 3), Graphs.Value("y", Graphs.Int64, 2)));
        StringAssert.Contains(Refused(integers, "y").Message, "only float tensors have a range");
        StringAssert.Contains(Refused(integers, "nothing").Message, "refuses 'test.onnx'");

        static OnnxModel Parse(ModelProto model) => OnnxModel.Parse(Google.Protobuf.MessageExtensions.ToByteArray(model), "test.onnx");
        static CompilationException Refused(OnnxModel model, string tensor) =>
            Assert.ThrowsExactly<CompilationException>(() => new ObservedNetwork(model, [tensor], NullLogger.Instance, CancellationToken.None).Dispose());
    }

    private static T Fails<T>(FloatGraph graph, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, int threads) where T : Exception =>
        Assert.ThrowsExactly<T>(() => Observe(graph, samples, new QaicOptions { ProfilingThreads = threads }));

    // for (i = 0; i < 2^62; i++) sum += x
    private static ModelProto Counting()
    {
        var body = new GraphProto { Name = "body" };
        body.Node.Add(Graphs.Node("Add", ["sum", "x"], ["more"]));
        body.Node.Add(Graphs.Node("Identity", ["go"], ["on"]));
        body.Input.Add([Graphs.Value("i", Graphs.Int64), Graphs.Value("go", Graphs.Bool), Graphs.Value("sum", Graphs.Float, 1, 1)]);
        body.Output.Add([Graphs.Value("on", Graphs.Bool), Graphs.Value("more", Graphs.Float, 1, 1)]);
        return Graphs.Model(
            [Graphs.Node("Loop", ["times", "", "x"], ["y"], new AttributeProto { Name = "body", G = body, Type = AttributeProto.Types.AttributeType.Graph })],
            [Graphs.Value("x", Graphs.Float, 1, 1)],
            [Graphs.Value("y", Graphs.Float, 1, 1)],
            new TensorProto { Name = "times", DataType = Graphs.Int64, Int64Data = { 1L << 62 } });
    }
}
