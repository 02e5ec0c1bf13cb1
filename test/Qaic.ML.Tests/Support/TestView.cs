using Microsoft.ML;
using Microsoft.ML.Data;

namespace Qaic.ML.Tests.Support;

/// <summary>A column of a <see cref="TestView"/>: its value in every row.</summary>
internal sealed record TestColumn(string Name, DataViewType Type, Func<DataViewRow, Delegate> Getter, DataViewSchema.Annotations? Annotations = null)
{
    public static TestColumn Of<T>(string name, DataViewType type, Func<long, T> value, DataViewSchema.Annotations? annotations = null) =>
        new(name, type, row => (ValueGetter<T>)((ref T v) => v = value(row.Position)), annotations);

    public static TestColumn Vector<T>(string name, DataViewType type, Func<long, T[]> value) =>
        Of(name, type, row => value(row) is { } values ? new VBuffer<T>(values.Length, values) : default);
}

/// <summary>Data made by functions of the row number, of any column type; counts its cursors and what was read.</summary>
internal sealed class TestView : IDataView
{
    private readonly TestColumn[] _columns;
    private readonly int _rows;
    private int _open;

    public TestView(int rows, params TestColumn[] columns)
    {
        (_rows, _columns) = (rows, columns);
        var builder = new DataViewSchema.Builder();
        foreach (TestColumn column in columns)
        {
            builder.AddColumn(column.Name, column.Type, column.Annotations);
        }

        Schema = builder.ToSchema();
    }

    public DataViewSchema Schema { get; }

    public bool CanShuffle => false;

    /// <summary>Thrown by MoveNext at this row.</summary>
    public (long Row, Exception Error)? Failure { get; init; }

    /// <summary>Cursors that are not disposed.</summary>
    public int OpenCursors => _open;

    /// <summary>Rows that cursors have moved to.</summary>
    public long RowsRead { get; private set; }

    /// <summary>Columns that were active in the last cursor.</summary>
    public string[] LastActive { get; private set; } = [];

    /// <summary>Data with one column "x" of float vectors: element e of row r is 100r + e.</summary>
    public static TestView Features(int rows, int length, params TestColumn[] more) => new(
        rows,
        [TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, length), r => Enumerable.Range(0, length).Select(e => (100f * r) + e).ToArray()), .. more]);

    /// <summary>Whether the number of rows is told before they are read.</summary>
    public bool KnowsRowCount { get; init; } = true;

    public long? GetRowCount() => KnowsRowCount ? _rows : null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        DataViewSchema.Column[] active = [.. columnsNeeded];
        LastActive = [.. active.Select(c => c.Name)];
        _open++;
        return new Cursor(this, active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(TestView view, DataViewSchema.Column[] active) : DataViewRowCursor
    {
        private long _position = -1;
        private bool _disposed;

        public override DataViewSchema Schema => view.Schema;

        public override long Position => _position;

        public override long Batch => _position / 5;

        public override bool MoveNext()
        {
            if (view.Failure is { } failure && failure.Row == _position + 1)
            {
                throw failure.Error;
            }

            if (_position + 1 >= view._rows)
            {
                return false;
            }

            _position++;
            view.RowsRead++;
            return true;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => active.Any(c => c.Index == column.Index);

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = new DataViewRowId((ulong)_position, 7);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
            IsColumnActive(column) ? (ValueGetter<TValue>)view._columns[column.Index].Getter(this) : throw new InvalidOperationException($"{column.Name} is not active.");

        protected override void Dispose(bool disposing)
        {
            if (!_disposed)
            {
                _disposed = true;
                view._open--;
            }

            base.Dispose(disposing);
        }
    }
}
