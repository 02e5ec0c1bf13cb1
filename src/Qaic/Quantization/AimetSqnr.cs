namespace Qaic.Quantization;

/// <summary>AIMET's <c>tf_enhanced</c> analyzer: the encoding with the least noise, in which values that are cut off weigh three times as much as rounding.</summary>
/// <remarks>The signal is the same for all encodings, so the least noise is the best ratio. Float32 where AIMET's is.</remarks>
internal static class AimetSqnr
{
    private const float SaturationWeight = 3;
    private const int AsymmetricDeltas = 16, AsymmetricOffsets = 20;
    private const double SymmetricDelta = 1.0 / 100;

    public static AimetEncoding Choose(AimetHistogram histogram, AimetSymmetry symmetry)
    {
        (float minimum, float maximum) = histogram.ObservedRange();
        var candidates = new List<(float Delta, int Offset)>();
        if (symmetry.Symmetric)
        {
            AddSymmetric(candidates, minimum, maximum, symmetry.Unsigned);
        }
        else
        {
            AddAsymmetric(candidates, minimum, maximum);
        }

        (float Delta, int Offset) best = (0, 0);
        float least = float.PositiveInfinity;
        float[] middles = Middles(histogram);
        foreach ((float Delta, int Offset) candidate in candidates)
        {
            float cost = Cost(histogram, middles, candidate.Delta, candidate.Offset);
            if (cost < least)
            {
                (least, best) = (cost, candidate);
            }
        }

        return new(best.Delta, best.Offset);
    }

    private static void AddSymmetric(List<(float Delta, int Offset)> candidates, float minimum, float maximum, bool unsigned)
    {
        bool positive = minimum == 0 && unsigned;
        float largest = positive ? maximum / AimetEncoding.Steps : 2 * MathF.Max(MathF.Abs(maximum), MathF.Abs(minimum)) / AimetEncoding.Steps;

        // The steps are added up in float32, so that the last one is a little off 1.01.
        for (float part = (float)SymmetricDelta; part <= 1 + SymmetricDelta; part = (float)(part + SymmetricDelta))
        {
            candidates.Add((part * largest, positive ? 0 : -(AimetEncoding.Steps + 1) / 2));
        }
    }

    private static void AddAsymmetric(List<(float Delta, int Offset)> candidates, float minimum, float maximum)
    {
        const float Steps = AimetEncoding.Steps;
        float delta = (maximum - minimum) / Steps;
        int offset = (int)MathF.Round(minimum / delta, MidpointRounding.AwayFromZero);
        minimum = delta * offset;
        maximum = minimum + (delta * Steps);
        for (int part = 1; part <= AsymmetricDeltas + 1; part++)
        {
            for (int i = 0; i <= AsymmetricOffsets; i++)
            {
                float tested = (float)part / AsymmetricDeltas * delta;
                float low = tested * (int)(-Steps + (Steps / (double)AsymmetricOffsets * i)), high = low + (tested * Steps);
                if (low < minimum && high > maximum)
                {
                    continue;
                }

                low = MathF.Max(minimum, low);
                tested = (MathF.Min(maximum, high) - low) / Steps;
                if (tested > 0)
                {
                    candidates.Add((tested, (int)MathF.Round(low / tested, MidpointRounding.AwayFromZero)));
                }
            }
        }

        candidates.Add((delta, offset));
    }

    private static float[] Middles(AimetHistogram histogram)
    {
        float start = (float)histogram.Left[0];
        var middles = new float[histogram.Left.Length];
        for (int i = 0; i < middles.Length; i++)
        {
            middles[i] = start + (i * histogram.Width) + (histogram.Width / 2);
        }

        return middles;
    }

    private static float Cost(AimetHistogram histogram, float[] middles, float delta, int offset)
    {
        double[] density = histogram.Density;
        float start = (float)histogram.Left[0], low = delta * offset, high = (delta * AimetEncoding.Steps) + low;
        int first = Bin(low), last = Bin(high);
        float below = 0, above = 0, rounding = 0;
        for (int i = 0; i < first; i++)
        {
            below = Add(below, density[i], middles[i] - middles[first]);
        }

        for (int i = last; i < middles.Length; i++)
        {
            above = Add(above, density[i], middles[i] - middles[last]);
        }

        for (int i = first; i < last; i++)
        {
            // Half away from 0, as C rounds; without Math.Round, whose cost is most of this loop's.
            float code = (middles[i] / delta) - offset;
            int quantized = (int)(code + MathF.CopySign(0.49999997f, code));
            rounding = Add(rounding, density[i], middles[i] - (delta * (quantized + offset)));
        }

        return (SaturationWeight * (below + above)) + rounding;

        int Bin(float value) => (int)Math.Clamp(MathF.Floor((value - start) / histogram.Width), 0, middles.Length - 1);
        static float Add(float sum, double share, float error) => (float)(sum + (share * ((double)error * error)));
    }
}
