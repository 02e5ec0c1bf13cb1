using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>What quantization does to values of which only a histogram is known. Within a bin they are taken as evenly spread, for which the errors are integrated exactly.</summary>
/// <param name="SqnrDb">Expected signal to quantization noise; NaN without values.</param>
/// <param name="ClippedFraction">Share of the values outside the range that the parameters can say.</param>
internal readonly record struct HistogramNoise(double SqnrDb, double ClippedFraction)
{
    public static HistogramNoise Of(TensorStatistics statistics, QuantizationParameters parameters)
    {
        ReadOnlySpan<double> counts = statistics.Counts;
        double width = ((double)statistics.Maximum - statistics.Minimum) / Math.Max(counts.Length, 1);
        (double signal, double noise, double clipped, double total) = (0, 0, 0, 0);
        for (int i = 0; i < counts.Length; i++)
        {
            if (counts[i] == 0)
            {
                continue;
            }

            double low = statistics.Minimum + (i * width);
            (double power, double error, double cut) = width > 0 ? Spread(low, low + width, parameters) : Point(low, parameters);
            signal += counts[i] * power;
            noise += counts[i] * error;
            clipped += counts[i] * cut;
            total += counts[i];
        }

        return total == 0 ? new(double.NaN, 0) : new(OutputComparison.Decibels(signal, noise), clipped / total);
    }

    private static (double Power, double Error, double Clipped) Point(double x, QuantizationParameters parameters)
    {
        double error = x - parameters.Dequantize(parameters.Quantize((float)x));
        return (x * x, error * error, x < parameters.Minimum || x > parameters.Maximum ? 1 : 0);
    }

    // Means over x in [low, high].
    private static (double Power, double Error, double Clipped) Spread(double low, double high, QuantizationParameters parameters)
    {
        (double minimum, double maximum, double step) = (parameters.Minimum, parameters.Maximum, parameters.Scale);
        double width = high - low;
        double below = Math.Clamp(minimum, low, high), above = Math.Max(below, Math.Clamp(maximum, low, high));
        double error = ((Cube(minimum - low) - Cube(minimum - below)) / 3)
            + ((Cube(high - maximum) - Cube(above - maximum)) / 3)
            + (step * step * step * (Rounding(above / step) - Rounding(below / step)));
        return (((low * low) + (low * high) + (high * high)) / 3, Math.Max(0, error) / width, (below - low + high - above) / width);
    }

    private static double Cube(double x) => x * x * x;

    // Integral from 0 to t of (u - round(u))²: a period of 1, each of 1/12. Zero is one of the numbers that can be said, so the grid is that of the whole multiples.
    private static double Rounding(double t)
    {
        double nearest = Math.Floor(t + 0.5);
        return (nearest / 12) + (Cube(t - nearest) / 3);
    }
}
