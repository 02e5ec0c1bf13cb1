using Qaic.Quantization;

namespace Qaic.Tests.Quantization;

[TestClass]
public sealed class QuantizationParametersTests
{
    [TestMethod]
    [DataRow(0.25f, (sbyte)10)]
    [DataRow(0.75f, (sbyte)12)]
    [DataRow(-0.26f, (sbyte)9)]
    [DataRow(1e30f, (sbyte)127)]
    [DataRow(float.NegativeInfinity, (sbyte)-128)]
    [DataRow(float.NaN, (sbyte)10)]
    public void A_number_becomes_the_nearest_integer_and_a_half_the_even_one(float value, sbyte integer) => Assert.AreEqual(integer, new QuantizationParameters(0.5f, 10).Quantize(value));

    [TestMethod]
    public void The_ends_are_what_the_outermost_integers_stand_for()
    {
        var parameters = new QuantizationParameters(0.5f, 28);
        Assert.AreEqual((-78, 49.5f), (parameters.Minimum, parameters.Maximum));
        Assert.AreEqual(-78, parameters.Dequantize(-128));
    }

    [TestMethod]
    public void Statistics_that_cannot_be_are_refused_by_name()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new TensorStatistics("conv:0", 1, 0, [])).Message, "'conv:0' is 1 to 0");
        Assert.ThrowsExactly<ArgumentException>(() => new TensorStatistics("conv:0", float.NaN, 0, []));
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new TensorStatistics("conv:0", 0, float.PositiveInfinity, [])).Message, "finite");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new TensorStatistics("conv:0", 0, 1, [1, -2])).Message, "counts -2");
        Assert.Contains("add up to more", Assert.ThrowsExactly<ArgumentException>(() => new TensorStatistics("conv:0", 0, 1, [1.7e308, 0, 1.7e308])).Message);
        Assert.ThrowsExactly<ArgumentException>(() => new TensorStatistics("", 0, 1, []));
        Assert.AreEqual(6, new TensorStatistics("conv:0", 0, 1, [1, 2, 3]).Total);
    }
}
