using System.Collections;
using System.Runtime.ExceptionServices;
using Microsoft.ML;

namespace Qaic.ML;

/// <summary>Rows of some data as a profiler takes them: batch by batch, in the order of the data, read while they are wanted. Nothing is kept.</summary>
/// <remarks>Whoever has a profiler read them should look at <see cref="Failure"/> if it fails: the profiler may have put the error into other words.</remarks>
internal sealed class CalibrationRows(IDataView data, SchemaBinding binding, int? limit, int seed) : IEnumerable<IReadOnlyDictionary<string, Tensor>>
{
    /// <summary>Rows read so far.</summary>
    public long Count { get; private set; }

    /// <summary>What ended the rows before their time; null if nothing did.</summary>
    public ExceptionDispatchInfo? Failure { get; private set; }

    public IEnumerator<IReadOnlyDictionary<string, Tensor>> GetEnumerator()
    {
        Count = 0;
        using var reader = new Reader(data, binding, limit, seed);
        while (Next(reader) is { } batch)
        {
            yield return batch;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private Dictionary<string, Tensor>? Next(Reader reader)
    {
        try
        {
            (Dictionary<string, Tensor>? batch, int rows) = reader.Read();
            Count += rows;
            return batch is not null || Count > 0
                ? batch
                : throw new InvalidOperationException("The data has no rows. A network is quantized by the values that rows cause in it: give some that are like those it will see.");
        }
        catch (Exception e)
        {
            Failure = ExceptionDispatchInfo.Capture(e);
            throw;
        }
    }

    /// <summary>One pass over the data.</summary>
    private sealed class Reader(IDataView data, SchemaBinding binding, int? limit, int seed) : IDisposable
    {
        private RowSample? _sample;
        private DataViewRowCursor? _cursor;
        private InputColumn[] _columns = [];

        /// <summary>The next rows, as many as an inference takes or as there are; null at the end.</summary>
        public (Dictionary<string, Tensor>? Batch, int Rows) Read()
        {
            if (_cursor is null)
            {
                _sample = RowSample.Of(data, limit, seed);
                _cursor = data.GetRowCursor(binding.Inputs.Select(input => input.Column).DistinctBy(column => column.Index));
                _columns = [.. binding.Inputs.Select(input => InputColumn.Create(_cursor, input, FloatCheck.Finite))];
            }

            Tensor[]? tensors = null;
            int rows = 0;
            while (rows < binding.RowsPerInference && MoveNext())
            {
                tensors ??= [.. binding.Inputs.Select(input => Tensor.Zeros(input.Tensor))];
                foreach (InputColumn column in _columns)
                {
                    column.Load(tensors[column.Index].Bytes, rows, _cursor.Position);
                }

                rows++;
            }

            return (tensors is null ? null : binding.Inputs.ToDictionary(input => input.Tensor.Name, input => Rows(tensors[input.Index], input.Tensor, rows)), rows);
        }

        public void Dispose() => _cursor?.Dispose();

        private bool MoveNext()
        {
            while (!_sample!.IsComplete && _cursor!.MoveNext())
            {
                if (_sample.TakesNext())
                {
                    return true;
                }
            }

            return false;
        }

        // Whole tensors, except the last: no row is made up.
        private Tensor Rows(Tensor batch, TensorSpec spec, int rows)
        {
            if (rows == binding.RowsPerInference)
            {
                return batch;
            }

            var part = Tensor.Zeros(spec with { Shape = spec.Shape.SetItem(0, rows) });
            batch.Bytes[..part.Bytes.Length].CopyTo(part.Bytes);
            return part;
        }
    }
}
