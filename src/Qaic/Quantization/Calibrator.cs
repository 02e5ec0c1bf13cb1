namespace Qaic.Quantization;

/// <summary>How parameters are chosen for a tensor.</summary>
/// <param name="Schema">What integers stand for.</param>
/// <param name="Calibration">How the range is chosen from the statistics.</param>
/// <param name="Percentile">Percentage that the range covers, for <see cref="QuantizationCalibration.Percentile"/>: 90 to 100. The upper end is the left edge of a bin, as in AIMET: 100 clips what is in the last bin, which matters with few bins.</param>
public sealed record CalibrationMethod(QuantizationSchema Schema, QuantizationCalibration Calibration = QuantizationCalibration.None, double Percentile = 100);

/// <summary>Chooses quantization parameters from statistics.</summary>
/// <remarks>
/// <para>
/// None and KLMinimization are Glow's arithmetic, to the last bit. KLMinimizationV2, Percentile, MSE and SQNR follow AIMET's analyzers (entropy, percentile, mse, tf_enhanced); the vendor's own are closed.
/// </para>
/// <para>
/// AIMET knows two switches where the vendor knows four schemas: <see cref="QuantizationSchema.Asymmetric"/> is neither;
/// <see cref="QuantizationSchema.Symmetric"/> is symmetric; <see cref="QuantizationSchema.SymmetricWithUInt8"/> is symmetric, and unsigned where the chosen range has no negative numbers;
/// <see cref="QuantizationSchema.SymmetricWithPower2Scale"/> is symmetric with the scale rounded up to a power of two at the end.
/// AIMET's symmetric scale is <c>max|x| / 127</c>, Glow's <c>max(|min| / 128, max / 127)</c>.
/// </para>
/// <para>
/// Two of the originals cut off much of a tensor whose values all lie far from 0, and so do these: KLMinimization may move its window away from 0,
/// and MSE counts bins from 0 on. Glow also takes ends whose sum is below 1.2e-7 for symmetric, which cuts off part of a tensor that small.
/// <see cref="QuantizationNoise.ClippedFraction"/> shows either.
/// </para>
/// </remarks>
public static class Calibrator
{
    /// <summary>The smallest scale that is chosen: 2⁻¹²⁶, below which float32 loses digits and hardware may round to 0.</summary>
    internal const float SmallestScale = 1.17549435e-38f;

    // A tensor of zeros has no scale of its own.
    private const double ScaleOfZeros = 0.1;

    // FLT_EPSILON: float.Epsilon is the smallest number, not the distance of 1 from its neighbour.
    private const float FloatEpsilon = 1.1920929e-07f;

    /// <summary>Parameters for what was seen of a tensor.</summary>
    /// <param name="statistics">What was seen.</param>
    /// <param name="method">How to choose.</param>
    /// <param name="cancellationToken">Ends the search of KLMinimization, KLMinimizationV2 and MSE, whose time grows with the square or the cube of the number of bins.</param>
    /// <returns>Scale and offset; 0 is exactly representable with every method and schema.</returns>
    /// <remarks>
    /// A tensor of one value, one whose values are all the same, one without a histogram, and one whose bins are too wide or too narrow for float32 (a range of ±FLT_MAX) is not calibrated:
    /// its range is the one that was seen. Scales are at least 2⁻¹²⁶.
    /// </remarks>
    /// <exception cref="ArgumentException">The method is <see cref="QuantizationCalibration.Auto"/>, which needs data to decide, or names no schema or calibration.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The percentile is not within 90 to 100.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static QuantizationParameters Choose(TensorStatistics statistics, CalibrationMethod method, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        ArgumentNullException.ThrowIfNull(method);
        Validate(method);
        float minimum = statistics.Minimum, maximum = statistics.Maximum;
        if (method.Calibration == QuantizationCalibration.None || !HasHistogram(statistics))
        {
            return Choose(minimum, maximum, method.Schema);
        }

        if (method.Calibration == QuantizationCalibration.KLMinimization)
        {
            QuantizationSchema schema = Widen(ref minimum, ref maximum, method.Schema, IntegerRange.Int8);
            (minimum, maximum) = KlMinimization.Narrow(statistics, minimum, maximum, symmetric: schema != QuantizationSchema.Asymmetric, cancellationToken);
            return Cover(minimum, maximum, schema, IntegerRange.Int8);
        }

        return AimetHistogram.From(statistics) is { } histogram ? FromAimet(histogram, method, cancellationToken) : Choose(minimum, maximum, method.Schema);
    }

    /// <summary>Parameters for a range, without calibration: what weights and biases get.</summary>
    /// <param name="minimum">Smallest value. The range is extended to 0.</param>
    /// <param name="maximum">Largest value. The range is extended to 0.</param>
    /// <param name="schema">What integers stand for.</param>
    /// <exception cref="ArgumentException">The range is NaN or upside down, or there is no such schema.</exception>
    public static QuantizationParameters Choose(float minimum, float maximum, QuantizationSchema schema) => Choose(minimum, maximum, schema, IntegerRange.Int8);

    /// <summary>The same for integers of another type.</summary>
    internal static QuantizationParameters Choose(float minimum, float maximum, QuantizationSchema schema, IntegerRange range)
    {
        if (!(minimum <= maximum))
        {
            throw new ArgumentException($"The range is {minimum} to {maximum}; the smallest value must not be above the largest.", nameof(minimum));
        }

        if (!Enum.IsDefined(schema))
        {
            throw new ArgumentException($"There is no schema {schema}.", nameof(schema));
        }

        schema = Widen(ref minimum, ref maximum, schema, range);
        return Cover(minimum, maximum, schema, range);
    }

    private static void Validate(CalibrationMethod method)
    {
        if (method.Calibration == QuantizationCalibration.Auto)
        {
            throw new ArgumentException(
                "Calibration 'auto' compares methods on data that was held out; statistics alone cannot decide it. Choose one of None, KLMinimization, KLMinimizationV2, Percentile, MSE and SQNR.", nameof(method));
        }

        if (!Enum.IsDefined(method.Calibration) || !Enum.IsDefined(method.Schema))
        {
            throw new ArgumentException($"There is no calibration {method.Calibration} with schema {method.Schema}.", nameof(method));
        }

        if (method.Calibration == QuantizationCalibration.Percentile && !(method.Percentile is >= 90 and <= 100))
        {
            throw new ArgumentOutOfRangeException(nameof(method), method.Percentile, "A percentile for calibration is 90 to 100.");
        }
    }

    // Whether there is anything to choose from.
    private static bool HasHistogram(TensorStatistics statistics)
    {
        // Float32, as Glow computes it: the width of a bin is infinite for a range of ±FLT_MAX, and 0 among the smallest numbers.
        float width = (statistics.Maximum - statistics.Minimum) / statistics.Counts.Length;
        return statistics.Total > 1 && width > 0 && float.IsFinite(width);
    }

    // Extends a range to 0, and for symmetric schemas to the ratio of the lowest to the highest integer. Returns the schema that the range has then: with unsigned numbers it is not symmetric.
    private static QuantizationSchema Widen(ref float minimum, ref float maximum, QuantizationSchema schema, IntegerRange range)
    {
        minimum = MathF.Min(minimum, 0);
        maximum = MathF.Max(maximum, 0);
        if (schema == QuantizationSchema.SymmetricWithUInt8)
        {
            schema = minimum >= 0 ? QuantizationSchema.Asymmetric : QuantizationSchema.Symmetric;
        }

        if (schema != QuantizationSchema.Asymmetric)
        {
            double stepBelow = minimum / (double)range.Lowest, stepAbove = maximum / (double)range.Highest;
            if (stepBelow > stepAbove)
            {
                maximum = (float)(stepBelow * range.Highest);
            }
            else
            {
                minimum = (float)(stepAbove * range.Lowest);
            }
        }

        minimum = MathF.Max(minimum, float.MinValue);
        maximum = MathF.Min(maximum, float.MaxValue);
        return schema;
    }

    // Scale and offset of a range that Widen has seen.
    private static QuantizationParameters Cover(float minimum, float maximum, QuantizationSchema schema, IntegerRange range)
    {
        double scale = ((double)maximum - minimum) / ((double)range.Highest - range.Lowest);
        scale = scale == 0 ? ScaleOfZeros : scale;

        // The integer for 0 follows from either end of the range; the end with the smaller numbers has the smaller rounding error.
        double below = minimum / scale, above = maximum / scale;
        double zero = Math.Abs((double)range.Lowest) + Math.Abs(below) < Math.Abs((double)range.Highest) + Math.Abs(above) ? range.Lowest - below : range.Highest - above;
        if (MathF.Abs(maximum + minimum) <= FloatEpsilon)
        {
            zero = 0;
        }

        int offset = (int)Math.Round(Math.Clamp(zero, range.Lowest, range.Highest), MidpointRounding.AwayFromZero);
        return schema == QuantizationSchema.SymmetricWithPower2Scale ? new(RoundUpToPowerOfTwo(scale), 0)
            : new(MathF.Max((float)scale, SmallestScale), schema == QuantizationSchema.Asymmetric ? offset : 0);
    }

    private static QuantizationParameters FromAimet(AimetHistogram histogram, CalibrationMethod method, CancellationToken cancellationToken)
    {
        var symmetry = new AimetSymmetry(method.Schema != QuantizationSchema.Asymmetric, method.Schema == QuantizationSchema.SymmetricWithUInt8);
        AimetEncoding encoding = method.Calibration switch
        {
            QuantizationCalibration.KLMinimizationV2 => AimetEntropy.Choose(histogram, symmetry, cancellationToken),
            QuantizationCalibration.Percentile => AimetPercentile.Choose(histogram, symmetry, (float)method.Percentile),
            QuantizationCalibration.Mse => AimetMse.Choose(histogram, symmetry, cancellationToken),
            _ => AimetSqnr.Choose(histogram, symmetry),
        };

        double scale = Math.ScaleB(encoding.Delta, histogram.Exponent);
        int offset = Math.Clamp(QuantizationParameters.MinQuantized - (int)encoding.Offset, QuantizationParameters.MinQuantized, QuantizationParameters.MaxQuantized);
        return method.Schema == QuantizationSchema.SymmetricWithPower2Scale ? new(RoundUpToPowerOfTwo(scale), 0) : new(Math.Clamp((float)scale, SmallestScale, float.MaxValue), offset);
    }

    private static float RoundUpToPowerOfTwo(double scale) => MathF.Max((float)Math.ScaleB(1, (int)Math.Ceiling(Math.Log2(scale))), SmallestScale);
}
