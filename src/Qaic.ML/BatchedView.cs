using Microsoft.ML;

namespace Qaic.ML;

/// <summary>Data with a model's outputs added, computed batch by batch while it is read. Thread-safe if the source is.</summary>
internal sealed class BatchedView(QaicTransformer transformer, SchemaBinding binding, IDataView source) : IDataView
{
    public DataViewSchema Schema => binding.OutputSchema;

    public bool CanShuffle => source.CanShuffle;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var selection = new ColumnSelection(binding, columnsNeeded);
        if (!selection.NeedsModel)
        {
            return new ForwardingCursor(binding.OutputSchema, selection, source.GetRowCursor(selection.SourceColumns, rand));
        }

        using var opening = new CursorOpening(transformer.Shared);
        DataViewRowCursor cursor = source.GetRowCursor(selection.SourceColumns, rand);
        try
        {
            return new BatchCursor(transformer, binding, selection, cursor, opening.IsNested);
        }
        catch
        {
            cursor.Dispose();
            throw;
        }
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        // n is a hint; the source knows how it can be split. One of ours over each of its cursors keeps ids and batch numbers right.
        var selection = new ColumnSelection(binding, columnsNeeded);
        if (!selection.NeedsModel)
        {
            return [.. source.GetRowCursorSet(selection.SourceColumns, n, rand).Select(cursor => new ForwardingCursor(binding.OutputSchema, selection, cursor))];
        }

        using var opening = new CursorOpening(transformer.Shared);
        DataViewRowCursor[] cursors = source.GetRowCursorSet(selection.SourceColumns, n, rand);
        try
        {
            return Array.ConvertAll(cursors, cursor => new BatchCursor(transformer, binding, selection, cursor, opening.IsNested));
        }
        catch
        {
            Array.ForEach(cursors, cursor => cursor.Dispose());
            throw;
        }
    }
}

/// <summary>Notes, while a cursor is opened, whether its source reads from a model on the same session.</summary>
/// <remarks>Then reading the source takes slots of the session, and a cursor that fills one meanwhile could starve its own source.</remarks>
internal sealed class CursorOpening : IDisposable
{
    [ThreadStatic]
    private static CursorOpening? s_innermost;

    private readonly SharedSession _shared;
    private readonly CursorOpening? _outer;

    public CursorOpening(SharedSession shared)
    {
        _shared = shared;
        _outer = s_innermost;
        for (CursorOpening? opening = _outer; opening is not null; opening = opening._outer)
        {
            opening.IsNested |= opening._shared == shared;
        }

        s_innermost = this;
    }

    public bool IsNested { get; private set; }

    public void Dispose() => s_innermost = _outer;
}
