using Qaic.Quantization;

namespace Qaic.Tests.Quantization;

[TestClass]
public sealed class QuantizationNoiseTests
{
    // 6.02 b + 4.77 − 20 log₁₀(peak / rms) dB for b = 8: uniform 48, a gaussian cut at 4.5 sigma 40.
    [TestMethod]
    [DataRow(64)]
    [DataRow(512)]
    [DataRow(2048)]
    public void Eight_bits_of_uniform_data_have_48_dB_and_of_a_gaussian_to_four_and_a_half_sigma_40(int bins)
    {
        var random = new Random(8);
        float[] uniform = [.. Enumerable.Range(0, 200_000).Select(_ => (random.NextSingle() * 2) - 1)];
        float[] gaussian = [.. Enumerable.Range(0, 200_000).Select(_ => Math.Clamp(Gaussian(random), -4.5f, 4.5f)), -4.5f, 4.5f];
        foreach ((float[] values, double decibels) in ((float[], double)[])[(uniform, 48.16), (gaussian, 39.87)])
        {
            TensorStatistics statistics = Statistics(values, bins);
            QuantizationParameters parameters = Calibrator.Choose(statistics, new(QuantizationSchema.Asymmetric));
            QuantizationNoise measured = QuantizationNoise.Measure(values, parameters), estimated = QuantizationNoise.Estimate(statistics, parameters);
            Assert.AreEqual(decibels, measured.SqnrDecibels, 0.2);
            Assert.AreEqual(decibels, estimated.SqnrDecibels, 0.2);
            Assert.AreEqual(0, measured.ClippedFraction);
            Assert.AreEqual(0, estimated.ClippedFraction, 1e-9);
        }
    }

    [TestMethod]
    [DataRow(0.5f)]
    [DataRow(0.2f)]
    [DataRow(0.05f)]
    public void Clipping_is_estimated_as_it_is_measured(float part)
    {
        var random = new Random(9);
        float[] values = [.. Enumerable.Range(0, 100_000).Select(_ => Gaussian(random))];
        QuantizationParameters parameters = Calibrator.Choose(-4 * part, 4 * part, QuantizationSchema.Asymmetric);
        QuantizationNoise measured = QuantizationNoise.Measure(values, parameters), estimated = QuantizationNoise.Estimate(Statistics(values, 512), parameters);
        Assert.AreEqual(measured.ClippedFraction, estimated.ClippedFraction, 0.003);
        Assert.AreEqual(measured.SqnrDecibels, estimated.SqnrDecibels, 0.1);
        Assert.IsTrue(measured.ClippedFraction > 0.03);
    }

    [TestMethod]
    [DataRow(0.5), DataRow(0.9), DataRow(0.99)]
    public void The_zeros_of_a_Relu_have_no_noise(double zeros)
    {
        var random = new Random(10);
        float[] values = [.. Enumerable.Range(0, 200_000).Select(_ => random.NextDouble() < zeros ? 0 : MathF.Abs(Gaussian(random))), 0];
        TensorStatistics statistics = Statistics(values, 512);
        QuantizationParameters parameters = Calibrator.Choose(statistics, new(QuantizationSchema.Asymmetric));
        Assert.AreEqual(QuantizationNoise.Measure(values, parameters).SqnrDecibels, QuantizationNoise.Estimate(statistics, parameters).SqnrDecibels, 0.3);
        Assert.AreEqual(QuantizationNoise.Measure(values, parameters).SignalPower, QuantizationNoise.Estimate(statistics, parameters).SignalPower, 0.01);
    }

    [TestMethod]
    public void Bins_wider_than_a_step_do_not_hide_the_rounding_in_them()
    {
        // Middles of these bins are integers of this scale: their own error is 0.
        double[] counts = [1, 1, 1, 1, 1];
        QuantizationNoise noise = QuantizationNoise.Estimate(new("t", -5, 5, counts), new(1, 0));
        Assert.AreEqual(1 / 12.0, noise.NoisePower, 1e-12);
    }

    [TestMethod]
    public void A_bin_much_narrower_than_a_step_has_the_error_of_its_middle()
    {
        QuantizationNoise noise = QuantizationNoise.Estimate(new("t", 10.3f, 10.300001f, [7]), new(1, 0));
        Assert.AreEqual(0.09, noise.NoisePower, 1e-5);
        Assert.AreEqual(10.3 * 10.3, noise.SignalPower, 1e-3);
    }

    [TestMethod]
    public void A_constant_has_the_error_of_its_value()
    {
        Assert.AreEqual(double.PositiveInfinity, QuantizationNoise.Estimate(new("t", 2, 2, [500, 0]), new(1, 0)).SqnrDecibels);
        Assert.AreEqual(1, QuantizationNoise.Estimate(new("t", 200, 200, [500, 0]), new(1, 0)).ClippedFraction);
        Assert.AreEqual(73.0 * 73, QuantizationNoise.Estimate(new("t", 200, 200, [500, 0]), new(1, 0)).NoisePower);
    }

    [TestMethod]
    public void Without_values_there_is_no_noise_and_a_scale_that_is_none_is_refused()
    {
        Assert.AreEqual(double.PositiveInfinity, QuantizationNoise.Estimate(new("t", -1, 1, []), new(1, 0)).SqnrDecibels);
        Assert.AreEqual(default, QuantizationNoise.Measure([], new(1, 0)));
        Assert.ThrowsExactly<ArgumentException>(() => QuantizationNoise.Estimate(new("t", -1, 1, [1]), default));
        Assert.ThrowsExactly<ArgumentException>(() => QuantizationNoise.Measure([1], new(float.NaN, 0)));
    }

    [TestMethod]
    public void The_widest_range_has_a_finite_ratio()
    {
        var statistics = new TensorStatistics("t", float.MinValue, float.MaxValue, [3, 4, 5, 6]);
        Assert.AreEqual(48, QuantizationNoise.Estimate(statistics, Calibrator.Choose(statistics, new(QuantizationSchema.Symmetric))).SqnrDecibels, 1);
    }

    private static TensorStatistics Statistics(float[] values, int bins)
    {
        var histogram = new RunningHistogram(bins);
        histogram.Add(values);
        return histogram.ToStatistics("t");
    }

    private static float Gaussian(Random random) => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
}
