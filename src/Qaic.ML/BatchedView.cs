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

        DataViewRowCursor cursor = source.GetRowCursor(selection.SourceColumns, rand);
        try
        {
            return new BatchCursor(transformer, binding, selection, cursor);
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

        DataViewRowCursor[] cursors = source.GetRowCursorSet(selection.SourceColumns, n, rand);
        try
        {
            return Array.ConvertAll(cursors, cursor => new BatchCursor(transformer, binding, selection, cursor));
        }
        catch
        {
            Array.ForEach(cursors, cursor => cursor.Dispose());
            throw;
        }
    }
}
