using System.Globalization;
using System.Text;
using Qaic.Quantization;

namespace Qaic.Compilation;

/// <summary>Gathers rows into batches, and writes each as raw files and a line of the list. Keeps one batch, and the rows that fill the last one.</summary>
internal sealed class InputListWriter
{
    private const string ListName = "inputs.txt";

    private readonly string _directory;
    private readonly SampleReader _reader;
    private readonly byte[][] _batch;
    private readonly byte[][] _first;
    private readonly int _rowsPerBatch;
    private readonly StringBuilder _list = new();
    private int _filled;
    private int _firstFilled;
    private int _inferences;

    /// <exception cref="ArgumentException">There is no input, or the directory's path has a comma.</exception>
    /// <exception cref="IOException">The directory cannot be made.</exception>
    public InputListWriter(string directory, IReadOnlyList<TensorSpec> inputs)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        ArgumentNullException.ThrowIfNull(inputs);
        _directory = Path.GetFullPath(directory);
        if (_directory.AsSpan().IndexOfAny(',', '\n', '\r') >= 0 || _directory.Trim() != _directory)
        {
            throw new ArgumentException($"The directory '{_directory}' has a comma or a line end in its path, or a blank around it, which a list of inputs cannot hold. Choose another, or set TMPDIR.", nameof(directory));
        }

        if (inputs.Count == 0)
        {
            throw new ArgumentException("The network has no inputs, so there is nothing to write.", nameof(inputs));
        }

        int[] leading = [.. inputs.Select(i => i.Shape.IsEmpty ? 0 : i.Shape[0]).Distinct()];
        bool hasBatch = leading is [> 0];
        _reader = new SampleReader(inputs, hasBatch);
        _rowsPerBatch = hasBatch ? leading[0] : 1;
        _batch = [.. inputs.Select(i => new byte[checked((int)i.ByteLength)])];
        _first = [.. _batch.Select(b => new byte[b.Length])];
        try
        {
            Directory.CreateDirectory(_directory);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"The directory '{_directory}' for raw inputs cannot be made: {e.Message}", e);
        }
    }

    /// <summary>Rows until now.</summary>
    public long Rows { get; private set; }

    /// <summary>Lines until now.</summary>
    public int Inferences => _inferences;

    /// <summary>Adds the rows of a sample.</summary>
    /// <exception cref="ArgumentException">It lacks an input, has one that the model has not, or has one of the wrong type or shape, or with NaN or infinity.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public void Add(IReadOnlyDictionary<string, Tensor> sample)
    {
        int rows = _reader.Read(sample);
        for (int row = 0; row < rows; row++)
        {
            for (int i = 0; i < _batch.Length; i++)
            {
                int size = _batch[i].Length / _rowsPerBatch;
                Span<byte> bytes = _reader.Tensors[i].Bytes.Slice(row * size, size);
                bytes.CopyTo(_batch[i].AsSpan(_filled * size));
                if (_firstFilled < _rowsPerBatch)
                {
                    bytes.CopyTo(_first[i].AsSpan(_firstFilled * size));
                }
            }

            _firstFilled = Math.Min(_firstFilled + 1, _rowsPerBatch);
            Rows++;
            Advance();
        }
    }

    /// <summary>Fills the last batch, and writes the list.</summary>
    /// <exception cref="ArgumentException">There was no row.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public WrittenInputs Complete()
    {
        if (Rows == 0)
        {
            throw new ArgumentException("There is no sample. Give one or more rows; 100 to 500 of real, preprocessed data are usual.");
        }

        // Zeros would be counted like data; real rows distort nothing.
        for (int row = 0; _filled > 0; row = (row + 1) % _firstFilled)
        {
            for (int i = 0; i < _batch.Length; i++)
            {
                int size = _batch[i].Length / _rowsPerBatch;
                _first[i].AsSpan(row * size, size).CopyTo(_batch[i].AsSpan(_filled * size));
            }

            Advance();
        }

        string path = Path.Combine(_directory, ListName);
        QuantizationFiles.Write(path, "list of inputs", stream => stream.Write(QuantizationFiles.Utf8.GetBytes(_list.ToString())));
        return new WrittenInputs(path, Rows, _inferences);
    }

    private void Advance()
    {
        _filled++;
        if (_filled < _rowsPerBatch)
        {
            return;
        }

        _filled = 0;
        for (int i = 0; i < _batch.Length; i++)
        {
            string file = Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"input{i}_{_inferences:000000}.raw"));
            try
            {
                File.WriteAllBytes(file, _batch[i]);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new IOException($"The raw input '{file}' cannot be written: {e.Message} Calibration data is written to the disk as a whole; set TMPDIR to a directory with room for it.", e);
            }

            _list.Append(i == 0 ? "" : ",").Append(file);
        }

        _list.Append('\n');
        _inferences++;
    }
}
