using System.Runtime.ExceptionServices;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Qaic.ML;

/// <summary>Reads ahead of its reader: fills batches from the source, keeps several on the device, and delivers their rows in order.</summary>
/// <remarks>One thread at a time, not always the same. Everything of a row that the reader wants is buffered, since the source is ahead.</remarks>
internal sealed class BatchCursor : DataViewRowCursor
{
    private readonly QaicTransformer _transformer;
    private readonly SharedSession _shared;
    private readonly SchemaBinding _binding;
    private readonly ColumnSelection _selection;
    private readonly DataViewRowCursor _source;
    private readonly ValueGetter<DataViewRowId> _sourceId;
    private readonly InputColumn[] _inputs;
    private readonly BufferedColumn[] _buffered;
    private readonly OutputColumn[] _outputs;
    private readonly Delegate?[] _getters;
    private readonly BatchPosition _at = new();
    private readonly int _limit;

    // Rows are gathered here and not in a slot: reading the source runs other people's code, which may itself wait for a slot of this session.
    private readonly byte[][] _staging;

    private readonly Stack<Batch> _idle = new();
    private readonly Queue<Batch> _ahead = new();
    private int _created;
    private Batch? _current;

    // Gathered in _staging, and waiting for a slot.
    private Batch? _staged;
    private int _stagedRows;
    private long _position = -1;
    private long _read;
    private bool _hasRow;
    private bool _sourceEnded;
    private bool _ended;
    private bool _disposed;

    // Comes after the rows before it have been delivered.
    private ExceptionDispatchInfo? _failure;

    public BatchCursor(QaicTransformer transformer, SchemaBinding binding, ColumnSelection selection, DataViewRowCursor source)
    {
        _transformer = transformer;
        _shared = transformer.Shared;
        _binding = binding;
        _selection = selection;
        _source = source;
        _sourceId = source.GetIdGetter();
        Session session = _shared.Session;

        // One more than fit on the device: the one that is being read has given its slot back.
        _limit = session.MaxInFlight + 1;
        int rows = binding.RowsPerInference;
        _inputs = [.. binding.Inputs.Select(input => InputColumn.Create(source, input, transformer.NaNPolicy))];
        _staging = [.. session.Inputs.Select(input => new byte[input.ByteLength])];
        _getters = new Delegate?[binding.OutputSchema.Count];
        var buffered = new List<BufferedColumn>();
        foreach (DataViewSchema.Column column in selection.PassedThrough)
        {
            buffered.Add(BufferedColumn.Create(source, column, _at, rows));
            _getters[column.Index] = buffered[^1].Getter;
        }

        var outputs = new List<OutputColumn>();
        foreach ((OutputBinding output, int column) in selection.Outputs)
        {
            outputs.Add(OutputColumn.Create(output, _at, rows, _limit));
            _getters[column] = outputs[^1].Getter;
        }

        _buffered = [.. buffered];
        _outputs = [.. outputs];
    }

    public override DataViewSchema Schema => _binding.OutputSchema;

    public override long Position => _position;

    public override long Batch => _at.HasRow ? _current!.BatchNumbers[_at.Row] : 0;

    public override bool MoveNext()
    {
        if (_at.HasRow && _at.Row + 1 < _current!.Rows)
        {
            _at.MoveTo(_at.Batch, _at.Row + 1);
            _position++;
            return true;
        }

        return NextBatch();
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => _selection.IsActive(column);

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) =>
    {
        int row = _at.Row;
        value = _current!.Ids[row];
    };

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        _selection.CheckGetter<TValue>(column);
        return (ValueGetter<TValue>)_getters[column.Index]!;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            End();
        }

        base.Dispose(disposing);
    }

    private bool NextBatch()
    {
        if (_ended)
        {
            // The rows are over, or an error ended them; who asks again learns the same.
            _failure?.Throw();
            return false;
        }

        try
        {
            if (AdvanceBatch())
            {
                return true;
            }
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
            End();
            throw;
        }

        End();
        _failure?.Throw();
        return false;
    }

    private bool AdvanceBatch()
    {
        _transformer.ThrowIfDisposed();
        if (_current is { } read)
        {
            _at.Leave();
            _current = null;
            read.Drop();
            _idle.Push(read);
        }

        if (_ahead.Count == 0)
        {
            ReadAhead();
        }

        if (!_ahead.TryDequeue(out Batch? next))
        {
            return false;
        }

        _current = next;
        next.Complete();
        next.ThrowIfFailed();

        // Its slot is free again, and the device should not wait until these rows have been read.
        ReadAhead();
        YieldSlots();
        _at.MoveTo(next.Index, 0);
        _position++;
        return true;
    }

    // Gives the slots of the batches in flight to those who wait for one.
    private void YieldSlots()
    {
        if (_shared.IsWanted)
        {
            foreach (Batch batch in _ahead)
            {
                batch.Complete();
            }
        }
    }

    private void ReadAhead()
    {
        try
        {
            while ((_staged is not null || TryStage()) && TrySubmit())
            {
                // Whoever queued for a slot before this batch was parked has not seen it, and reading on may wait for just that reader.
                YieldSlots();
            }
        }
        catch (Exception e)
        {
            _staged = null;
            Fail(e);
        }
    }

    /// <returns>False if there is no row, or every batch is in use.</returns>
    private bool TryStage()
    {
        if (_sourceEnded || (_idle.Count == 0 && _created == _limit) || (!_hasRow && !MoveSource()))
        {
            return false;
        }

        Batch batch = _idle.TryPop(out Batch? idle) ? idle : new Batch(_shared, _outputs, _created++, _binding.RowsPerInference);
        int rows = Fill(batch);
        if (rows == 0)
        {
            _idle.Push(batch);
            return false;
        }

        (_staged, _stagedRows) = (batch, rows);
        return true;
    }

    /// <returns>False if there is no slot at this moment.</returns>
    private bool TrySubmit()
    {
        Inference slot;
        do
        {
            // Waiting for a slot is for those who have nothing to deliver and nothing on the device.
            if (_current is null && _ahead.Count == 0)
            {
                slot = _shared.Acquire();
            }
            else if (!_shared.TryAcquire(out slot))
            {
                return false;
            }
        }
        while (!_staged!.TrySubmit(slot, _staging, _stagedRows));

        _ahead.Enqueue(_staged);
        _staged = null;
        return true;
    }

    // Rows up to the batch's size, the source's end, or an error; padded.
    private int Fill(Batch batch)
    {
        int rows = 0;
        try
        {
            do
            {
                foreach (InputColumn input in _inputs)
                {
                    input.Load(_staging[input.Index], rows, _read);
                }

                foreach (BufferedColumn column in _buffered)
                {
                    column.Load(batch.Index, rows);
                }

                _sourceId(ref batch.Ids[rows]);
                batch.BatchNumbers[rows] = _source.Batch;
                _hasRow = false;
                _read++;
                rows++;
            }
            while (rows < _binding.RowsPerInference && MoveSource());
        }
        catch (Exception e)
        {
            Fail(e);
        }

        if (rows < _binding.RowsPerInference)
        {
            foreach (InputColumn input in _inputs)
            {
                input.Pad(_staging[input.Index], rows);
            }
        }

        return rows;
    }

    private bool MoveSource()
    {
        _hasRow = _source.MoveNext();
        _sourceEnded = !_hasRow;
        return _hasRow;
    }

    private void Fail(Exception e)
    {
        _sourceEnded = true;
        _failure = ExceptionDispatchInfo.Capture(e);
    }

    private void End()
    {
        _ended = true;
        _at.Leave();
        _position = -1;
        _current?.Drop();
        _current = null;
        while (_ahead.TryDequeue(out Batch? batch))
        {
            batch.Drop();
        }

        _source.Dispose();
    }
}
