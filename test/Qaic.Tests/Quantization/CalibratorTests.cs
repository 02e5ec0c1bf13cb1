using Qaic.Quantization;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

[TestClass]
public sealed class CalibratorTests
{
    private static readonly QuantizationCalibration[] s_calibrations = [.. Enum.GetValues<QuantizationCalibration>().Except([QuantizationCalibration.Auto])];

    private static IEnumerable<CalibrationMethod> Methods =>
        from schema in Enum.GetValues<QuantizationSchema>() from calibration in s_calibrations select new CalibrationMethod(schema, calibration, 99.9);

    [TestMethod]
    [DataRow(QuantizationCalibration.KLMinimization), DataRow(QuantizationCalibration.KLMinimizationV2), DataRow(QuantizationCalibration.Mse)]
    public void A_search_can_be_cancelled(QuantizationCalibration calibration)
    {
        double[] counts = [.. Enumerable.Range(0, 512).Select(i => (double)(i % 7))];
        var statistics = new TensorStatistics("t", -1, 1, counts);
        var method = new CalibrationMethod(QuantizationSchema.Asymmetric, calibration);
        Calibrator.Choose(statistics, method, CancellationToken.None);
        Assert.ThrowsExactly<OperationCanceledException>(() => Calibrator.Choose(statistics, method, new CancellationToken(canceled: true)));
    }

    [TestMethod]
    [DataRow(16, 6.0), DataRow(512, 0.3)]
    public void Percentile_100_clips_the_last_bin_and_no_more(int bins, double percent)
    {
        var statistics = new TensorStatistics("t", 0, 1, [.. Enumerable.Repeat(10.0, bins)]);
        QuantizationParameters parameters = Calibrator.Choose(statistics, new(QuantizationSchema.Asymmetric, QuantizationCalibration.Percentile, 100));
        Assert.AreEqual(percent / 100, QuantizationNoise.Estimate(statistics, parameters).ClippedFraction, 0.003);
    }

    [TestMethod]
    [DataRow(QuantizationSchema.Asymmetric, -1f, 2f, 3 / 255f, -43)]
    [DataRow(QuantizationSchema.Symmetric, -1f, 2f, 2 / 127f, 0)]
    [DataRow(QuantizationSchema.Symmetric, -4f, 2f, 4 / 128f, 0)]
    [DataRow(QuantizationSchema.SymmetricWithUInt8, 0f, 2f, 2 / 255f, -128)]
    [DataRow(QuantizationSchema.SymmetricWithUInt8, 1f, 2f, 2 / 255f, -128)]
    [DataRow(QuantizationSchema.SymmetricWithUInt8, -1e-6f, 2f, 2 / 127f, 0)]
    [DataRow(QuantizationSchema.SymmetricWithPower2Scale, -1f, 2f, 1 / 32f, 0)]
    [DataRow(QuantizationSchema.SymmetricWithPower2Scale, -4f, 2f, 1 / 32f, 0)]
    [DataRow(QuantizationSchema.Asymmetric, 0f, 0f, 0.1f, 0)]
    [DataRow(QuantizationSchema.Symmetric, 0f, 0f, 0.1f, 0)]
    [DataRow(QuantizationSchema.SymmetricWithUInt8, 0f, 0f, 0.1f, 0)]
    [DataRow(QuantizationSchema.SymmetricWithPower2Scale, 0f, 0f, 0.125f, 0)]
    public void A_range_gets_the_scale_and_offset_of_its_schema(QuantizationSchema schema, float minimum, float maximum, float scale, int offset)
    {
        QuantizationParameters actual = Calibrator.Choose(minimum, maximum, schema);
        Assert.AreEqual(scale, actual.Scale, scale * 1e-6f);
        Assert.AreEqual(offset, actual.Offset);
    }

    [TestMethod]
    public void Whatever_was_seen_parameters_are_sane_and_the_same_twice()
    {
        var random = new Random(11);
        for (int i = 0; i < Campaign.Size(60, 5_000); i++)
        {
            TensorStatistics statistics = AnyStatistics(random);
            foreach (CalibrationMethod method in Methods)
            {
                QuantizationParameters actual = Calibrator.Choose(statistics, method);
                string what = $"{method} of {statistics.Counts.Length} bins in [{statistics.Minimum:R}, {statistics.Maximum:R}], round {i}: {actual}";
                Assert.IsTrue(actual.Scale >= MathF.ScaleB(1, -126) && float.IsFinite(actual.Scale), what);
                Assert.IsTrue(actual.Offset is >= -128 and <= 127, what);
                Assert.AreEqual(0f, actual.Dequantize(actual.Quantize(0)), what);
                Assert.AreEqual(Calibrator.Choose(statistics, method), actual, what);
                if (method.Schema is QuantizationSchema.Symmetric or QuantizationSchema.SymmetricWithPower2Scale)
                {
                    Assert.AreEqual(0, actual.Offset, what);
                }

                if (method.Schema == QuantizationSchema.SymmetricWithUInt8)
                {
                    Assert.IsTrue(actual.Offset is 0 or -128, what);
                }

                if (method.Schema == QuantizationSchema.SymmetricWithPower2Scale)
                {
                    Assert.IsTrue(float.IsPow2(actual.Scale), what);
                }
            }
        }
    }

    [TestMethod]
    public void Without_calibration_every_value_that_was_seen_is_off_by_half_a_step_at_most()
    {
        var random = new Random(5);
        for (int i = 0; i < Campaign.Size(200, 20_000); i++)
        {
            float a = (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-6, 6)), b = a + (random.NextSingle() * MathF.Pow(10, random.Next(-6, 6)));
            foreach (QuantizationSchema schema in Enum.GetValues<QuantizationSchema>())
            {
                QuantizationParameters actual = Calibrator.Choose(a, b, schema);
                if (MathF.Abs(MathF.Min(a, 0) + MathF.Max(b, 0)) <= 1.1920929e-07f)
                {
                    // Glow's rule for symmetric ranges takes it for one; the next test has that.
                    continue;
                }

                for (int k = 0; k <= 20; k++)
                {
                    float x = Math.Clamp(a + ((b - a) * k / 20), a, b);
                    float error = Math.Abs(actual.Dequantize(actual.Quantize(x)) - x);

                    // The zero of an asymmetric range moves by up to half a step to an integer, which costs the far end as much again.
                    float allowed = actual.Scale * (schema == QuantizationSchema.Asymmetric ? 1.0001f : 0.5001f);
                    Assert.IsTrue(error <= allowed, $"{x:R} in [{a:R}, {b:R}], {schema}: off by {error / actual.Scale} steps");
                    if (x > actual.Minimum && x < actual.Maximum)
                    {
                        Assert.IsTrue(error <= actual.Scale * 0.5001f, $"{x:R} in [{a:R}, {b:R}], {schema}: off by {error / actual.Scale} steps");
                    }
                }
            }
        }
    }

    [TestMethod]
    public void Ends_whose_sum_is_below_FLT_EPSILON_are_symmetric_to_Glow()
    {
        Assert.AreEqual(0, Calibrator.Choose(-4e-7f, 5e-7f, QuantizationSchema.Asymmetric).Offset, "-14 to cover both ends");
        Assert.AreEqual(0, Calibrator.Choose(0, 1e-7f, QuantizationSchema.SymmetricWithUInt8).Offset);
        Assert.AreEqual(-128, Calibrator.Choose(0, 1.2e-7f, QuantizationSchema.SymmetricWithUInt8).Offset);
    }

    [TestMethod]
    public void Auto_is_refused_with_what_to_choose_instead()
    {
        var e = Assert.ThrowsExactly<ArgumentException>(() => Calibrator.Choose(QuantizationGoldens.Cases["gauss512"], new(QuantizationSchema.Symmetric, QuantizationCalibration.Auto)));
        StringAssert.Contains(e.Message, "held out");
        StringAssert.Contains(e.Message, "KLMinimizationV2");
    }

    [TestMethod]
    [DataRow(89.999)]
    [DataRow(100.001)]
    [DataRow(double.NaN)]
    public void A_percentile_outside_of_90_to_100_is_refused(double percentile)
    {
        var e = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => Calibrator.Choose(QuantizationGoldens.Cases["gauss512"], new(QuantizationSchema.Symmetric, QuantizationCalibration.Percentile, percentile)));
        StringAssert.Contains(e.Message, "90 to 100");
    }

    [TestMethod]
    public void A_percentile_is_looked_at_only_where_it_is_used() =>
        Assert.AreEqual(0.03125f, Calibrator.Choose(QuantizationGoldens.Cases["gauss512"], new(QuantizationSchema.SymmetricWithPower2Scale, QuantizationCalibration.None, 0)).Scale);

    [TestMethod]
    public void A_lower_percentile_never_covers_more()
    {
        foreach (string name in (string[])["gauss512", "relu_outlier512", "gauss_outliers512", "shifted_positive512"])
        {
            float before = float.PositiveInfinity;
            foreach (double percentile in (double[])[100, 99.9999, 99.999, 99.998, 99.99, 99.9, 99.5, 99, 95, 90])
            {
                float scale = Calibrator.Choose(QuantizationGoldens.Cases[name], new(QuantizationSchema.Symmetric, QuantizationCalibration.Percentile, percentile)).Scale;
                Assert.IsTrue(scale <= before, $"{name}, {percentile}");
                before = scale;
            }
        }
    }

    [TestMethod]
    public void A_percentile_that_the_first_bin_alone_reaches_leaves_one_bin()
    {
        // 9 990 zeros of a Relu, and ten values up to 512.
        double[] counts = new double[512];
        (counts[0], counts[511], counts[200]) = (9_990, 5, 5);
        QuantizationParameters actual = Calibrator.Choose(new("relu", 0, 512, counts), new(QuantizationSchema.SymmetricWithUInt8, QuantizationCalibration.Percentile, 99));
        Assert.AreEqual(new QuantizationParameters(1 / 255f, -128), actual);
    }

    [TestMethod]
    [DataRow(3.5f, 3.5f, new double[] { 500, 0, 0, 0 })]
    [DataRow(-1f, 2f, new double[] { 0, 0, 1, 0 })]
    [DataRow(-1f, 2f, new double[] { })]
    [DataRow(-1f, 2f, new double[] { 0, 0, 0, 0 })]
    [DataRow(-3.4028235e38f, 3.4028235e38f, new double[] { 5, 5, 5, 5 })]
    [DataRow(0f, 1e-45f, new double[] { 5, 5, 5, 5 })]
    public void Where_there_is_nothing_to_choose_from_every_method_takes_the_range(float minimum, float maximum, double[] counts)
    {
        var statistics = new TensorStatistics("t", minimum, maximum, counts);
        foreach (CalibrationMethod method in Methods)
        {
            Assert.AreEqual(Calibrator.Choose(minimum, maximum, method.Schema), Calibrator.Choose(statistics, method), $"{method}");
        }
    }

    [TestMethod]
    public void The_largest_range_has_a_finite_scale()
    {
        Assert.AreEqual(float.MaxValue / 127.5f, Calibrator.Choose(float.MinValue, float.MaxValue, QuantizationSchema.Asymmetric).Scale, 1e30f);
        Assert.AreEqual(MathF.ScaleB(1, 122), Calibrator.Choose(float.MinValue, float.MaxValue, QuantizationSchema.SymmetricWithPower2Scale).Scale, "FLT_MAX / 127.5 is a little above 2^121");
    }

    [TestMethod]
    public void A_range_that_is_upside_down_or_NaN_and_an_unknown_schema_are_refused()
    {
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => Calibrator.Choose(1, -1, QuantizationSchema.Symmetric)).Message, "1 to -1");
        Assert.ThrowsExactly<ArgumentException>(() => Calibrator.Choose(float.NaN, 1, QuantizationSchema.Symmetric));
        Assert.ThrowsExactly<ArgumentException>(() => Calibrator.Choose(-1, 1, (QuantizationSchema)9));
        Assert.ThrowsExactly<ArgumentException>(() => Calibrator.Choose(QuantizationGoldens.Cases["gauss512"], new(QuantizationSchema.Symmetric, (QuantizationCalibration)99)));
    }

    // Histograms as they come from data and as they come from files: few bins or many, empty ends, far outliers, ranges of any size that may not include 0.
    private static TensorStatistics AnyStatistics(Random random)
    {
        double[] counts = new double[random.Next(8) switch { 0 => 1, 1 => 2, 2 => 3, 3 => 255, 4 => 256, 5 => 300, _ => random.Next(4, 120) }];
        int shape = random.Next(4);
        for (int i = 0; i < counts.Length; i++)
        {
            double x = (i - (counts.Length / 2.0)) / counts.Length;
            counts[i] = shape switch
            {
                0 => random.Next(100),
                1 => Math.Floor(10_000 * Math.Exp(-50 * x * x)),
                2 => random.Next(20) == 0 ? random.Next(1, 1_000_000) : 0,
                _ => i < 3 || i == counts.Length - 1 ? random.Next(1, 10_000) : 0,
            };
        }

        float size = MathF.Pow(10, random.Next(-40, 38)), minimum = (random.NextSingle() - 0.7f) * size;
        return new("any", minimum, minimum + (random.Next(5) == 0 ? Math.Abs(minimum) * 1e-6f : random.NextSingle() * size), counts);
    }
}
