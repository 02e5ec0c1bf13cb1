using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

[TestClass]
public sealed class NetworkDescriptorTests
{
    [TestMethod]
    [DataRow("simple")]
    [DataRow("quant")]
    [DataRow("partial")]
    public void A_descriptor_says_what_its_text_says(string name) =>
        Assert.AreEqual(TextFormat.Canonical(QpcData.DescriptorText(name)), TextFormat.Print(QpcData.Descriptor(name)));

    [TestMethod]
    public void The_comparison_of_texts_sees_a_difference()
    {
        string text = QpcData.DescriptorText("quant");
        foreach ((string old, string changed) in new[] { ("offset: 12", "offset: 13"), ("[0, 3, 1, 2]", "[0, 3, 2, 1]"), ("size: 20", "size: 21"), ("0.25 offset", "0.5 offset"), ("kind: Tr", "kind: tr") })
        {
            Assert.AreNotEqual(TextFormat.Canonical(text), TextFormat.Canonical(text.Replace(old, changed, StringComparison.Ordinal)), old);
        }
    }

    [TestMethod]
    [DataRow("simple")]
    [DataRow("quant")]
    [DataRow("partial")]
    public void A_descriptor_is_written_byte_for_byte_as_it_was_read(string name) =>
        Assert.AreEqual(Convert.ToHexString(QpcData.DescriptorBytes(name)), Convert.ToHexString(QpcData.Descriptor(name).ToBytes()));

    [TestMethod]
    public void An_empty_descriptor_is_all_zeros()
    {
        NetworkDescriptor network = NetworkDescriptor.Parse([]);
        Assert.AreEqual(0u, network.MajorVersion);
        Assert.IsEmpty(network.Inputs);
        Assert.IsEmpty(network.ToBytes());
    }

    [TestMethod]
    public void Dma_places_are_64_byte_aligned_in_one_buffer_per_direction()
    {
        NetworkDescriptor network = QpcData.Descriptor("simple");
        network.AssignDmaBuffers();
        Assert.AreEqual("In 0 0|In 64 0|Out 0 1", string.Join('|', network.Inputs.Concat(network.Outputs).Select(b => Place(b.Transforms.Single()))));
        Assert.AreEqual("96 In|40 Out", string.Join('|', network.DmaBuffers.Select(b => $"{b.Size} {b.Direction}")));
    }

    [TestMethod]
    public void Apart_from_alignment_the_assigned_copies_are_the_compilers()
    {
        NetworkDescriptor network = QpcData.Descriptor("simple");
        network.AssignDmaBuffers();
        network.Inputs[1].Transforms[0].CopyDmaBuffer!.Offset = 48;
        network.DmaBuffers[0].Size = 80;
        Assert.AreEqual(TextFormat.Canonical(QpcData.DescriptorText("simple")), TextFormat.Print(network));
    }

    [TestMethod]
    public void Assigned_copies_carry_the_quantization()
    {
        var network = new NetworkDescriptor();
        network.Outputs.Add(Binding("q", ElementType.Int8Q, [2, 3], scale: 0.25f, offset: -7));
        network.AssignDmaBuffers();
        Transform copy = network.Outputs[0].Transforms.Single();
        Assert.AreEqual((ElementType.Int8Q, 0.25f, -7, "2,3"), (copy.Type, copy.Scale, copy.Offset, string.Join(',', copy.Dims)));
        Assert.AreEqual((6u, DmaDirection.Out), (network.DmaBuffers.Single().Size, network.DmaBuffers.Single().Direction));
    }

    [TestMethod]
    public void A_binding_that_needs_more_than_a_copy_gets_no_place()
    {
        NetworkDescriptor network = QpcData.Descriptor("quant");
        var e = Assert.ThrowsExactly<InvalidOperationException>(network.AssignDmaBuffers);
        StringAssert.Contains(e.Message, "'img' is Float32[1, 2, 2, 3] before and Int8Q[1, 3, 2, 2] after");
    }

    [TestMethod]
    public void Tensors_beyond_4_GiB_in_one_direction_get_no_place()
    {
        var network = new NetworkDescriptor();
        network.Inputs.Add(Binding("a", ElementType.Float32, [1 << 29]));
        network.Inputs.Add(Binding("b", ElementType.Float32, [1 << 29]));
        network.Inputs.Add(Binding("c", ElementType.Float32, [1]));
        StringAssert.Contains(Assert.ThrowsExactly<QpcFormatException>(network.AssignDmaBuffers).Message, "ends at 4 GiB");
    }

    internal static NetworkBinding Binding(string name, ElementType type, int[] dims, float scale = 0, int offset = 0)
    {
        var binding = new NetworkBinding { Name = name };
        foreach (TensorDescriptor side in new[] { binding.Initial, binding.Transformed })
        {
            (side.Type, side.Scale, side.Offset) = (type, scale, offset);
            side.Dims.AddRange(dims);
        }

        return binding;
    }

    private static string Place(Transform transform) => $"{transform.CopyDmaBuffer!.Direction} {transform.CopyDmaBuffer.Offset} {transform.CopyDmaBuffer.BufferNumber}";
}
