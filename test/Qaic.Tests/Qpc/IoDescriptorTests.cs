using System.Globalization;
using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

[TestClass]
public sealed class IoDescriptorTests
{
    [TestMethod]
    public void A_network_that_only_copies_has_the_users_view_and_the_devices() => AssertSets("simple", """
        default
          0 data In Float32[1,3,2,2] q 0,0 48 bytes
          1 ids In Int64[1,4] q 0,0 32 bytes
          2 prob Out Float32[1,10] q 0,0 40 bytes
        dma
          0 data In Float32[1,3,2,2] q 1,0 48 bytes; buffer 0 of 80 at 0
          1 ids In Int64[1,4] q 1,0 32 bytes; buffer 0 of 80 at 48
          2 prob Out Float32[1,10] q 1,0 40 bytes; buffer 1 of 40 at 0
        """);

    // Inputs as they are after a step, outputs as they are before it; what does not take part is as the user sees it, and not valid.
    [TestMethod]
    public void A_network_with_transforms_has_a_set_for_each_stage() => AssertSets("quant", """
        default
          0 img In Float32[1,2,2,3] q 0,0 48 bytes
          1 raw In Float16[1,6] q 0,0 12 bytes
          2 out Out Float32[1,5,2,2] q 0,0 80 bytes
        quantize
          0 img In Int8Q[1,2,2,3] q 0.5,-3 12 bytes
          1 raw In Float16[1,6] q 0,0 12 bytes; not valid
          2 out Out Int8Q[1,5,2,2] q 0.25,7 20 bytes
        transpose
          0 img In Int8Q[1,3,2,2] q 0.5,-3 12 bytes
          1 raw In Float16[1,6] q 0,0 12 bytes; not valid
          2 out Out Int8Q[1,2,2,5] q 0.25,7 20 bytes; buffer 1 of 20 at 0
        dma
          0 img In Int8Q[1,3,2,2] q 0.5,-3 12 bytes; buffer 0 of 24 at 0
          1 raw In Float16[1,6] q 1,0 12 bytes; buffer 0 of 24 at 12
          2 out Out Int8Q[1,2,2,5] q 0.25,7 20 bytes; buffer 1 of 20 at 0
        """);

    [TestMethod]
    public void Partial_inputs_are_marked_in_every_set() => AssertSets("partial", """
        default
          0 fixed In Int8[10] q 0,0 10 bytes
          1 p0 In Int32[16] q 0,0 64 bytes; partial
          2 p1 In Int8[100] q 0,0 100 bytes; partial
          3 o Out Float32[4] q 0,0 16 bytes
        dma
          0 fixed In Int8[10] q 0,0 10 bytes; buffer 0 of 256 at 16
          1 p0 In Int32[16] q 0,0 64 bytes; partial; buffer 0 of 256 at 0
          2 p1 In Int8[100] q 0,0 100 bytes; partial; buffer 0 of 256 at 8
          3 o Out Float32[4] q 0,0 16 bytes; buffer 1 of 16 at 0
        """);

    [TestMethod]
    public void All_six_stages_come_in_the_runtimes_order()
    {
        var network = new NetworkDescriptor();
        network.DmaBuffers.Add(new DmaBuffer { Size = 64 });
        NetworkBinding binding = NetworkDescriptorTests.Binding("x", ElementType.Float32, [4]);
        binding.Transforms.AddRange(Enum.GetValues<TransformKind>().Where(k => k is not (TransformKind.FromD32 or TransformKind.Dequantize)).Reverse().Select(k => new Transform { Kind = k }));
        binding.Transforms[0].CopyDmaBuffer = new DmaCopy();
        network.Inputs.Add(binding);
        Assert.AreEqual("default quantize transpose d32convert convert dma", string.Join(' ', IoDescriptor.FromNetwork(network).Sets.Select(s => s.Name)));
    }

    [TestMethod]
    public void The_selected_set_is_a_copy_of_the_default_one()
    {
        IoDescriptor io = IoDescriptor.FromNetwork(QpcData.Descriptor("simple"));
        Assert.AreEqual(Print(io.Sets[0]), Print(io.SelectedSet));
        io.SelectedSet.Bindings[0].Dims.Add(1);
        Assert.AreNotEqual(Print(io.Sets[0]), Print(io.SelectedSet));
    }

    [TestMethod]
    public void Dma_buffers_and_allowed_shapes_are_taken_over()
    {
        NetworkDescriptor network = QpcData.Descriptor("simple");
        network.AllowedShapes.Add(new ShapeSet { Shapes = { new TensorShape { Type = ElementType.Int64, Dims = { 1, 2 } } } });
        IoDescriptor io = IoDescriptor.FromNetwork(network);
        Assert.AreEqual("0 80 In|1 40 Out", string.Join('|', io.DmaBuffers.Select(b => $"{b.Index} {b.Size} {b.Direction}")));
        network.AllowedShapes[0].Shapes[0].Dims.Clear();
        TensorShape shape = io.AllowedShapes.Single().Shapes.Single();
        Assert.AreEqual("Int64 1,2", $"{shape.Type} {string.Join(',', shape.Dims)}");
    }

    [TestMethod]
    public void A_derived_descriptor_survives_the_wire()
    {
        byte[] bytes = IoDescriptor.FromNetwork(QpcData.Descriptor("quant")).ToBytes();
        IoDescriptor read = IoDescriptor.Parse(bytes);
        CollectionAssert.AreEqual(IoDescriptor.FromNetwork(QpcData.Descriptor("quant")).Sets.Select(Print).ToArray(), read.Sets.Select(Print).ToArray());
        CollectionAssert.AreEqual(bytes, read.ToBytes());
    }

    // The vendor's runtime reads the element before the first here.
    [TestMethod]
    [DataRow(TransformKind.Dequantize)]
    [DataRow(TransformKind.Transpose)]
    [DataRow(TransformKind.FromD32)]
    [DataRow(TransformKind.Convert)]
    public void An_output_that_begins_with_a_step_is_refused(TransformKind kind)
    {
        NetworkDescriptor network = QpcData.Descriptor("simple");
        network.Outputs[0].Transforms.Insert(0, new Transform { Kind = kind });
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => IoDescriptor.FromNetwork(network)).Message, $"Output 'prob' begins with the transform {kind}");
    }

    [TestMethod]
    public void A_copy_into_a_buffer_that_is_not_there_is_refused()
    {
        NetworkDescriptor network = QpcData.Descriptor("simple");
        network.Inputs[1].Transforms[0].CopyDmaBuffer!.BufferNumber = 2;
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(() => IoDescriptor.FromNetwork(network)).Message, "'ids' lies in DMA buffer 2; the network has 2");
    }

    // The runtime wraps around (65536 x 65536 floats are 0 bytes there, -1 x 4 are 4294967280); a size that lies is refused here.
    [TestMethod]
    [DataRow(ElementType.Float32, new[] { 65536, 65536 }, "larger than the 4 GiB")]
    [DataRow(ElementType.Int8, new[] { 65536, 65536 }, "larger than the 4 GiB")]
    [DataRow(ElementType.Int64, new[] { int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue }, "larger than the 4 GiB")]
    [DataRow(ElementType.Float32, new[] { -1, 4 }, "dimension -1")]
    [DataRow((ElementType)255, new[] { 1 }, "data type 255")]
    [DataRow((ElementType)(-1), new[] { 1 }, "data type -1")]
    public void A_size_that_cannot_be_said_is_refused(ElementType type, int[] dims, string reason)
    {
        var network = new NetworkDescriptor();
        network.Inputs.Add(NetworkDescriptorTests.Binding("x", type, dims));
        var e = Assert.ThrowsExactly<QpcFormatException>(() => IoDescriptor.FromNetwork(network));
        StringAssert.Contains(e.Message, "'x'");
        StringAssert.Contains(e.Message, reason);
    }

    [TestMethod]
    [DataRow(ElementType.Float32, new int[0], 4u, "x Float32[]")]
    [DataRow(ElementType.Float32, new[] { 0, 4 }, 16u, "x Float32[1, 4]")]
    [DataRow(ElementType.Float32, new[] { 0 }, 4u, "x Float32[1]")]
    [DataRow(ElementType.Int8, new[] { 65535, 65537 }, uint.MaxValue, "x Int8[65535, 65537]")]
    [DataRow(ElementType.BFloat16, new[] { 2, 3 }, 12u, "x BFloat16[2, 3]")]
    public void A_tensor_of_the_host_fills_its_buffer(ElementType type, int[] dims, uint size, string expected)
    {
        var network = new NetworkDescriptor();
        network.Inputs.Add(NetworkDescriptorTests.Binding("x", type, dims));
        IoBinding binding = IoDescriptor.FromNetwork(network).SelectedSet.Bindings.Single();
        Assert.AreEqual(size, binding.Size);
        Assert.AreEqual(expected, binding.ToTensorSpec().ToString());
        Assert.AreEqual(size, binding.ToTensorSpec().ByteLength);
    }

    [TestMethod]
    public void A_tensor_of_the_host_carries_quantization_and_partiality()
    {
        var binding = new IoBinding { Name = "q", Type = ElementType.UInt8Q, Dims = { 3 }, Size = 3, QuantScale = 0.5f, QuantOffset = 9, IsPartialBufferAllowed = true };
        Assert.AreEqual(new TensorSpec("q", ElementType.UInt8Q, [3]) { Scale = 0.5f, Offset = 9, IsPartialAllowed = true }, binding.ToTensorSpec());
        binding.Size = 4;
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(binding.ToTensorSpec).Message, "has 3 bytes, but its descriptor says 4");
    }

    private static void AssertSets(string network, string expected) =>
        Assert.AreEqual(expected, string.Join('\n', IoDescriptor.FromNetwork(QpcData.Descriptor(network)).Sets.Select(Print)));

    private static string Print(IoSet set) => string.Join("\n  ", set.Bindings.Select(b => string.Create(CultureInfo.InvariantCulture,
        $"{b.Index} {b.Name} {b.Direction} {b.Type}[{string.Join(',', b.Dims)}] q {b.QuantScale},{b.QuantOffset} {b.Size} bytes{Flags(b)}")).Prepend(set.Name));

    private static string Flags(IoBinding b) =>
        (b.IsPartialBufferAllowed ? "; partial" : "") + (b.IsValid ? "" : "; not valid") +
        string.Concat(b.DmaBufferInfos.Select(d => $"; buffer {d.BufferIndex} of {d.Size} at {d.BufferOffset}{(d.BindingOffset == 0 ? "" : "?")}"));
}
