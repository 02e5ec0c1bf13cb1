using Qaic.Quantization;

namespace Qaic.Tests.Quantization;

[TestClass]
public sealed class WeightQuantizationTests
{
    private const int Lowest = -(1 << 29), Highest = (1 << 29) - 1;

    [TestMethod]
    [DataRow(0, new float[] { 5, 11 })]
    [DataRow(1, new float[] { 7, 9, 11 })]
    [DataRow(-1, new float[] { 10, 11 })]
    public void Each_slice_along_an_axis_has_the_scale_of_its_own_values(int axis, float[] largest)
    {
        float[] values = [.. Enumerable.Range(0, 12).Select(i => (float)i)];
        QuantizationParameters[] actual = WeightQuantization.Choose(values, [2, 3, 2], axis, QuantizationSchema.Symmetric);
        CollectionAssert.AreEqual(largest.Select(l => Calibrator.Choose(0, l, QuantizationSchema.Symmetric)).ToArray(), actual);
    }

    [TestMethod]
    public void A_weight_without_axis_has_one_scale_by_its_schema()
    {
        Assert.AreEqual(Calibrator.Choose(-1, 3, QuantizationSchema.Asymmetric), WeightQuantization.Choose([-1, 2, 3], [3], null, QuantizationSchema.Asymmetric).Single());
        Assert.AreEqual(-128, WeightQuantization.Choose([1, 2, 3], [3], null, QuantizationSchema.SymmetricWithUInt8).Single().Offset);
        Assert.AreEqual(0.1f, WeightQuantization.Choose([], [0, 3], null, QuantizationSchema.Symmetric).Single().Scale);
        Assert.AreEqual(1 / 127f, WeightQuantization.Choose([1], [], null, QuantizationSchema.Symmetric).Single().Scale);
    }

    [TestMethod]
    [DataRow(QuantizationSchema.Asymmetric)]
    [DataRow(QuantizationSchema.SymmetricWithUInt8)]
    [DataRow(QuantizationSchema.Symmetric)]
    [DataRow(QuantizationSchema.SymmetricWithPower2Scale)]
    public void Per_slice_there_are_no_offsets(QuantizationSchema schema)
    {
        QuantizationParameters[] actual = WeightQuantization.Choose([1, 2, 3, -4, -5, 6, 0, 0, 0], [3, 3], 0, schema);
        Assert.HasCount(3, actual);
        Assert.IsTrue(actual.All(p => p.Offset == 0));
    }

    [TestMethod]
    public void Integers_stand_for_their_weights_to_half_a_step_along_every_axis()
    {
        var random = new Random(2);
        int[] shape = [3, 4, 5, 2];
        float[] values = [.. Enumerable.Range(0, 120).Select(i => (random.NextSingle() - 0.5f) * MathF.Pow(10, i % 4))];
        foreach (int? axis in (int?[])[null, 0, 1, 2, 3, -2])
        {
            QuantizationParameters[] parameters = WeightQuantization.Choose(values, shape, axis, QuantizationSchema.Symmetric);
            QuantizedConstant constant = WeightQuantization.Quantize(values, shape, axis, parameters);
            for (int i = 0; i < values.Length; i++)
            {
                int slice = axis switch { null => 0, 0 => i / 40, 1 => i / 10 % 4, 2 or -2 => i / 2 % 5, _ => i % 2 };
                Assert.AreEqual(values[i], parameters[slice].Dequantize(constant.Values[i]), parameters[slice].Scale * 0.5001f, $"element {i}, axis {axis}");
            }
        }
    }

    [TestMethod]
    public void A_shape_an_axis_or_a_number_that_does_not_fit_is_refused_by_name()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.Choose(new float[5], [2, 3], null, QuantizationSchema.Symmetric)).Message, "5 values; its shape [2, 3]");
        Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.Choose(new float[6], [-2, -3], null, QuantizationSchema.Symmetric));
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => WeightQuantization.Choose(new float[6], [2, 3], 2, QuantizationSchema.Symmetric)).Message, "axes 0 to 1");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.Choose([1, 2, 3, float.NaN], [2, 2], 0, QuantizationSchema.Symmetric)).Message, "Value 3 of the weight is NaN");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.Quantize(new float[6], [2, 3], 1, new QuantizationParameters[2])).Message, "2 parameters for 3 slices");
    }

    [TestMethod]
    public void A_bias_is_rounded_at_the_product_of_the_scales()
    {
        QuantizationParameters[] weights = [new(0.5f, 0), new(0.25f, 0)];
        CollectionAssert.AreEqual((int[])[4, -16], WeightQuantization.QuantizeBias([1, -2], weights, 0.5f, BiasPrecision.Int32));
        CollectionAssert.AreEqual((int[])[4, -8], WeightQuantization.QuantizeBias([1.1f, -2], weights.AsSpan(0, 1), 0.5f, BiasPrecision.Int32));
    }

    [TestMethod]
    public void A_bias_of_eight_bits_has_its_own_scale_first()
    {
        // One scale for all: 127 / 127 = 1. Each channel its own: exact.
        CollectionAssert.AreEqual((int[])[12700, 100], WeightQuantization.QuantizeBias([127, 1.4f], [new(0.1f, 0)], 0.1f, BiasPrecision.Int8));
        CollectionAssert.AreEqual((int[])[12700, 140], WeightQuantization.QuantizeBias([127, 1.4f], [new(0.1f, 0), new(0.1f, 0)], 0.1f, BiasPrecision.Int8));
    }

    [TestMethod]
    public void A_bias_that_fits_leaves_the_weights_alone()
    {
        QuantizationParameters[] weights = [new(0.01f, 0), new(1e-20f, 0)];
        WeightQuantization.FitBias(weights, [100, 0], 0.1f, BiasPrecision.Int32);
        CollectionAssert.AreEqual((QuantizationParameters[])[new(0.01f, 0), new(1e-20f, 0)], weights);
    }

    [TestMethod]
    [DataRow(BiasPrecision.Int32)]
    [DataRow(BiasPrecision.Int8)]
    public void The_scale_of_weights_whose_bias_would_overflow_is_raised_as_little_as_needed(BiasPrecision precision)
    {
        var random = new Random(4);
        for (int i = 0; i < 500; i++)
        {
            float bias = (random.NextSingle() - 0.5f) * 1000, input = random.NextSingle() * 1e-3f;
            QuantizationParameters[] weights = [new(1e-12f, 0), new(0.5f, 0)];
            WeightQuantization.FitBias(weights, [bias, 1], input, precision);
            float product = input * weights[0].Scale;
            Assert.IsTrue(Math.Round((double)bias / product) is >= Lowest and <= Highest, $"{bias} at {product}");
            Assert.AreEqual(Math.Abs(bias), product * (double)Highest, Math.Abs(bias) * 1e-5, "not more than needed");
            Assert.AreEqual(0.5f, weights[1].Scale);
            int[] integers = WeightQuantization.QuantizeBias([bias, 1], weights, input, precision);
            Assert.AreEqual(bias, integers[0] * (double)product, Math.Abs(bias) * 1e-6);
        }
    }

    [TestMethod]
    public void One_scale_for_all_weights_fits_the_largest_bias()
    {
        QuantizationParameters[] weights = [new(1e-12f, 3)];
        WeightQuantization.FitBias(weights, [0.5f, -100, 2], 0.001f, BiasPrecision.Int32);
        Assert.AreEqual(100, 0.001f * weights[0].Scale * (double)(1 << 29), 1e-3);
        Assert.AreEqual(3, weights[0].Offset);
    }

    [TestMethod]
    public void A_power_of_two_stays_one_when_it_is_raised()
    {
        QuantizationParameters[] weights = [new(MathF.ScaleB(1, -40), 0)];
        WeightQuantization.FitBias(weights, [100], MathF.ScaleB(1, -5), BiasPrecision.Int32);
        Assert.AreEqual(MathF.ScaleB(1, -17), weights[0].Scale, "100 / 2^29 is between 2^-23 and 2^-22");
    }

    [TestMethod]
    public void Scales_whose_product_float32_does_not_have_are_raised_and_refused_before()
    {
        QuantizationParameters[] weights = [new(1e-30f, 0)];
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.QuantizeBias([0], weights, 1e-30f, BiasPrecision.Int32)).Message, "FitBias");
        WeightQuantization.FitBias(weights, [0], 1e-30f, BiasPrecision.Int32);
        Assert.IsTrue(float.IsNormal(1e-30f * weights[0].Scale));
        CollectionAssert.AreEqual((int[])[0], WeightQuantization.QuantizeBias([0], weights, 1e-30f, BiasPrecision.Int32));
    }

    [TestMethod]
    public void Slices_along_the_last_axis_have_the_ranges_of_their_columns()
    {
        var random = new Random(11);
        float[] values = [.. Enumerable.Range(0, 7 * 19).Select(i => ((random.NextSingle() * 2) - 1) * (1 + (i % 19)))];
        float[] transposed = [.. Enumerable.Range(0, 7 * 19).Select(i => values[(i % 7 * 19) + (i / 7)])];
        CollectionAssert.AreEqual(WeightQuantization.Choose(transposed, [19, 7], 0, QuantizationSchema.Symmetric), WeightQuantization.Choose(values, [7, 19], 1, QuantizationSchema.Symmetric));
        values[45] = float.NaN;
        Assert.Contains("Value 45 of the weight is NaN", Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.Choose(values, [7, 19], -1, QuantizationSchema.Symmetric)).Message);
        Assert.HasCount(3, WeightQuantization.Choose([], [0, 3], 1, QuantizationSchema.Symmetric));
    }

    [TestMethod]
    public void What_is_no_bias_or_no_scale_is_refused_by_name()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.QuantizeBias([1, 2, 3], new QuantizationParameters[2], 1, BiasPrecision.Int32)).Message, "2 parameters of weights for 3 channels");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.QuantizeBias([1], [new(1, 0)], 0, BiasPrecision.Int32)).Message, "input's scale is 0");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.QuantizeBias([1], [new(float.NaN, 0)], 1, BiasPrecision.Int32)).Message, "scale 0 of the weight is NaN");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => WeightQuantization.FitBias([new(1, 0)], [1, float.PositiveInfinity], 1, BiasPrecision.Int32)).Message, "Value 1 of the bias");
    }

    [TestMethod]
    public void Integers_of_other_types_have_Glows_ranges()
    {
        Assert.AreEqual((-128, 127), (IntegerRange.Int8.Lowest, IntegerRange.Int8.Highest));
        Assert.AreEqual((Lowest, Highest), (IntegerRange.Int32.Lowest, IntegerRange.Int32.Highest));
        Assert.AreEqual(Highest, IntegerRange.Int32.Quantize(1e30f, 1, 0));
        Assert.AreEqual(Lowest, IntegerRange.Int32.Quantize(-1e30f, 1, 0));
    }
}
