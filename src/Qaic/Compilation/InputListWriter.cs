using System.Globalization;
using System.Numerics.Tensors;
using System.Text;
using Qaic.Options;
using Qaic.Quantization;

namespace Qaic.Compilation;

/// <summary>Gathers rows into batches, and writes each as raw files and a line of the list. Keeps one batch, and the rows that fill the last one.</summary>
internal sealed class InputListWriter
{
    private const string ListName = "inputs.txt";

    private readonly string _directory;
    private readonly IReadOnlyList<TensorSpec> _inputs;
    private readonly byte[][] _batch;
    private readonly byte[][] _first;
    private readonly int _rowsPerBatch;
    private readonly bool _isBatched;
    private readonly StringBuilder _list = new();
    private int _filled;
    private int _firstFilled;
    private int _inferences;
    private long _samples;

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

        _inputs = inputs;
        int[] leading = [.. inputs.Select(i => i.Shape.IsEmpty ? 0 : i.Shape[0]).Distinct()];
        _isBatched = leading is [> 0];
        _rowsPerBatch = _isBatched ? leading[0] : 1;
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
        ArgumentNullException.ThrowIfNull(sample);
        var tensors = new Tensor[_inputs.Count];
        int? rows = null;
        for (int i = 0; i < tensors.Length; i++)
        {
            TensorSpec input = _inputs[i];
            tensors[i] = sample.TryGetValue(input.Name, out Tensor? found) && found is not null
                ? found
                : throw new ArgumentException($"Sample {_samples} has no input '{input.Name}'. It has: {(sample.Count == 0 ? "none" : string.Join(", ", sample.Keys))}.", nameof(sample));
            int count = RowsOf(tensors[i], input);
            if (rows is { } others && others != count)
            {
                throw new ArgumentException($"Sample {_samples} has {others} rows of '{_inputs[0].Name}' and {count} of '{input.Name}'. All inputs must have as many.", nameof(sample));
            }

            rows = count;
            CheckFinite(tensors[i], input);
        }

        if (sample.Count != _inputs.Count && sample.Keys.FirstOrDefault(k => _inputs.All(i => i.Name != k)) is { } extra)
        {
            string hint = Spelling.Nearest(extra, _inputs.Select(i => i.Name)) is { } nearest ? $" Did you mean '{nearest}'?" : "";
            throw new ArgumentException($"Sample {_samples}: the model has no input '{extra}'.{hint} It has: {string.Join(", ", _inputs.Select(i => $"'{i.Name}'"))}.", nameof(sample));
        }

        for (int row = 0; row < rows; row++)
        {
            for (int i = 0; i < tensors.Length; i++)
            {
                int size = _batch[i].Length / _rowsPerBatch;
                Span<byte> bytes = tensors[i].Bytes.Slice(row * size, size);
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

        _samples++;
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

    private int RowsOf(Tensor tensor, TensorSpec input)
    {
        if (tensor.ElementType.ClrType() != input.ElementType.ClrType())
        {
            throw new ArgumentException($"Sample {_samples} has {tensor} for input '{input}'; it must have elements of {input.ElementType}.");
        }

        ReadOnlySpan<int> shape = tensor.Shape.AsSpan();
        ReadOnlySpan<int> wanted = input.Shape.AsSpan();
        if (_isBatched ? shape.SequenceEqual(wanted[1..]) : shape.SequenceEqual(wanted))
        {
            return 1;
        }

        if (_isBatched && shape.Length == wanted.Length && shape[1..].SequenceEqual(wanted[1..]))
        {
            return shape[0];
        }

        string rest = string.Join(", ", input.Shape.Skip(1));
        string expected = !_isBatched ? $"[{string.Join(", ", input.Shape)}], because the inputs have no batch in common" : $"[{rest}] for one row or [rows{(rest.Length > 0 ? ", " : "")}{rest}] for several";
        throw new ArgumentException($"Sample {_samples} has {tensor} for input '{input}'; its shape must be {expected}.");
    }

    private void CheckFinite(Tensor tensor, TensorSpec input)
    {
        int at = tensor.ElementType switch
        {
            ElementType.Float32 => IndexOfNotFinite(tensor.AsSpan<float>()),
            ElementType.Float16 => IndexOfNotFinite(tensor.AsSpan<Half>()),
            // All exponent bits set.
            ElementType.BFloat16 => IndexOf(tensor.AsSpan<ushort>(), bits => (bits & 0x7f80) == 0x7f80),
            _ => -1,
        };
        if (at >= 0)
        {
            throw new ArgumentException($"Sample {_samples} has NaN or infinity in input '{input.Name}', element {at}. Such data cannot be profiled; repair or leave out the sample.");
        }
    }

    private static int IndexOfNotFinite(ReadOnlySpan<float> values) => TensorPrimitives.IsFiniteAll(values) ? -1 : IndexOf(values, v => !float.IsFinite(v));

    private static int IndexOfNotFinite(ReadOnlySpan<Half> values) => IndexOf(values, v => !Half.IsFinite(v));

    private static int IndexOf<T>(ReadOnlySpan<T> values, Func<T, bool> isWanted)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (isWanted(values[i]))
            {
                return i;
            }
        }

        return -1;
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
