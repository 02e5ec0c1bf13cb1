using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Simulation;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>
/// What every table has to do with dimensions, and every session on it. The network computes one factor times x, on at most four floats; it takes [4], [2] and [1, 3].
/// A subclass chooses the library.
/// </summary>
public abstract class ShapesContract : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-shapes-");

    public TestContext TestContext { get; set; } = null!;

    private protected string Path => _directory.FullName;

    private protected abstract float Factor { get; }

    /// <summary>The platform, and a QPC of its network.</summary>
    private protected abstract (Platform Platform, string Qpc) Open(bool hasShapes, bool isPartial = false);

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    [TestMethod]
    public void An_execution_object_computes_each_set_in_its_own_shape()
    {
        using TableClient client = Client(hasShapes: true);
        TestExec exec = client.Exec(client.Program());
        foreach (uint[] dims in new uint[][] { [2], [4], [1, 3], [2] })
        {
            uint elements = dims.Aggregate((a, b) => a * b);
            exec.Input().Fill(elements);
            exec.Output().Fill(-77);
            TableClient.Check(SetData(exec, elements * 4, dims, elements * 4, dims));
            TableClient.Check(exec.Run(client.Queue));
            for (int i = 0; i < 4; i++)
            {
                Assert.AreEqual(i < elements ? Factor * elements : -77, exec.Output()[i], $"[{string.Join(", ", dims)}] at {i}");
            }
        }
    }

    [TestMethod]
    [DataRow(12u, new uint[] { 3 }, 12u, new uint[] { 3 })]
    [DataRow(12u, new uint[] { 3, 1 }, 12u, new uint[] { 3, 1 })]
    [DataRow(8u, new uint[] { 2 }, 16u, new uint[] { 4 })]
    [DataRow(16u, new uint[] { 2 }, 16u, new uint[] { 2 })]
    [DataRow(8u, new uint[] { 4 }, 16u, new uint[] { 4 })]
    [DataRow(0u, new uint[] { 0 }, 8u, new uint[] { 2 })]
    public void Dimensions_that_are_no_set_are_taken_and_fail_the_inference(uint inputBytes, uint[] input, uint outputBytes, uint[] output)
    {
        using TableClient client = Client(hasShapes: true);
        TestExec exec = client.Exec(client.Program());
        TableClient.Check(SetData(exec, inputBytes, input, outputBytes, output));
        TableClient.Check(exec.Enqueue(client.Queue));
        Assert.AreEqual(QStatus.DevError, exec.Wait());
        Assert.Contains("No matching", client.LastLog + string.Join('\n', client.Log.Select(l => l.Text)));
    }

    [TestMethod]
    public void Whole_buffers_without_dimensions_are_the_set_of_the_largest_shapes()
    {
        using TableClient client = Client(hasShapes: true);
        TestExec exec = client.Exec(client.Program());
        TableClient.Check(SetData(exec, 8, [2], 8, [2]));
        TableClient.Check(exec.SetData());
        exec.Input().Fill(3);
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(3 * Factor, exec.Output()[3]);
        Assert.AreEqual(QStatus.Inval, exec.SetData([exec.Buffers[0] with { Size = 8 }, exec.Buffers[1] with { Size = 8 }]));
    }

    [TestMethod]
    public unsafe void The_descriptor_lists_the_sets()
    {
        using TableClient client = Client(hasShapes: true);
        QData data;
        TableClient.Check(client.Api.ProgramGetIoDescriptor(client.Program(activate: false), &data));
        IoDescriptor io = IoDescriptor.Parse(new ReadOnlySpan<byte>(data.Data, (int)data.Size));
        Assert.AreEqual("4 4|2 2|1,3 1,3", string.Join('|', io.AllowedShapes.Select(set => string.Join(' ', set.Shapes.Select(s => string.Join(',', s.Dims))))));
    }

    [TestMethod]
    public void A_partial_input_is_followed_by_zeros_and_one_that_is_left_out_stays_what_it_was()
    {
        using TableClient client = Client(hasShapes: true, isPartial: true);
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(5);
        TableClient.Check(SetData(exec, 8, [4], 16, [4]));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new[] { 5 * Factor, 5 * Factor, 0, 0 }, exec.Output().ToArray());
        exec.Output().Fill(-77);
        TableClient.Check(SetData(exec, 0, [0], 12, [1, 3]));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new[] { 5 * Factor, 5 * Factor, 0, -77 }, exec.Output().ToArray());
    }

    [TestMethod]
    public void A_buffer_that_may_be_partial_is_so_by_its_size_alone_and_never_larger_than_declared()
    {
        using TableClient client = Client(hasShapes: false, isPartial: true);
        TestExec exec = client.Exec(client.Program());
        exec.Input().Fill(3);
        TableClient.Check(exec.SetData([exec.Buffers[0] with { Size = 8 }, exec.Buffers[1]]));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new[] { 3 * Factor, 3 * Factor, 0, 0 }, exec.Output().ToArray());
        exec.Input().Fill(7);
        TableClient.Check(exec.SetData([default, exec.Buffers[1]]));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new[] { 3 * Factor, 3 * Factor, 0, 0 }, exec.Output().ToArray());
        Assert.AreEqual(QStatus.Inval, exec.SetData([exec.Buffers[0] with { Size = 20 }, exec.Buffers[1]]));
        Assert.AreEqual(QStatus.Inval, exec.SetData([exec.Buffers[0] with { Size = 6 }, exec.Buffers[1]]), "not a whole number of elements");
    }

    [TestMethod]
    public async Task Tensors_of_any_set_run_side_by_side_and_outputs_have_their_shape()
    {
        await using Session session = OpenSession(hasShapes: true);
        Assert.AreEqual("x[4]; x[2]; x[1, 3]", string.Join("; ", session.AllowedShapes));
        Assert.AreEqual("y Float32[1, 3]", session.AllowedShapes[2].Outputs[0].ToString());
        Assert.AreEqual("x Float32[4]", session.Inputs[0].ToString());
        await Parallel.ForAsync(0, 600, TestContext.CancellationToken, async (i, cancel) =>
        {
            int[] shape = NativeFake.Shapes[i % 3];
            var x = Tensor.Create(Enumerable.Range(i, shape.Aggregate((a, b) => a * b)).Select(v => (float)v).ToArray(), shape);
            var inputs = new Dictionary<string, Tensor> { ["x"] = x };
            IReadOnlyDictionary<string, Tensor> outputs = i % 2 == 0 ? session.Run(inputs) : await session.RunAsync(inputs, cancel);
            Assert.AreEqual(x.ToString(), outputs["y"].ToString());
            CollectionAssert.AreEqual(x.ToArray<float>().Select(v => v * Factor).ToArray(), outputs["y"].ToArray<float>());
        });
    }

    [TestMethod]
    public void Shapes_that_no_set_has_are_refused_before_the_device_sees_them_with_the_list_of_sets()
    {
        using Session session = OpenSession(hasShapes: true);
        foreach (int[] shape in new int[][] { [3], [3, 1], [1, 1, 3], [8], [0] })
        {
            var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[shape.Aggregate((a, b) => a * b)], shape) };
            string message = Assert.ThrowsExactly<ArgumentException>(() => session.Run(inputs)).Message;
            Assert.Contains($"was not compiled for x[{string.Join(", ", shape)}]. It takes 3 sets of shapes: 0: x[4]; 1: x[2]; 2: x[1, 3].", message);
        }

        Assert.AreEqual(0, QaicHandle.Live, "nothing was loaded for them");
    }

    [TestMethod]
    public async Task Spans_find_their_set_by_length()
    {
        await using Session session = OpenSession(hasShapes: true);
        for (int i = 0; i < 50; i++)
        {
            int length = 2 + (i % 3);
            float[] x = [.. Enumerable.Range(i, length)], y = new float[length];
            if (i % 2 == 0)
            {
                session.Run<float, float>(x, y);
            }
            else
            {
                await session.RunAsync<float, float>(x, y, TestContext.CancellationToken);
            }

            CollectionAssert.AreEqual(x.Select(v => v * Factor).ToArray(), y);
        }

        string message = Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, float>(new float[1], new float[1])).Message;
        Assert.Contains("no input of 1 elements", message);
        Assert.Contains("x Float32[1, 3] (3) to y Float32[1, 3] (3)", message);
        Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, float>(new float[2], new float[4]));
    }

    [TestMethod]
    public void A_rented_slot_has_the_lengths_of_the_set_that_is_selected_and_forgets_it_when_it_is_given_back()
    {
        using Session session = OpenSession(hasShapes: true, setSize: 1);
        using (Inference inference = session.Rent())
        {
            Assert.AreEqual(4, inference.Input<float>(0).Length);
            inference.SelectShapes(2);
            Assert.AreEqual(3, inference.Input<float>(0).Length);
            inference.Input<float>(0).Fill(2);
            inference.Submit();
            inference.Wait();
            CollectionAssert.AreEqual(new[] { 2 * Factor, 2 * Factor, 2 * Factor }, inference.Output<float>(0).ToArray());
            inference.SelectShapes(1);
            Assert.ThrowsExactly<InvalidOperationException>(() => inference.OutputBytes(0).Length, "the outputs were of other shapes");
            Assert.AreEqual(8, inference.InputBytes(0).Length);
            string message = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => inference.SelectShapes(3)).Message;
            Assert.Contains("has 3 sets of shapes: 0: x[4]", message);
            Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => inference.SelectShapes(-1));
        }

        using Inference next = session.Rent();
        Assert.AreEqual(4, next.Input<float>(0).Length);
        next.Input<float>(0).Fill(1);
        next.Submit();
        Assert.ThrowsExactly<InvalidOperationException>(() => next.SelectShapes(1), "running");
        next.Wait();
        Assert.AreEqual(Factor, next.Output<float>(0)[3]);
    }

    [TestMethod]
    public void A_network_of_fixed_shapes_has_nothing_to_select()
    {
        using Session session = OpenSession(hasShapes: false);
        Assert.IsEmpty(session.AllowedShapes);
        using Inference inference = session.Rent();
        Assert.Contains("fixed shapes", Assert.ThrowsExactly<InvalidOperationException>(() => inference.SelectShapes(0)).Message);
        Assert.Contains("has to be whole", Assert.ThrowsExactly<ArgumentException>(() => inference.SetInputRows(0, 2)).Message);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void A_shorter_tensor_for_a_partial_input_travels_in_its_own_length(bool hasShapes)
    {
        using Session session = OpenSession(hasShapes, isPartial: true, setSize: 1);
        CollectionAssert.AreEqual(new[] { 7 * Factor, 7 * Factor, 7 * Factor, 7 * Factor }, Run(4));
        CollectionAssert.AreEqual(hasShapes ? [7 * Factor] : new[] { 7 * Factor, 0, 0, 0 }, Run(1)[..(hasShapes ? 1 : 4)]);

        // Left out: the device has what the last inference gave it.
        CollectionAssert.AreEqual(hasShapes ? [7 * Factor] : new[] { 7 * Factor, 0, 0, 0 }, Run(0)[..(hasShapes ? 1 : 4)]);
        CollectionAssert.AreEqual(new[] { 7 * Factor, 7 * Factor, 7 * Factor, 7 * Factor }, Run(4));
        var tooLong = new Dictionary<string, Tensor> { ["x"] = Tensor.Create(new float[5], 5) };
        Assert.ThrowsExactly<ArgumentException>(() => session.Run(tooLong));

        float[] Run(int rows)
        {
            float[] x = new float[rows];
            Array.Fill(x, 7);
            return session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Create(x, rows) })["y"].ToArray<float>();
        }
    }

    [TestMethod]
    public void A_span_for_a_partial_input_may_be_shorter()
    {
        using Session session = OpenSession(hasShapes: false, isPartial: true);
        float[] y = new float[4];
        session.Run<float, float>([1, 2, 3], y);
        CollectionAssert.AreEqual(new[] { Factor, 2 * Factor, 3 * Factor, 0 }, y);
        session.Run<float, float>([1, 2, 3, 4], y);
        Assert.AreEqual(4 * Factor, y[3]);
        Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, float>(new float[5], y));
        Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, float>(new float[3], new float[3]));
    }

    private protected TableClient Client(bool hasShapes, bool isPartial = false)
    {
        (Platform platform, string qpc) = Open(hasShapes, isPartial);
        return new TableClient(platform.Api, platform.FirstQid, qpc);
    }

    private protected Session OpenSession(bool hasShapes, bool isPartial = false, int setSize = 3)
    {
        (Platform platform, string qpc) = Open(hasShapes, isPartial);
        return new Session(qpc, new() { SetSize = setSize, NumActivations = setSize == 1 ? 1 : 2 }, platform);
    }

    private static unsafe QStatus SetData(TestExec exec, uint inputBytes, uint[] input, uint outputBytes, uint[] output)
    {
        QBuffer[] buffers = [exec.Buffers[0] with { Size = inputBytes }, exec.Buffers[1] with { Size = outputBytes }];
        fixed (uint* inputDims = input, outputDims = output)
        fixed (QBuffer* first = buffers)
        {
            QBufferDimensions* dims = stackalloc QBufferDimensions[2];
            dims[0] = new QBufferDimensions { Count = (uint)input.Length, SizeOfElem = 4, Dims = inputDims };
            dims[1] = new QBufferDimensions { Count = (uint)output.Length, SizeOfElem = 4, Dims = outputDims };
            return exec.SetDataExt(first, dims);
        }
    }
}

[TestClass]
public sealed class ShapesOnSimulator : ShapesContract
{
    private readonly DoublingEngine _engine = new();
    private readonly SimulatedPlatform _platform;

    public ShapesOnSimulator() => _platform = new SimulatedPlatform(new SimulatedPlatformOptions { Engine = _engine });

    private protected override float Factor => 2;

    [TestCleanup]
    public void Nothing_is_left_alive()
    {
        Assert.AreEqual(0, _platform.LiveObjects);
        Assert.AreEqual((0, 0), (_engine.LiveNetworks, _engine.LiveExecutions));
    }

    [TestMethod]
    public void A_set_that_does_not_fit_the_buffers_is_refused_as_damage()
    {
        foreach ((ShapeSet wrong, string word) in new[]
        {
            (TestQpc.Allow([5], [4]), "'x0' the shape [5] of 20 bytes, but its buffer has 16"),
            (TestQpc.Allow([4]), "lists 1 shapes; the network has 2"),
            (TestQpc.Allow([4], [-4]), "'y0' has the dimension -4"),
        })
        {
            string qpc = new TestQpc { Edit = n => n.AllowedShapes.Add(wrong) }.Write(Path);
            Assert.Contains(word, Assert.ThrowsExactly<QpcFormatException>(() => new Session(qpc, platform: _platform)).Message);
        }
    }

    [TestMethod]
    public void Where_the_largest_shapes_are_no_set_one_has_to_be_selected()
    {
        string qpc = new TestQpc { Tensors = 2, Edit = n => n.AllowedShapes.AddRange([TestQpc.Allow([4], [2], [4], [2]), TestQpc.Allow([1], [4], [1], [4])]) }.Write(Path);
        using var session = new Session(qpc, platform: _platform);
        using (Inference inference = session.Rent())
        {
            Assert.AreEqual(4, inference.Input<float>(1).Length);
            Assert.Contains("0: x0[4], x1[2]; 1: x0[1], x1[4]", Assert.ThrowsExactly<InvalidOperationException>(() => inference.Submit()).Message);
            inference.SelectShapes(1);
            inference.Input<float>(0).Fill(1);
            inference.Input<float>(1).Fill(3);
            inference.Submit();
            inference.Wait();
            CollectionAssert.AreEqual(new float[] { 2 }, inference.Output<float>(0).ToArray());
            CollectionAssert.AreEqual(new float[] { 6, 6, 6, 6 }, inference.Output<float>(1).ToArray());
        }

        IReadOnlyDictionary<string, Tensor> outputs = session.Run(new Dictionary<string, Tensor> { ["x0"] = Tensor.Create(new float[4], 4), ["x1"] = Tensor.Create(new float[2], 2) });
        Assert.AreEqual("Float32[4] Float32[2]", $"{outputs["y0"]} {outputs["y1"]}");
    }

    [TestMethod]
    public void Sets_of_equal_lengths_are_ambiguous_for_spans_and_not_for_tensors()
    {
        string qpc = new TestQpc { Edit = n => n.AllowedShapes.AddRange([TestQpc.Allow([4], [4]), TestQpc.Allow([2, 2], [2, 2])]) }.Write(Path);
        using var session = new Session(qpc, platform: _platform);
        Assert.Contains("2 sets of shapes", Assert.ThrowsExactly<ArgumentException>(() => session.Run<float, float>(new float[4], new float[4])).Message);
        Assert.AreEqual("Float32[2, 2]", session.Run(new Dictionary<string, Tensor> { ["x0"] = Tensor.Create(new float[4], 2, 2) })["y0"].ToString());
    }

    private protected override (Platform Platform, string Qpc) Open(bool hasShapes, bool isPartial = false) => (_platform, NativeFake.WriteQpc(Path, hasShapes, isPartial));
}

public abstract class ShapesOnNativeFake(params string[] switches) : ShapesContract
{
    private protected override float Factor => -1;

    private protected NativeFake? Fake { get; private set; }

    [TestCleanup]
    public void Nothing_is_left_alive() => Assert.AreEqual(0u, Fake?.LiveObjects ?? 0);

    [TestMethod]
    public void The_library_is_told_of_shapes_only_when_they_change()
    {
        using Session session = OpenSession(hasShapes: true, setSize: 1);
        session.Setup();
        uint before = Fake!.SetDataCalls;
        foreach (int length in new[] { 4, 4, 2, 2, 2, 3, 4, 4 })
        {
            session.Run<float, float>(new float[length], new float[length]);
        }

        Assert.AreEqual(3u, Fake.SetDataCalls - before);
    }

    [TestMethod]
    public void Runs_that_change_their_shapes_allocate_nothing()
    {
        using Session session = OpenSession(hasShapes: true, setSize: 1);
        float[] x = new float[4], y = new float[4];
        long least = long.MaxValue;
        for (int round = 0; round < 4; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 200; i++)
            {
                int length = 2 + (i % 3);
                session.Run<float, float>(x.AsSpan(0, length), y.AsSpan(0, length));
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.AreEqual(0, least, "bytes in 200 runs");
    }

    [TestMethod]
    public void A_refusal_of_the_dimensions_fails_the_run_and_the_next_one_tells_them_again()
    {
        using Session session = OpenSession(hasShapes: true, setSize: 1);
        session.Setup();
        Fake!.Fail("qaicExecObjSetDataExt", QStatus.NoMem);
        QaicException e = Assert.ThrowsExactly<QaicException>(() => session.Run<float, float>(new float[2], new float[2]));
        Assert.AreEqual(QaicError.OutOfDeviceMemory, e.Error);
        float[] y = new float[2];
        session.Run<float, float>([1, 2], y);
        CollectionAssert.AreEqual(new float[] { -1, -2 }, y);
    }

    private protected override (Platform Platform, string Qpc) Open(bool hasShapes, bool isPartial = false)
    {
        Fake = NativeFake.Build([.. switches, .. hasShapes ? ["FAKE_SHAPES"] : Array.Empty<string>(), .. isPartial ? ["FAKE_PARTIAL"] : Array.Empty<string>()]);
        return (Fake.Platform, NativeFake.WriteQpc(Path, hasShapes, isPartial));
    }
}

[TestClass]
public sealed class ShapesOnNativeFakeWith32BitCounts : ShapesOnNativeFake
{
    [TestMethod]
    public void A_library_that_cannot_be_told_dimensions_says_so_when_the_network_is_set_up()
    {
        var old = NativeFake.Build("FAKE_SHAPES", NativeFake.Without("qaicExecObjSetDataExt"));
        using var session = new Session(NativeFake.WriteQpc(Path, hasShapes: true), platform: old.Platform);
        QaicException e = Assert.ThrowsExactly<QaicException>(session.Setup);
        Assert.AreEqual(QaicError.NotSupported, e.Error);
        Assert.Contains("no qaicExecObjSetDataExt", e.Message);
        Assert.AreEqual(0u, old.LiveObjects);
    }

    [TestMethod]
    public void A_library_that_reports_other_sets_than_the_file_is_not_used()
    {
        var without = NativeFake.Build();
        using var session = new Session(NativeFake.WriteQpc(Path, hasShapes: true), platform: without.Platform);
        Assert.Contains("0: x[4]; 1: x[2]; 2: x[1, 3]", Assert.ThrowsExactly<QaicException>(session.Setup).Message);
        Assert.AreEqual(0u, without.LiveObjects);
    }
}

[TestClass]
public sealed class ShapesOnNativeFakeWith64BitCounts() : ShapesOnNativeFake("FAKE_WIDE");
