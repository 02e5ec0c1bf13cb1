using Qaic.Quantization;

namespace Qaic.Tests.Quantization;

[TestClass]
public sealed class CalibratorGoldenTests
{
    [TestMethod]
    public void Without_calibration_and_with_KLMinimization_every_choice_is_Glows_to_the_last_bit()
    {
        QuantizationGoldens.Choice[] rows = [.. QuantizationGoldens.Glow];
        Assert.HasCount(21 * 4 * 2, rows);
        foreach (QuantizationGoldens.Choice row in rows)
        {
            Assert.AreEqual(row.Expected, row.Actual, $"{row.Case}, {row.Method}");
        }
    }

    [TestMethod]
    [DataRow(QuantizationCalibration.KLMinimizationV2, 14 * 3)]
    [DataRow(QuantizationCalibration.Percentile, 14 * 3 * 5)]
    [DataRow(QuantizationCalibration.Mse, 14 * 3)]
    [DataRow(QuantizationCalibration.Sqnr, 14 * 3)]
    public void The_other_calibrations_are_AIMETs_to_one_ulp_of_the_scale(QuantizationCalibration calibration, int count)
    {
        QuantizationGoldens.Choice[] rows = [.. QuantizationGoldens.Aimet.Where(r => r.Method.Calibration == calibration)];
        Assert.HasCount(count, rows);
        foreach (QuantizationGoldens.Choice row in rows)
        {
            QuantizationParameters actual = row.Actual;
            int ulps = BitConverter.SingleToInt32Bits(actual.Scale) - BitConverter.SingleToInt32Bits(row.Expected.Scale);
            Assert.IsTrue(Math.Abs(ulps) <= 1 && actual.Offset == row.Expected.Offset, $"{row.Case}, {row.Method}: {actual} is {ulps} ulps off {row.Expected}");
        }
    }

    [TestMethod]
    public void With_power2_scales_a_calibration_of_AIMETs_is_the_symmetric_one_rounded_up()
    {
        foreach (QuantizationGoldens.Choice row in QuantizationGoldens.Aimet.Where(r => r.Method.Schema == QuantizationSchema.Symmetric))
        {
            QuantizationParameters actual = Calibrator.Choose(QuantizationGoldens.Cases[row.Case], row.Method with { Schema = QuantizationSchema.SymmetricWithPower2Scale });
            Assert.IsTrue(float.IsPow2(actual.Scale) && actual.Offset == 0, $"{row.Case}, {row.Method}: {actual}");
            Assert.IsTrue(actual.Scale >= row.Expected.Scale * 0.999999f && actual.Scale < row.Expected.Scale * 2, $"{row.Case}, {row.Method}: {actual} for {row.Expected}");
        }
    }

    [TestMethod]
    public void A_tensor_scaled_by_a_power_of_two_has_the_same_choice_scaled()
    {
        // Down to where the squares of such numbers are 0 in float32, and up to where they are infinite.
        foreach (QuantizationGoldens.Choice row in QuantizationGoldens.Aimet.Where(r => r.Case is "gauss512" or "relu_outlier512" or "slightly_negative_gelu512"))
        {
            TensorStatistics statistics = QuantizationGoldens.Cases[row.Case];
            QuantizationParameters plain = row.Actual;
            foreach (int power in (int[])[-90, 100])
            {
                var scaled = new TensorStatistics("t", MathF.ScaleB(statistics.Minimum, power), MathF.ScaleB(statistics.Maximum, power), statistics.Counts);
                Assert.AreEqual(plain with { Scale = MathF.ScaleB(plain.Scale, power) }, Calibrator.Choose(scaled, row.Method), $"{row.Case}, {row.Method}, 2^{power}");
            }
        }
    }
}
