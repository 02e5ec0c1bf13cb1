using Qaic.Quantization;
using Qaic.Tests.Support;
using Qaic.TestSupport;

namespace Qaic.Tests.Quantization;

/// <summary>The search that rules pairs out against the plain one that adds up the cost of each.</summary>
[TestClass]
public sealed class AimetMseTests
{
    [TestMethod]
    public void Ruling_pairs_out_changes_no_choice()
    {
        var random = new Random(3);
        for (int i = 0; i < Campaign.Size(60, 3_000); i++)
        {
            TensorStatistics statistics = Histogram(random, i % 5, random.Next(8, 130));
            foreach (QuantizationSchema schema in (QuantizationSchema[])[QuantizationSchema.Asymmetric, QuantizationSchema.Symmetric, QuantizationSchema.SymmetricWithUInt8])
            {
                QuantizationParameters actual = Calibrator.Choose(statistics, new(schema, QuantizationCalibration.Mse));
                Assert.AreEqual(Plain(statistics, schema), actual.Scale, $"round {i}, {schema}, {statistics.Counts.Length} bins in [{statistics.Minimum:R}, {statistics.Maximum:R}]");
            }
        }
    }

    private static TensorStatistics Histogram(Random random, int shape, int bins)
    {
        var counts = new double[bins];
        for (int i = 0; i < bins; i++)
        {
            double x = (i - (bins / 3.0)) / bins;
            counts[i] = shape switch
            {
                0 => random.Next(1, 100),
                1 => Math.Floor(100_000 * Math.Exp(-40 * x * x)) + (i == bins - 1 ? 1 : 0),
                2 => random.Next(6) == 0 ? random.Next(1, 1000) : 0,
                3 => i == 0 ? 50_000 : random.Next(30),
                _ => 7,
            };
        }

        counts[0]++;
        counts[^1]++;
        float minimum = shape == 3 ? 0 : random.NextSingle() - 1;
        return new("t", minimum, minimum + 1 + random.NextSingle(), counts);
    }

    // Section 3.6 of the method's description, with float32 where AIMET's template has it. The largest magnitude is below 2, so that nothing is normalised but by a power of two.
    private static float Plain(TensorStatistics statistics, QuantizationSchema schema)
    {
        int bins = statistics.Counts.Length;
        double step = ((double)statistics.Maximum - statistics.Minimum) / bins;
        double[] left = [.. Enumerable.Range(0, bins).Select(i => statistics.Minimum + (i * step))];
        float width = (float)(left[1] - left[0]);
        float observedMinimum = MathF.Min((float)left[0], 0), observedMaximum = MathF.Max((float)left[^1], 0) + width;
        var edges = new List<float> { observedMinimum };
        for (float edge = (float)left[0]; edge <= (float)(left[^1] + width); edge += width)
        {
            if (edge >= observedMinimum && edge <= observedMaximum)
            {
                edges.Add(edge);
            }
        }

        var points = new List<(float Value, float Share)>();
        for ((int i, float middle) = (0, observedMinimum + (width / 2)); i < edges.Count - 1; i++, middle += width)
        {
            int bin = Math.Clamp((int)MathF.Floor((middle - (float)left[0]) / width), 0, bins - 1);
            points.Add((middle, (float)(statistics.Counts[bin] / statistics.Total)));
        }

        (float least, double best) = (float.MaxValue, 0);
        foreach (float low in edges.Where(e => e < 0).Append(0))
        {
            foreach (float high in edges.Where(e => e > 0).Append(0).Where(h => h != 0 || low != 0))
            {
                bool symmetric = schema == QuantizationSchema.Symmetric || (schema == QuantizationSchema.SymmetricWithUInt8 && low < 0);
                double delta = symmetric ? Math.Max(-(double)low, high) / 127 : ((double)high - low) / 255;
                double offset = symmetric ? -128 : Math.Round(low / delta, MidpointRounding.AwayFromZero);
                float cost = 0;
                foreach ((float value, float share) in points)
                {
                    double code = Math.Round((MathF.Max(low, MathF.Min(value, high)) / delta) - offset, MidpointRounding.AwayFromZero);
                    float error = value - (float)(delta * (code + offset));
                    cost = (float)(cost + (share * Math.Pow(error, 2)));
                }

                (least, best) = cost < least ? (cost, delta) : (least, best);
            }
        }

        return (float)best;
    }
}
