using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>A weight and what per-tensor or per-channel quantization does to each of its channels.</summary>
/// <param name="OpType"><see cref="ModelWeight.OpType"/>.</param>
/// <param name="Largest">Largest magnitude per channel.</param>
/// <param name="SqnrDb">Signal to quantization noise per channel.</param>
internal sealed record WeightStudy(string OpType, double[] Largest, double[] SqnrDb);

/// <summary>Works out what quantization does to the tensors of a network.</summary>
internal static class TensorStudy
{
    private const int WeightBins = 256;

    /// <summary>One result per quantized tensor; worst first, what is not known last.</summary>
    /// <param name="record">The quantized tensors.</param>
    /// <param name="profile">Histograms of the activations; null if they are not known.</param>
    /// <param name="weights">Weights with their values. Read once; no values are kept.</param>
    public static List<(TensorAccuracy Accuracy, WeightStudy? Weight)> Of(PrecisionRecord record, QuantizationProfile? profile, IEnumerable<ModelWeight> weights)
    {
        List<QuantizedTensor> tensors = [.. record.Tensors.Where(t => t.Scales.Count > 0)];
        ILookup<string, QuantizedTensor> byName = tensors.ToLookup(t => t.Name, StringComparer.Ordinal);
        var studied = new Dictionary<QuantizedTensor, (TensorAccuracy Accuracy, WeightStudy? Weight)>(ReferenceEqualityComparer.Instance);
        foreach (ModelWeight weight in weights)
        {
            foreach (QuantizedTensor tensor in byName[weight.Name])
            {
                studied[tensor] = Of(tensor, Statistics(tensor), weight);
            }
        }

        return [.. tensors.Select(t => studied.TryGetValue(t, out (TensorAccuracy Accuracy, WeightStudy? Weight) study) ? study : Of(t, Statistics(t), null))
            .OrderBy(t => double.IsNaN(t.Accuracy.WorstChannelSqnrDb) ? double.PositiveInfinity : t.Accuracy.WorstChannelSqnrDb)
            .ThenBy(t => t.Accuracy.Name, StringComparer.Ordinal)];

        TensorStatistics? Statistics(QuantizedTensor tensor) => tensor.ProfileName is null ? null : profile?.Find(tensor.ProfileName);
    }

    /// <summary>What a histogram says of values between the two ends that cut off the same share of them.</summary>
    /// <param name="statistics">The histogram.</param>
    /// <param name="share">Share of the values to keep: 0.9999.</param>
    public static (double Minimum, double Maximum) Bulk(TensorStatistics statistics, double share)
    {
        ReadOnlySpan<double> counts = statistics.Counts;
        double cut = statistics.Total * (1 - share) / 2;
        double width = ((double)statistics.Maximum - statistics.Minimum) / Math.Max(counts.Length, 1);
        (int first, int last) = (0, counts.Length - 1);
        for (double left = 0; first < last && left + counts[first] <= cut; first++)
        {
            left += counts[first];
        }

        for (double right = 0; last > first && right + counts[last] <= cut; last--)
        {
            right += counts[last];
        }

        return (statistics.Minimum + (first * width), statistics.Minimum + ((last + 1) * width));
    }

    private static (TensorAccuracy Accuracy, WeightStudy? Weight) Of(QuantizedTensor tensor, TensorStatistics? statistics, ModelWeight? weight)
    {
        QuantizationParameters[] parameters = [.. tensor.Scales.Select((s, i) => new QuantizationParameters(s, tensor.Offsets.Count == 1 ? tensor.Offsets[0] : tensor.Offsets.ElementAtOrDefault(i)))];
        QuantizationParameters widest = parameters.MaxBy(p => p.Scale);

        // A bias has 32 bits, whose ends nothing reaches.
        bool isBias = tensor.Kind == "bias";
        (float low, float high) = isBias ? (tensor.Minimum, tensor.Maximum) : (widest.Minimum, widest.Maximum);
        WeightStudy? study = weight is null || isBias || statistics is not null ? null : Study(weight, parameters);
        (double sqnr, double worst, double clipped, TensorStatistics? histogram) = (double.NaN, double.NaN, 0.0, statistics);
        if (study is not null)
        {
            (sqnr, worst, clipped, histogram) = Measure(weight!, parameters, study);
        }
        else if (statistics is not null && parameters.Length == 1)
        {
            var noise = QuantizationNoise.Estimate(statistics, widest);
            (sqnr, clipped) = (statistics.Total > 0 ? noise.SqnrDecibels : double.NaN, noise.ClippedFraction);
            worst = sqnr;
        }

        double levels = Math.Max(0, Math.Min(tensor.Maximum, high) - Math.Max(tensor.Minimum, low)) / widest.Scale;
        return (new TensorAccuracy
        {
            Name = tensor.Name,
            Kind = tensor.Kind,
            Minimum = tensor.Minimum,
            Maximum = tensor.Maximum,
            Channels = parameters.Length,
            SmallestScale = parameters.Min(p => p.Scale),
            LargestScale = widest.Scale,
            Offset = parameters[0].Offset,
            RangeMinimum = low,
            RangeMaximum = high,
            SqnrDb = sqnr,
            WorstChannelSqnrDb = worst,
            ClippedFraction = clipped,
            LevelsUsed = isBias ? 0 : (int)Math.Min(256, Math.Round(levels) + 1),
            ChannelMaxima = study is null ? [] : [.. study.Largest.Select(m => (float)m)],
            Histogram = histogram,
        }, study);
    }

    private static WeightStudy Study(ModelWeight weight, QuantizationParameters[] parameters)
    {
        int axis = AxisOf(weight, parameters.Length);
        double[] largest = new double[weight.Shape[axis]], signal = new double[largest.Length], noise = new double[largest.Length];
        int inner = weight.Shape.Skip(axis + 1).Aggregate(1, (a, b) => a * b);
        for (int i = 0; i < weight.Values.Length; i++)
        {
            int channel = i / inner % largest.Length;
            QuantizationParameters p = parameters.Length == largest.Length ? parameters[channel] : parameters[0];
            float value = weight.Values[i];
            double error = value - (double)p.Dequantize(p.Quantize(value));
            largest[channel] = Math.Max(largest[channel], Math.Abs(value));
            signal[channel] += (double)value * value;
            noise[channel] += error * error;
        }

        return new WeightStudy(weight.OpType, largest, [.. signal.Zip(noise, OutputComparison.Decibels)]);
    }

    // Parameters per slice belong to the one dimension of their number; the operator's own goes first.
    private static int AxisOf(ModelWeight weight, int parameters)
    {
        bool fits = parameters == 1 || weight.Shape[weight.ChannelAxis] == parameters;
        int other = fits ? -1 : weight.Shape.ToList().IndexOf(parameters);
        return other < 0 ? weight.ChannelAxis : other;
    }

    private static (double Sqnr, double Worst, double Clipped, TensorStatistics Histogram) Measure(ModelWeight weight, QuantizationParameters[] parameters, WeightStudy study)
    {
        int axis = AxisOf(weight, parameters.Length);
        int inner = weight.Shape.Skip(axis + 1).Aggregate(1, (a, b) => a * b);
        (double signal, double noise) = (0, 0);
        long clipped = 0;
        for (int i = 0; i < weight.Values.Length; i++)
        {
            QuantizationParameters p = parameters.Length == study.Largest.Length ? parameters[i / inner % study.Largest.Length] : parameters[0];
            (float value, float said) = (weight.Values[i], p.Dequantize(p.Quantize(weight.Values[i])));
            signal += (double)value * value;
            noise += ((double)value - said) * ((double)value - said);

            // Up to half a step beyond the end is rounding, not clipping.
            clipped += value < p.Minimum - (p.Scale / 2) || value > p.Maximum + (p.Scale / 2) ? 1 : 0;
        }

        // A channel of zeros has no noise, and none of the worst either.
        return (OutputComparison.Decibels(signal, noise), study.SqnrDb.Min(), (double)clipped / Math.Max(1, weight.Values.Length), Histogram(weight));
    }

    private static TensorStatistics Histogram(ModelWeight weight)
    {
        (float minimum, float maximum) = weight.Values.Length == 0 ? (0, 0) : (weight.Values.Min(), weight.Values.Max());
        double[] counts = new double[WeightBins];
        double width = ((double)maximum - minimum) / WeightBins;
        foreach (float value in weight.Values)
        {
            counts[width > 0 ? (int)Math.Min(WeightBins - 1, (value - minimum) / width) : 0]++;
        }

        return new TensorStatistics(weight.Name, minimum, maximum, counts);
    }
}
