using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.ML.Tests.Support;

namespace Qaic.ML.Tests.Faults;

/// <summary>Scores rows with an ML.NET model. After an error it goes on behind the last row that it was given.</summary>
internal sealed class ScoringPlayer(Acts acts, QaicTransformer model, int rows) : FaultPlayer(acts, "ML.NET rows")
{
    private const int Width = 3;

    // While the fault lasts, nothing may succeed; so many failures are enough of that act.
    private const int Patience = 3;

    private int _next;
    private DataViewRowCursor? _cursor;
    private ValueGetter<VBuffer<float>> _score = null!;
    private ValueGetter<int> _row = null!;
    private TestView _data = null!;

    protected override void Play(int act)
    {
        int end = rows * (act + 1) / Acts.Count;
        while (_next < end && (act != Acts.During || Errors(act).Count < Patience))
        {
            Now($"row {_next} of act {act}");
            try
            {
                ReadRow();
            }
            catch (QaicException e)
            {
                Told(act, e);
                Assert.AreEqual(0, _data.OpenCursors, "A cursor that failed keeps its source open.");
                _cursor?.Dispose();
                _cursor = null;
            }
        }
    }

    protected override void Settle()
    {
        Assert.IsFalse(_cursor!.MoveNext(), "There are more rows than were given.");
        _cursor.Dispose();
        Assert.AreEqual(rows, _next);
    }

    private void ReadRow()
    {
        if (_cursor is null)
        {
            int first = _next;
            _data = new TestView(
                rows - first,
                TestColumn.Vector("x", new VectorDataViewType(NumberDataViewType.Single, Width), r => Enumerable.Range(0, Width).Select(e => (100f * (first + r)) + e).ToArray()),
                TestColumn.Of("row", NumberDataViewType.Int32, r => first + (int)r));
            IDataView scored = model.Transform(_data);
            _cursor = scored.GetRowCursor(scored.Schema);
            _score = _cursor.GetGetter<VBuffer<float>>(scored.Schema["y"]);
            _row = _cursor.GetGetter<int>(scored.Schema["row"]);
        }

        Assert.IsTrue(_cursor.MoveNext(), $"The rows end at {_next} of {rows} without an error.");
        int row = 0;
        VBuffer<float> y = default;
        _row(ref row);
        _score(ref y);
        Assert.AreEqual(_next, row);
        CollectionAssert.AreEqual(Rows.AffineOf(row, Width), y.DenseValues().ToArray(), $"Row {row}");
        _next++;
    }
}
