namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>The range of each column of a float input: of the last dimension of tables, of the first (after the rows) of pictures.</summary>
internal sealed record InputColumns(string Name, float[] Minima, float[] Maxima)
{
    /// <summary>The columns of all float inputs.</summary>
    /// <param name="rows">Rows, without the leading dimension.</param>
    public static IReadOnlyList<InputColumns> Of(IEnumerable<IReadOnlyDictionary<string, Tensor>> rows)
    {
        var columns = new SortedDictionary<string, InputColumns>(StringComparer.Ordinal);
        foreach (IReadOnlyDictionary<string, Tensor> row in rows)
        {
            foreach ((string name, Tensor tensor) in row.Where(t => t.Value.ElementType == ElementType.Float32 && t.Value.Shape.Length > 0 && t.Value.Length > 0))
            {
                bool isTable = tensor.Shape.Length <= 2;
                int count = isTable ? tensor.Shape[^1] : tensor.Shape[0];
                if (!columns.TryGetValue(name, out InputColumns? seen))
                {
                    seen = new InputColumns(name, new float[count], new float[count]);
                    Array.Fill(seen.Minima, float.PositiveInfinity);
                    Array.Fill(seen.Maxima, float.NegativeInfinity);
                    columns.Add(name, seen);
                }

                if (count == seen.Minima.Length)
                {
                    seen.Add(tensor.AsSpan<float>(), isTable);
                }
            }
        }

        return [.. columns.Values];
    }

    private void Add(ReadOnlySpan<float> values, bool isTable)
    {
        int plane = values.Length / Minima.Length;
        for (int i = 0; i < values.Length; i++)
        {
            int column = isTable ? i % Minima.Length : i / plane;
            Minima[column] = Math.Min(Minima[column], values[i]);
            Maxima[column] = Math.Max(Maxima[column], values[i]);
        }
    }
}
