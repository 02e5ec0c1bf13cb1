using System.Globalization;
using System.Numerics.Tensors;

namespace Qaic.Quantization;

/// <summary>A constant tensor in integers.</summary>
/// <param name="Values">The integers, in the order of the tensor's elements.</param>
/// <param name="Parameters">One for the whole tensor, or one per slice along the axis.</param>
public sealed record QuantizedConstant(sbyte[] Values, QuantizationParameters[] Parameters);

/// <summary>Quantizes weights and biases by Glow's rules.</summary>
/// <remarks>
/// The integer kernels add a bias to sums of products of integers, so it must have the scale of these products, <c>inputScale × weightScale</c> in float32, and offset 0.
/// Where a bias would not fit into its 32 bits at that scale (channels with very small weights), <see cref="FitBias"/> raises the scale of the weights; Glow does so for weights with one scale per channel,
/// and otherwise gives the bias a scale of its own, which the kernels here do not have.
/// </remarks>
public static class WeightQuantization
{
    /// <summary>Parameters of a weight: one for all (<paramref name="axis"/> null) or one per slice along an axis.</summary>
    /// <param name="values">The weight's elements, the last dimension innermost.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="axis">Axis of the slices; negative ones count from the last dimension.</param>
    /// <param name="schema">What integers stand for.</param>
    /// <remarks>
    /// Per slice, <see cref="QuantizationSchema.Asymmetric"/> becomes symmetric: the target has no offsets per channel. So does <see cref="QuantizationSchema.SymmetricWithUInt8"/>, which would need one for a channel without negative weights.
    /// An empty slice has the parameters of zeros.
    /// </remarks>
    /// <exception cref="ArgumentException">The shape does not have as many elements as there are values, or a value is NaN or infinite.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The shape has no such axis.</exception>
    public static QuantizationParameters[] Choose(ReadOnlySpan<float> values, ReadOnlySpan<int> shape, int? axis, QuantizationSchema schema)
    {
        (int slices, int inner) = Slice(values.Length, shape, axis);
        float[] minima = new float[slices], maxima = new float[slices];
        if (inner == 1 && slices > 1)
        {
            RangesOfColumns(values, minima, maxima);
        }
        else
        {
            RangesOfSlices(values, inner, minima, maxima);
        }

        if (axis is not null && schema is QuantizationSchema.Asymmetric or QuantizationSchema.SymmetricWithUInt8)
        {
            schema = QuantizationSchema.Symmetric;
        }

        var parameters = new QuantizationParameters[slices];
        for (int i = 0; i < slices; i++)
        {
            parameters[i] = Calibrator.Choose(minima[i], maxima[i], schema);
        }

        return parameters;
    }

    private static void RangesOfSlices(ReadOnlySpan<float> values, int inner, float[] minima, float[] maxima)
    {
        int slices = minima.Length;
        var seen = new bool[slices];
        for (int i = 0, slice = 0; i < values.Length; i += inner, slice = (slice + 1) % slices)
        {
            (float minimum, float maximum) = Range(values.Slice(i, inner), i, "weight");
            minima[slice] = seen[slice] ? MathF.Min(minima[slice], minimum) : minimum;
            maxima[slice] = seen[slice] ? MathF.Max(maxima[slice], maximum) : maximum;
            seen[slice] = true;
        }
    }

    // Slices along the last axis: all at once, row by row.
    private static void RangesOfColumns(ReadOnlySpan<float> values, float[] minima, float[] maxima)
    {
        int slices = minima.Length;
        for (int i = 0; i < values.Length; i += slices)
        {
            ReadOnlySpan<float> row = values.Slice(i, slices);
            if (!TensorPrimitives.IsFiniteAll(row))
            {
                // Says which one.
                Range(row, i, "weight");
            }

            if (i == 0)
            {
                row.CopyTo(minima);
                row.CopyTo(maxima);
            }
            else
            {
                TensorPrimitives.Min(minima, row, minima);
                TensorPrimitives.Max(maxima, row, maxima);
            }
        }
    }

    /// <summary>Raises the scales of weights so that a bias fits into <paramref name="precision"/> at <c>inputScale × weightScale</c> exactly.</summary>
    /// <param name="weights">Parameters of the weights, one or one per channel; changed in place.</param>
    /// <param name="bias">The bias, one value per channel.</param>
    /// <param name="inputScale">Scale of the layer's input.</param>
    /// <param name="precision">Type of the bias. <see cref="QuantizeBias"/> stores either in 32 bits, and either must fit there.</param>
    /// <remarks>
    /// A scale that is large enough stays. A raised scale of a weight whose scale and input scale are powers of two is one as well.
    /// The product of the scales is a normal float32 number afterwards.
    /// </remarks>
    /// <exception cref="ArgumentException">The numbers of weights and bias do not match, a bias is NaN or infinite, or a scale is not a positive number.</exception>
    public static void FitBias(Span<QuantizationParameters> weights, ReadOnlySpan<float> bias, float inputScale, BiasPrecision precision)
    {
        Validate(weights, bias, inputScale, precision);
        for (int i = 0; i < weights.Length; i++)
        {
            ReadOnlySpan<float> own = weights.Length == 1 ? bias : bias.Slice(i, 1);
            float needed = MathF.Max(OwnScale(own, IntegerRange.Int32) ?? 0, Calibrator.SmallestScale);
            (float minimum, float maximum) = Range(own, 0, "bias");

            // A scale that was rounded down to float32 leaves the largest bias a few integers outside.
            while (Math.Max(-(double)minimum, maximum) > (double)needed * IntegerRange.Int32.Highest)
            {
                needed = MathF.BitIncrement(needed);
            }

            if (inputScale * weights[i].Scale < needed)
            {
                weights[i] = weights[i] with { Scale = Raise(weights[i].Scale, inputScale, needed) };
            }
        }
    }

    /// <summary>Quantizes a weight with parameters from <see cref="Choose"/>.</summary>
    /// <param name="values">The weight's elements, the last dimension innermost.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="axis">Axis of the slices; null: one for all.</param>
    /// <param name="parameters">One, or one per slice.</param>
    /// <exception cref="ArgumentException">The shape does not have as many elements as there are values, or not one parameter per slice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The shape has no such axis.</exception>
    public static QuantizedConstant Quantize(ReadOnlySpan<float> values, ReadOnlySpan<int> shape, int? axis, QuantizationParameters[] parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        (int slices, int inner) = Slice(values.Length, shape, axis);
        if (parameters.Length != slices)
        {
            throw new ArgumentException($"There are {parameters.Length} parameters for {slices} slices of the weight {Text(shape)}.", nameof(parameters));
        }

        var integers = new sbyte[values.Length];
        for (int i = 0, slice = 0; i < values.Length; i += inner, slice = (slice + 1) % slices)
        {
            QuantizationParameters own = parameters[slice];
            for (int k = i; k < i + inner; k++)
            {
                integers[k] = own.Quantize(values[k]);
            }
        }

        return new(integers, parameters);
    }

    /// <summary>A bias in 32 bit integers at <c>inputScale × weightScale</c> (float32 product), offset 0. With <see cref="BiasPrecision.Int8"/> it is rounded to 8 bit at its own scale first.</summary>
    /// <param name="bias">The bias, one value per channel.</param>
    /// <param name="weights">Parameters of the weights, one or one per channel, from <see cref="FitBias"/>. What does not fit is clipped to 30 bits.</param>
    /// <param name="inputScale">Scale of the layer's input.</param>
    /// <param name="precision">Type of the bias.</param>
    /// <remarks>The own scale of an 8 bit bias is symmetric, one for each scale of the weights, and not below the product.</remarks>
    /// <exception cref="ArgumentException">The numbers of weights and bias do not match, a bias is NaN or infinite, or a scale is not a positive number.</exception>
    public static int[] QuantizeBias(ReadOnlySpan<float> bias, ReadOnlySpan<QuantizationParameters> weights, float inputScale, BiasPrecision precision)
    {
        Validate(weights, bias, inputScale, precision);
        float common = weights.Length == 1 ? OwnScale(bias, IntegerRange.Int8) ?? 0 : 0;
        var integers = new int[bias.Length];
        for (int i = 0; i < bias.Length; i++)
        {
            float value = bias[i], scale = inputScale * weights[weights.Length == 1 ? 0 : i].Scale;
            if (scale == 0)
            {
                throw new ArgumentException($"The product of the input's scale {inputScale} and the weight's scale of channel {i} is 0 in float32. Raise the weights' scales with {nameof(FitBias)} first.", nameof(weights));
            }

            if (precision == BiasPrecision.Int8)
            {
                float coarse = MathF.Max(weights.Length == 1 ? common : OwnScale(bias.Slice(i, 1), IntegerRange.Int8) ?? 0, scale);
                value = coarse * IntegerRange.Int8.Quantize(value, coarse, 0);
            }

            integers[i] = IntegerRange.Int32.Quantize(value, scale, 0);
        }

        return integers;
    }

    // Scale of a symmetric range of integers that covers all values; null if they are all zero.
    private static float? OwnScale(ReadOnlySpan<float> bias, IntegerRange range)
    {
        (float minimum, float maximum) = Range(bias, 0, "bias");
        return minimum == 0 && maximum == 0 ? null : Calibrator.Choose(minimum, maximum, QuantizationSchema.Symmetric, range).Scale;
    }

    private static float Raise(float scale, float inputScale, float needed)
    {
        float raised = needed / inputScale;
        if (float.IsPow2(scale) && float.IsPow2(inputScale))
        {
            raised = (float)Math.ScaleB(1, (int)Math.Ceiling(Math.Log2(raised)));
        }

        // The product of the quotient may round to less than what was divided.
        while (inputScale * raised < needed && raised < float.MaxValue)
        {
            raised = MathF.BitIncrement(raised);
        }

        return MathF.Min(raised, float.MaxValue);
    }

    // Number of slices, and of neighbouring elements in one.
    private static (int Slices, int Inner) Slice(int length, ReadOnlySpan<int> shape, int? axis)
    {
        long elements = 1;
        foreach (int dimension in shape)
        {
            elements = dimension < 0 ? -1 : elements * dimension;
            if (elements is < 0 or > int.MaxValue)
            {
                break;
            }
        }

        if (elements != length)
        {
            throw new ArgumentException($"The weight has {length} values; its shape {Text(shape)} says otherwise.", nameof(shape));
        }

        if (axis is not int at)
        {
            return (1, Math.Max(length, 1));
        }

        if (at < -shape.Length || at >= shape.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(axis), at, $"A weight of shape {Text(shape)} has axes 0 to {shape.Length - 1}.");
        }

        at = at < 0 ? at + shape.Length : at;
        int inner = 1;
        foreach (int dimension in shape[(at + 1)..])
        {
            inner *= dimension;
        }

        return (shape[at], Math.Max(inner, 1));
    }

    private static void Validate(ReadOnlySpan<QuantizationParameters> weights, ReadOnlySpan<float> bias, float inputScale, BiasPrecision precision)
    {
        if (!Enum.IsDefined(precision))
        {
            throw new ArgumentException($"There is no precision {precision} of a bias.", nameof(precision));
        }

        if (weights.Length != 1 && weights.Length != bias.Length)
        {
            throw new ArgumentException($"There are {weights.Length} parameters of weights for {bias.Length} channels of the bias; there must be one, or one per channel.", nameof(weights));
        }

        if (!(inputScale > 0) || float.IsInfinity(inputScale))
        {
            throw new ArgumentException($"The input's scale is {inputScale}; it must be a positive number.", nameof(inputScale));
        }

        for (int i = 0; i < weights.Length; i++)
        {
            if (!(weights[i].Scale > 0) || float.IsInfinity(weights[i].Scale))
            {
                throw new ArgumentException($"The scale {i} of the weight is {weights[i].Scale}; it must be a positive number.", nameof(weights));
            }
        }
    }

    private static (float Minimum, float Maximum) Range(ReadOnlySpan<float> values, int start, string what)
    {
        if (values.IsEmpty)
        {
            return (0, 0);
        }

        (float minimum, float maximum) = (values[0], values[0]);
        for (int i = 0; i < values.Length; i++)
        {
            float value = values[i];
            if (!float.IsFinite(value))
            {
                throw new ArgumentException($"Value {start + i} of the {what} is {value}; it cannot be quantized.", nameof(values));
            }

            minimum = MathF.Min(minimum, value);
            maximum = MathF.Max(maximum, value);
        }

        return (minimum, maximum);
    }

    private static string Text(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray().Select(d => d.ToString(CultureInfo.InvariantCulture)))}]";
}
