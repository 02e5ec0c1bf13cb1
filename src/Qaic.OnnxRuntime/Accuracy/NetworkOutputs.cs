using System.Collections.Immutable;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>One output on all rows.</summary>
/// <param name="Name">The output.</param>
/// <param name="Values">All elements, row after row.</param>
/// <param name="RowShape">Dimensions of one row.</param>
/// <param name="Rows">Number of rows.</param>
internal sealed record OutputRows(string Name, float[] Values, ImmutableArray<int> RowShape, int Rows)
{
    /// <summary>Whether the elements are whole numbers, as classes are, and no codes of real ones.</summary>
    public bool IsWhole { get; init; }
}

/// <summary>Compares a network's outputs with those of float32.</summary>
internal static class OutputComparison
{
    /// <exception cref="ArgumentException">There are not as many labels as predictions.</exception>
    public static ModelAccuracy Compare(IReadOnlyList<OutputRows> reference, IReadOnlyList<OutputRows> actual, AccuracyData data)
    {
        if (!reference.Select(o => (o.Name, o.Values.Length)).SequenceEqual(actual.Select(o => (o.Name, o.Values.Length))))
        {
            throw new InvalidOperationException($"A network has the outputs {Names(actual)}, and in float32 {Names(reference)}.");
        }

        bool isProbability = !reference[0].IsWhole && IsProbability(reference[0]);
        int[] expected = Classes(reference[0], isProbability), found = Classes(actual[0], isProbability);
        if (data.Labels is { } labels && labels.Count != expected.Length)
        {
            throw new ArgumentException($"There are {labels.Count} labels, but output '{reference[0].Name}' names {expected.Length} classes on the {reference[0].Rows} held-out rows. Give one label for each.", nameof(data));
        }

        return new ModelAccuracy
        {
            Rows = reference[0].Rows,
            Agreement = Share(expected, found),
            Top1 = data.Labels is null ? null : Share(data.Labels, found),
            ReferenceTop1 = data.Labels is null ? null : Share(data.Labels, expected),
            Metric = data.Metric?.Invoke(ToTensors(actual)),
            ReferenceMetric = data.Metric?.Invoke(ToTensors(reference)),
            Outputs = [.. reference.Zip(actual, Compare)],
        };
    }

    /// <summary>10·log₁₀ of a ratio of powers; infinite without noise, even without a signal.</summary>
    public static double Decibels(double signal, double noise) => noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / noise);

    private static string Names(IReadOnlyList<OutputRows> outputs) => string.Join(", ", outputs.Select(o => $"'{o.Name}' ({o.Values.Length} elements)"));

    private static OutputAccuracy Compare(OutputRows reference, OutputRows actual)
    {
        (double signal, double noise, double largest) = (0, 0, 0);
        for (int i = 0; i < reference.Values.Length; i++)
        {
            (double x, double y) = (reference.Values[i], actual.Values[i]);

            // Infinities, as masks have them, say nothing of noise where both have them.
            if (x.Equals(y))
            {
                signal += double.IsFinite(x) ? x * x : 0;
                continue;
            }

            double error = double.IsFinite(x) && double.IsFinite(y) ? Math.Abs(x - y) : double.PositiveInfinity;
            signal += double.IsFinite(x) ? x * x : 0;
            noise += error * error;
            largest = Math.Max(largest, error);
        }

        return new OutputAccuracy(reference.Name, Decibels(signal, noise), largest) { IsWhole = reference.IsWhole };
    }

    // No class of any network: classifiers of outliers have -1.
    private const int NoClass = int.MinValue;

    // Both sides must mean the same list of rows.
    private static double Share(IReadOnlyList<int> expected, int[] found)
    {
        int same = 0;
        for (int i = 0; i < found.Length; i++)
        {
            same += expected[i] == found[i] && found[i] != NoClass ? 1 : 0;
        }

        return (double)same / found.Length;
    }

    // A single column is a logit, or a probability if all of float32's values could be one.
    private static bool IsProbability(OutputRows output) => output.Values.All(v => v is >= 0 and <= 1);

    // The class that each line along the last axis names. An output of whole numbers names one with each.
    private static int[] Classes(OutputRows output, bool isProbability)
    {
        if (output.IsWhole)
        {
            return Array.ConvertAll(output.Values, v => (int)v);
        }

        // Scores of classes lie along the last axis; of maps, [classes, height, width], along the first.
        int axis = output.RowShape.Length >= 3 ? 0 : Math.Max(output.RowShape.Length - 1, 0);
        int width = output.RowShape.IsEmpty ? 1 : Math.Max(output.RowShape[axis], 1);
        int stride = output.RowShape.Skip(axis + 1).Aggregate(1, (product, dim) => product * dim);
        int[] classes = new int[output.Values.Length / width];
        var values = new float[width];
        for (int answer = 0; answer < classes.Length; answer++)
        {
            int start = (answer / stride * width * stride) + (answer % stride);
            for (int i = 0; i < width; i++)
            {
                values[i] = output.Values[start + (i * stride)];
            }

            classes[answer] = values.AsSpan().ContainsAnyExceptInRange(float.NegativeInfinity, float.PositiveInfinity) ? NoClass
                : width == 1 ? (values[0] > (isProbability ? 0.5f : 0) ? 1 : 0)
                : IndexOfMax(values);
        }

        return classes;
    }

    private static int IndexOfMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            best = values[i] > values[best] ? i : best;
        }

        return best;
    }

    private static Dictionary<string, Tensor> ToTensors(IReadOnlyList<OutputRows> outputs) =>
        outputs.ToDictionary(o => o.Name, o => Tensor.Create((float[])o.Values.Clone(), [o.Rows, .. o.RowShape]));
}
