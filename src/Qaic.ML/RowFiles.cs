using System.Globalization;

namespace Qaic.ML;

/// <summary>Rows as the vendor's compilers take them: a raw file per inference and input, and a list of the files.</summary>
internal static class RowFiles
{
    /// <summary>Writes rows. An incomplete last inference is filled with rows from the start: zeros would be counted as data.</summary>
    /// <param name="directory">Receives the files.</param>
    /// <param name="inputs">The model's inputs, in its order.</param>
    /// <param name="batches">Whole inferences; the last may have fewer rows.</param>
    /// <returns>Path of the list.</returns>
    public static string Write(string directory, IReadOnlyList<TensorSpec> inputs, IEnumerable<IReadOnlyDictionary<string, Tensor>> batches)
    {
        string list = Path.Combine(directory, "inputs.txt");
        using var lines = new StreamWriter(list);
        IReadOnlyDictionary<string, Tensor>? first = null;
        int number = 0;
        foreach (IReadOnlyDictionary<string, Tensor> batch in batches)
        {
            first ??= batch;
            string[] files = [.. inputs.Select((_, i) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{number}-{i}.raw")))];
            for (int i = 0; i < files.Length; i++)
            {
                WriteFilled(files[i], inputs[i].ByteLength, batch[inputs[i].Name].Bytes, first[inputs[i].Name].Bytes);
            }

            lines.WriteLine(string.Join(',', files));
            number++;
        }

        return list;
    }

    // Rows are contiguous, so whole ones are copied as long as the file is a multiple of them.
    private static void WriteFilled(string path, long length, ReadOnlySpan<byte> rows, ReadOnlySpan<byte> first)
    {
        using FileStream file = File.Create(path);
        file.Write(rows);
        for (long left = length - rows.Length; left > 0; left -= Math.Min(left, first.Length))
        {
            file.Write(first[..(int)Math.Min(left, first.Length)]);
        }
    }
}
