using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Qaic.Cli.Data;

/// <summary>How outputs are written.</summary>
internal enum OutputFormat
{
    /// <summary>A file of elements per inference and output, named as the vendor's runner does.</summary>
    Raw,

    /// <summary>One NumPy file per output, with all rows.</summary>
    Npy,

    /// <summary>One table per output, with a line per row.</summary>
    Csv,
}

/// <summary>Writes the outputs of inferences as files. Files appear complete or not at all; those with all rows when <see cref="Complete"/> is called.</summary>
/// <param name="directory">Receives the files; made if it is missing.</param>
/// <param name="format">The form.</param>
/// <param name="outputs">The network's outputs.</param>
/// <exception cref="IOException">Two of them would be written to the same file.</exception>
internal sealed class OutputFiles(string directory, OutputFormat format, IReadOnlyList<TensorSpec> outputs) : IDisposable
{
    // Room for the final number of rows, whatever it will be.
    private const int PreambleLength = 512;

    private readonly IReadOnlyList<TensorSpec> _outputs = Distinct(outputs);
    private readonly Dictionary<string, (WholeFile File, ImmutableArray<int> Row, long Rows)> _open = [];
    private readonly List<string> _written = [];

    /// <summary>The files that are complete.</summary>
    public IReadOnlyList<string> Written => _written;

    /// <summary>The name that the vendor's runner gives to the file of an output: no slashes, then activation and inference.</summary>
    public static string RunnerName(string output, int activation, long inference) => string.Create(CultureInfo.InvariantCulture, $"{Safe(output)}-activation-{activation}-inf-{inference}.bin");

    /// <summary>A tensor's name as the name of a file.</summary>
    public static string Safe(string name)
    {
        string safe = string.Concat(name.Select(c => c is '/' or '\\' or ':' || char.IsControl(c) ? '_' : c));
        return safe is "" or "." or ".." ? "_" : safe;
    }

    /// <summary>Writes the outputs of one inference.</summary>
    /// <param name="inference">Its number.</param>
    /// <param name="results">Every output by name.</param>
    /// <exception cref="IOException">A file cannot be written, or rows of different shapes are to go into one file.</exception>
    public void Add(long inference, IReadOnlyDictionary<string, Tensor> results)
    {
        foreach (TensorSpec output in _outputs)
        {
            Tensor tensor = results[output.Name];
            if (format == OutputFormat.Raw)
            {
                string path = Path.Combine(directory, RunnerName(output.Name, 0, inference));
                WholeFile.Write(path, stream => stream.Write(tensor.Bytes));
                _written.Add(path);
                continue;
            }

            AddRows(output, tensor, inference);
        }
    }

    /// <summary>Puts the files with all rows in their places.</summary>
    public void Complete()
    {
        foreach (TensorSpec output in _outputs.Where(o => _open.ContainsKey(o.Name)))
        {
            (WholeFile file, ImmutableArray<int> row, long rows) = _open[output.Name];
            if (format == OutputFormat.Npy)
            {
                file.Stream.Position = 0;
                file.Stream.Write(NpyFile.Preamble(output.ElementType, [checked((int)rows), .. row], PreambleLength));
            }

            file.Complete();
            _written.Add(PathOf(output));
        }
    }

    public void Dispose()
    {
        foreach ((WholeFile file, _, _) in _open.Values)
        {
            file.Dispose();
        }
    }

    private static IReadOnlyList<TensorSpec> Distinct(IReadOnlyList<TensorSpec> outputs) =>
        outputs.GroupBy(o => Safe(o.Name), StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } same
            ? throw new IOException($"The outputs {string.Join(" and ", same.Select(o => $"'{o.Name}'"))} would be written to the same file, '{same.Key}'. Rename one of them in the model, or run without --output.")
            : outputs;

    private string PathOf(TensorSpec output) => Path.Combine(directory, $"{Safe(output.Name)}.{(format == OutputFormat.Npy ? "npy" : "csv")}");

    private void AddRows(TensorSpec output, Tensor tensor, long inference)
    {
        // A scalar is a row of its own.
        ImmutableArray<int> shape = tensor.Shape.IsEmpty ? [1] : tensor.Shape;
        ImmutableArray<int> row = shape[1..];
        if (!_open.TryGetValue(output.Name, out (WholeFile File, ImmutableArray<int> Row, long Rows) open))
        {
            open = (new WholeFile(PathOf(output)), row, 0);
            _open.Add(output.Name, open);
            Begin(open.File, output, row);
        }

        if (!open.Row.AsSpan().SequenceEqual(row.AsSpan()))
        {
            throw new IOException($"Inference {inference} has output '{output.Name}' with rows of [{string.Join(", ", row)}], those before have [{string.Join(", ", open.Row)}], so they do not fit into one file. Write raw files (--output-format raw), one per inference.");
        }

        if (format == OutputFormat.Npy)
        {
            open.File.Stream.Write(tensor.Bytes);
        }
        else
        {
            WriteTable(open.File.Stream, tensor, output, shape[0]);
        }

        _open[output.Name] = open with { Rows = open.Rows + shape[0] };
    }

    private void Begin(WholeFile file, TensorSpec output, ImmutableArray<int> row)
    {
        if (format == OutputFormat.Npy)
        {
            file.Stream.Write(NpyFile.Preamble(output.ElementType, [0, .. row], PreambleLength));
            return;
        }

        long width = row.Aggregate(1L, (product, dim) => product * dim);
        IEnumerable<string> names = Enumerable.Range(0, (int)width).Select(i => width == 1 ? output.Name : string.Create(CultureInfo.InvariantCulture, $"{output.Name}.{i}"));
        file.Stream.Write(Encoding.UTF8.GetBytes(string.Join(',', names.Select(CsvFile.Quoted)) + "\n"));
    }

    private static void WriteTable(FileStream stream, Tensor tensor, TensorSpec output, int rows)
    {
        int width = rows == 0 ? 0 : tensor.Length / rows;
        var line = new StringBuilder();
        for (int row = 0; row < rows; row++)
        {
            line.Clear();
            for (int column = 0; column < width; column++)
            {
                line.Append(column == 0 ? "" : ",").Append(Elements.Text(tensor, (row * width) + column, output));
            }

            stream.Write(Encoding.UTF8.GetBytes(line.Append('\n').ToString()));
        }
    }
}
