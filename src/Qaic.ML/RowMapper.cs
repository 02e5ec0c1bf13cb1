using Microsoft.ML;
using Microsoft.ML.Data;

namespace Qaic.ML;

/// <summary>Scores single rows, for prediction engines: a padded batch per row. Thread-safe; the rows it makes are not.</summary>
internal sealed class RowMapper(QaicTransformer transformer, SchemaBinding binding) : IRowToRowMapper
{
    // ML.NET compares schemas by reference, so these are the same objects every time.
    public DataViewSchema InputSchema => binding.InputSchema;

    public DataViewSchema OutputSchema => binding.OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        new ColumnSelection(binding, dependingColumns).SourceColumns;

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        return input.Schema == InputSchema
            ? new ScoredRow(transformer, binding, new ColumnSelection(binding, activeColumns), input)
            : throw new ArgumentException("The row's schema is not the one that this mapper was made for (compared by reference). Get a mapper for the row's own schema.", nameof(input));
    }
}

/// <summary>A row with the model's outputs added, computed when the first of them is read, once per position of the row beneath.</summary>
internal sealed class ScoredRow : DataViewRow
{
    private readonly QaicTransformer _transformer;
    private readonly SchemaBinding _binding;
    private readonly ColumnSelection _selection;
    private readonly DataViewRow _input;
    private readonly BatchPosition _at = new();
    private readonly InputColumn[] _inputs = [];
    private readonly OutputColumn?[] _outputs;

    // One row and zeros. Not a slot: reading the row beneath runs other people's code, which may itself wait for a slot of this session.
    private readonly byte[][] _staging = [];
    private long? _scored;

    public ScoredRow(QaicTransformer transformer, SchemaBinding binding, ColumnSelection selection, DataViewRow input)
    {
        _transformer = transformer;
        _binding = binding;
        _selection = selection;
        _input = input;
        _outputs = new OutputColumn?[binding.OutputSchema.Count];
        foreach ((OutputBinding output, int column) in selection.Outputs)
        {
            _outputs[column] = OutputColumn.Create(output, _at, capacity: 1, batches: 1);
            _outputs[column]!.Allocate(0);
        }

        if (selection.NeedsModel)
        {
            _inputs = [.. binding.Inputs.Select(i => InputColumn.Create(input, i, transformer.NaNPolicy))];
            _staging = [.. transformer.Session.Inputs.Select(i => new byte[i.ByteLength])];
        }
    }

    public override DataViewSchema Schema => _binding.OutputSchema;

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => _selection.IsActive(column);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        _selection.CheckGetter<TValue>(column);
        if (_outputs[column.Index] is not { } output)
        {
            return _input.GetGetter<TValue>(_input.Schema[column.Index]);
        }

        var getter = (ValueGetter<TValue>)output.Getter;
        return (ref TValue value) =>
        {
            Score();
            getter(ref value);
        };
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _input.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Score()
    {
        if (_scored == _input.Position)
        {
            return;
        }

        _transformer.ThrowIfDisposed();
        _scored = null;
        foreach (InputColumn input in _inputs)
        {
            input.Load(_staging[input.Index], 0, _input.Position);
        }

        while (!TryScore())
        {
        }

        _at.MoveTo(0, 0);
        _scored = _input.Position;
    }

    /// <returns>False if the session has given the slot's device resources up meanwhile.</returns>
    private bool TryScore()
    {
        using Inference slot = _transformer.Shared.Acquire();
        for (int i = 0; i < _staging.Length; i++)
        {
            _staging[i].CopyTo(slot.InputBytes(i));
        }

        if (!slot.TrySubmit())
        {
            return false;
        }

        slot.Wait();
        foreach (OutputColumn? output in _outputs)
        {
            output?.Drain(slot, 0, 1);
        }

        return true;
    }
}
