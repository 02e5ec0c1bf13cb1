using System.Collections.Immutable;
using Qaic.Compilation;
using Qaic.Runtime;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Between samples, which have rows or are one, and what a network takes.</summary>
internal static class StackedSamples
{
    /// <summary>Whether inputs and outputs all lead with the batch, so that any number of rows can be run.</summary>
    public static bool RowsAreFree(Session session) =>
        session.AllowedShapes.Count == 0 && session.Inputs.Concat(session.Outputs).All(t => t.Shape is [var leading, ..] && leading == session.BatchSize);

    /// <summary>One row per result. The results are copies.</summary>
    public static IEnumerable<IReadOnlyDictionary<string, Tensor>> Split(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, TensorSpec[] inputs, bool rowsAreFree)
    {
        var reader = new SampleReader(inputs, rowsAreFree);
        foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
        {
            if (!rowsAreFree)
            {
                // In one of perhaps several shapes, which the session knows.
                yield return sample.ToDictionary(s => s.Key, s => Copy(s.Value, s.Value.Shape, s.Value.Bytes), StringComparer.Ordinal);
                continue;
            }

            int rows = reader.Read(sample);
            for (int row = 0; row < rows; row++)
            {
                yield return inputs.ToDictionary(i => i.Name, i => Row(sample[i.Name], i, row, rows), StringComparer.Ordinal);
            }
        }
    }

    /// <summary>As many rows per result as there are, up to a limit; what a network without a batch takes stays as it is, and so do samples that are stacked already.</summary>
    public static IEnumerable<IReadOnlyDictionary<string, Tensor>> Stack(
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples, TensorSpec[] inputs, bool rowsAreFree, int limit)
    {
        if (!rowsAreFree)
        {
            return Split(samples, inputs, rowsAreFree);
        }

        // What was stacked before is handed on as it is.
        return samples.Count > 0 && samples.SkipLast(1).All(s => Fills(s, exactly: true)) && Fills(samples[^1], exactly: false)
            ? samples
            : Split(samples, inputs, rowsAreFree).Chunk(limit).Select(chunk => Join(chunk, inputs));

        bool Fills(IReadOnlyDictionary<string, Tensor> sample, bool exactly)
        {
            bool hasRows = sample is not null && inputs.All(i => sample.TryGetValue(i.Name, out Tensor? t) && t is not null
                && t.Shape.Length == i.Shape.Length && t.Shape.AsSpan()[1..].SequenceEqual(i.Shape.AsSpan()[1..]) && t.Shape[0] == sample[inputs[0].Name].Shape[0]);
            return hasRows && (sample![inputs[0].Name].Shape[0] is var rows && (exactly ? rows == limit : rows > 0 && rows <= limit));
        }
    }

    /// <summary>The numbers of an output, whatever its type.</summary>
    public static float[] ToSingles(Tensor tensor, TensorSpec spec) => tensor.ElementType switch
    {
        ElementType.Float32 => tensor.ToArray<float>(),
        _ when ElementConversion.IsConvertible(spec) => tensor.ToFloat32(spec with { Shape = tensor.Shape }).ToArray<float>(),
        ElementType.Int64 => Convert<long>(tensor, v => v),
        ElementType.Int32 or ElementType.Int32Q => Convert<int>(tensor, v => v),
        ElementType.Int16Q => Convert<short>(tensor, v => v),
        ElementType.Int8 or ElementType.Int8Q => Convert<sbyte>(tensor, v => v),
        ElementType.UInt8 or ElementType.UInt8Q => Convert<byte>(tensor, v => v),
        _ => throw new NotSupportedException($"Output '{spec}' has no real numbers that could be compared."),
    };

    /// <summary>Whether the elements of an output are whole numbers and no codes of real ones.</summary>
    public static bool IsWhole(TensorSpec spec) => spec.ElementType is ElementType.Int64 or ElementType.Int32 or ElementType.Int8 or ElementType.UInt8;

    private static float[] Convert<T>(Tensor tensor, Func<T, float> convert) where T : unmanaged => [.. tensor.ToArray<T>().Select(convert)];

    private static Tensor Row(Tensor tensor, TensorSpec input, int row, int rows)
    {
        int bytes = tensor.Bytes.Length / rows;
        return Copy(tensor, input.Shape[1..], tensor.Bytes.Slice(row * bytes, bytes));
    }

    private static Tensor Copy(Tensor like, ImmutableArray<int> shape, ReadOnlySpan<byte> bytes)
    {
        var copy = Tensor.Zeros(new TensorSpec("", like.ElementType, shape));
        bytes.CopyTo(copy.Bytes);
        return copy;
    }

    private static Dictionary<string, Tensor> Join(IReadOnlyDictionary<string, Tensor>[] rows, TensorSpec[] inputs)
    {
        var joined = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (TensorSpec input in inputs)
        {
            Tensor first = rows[0][input.Name];
            var all = Tensor.Zeros(new TensorSpec(input.Name, first.ElementType, [rows.Length, .. first.Shape]));
            int bytes = first.Bytes.Length;
            for (int i = 0; i < rows.Length; i++)
            {
                Tensor row = rows[i][input.Name];
                if (row.ElementType != first.ElementType)
                {
                    throw new ArgumentException($"Input '{input.Name}' is {first.ElementType} in one row and {row.ElementType} in another. Give all rows the same type.");
                }

                row.Bytes.CopyTo(all.Bytes[(i * bytes)..]);
            }

            joined.Add(input.Name, all);
        }

        return joined;
    }
}
