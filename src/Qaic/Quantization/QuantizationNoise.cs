namespace Qaic.Quantization;

/// <summary>What quantization does to a tensor.</summary>
/// <param name="SignalPower">Mean square of the values.</param>
/// <param name="NoisePower">Mean square of the differences that quantization makes.</param>
/// <param name="ClippedFraction">Part of the values that lie more than half a step outside of the range, 0 to 1.</param>
public readonly record struct QuantizationNoise(double SignalPower, double NoisePower, double ClippedFraction)
{
    /// <summary>Ratio of signal to noise in dB: <c>10 log₁₀(SignalPower / NoisePower)</c>. Infinite if there is no noise, also for a tensor of zeros.</summary>
    public double SqnrDecibels => NoisePower == 0 ? double.PositiveInfinity : 10 * Math.Log10(SignalPower / NoisePower);

    /// <summary>What to expect from the statistics of a tensor.</summary>
    /// <remarks>
    /// Values are taken to lie evenly within each bin, and the squared error is integrated over it. A bin of many steps has <c>step² / 12</c> by that, one much narrower than a step the error of its middle.
    /// What the first bin of a tensor whose smallest value is 0 has more than the second is taken for zeros (those of a Relu), which quantization leaves as they are.
    /// Other values that are equal are taken for evenly spread; with them the true noise may be lower. Without counts there is neither signal nor noise.
    /// </remarks>
    /// <param name="statistics">What was seen.</param>
    /// <param name="parameters">How it is quantized.</param>
    /// <exception cref="ArgumentException">The scale is not a positive number.</exception>
    public static QuantizationNoise Estimate(TensorStatistics statistics, QuantizationParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        Validate(parameters);
        double total = statistics.Total;
        if (total == 0)
        {
            return default;
        }

        // Everything in steps, with 0 at 0.
        double scale = parameters.Scale;
        double lowest = QuantizationParameters.MinQuantized - parameters.Offset, highest = QuantizationParameters.MaxQuantized - parameters.Offset;
        double minimum = statistics.Minimum / scale, width = ((double)statistics.Maximum - statistics.Minimum) / scale / statistics.Counts.Length;
        double signal = 0, noise = 0, clipped = 0;
        for (int i = 0; i < statistics.Counts.Length; i++)
        {
            // Zeros have no noise, and nothing that could be clipped.
            double count = i == 0 ? statistics.Counts[0] - Zeros(statistics) : statistics.Counts[i];
            if (count == 0)
            {
                continue;
            }

            double begin = minimum + (i * width), end = minimum + ((i + 1) * width), middle = (begin + end) / 2;
            signal += count * ((middle * middle) + (width * width / 12));

            // Too narrow to integrate: differences of the integral would be all rounding.
            bool point = !(end - begin > 1e-6);
            noise += count * (point ? SquaredError(middle, lowest, highest) : (Integral(end, lowest, highest) - Integral(begin, lowest, highest)) / (end - begin));
            clipped += count * (point
                ? middle < lowest - 0.5 || middle > highest + 0.5 ? 1 : 0
                : (Math.Clamp(lowest - 0.5 - begin, 0, end - begin) + Math.Clamp(end - highest - 0.5, 0, end - begin)) / (end - begin));
        }

        return new(signal / total * scale * scale, Math.Max(0, noise / total) * scale * scale, Math.Min(1, clipped / total));
    }

    /// <summary>What it did to the values of a tensor.</summary>
    /// <param name="values">The values.</param>
    /// <param name="parameters">How they are quantized.</param>
    /// <exception cref="ArgumentException">The scale is not a positive number.</exception>
    public static QuantizationNoise Measure(ReadOnlySpan<float> values, QuantizationParameters parameters)
    {
        Validate(parameters);
        double signal = 0, noise = 0, clipped = 0;
        double low = ((double)QuantizationParameters.MinQuantized - parameters.Offset - 0.5) * parameters.Scale, high = ((double)QuantizationParameters.MaxQuantized - parameters.Offset + 0.5) * parameters.Scale;
        foreach (float value in values)
        {
            double error = value - (double)parameters.Dequantize(parameters.Quantize(value));
            signal += (double)value * value;
            noise += error * error;
            clipped += value < low || value > high ? 1 : 0;
        }

        return values.IsEmpty ? default : new(signal / values.Length, noise / values.Length, clipped / values.Length);
    }

    // Part of the first bin that lies at its lower end, if that is 0: what it has more than its neighbour.
    private static double Zeros(TensorStatistics statistics) =>
        statistics.Minimum == 0 && statistics.Counts.Length > 1 ? Math.Max(0, statistics.Counts[0] - statistics.Counts[1]) : 0;

    private static void Validate(QuantizationParameters parameters)
    {
        if (!(parameters.Scale > 0) || float.IsInfinity(parameters.Scale))
        {
            throw new ArgumentException($"The scale is {parameters.Scale}; it must be a positive number.", nameof(parameters));
        }
    }

    private static double SquaredError(double value, double lowest, double highest)
    {
        double error = value - Math.Clamp(Math.Round(value), lowest, highest);
        return error * error;
    }

    // Integral of the squared error from 0 to a value, in steps: a twelfth per whole step, the third of a cube beyond the nearest integer.
    private static double Integral(double value, double lowest, double highest)
    {
        double nearest = Math.Clamp(Math.Round(value), lowest, highest), beyond = value - nearest;
        return (nearest / 12) + (beyond * beyond * beyond / 3);
    }
}
