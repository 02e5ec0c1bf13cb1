using System.Collections.Immutable;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>Takes the rows away that only fill the last batch of a list of inputs: they are rows from its start once more.</summary>
/// <remarks>A profile sees them, as the vendor's recipes do. A comparison on held-out rows must not: they are among the rows that were profiled.</remarks>
internal static class BatchFill
{
    /// <param name="samples">Whole batches: per element all inputs by name, each with the same leading dimension. Those of a network without a batch come back as they are.</param>
    public static IEnumerable<IReadOnlyDictionary<string, Tensor>> Trim(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples)
    {
        (IReadOnlyDictionary<string, Tensor>? first, IReadOnlyDictionary<string, Tensor>? last) = (null, null);
        foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
        {
            if (last is not null)
            {
                yield return last;
            }

            first ??= sample;
            last = sample;
        }

        if (last is not null)
        {
            yield return ReferenceEquals(first, last) ? Unrepeated(last) : WithoutFirst(first!, last);
        }
    }

    // A single batch: its rows, repeated until it was full.
    private static IReadOnlyDictionary<string, Tensor> Unrepeated(IReadOnlyDictionary<string, Tensor> batch)
    {
        int rows = Rows(batch);
        int real = 1;
        while (real < rows && !Enumerable.Range(real, rows - real).All(i => SameRow(batch, i, batch, i % real, rows)))
        {
            real++;
        }

        return Take(batch, real, rows);
    }

    // As many rows at the end as equal those that the first batch begins with.
    private static IReadOnlyDictionary<string, Tensor> WithoutFirst(IReadOnlyDictionary<string, Tensor> first, IReadOnlyDictionary<string, Tensor> last)
    {
        int rows = Rows(last);
        int real = 1;
        while (real < rows && !Enumerable.Range(real, rows - real).All(i => SameRow(last, i, first, i - real, rows)))
        {
            real++;
        }

        return Take(last, real, rows);
    }

    private static int Rows(IReadOnlyDictionary<string, Tensor> batch)
    {
        int[] leading = [.. batch.Values.Select(t => t.Shape is [var rows, ..] ? rows : 1).Distinct()];
        return leading is [var common] ? common : 1;
    }

    private static bool SameRow(IReadOnlyDictionary<string, Tensor> a, int rowOfA, IReadOnlyDictionary<string, Tensor> b, int rowOfB, int rows) =>
        a.All(input => Row(input.Value, rowOfA, rows).SequenceEqual(Row(b[input.Key], rowOfB, rows)));

    private static ReadOnlySpan<byte> Row(Tensor tensor, int row, int rows) => tensor.Bytes.Slice(tensor.Bytes.Length / rows * row, tensor.Bytes.Length / rows);

    private static IReadOnlyDictionary<string, Tensor> Take(IReadOnlyDictionary<string, Tensor> batch, int real, int rows)
    {
        if (real == rows)
        {
            return batch;
        }

        var taken = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach ((string name, Tensor tensor) in batch)
        {
            ImmutableArray<int> shape = tensor.Shape.SetItem(0, real);
            var part = Tensor.Zeros(new TensorSpec(name, tensor.ElementType, shape));
            tensor.Bytes[..part.Bytes.Length].CopyTo(part.Bytes);
            taken.Add(name, part);
        }

        return taken;
    }
}
