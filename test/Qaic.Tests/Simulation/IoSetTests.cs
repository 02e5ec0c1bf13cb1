using System.Runtime.InteropServices;
using Qaic.Interop;
using Qaic.Qpc;
using Qaic.Tests.Support;

namespace Qaic.Tests.Simulation;

/// <summary>What an I/O set leaves to the host, and what the simulated card does itself. The engine doubles real numbers, whatever their types on the card.</summary>
[TestClass]
public sealed class IoSetTests : SimulatedMachineTest
{
    // The input's codes: 0.5 × (q + 3); the output's: 0.25 × (q - 10).
    private static readonly TestQpc s_quantized = new()
    {
        Edit = network =>
        {
            Steps(network.Inputs[0], Step(TransformKind.Quantize, ElementType.Int8Q, 0.5f, -3), Copy(0, ElementType.Int8Q, 0.5f, -3));
            Steps(network.Outputs[0], Copy(1, ElementType.UInt8Q, 0.25f, 10), Step(TransformKind.Dequantize, ElementType.Float32));
        },
    };

    [TestMethod]
    public void In_the_default_set_the_host_gives_and_gets_real_numbers()
    {
        using TableClient client = Client(s_quantized);
        TestExec exec = Exec(client, "default");

        // 1.3 / 0.5 - 3 rounds to code 0, which is 1.5. 0.75 / 0.5 - 3 lies half way and goes to the even code -2, which is 0.5. What is too large becomes 65, and 2 × 65 is the output's largest. NaN is 0.
        new float[] { 1.3f, 0.75f, 1e9f, float.NaN }.CopyTo(exec.Input());
        TableClient.Check(exec.SetData());
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new[] { 3f, 1f, 61.25f, 0f }, exec.Output().ToArray());
    }

    [TestMethod]
    [DataRow("quantize")]
    [DataRow("dma")]
    public void In_the_sets_quantize_and_dma_the_host_gives_and_gets_codes(string set)
    {
        using TableClient client = Client(s_quantized);
        TestExec exec = Exec(client, set);
        new sbyte[] { 0, -3, 127, -128 }.CopyTo(MemoryMarshal.Cast<float, sbyte>(exec.Input()));
        Assert.AreEqual(QStatus.Inval, exec.SetData(), "buffers of the default set's size");
        Assert.Contains("Int8Q[4]", client.LastLog);
        TableClient.Check(exec.SetData([exec.Buffers[0] with { Size = 4 }, exec.Buffers[1] with { Size = 4 }]));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new byte[] { 22, 10, 255, 0 }, MemoryMarshal.AsBytes(exec.Output())[..4].ToArray());
    }

    [TestMethod]
    public unsafe void Zero_copy_buffers_hold_the_cards_types()
    {
        using TableClient client = Client(s_quantized);
        LentExec exec = LentExec.Create(client, client.Program());
        new sbyte[] { 0, -3, 127, -128 }.CopyTo(new Span<sbyte>(exec.Buffers[0].Buf, 4));
        TableClient.Check(exec.Run(client.Queue));
        CollectionAssert.AreEqual(new byte[] { 22, 10, 255, 0 }, new Span<byte>(exec.Buffers[1].Buf, 4).ToArray());
    }

    [TestMethod]
    public void Each_step_rounds_in_its_own_way()
    {
        // 1535.5 is no float16: it becomes 1536, which is half way between codes 1 and 2 and goes to the even one. Straight from float32 it would be code 1.
        using TableClient client = Client(new TestQpc
        {
            Edit = network => Steps(
                network.Inputs[0], Step(TransformKind.Convert, ElementType.Float16), Step(TransformKind.Quantize, ElementType.UInt8Q, 1024), Copy(0, ElementType.UInt8Q, 1024)),
        });
        TestExec exec = Exec(client, "default");
        exec.Input().Fill(1535.5f);
        TableClient.Check(exec.SetData());
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(4096, exec.Output()[0]);

        // The host's side is between the two steps.
        TestExec half = Exec(client, "convert");
        MemoryMarshal.Cast<float, Half>(half.Input())[..4].Fill((Half)1400);
        TableClient.Check(half.SetData([half.Buffers[0] with { Size = 8 }, half.Buffers[1]]));
        TableClient.Check(half.Run(client.Queue));
        Assert.AreEqual(2048, half.Output()[3]);
    }

    [TestMethod]
    [DataRow(TransformKind.Transpose, "transpose")]
    [DataRow(TransformKind.ToD32, "d32convert")]
    public void Transforms_that_are_not_done_are_refused_by_name_where_the_set_leaves_them_to_the_card(TransformKind kind, string set)
    {
        using TableClient client = Client(new TestQpc { Edit = n => Steps(n.Inputs[0], Step(kind, ElementType.Float32), Copy(0, ElementType.Float32)) });
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        Assert.AreEqual(QStatus.Inval, client.CreateExecObj(program, io, out _));
        Assert.Contains($"Input 'x0' needs the transforms {kind}, CopyDmaBuffer: the simulated card does no {kind}. Select the I/O set 'dma'", client.LastLog);

        // The host does them in these.
        foreach (string name in new[] { set, "dma" })
        {
            TestExec exec = Exec(client, name);
            exec.Input().Fill(4);
            TableClient.Check(exec.SetData());
            TableClient.Check(exec.Run(client.Queue));
            Assert.AreEqual(8, exec.Output()[0]);
        }
    }

    [TestMethod]
    public void Conversions_between_types_that_are_not_known_are_refused()
    {
        using TableClient client = Client(new TestQpc
        {
            Edit = network =>
            {
                network.Inputs[0].Initial.Type = ElementType.Int64;
                Steps(network.Inputs[0], Step(TransformKind.Convert, ElementType.Int32), Copy(0, ElementType.Int32));
            },
        });
        nint program = client.Program();
        Assert.AreEqual(QStatus.Inval, client.CreateExecObj(program, client.Descriptor(program), out _));
        Assert.Contains("Convert from x0 Int64[4] to x0 Int32[4] is not known", client.LastLog);
    }

    [TestMethod]
    public void A_selected_set_that_is_not_the_programs_is_refused()
    {
        using TableClient client = Client(s_quantized);
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        io.SelectedSet.Bindings[0].Size = 8;
        Assert.AreEqual(QStatus.Inval, client.CreateExecObj(program, io, out _));
        Assert.Contains("The bindings of the selected I/O set 'default' are not the program's.", client.LastLog);
        io.SelectedSet.Name = "nonsense";
        Assert.AreEqual(QStatus.Inval, client.CreateExecObj(program, io, out _));
        Assert.Contains("selects the set 'nonsense'; the program has 'default', 'quantize', 'dma'.", client.LastLog);
    }

    [TestMethod]
    public void Converted_tensors_are_given_whole_or_left_out()
    {
        using TableClient client = Client(s_quantized with { Edit = n => { s_quantized.Edit!(n); n.Inputs[0].IsPartialAllowed = true; } });
        TestExec exec = Exec(client, "default");
        exec.Input().Fill(1);
        TableClient.Check(exec.SetData());
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(QStatus.Inval, exec.SetData([exec.Buffers[0] with { Size = 8 }, exec.Buffers[1]]));
        Assert.Contains("converts whole buffers", client.LastLog);
        exec.Input().Fill(5);
        TableClient.Check(exec.SetData([default, exec.Buffers[1]]));
        exec.Output().Clear();
        TableClient.Check(exec.Run(client.Queue));
        Assert.AreEqual(2, exec.Output()[0], "the card keeps what it had");
    }

    [TestMethod]
    public unsafe void Dimensions_of_converted_tensors_are_those_of_the_host()
    {
        using TableClient client = Client(s_quantized);
        TestExec exec = Exec(client, "default");
        exec.Input().Fill(2);
        uint dim = 4;
        QBufferDimensions* dims = stackalloc QBufferDimensions[2];
        foreach ((uint size, QStatus expected) in new[] { (4u, QStatus.Success), (1u, QStatus.DevError) })
        {
            dims[0] = dims[1] = new QBufferDimensions { Count = 1, SizeOfElem = size, Dims = &dim };
            fixed (QBuffer* buffers = exec.Buffers)
            {
                TableClient.Check(exec.SetDataExt(buffers, dims));
            }

            Assert.AreEqual(expected, exec.Run(client.Queue));
        }

        Assert.AreEqual(4, exec.Output()[0]);
    }

    [TestMethod]
    public void Sets_of_shapes_and_conversions_together_are_refused()
    {
        using TableClient client = Client(s_quantized with { Edit = n => { s_quantized.Edit!(n); n.AllowedShapes.AddRange([TestQpc.Allow([4], [4]), TestQpc.Allow([2], [2])]); } });
        nint program = client.Program();
        Assert.AreEqual(QStatus.Inval, client.CreateExecObj(program, client.Descriptor(program), out _));
        Assert.Contains("The network has 2 sets of shapes, and its elements are converted on the way", client.LastLog);
        Assert.IsNotNull(Exec(client, "dma"));
    }

    [TestMethod]
    public unsafe void The_buffer_info_is_the_users_side()
    {
        using TableClient client = Client(s_quantized);
        QAicIoBufferInfo* info;
        TableClient.Check(Api.ProgramGetIoBufferInfo(client.Program(), &info));
        Assert.AreEqual((16u, (uint)ElementType.Float32), (info->BufferMappings[0].Size, info->BufferMappings[0].DataType));
        Assert.AreEqual((16u, (uint)ElementType.Float32), (info->BufferMappings[1].Size, info->BufferMappings[1].DataType));
    }

    [TestMethod]
    public void A_network_whose_copies_are_not_at_the_cards_end_is_refused_in_every_set()
    {
        using TableClient client = Client(new TestQpc { Edit = n => Steps(n.Outputs[0], Copy(1, ElementType.Float32), Copy(1, ElementType.Float32)) });
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        foreach (IoSet set in io.Sets)
        {
            io.SelectedSet = set;
            Assert.AreEqual(QStatus.Inval, client.CreateExecObj(program, io, out _), set.Name);
            Assert.Contains("Output 'y0' needs the transforms CopyDmaBuffer, CopyDmaBuffer", client.LastLog);
        }
    }

    private TestExec Exec(TableClient client, string set)
    {
        nint program = client.Program();
        IoDescriptor io = client.Descriptor(program);
        io.SelectedSet = io.Sets.Single(s => s.Name == set);
        Assert.AreEqual(QStatus.Success, client.CreateExecObj(program, io, out nint handle), client.LastLog);
        return new TestExec(Api, handle, tensors: 1, elements: 4);
    }

    private static void Steps(NetworkBinding binding, params Transform[] steps)
    {
        binding.Transforms.Clear();
        binding.Transforms.AddRange(steps);
    }

    private static Transform Step(TransformKind kind, ElementType type, float scale = 0, int offset = 0)
    {
        Transform step = new() { Kind = kind, Type = type, Scale = scale, Offset = offset };
        step.Dims.Add(4);
        return step;
    }

    private static Transform Copy(uint buffer, ElementType type, float scale = 0, int offset = 0)
    {
        Transform copy = Step(TransformKind.CopyDmaBuffer, type, scale, offset);
        copy.CopyDmaBuffer = new DmaCopy { Direction = buffer == 0 ? DmaDirection.In : DmaDirection.Out, BufferNumber = buffer };
        return copy;
    }
}
