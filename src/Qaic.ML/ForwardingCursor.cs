using Microsoft.ML;
using Microsoft.ML.Data;

namespace Qaic.ML;

/// <summary>The source's own cursor under the output's schema, for readers that want none of the model's outputs.</summary>
internal sealed class ForwardingCursor(DataViewSchema schema, ColumnSelection selection, DataViewRowCursor source) : DataViewRowCursor
{
    public override DataViewSchema Schema => schema;

    public override long Position => source.Position;

    public override long Batch => source.Batch;

    public override bool MoveNext() => source.MoveNext();

    public override bool IsColumnActive(DataViewSchema.Column column) => selection.IsActive(column);

    public override ValueGetter<DataViewRowId> GetIdGetter() => source.GetIdGetter();

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        selection.CheckGetter<TValue>(column);
        return source.GetGetter<TValue>(source.Schema[column.Index]);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            source.Dispose();
        }

        base.Dispose(disposing);
    }
}
