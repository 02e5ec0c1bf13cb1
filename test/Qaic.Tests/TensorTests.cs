namespace Qaic.Tests;

[TestClass]
public sealed class TensorTests
{
    [TestMethod]
    public void A_tensor_shares_the_callers_array()
    {
        float[] data = [1, 2, 3, 4, 5, 6];
        Tensor tensor = Tensor.Create(data, 2, 3);
        tensor.AsSpan<float>()[5] = 60;
        Assert.AreEqual(60, data[5]);
        Assert.AreEqual("Float32[2, 3]", tensor.ToString());
    }

    [TestMethod]
    public void A_shape_that_does_not_fit_the_array_is_refused_with_both_numbers()
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => Tensor.Create(new float[5], 2, 3));
        StringAssert.Contains(e.Message, "[2, 3] has 6 elements; the array has 5");
    }

    [TestMethod]
    public void A_negative_dimension_is_refused()
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => Tensor.Create(new float[6], -2, -3));
        StringAssert.Contains(e.Message, "negative");
    }

    [TestMethod]
    public void A_type_without_a_buffer_on_the_card_is_refused_by_name()
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => Tensor.Create(new double[2]));
        StringAssert.Contains(e.Message, "Double");
    }

    [TestMethod]
    public void Reading_another_type_than_the_tensor_holds_is_refused()
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => Tensor.Create(new float[2]).AsSpan<int>());
        StringAssert.Contains(e.Message, "holds Float32 (Single), not Int32");
    }

    [TestMethod]
    public void Booleans_travel_as_bytes()
    {
        Tensor tensor = Tensor.Create([true, false, true]);
        Assert.AreEqual(ElementType.UInt8, tensor.ElementType);
        CollectionAssert.AreEqual(new byte[] { 1, 0, 1 }, tensor.ToArray<byte>());
        CollectionAssert.AreEqual(new[] { true, false, true }, tensor.ToArray<bool>());
    }

    [TestMethod]
    public void A_scalar_has_one_element_and_no_dimensions()
    {
        Tensor tensor = Tensor.Scalar((Half)2.5f);
        Assert.AreEqual(1, tensor.Length);
        Assert.AreEqual(0, tensor.Shape.Length);
        Assert.AreEqual((Half)2.5f, tensor.AsSpan<Half>()[0]);
    }

    [TestMethod]
    public void Every_element_type_has_a_size_and_a_clr_type_of_that_size()
    {
        foreach (ElementType type in Enum.GetValues<ElementType>())
        {
            Tensor zeros = Tensor.Zeros(new TensorSpec("t", type, [3]));
            Assert.AreEqual(3 * type.SizeInBytes(), zeros.Bytes.Length, $"{type}");
        }

        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ((ElementType)77).SizeInBytes());
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => ((ElementType)77).ClrType());
    }

    [TestMethod]
    public void Specs_with_the_same_facts_are_equal()
    {
        var spec = new TensorSpec("x", ElementType.Float32, [2, 3]);
        Assert.AreEqual(spec, new TensorSpec("x", ElementType.Float32, [2, 3]));
        Assert.AreNotEqual(spec, new TensorSpec("x", ElementType.Float32, [3, 2]));
        Assert.AreNotEqual(spec, spec with { Scale = 0.5f });
        Assert.AreEqual(24, spec.ByteLength);
    }
}
