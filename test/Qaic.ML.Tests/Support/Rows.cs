using Microsoft.ML;
using Microsoft.ML.Data;

namespace Qaic.ML.Tests.Support;

/// <summary>Reads columns of data views into arrays.</summary>
internal static class Rows
{
    public static List<T> Read<T>(IDataView view, string column)
    {
        var values = new List<T>();
        using DataViewRowCursor cursor = view.GetRowCursor([view.Schema[column]]);
        ValueGetter<T> getter = cursor.GetGetter<T>(view.Schema[column]);
        while (cursor.MoveNext())
        {
            T value = default!;
            getter(ref value);
            values.Add(value);
        }

        return values;
    }

    public static List<T[]> ReadVectors<T>(IDataView view, string column) => [.. Read<VBuffer<T>>(view, column).Select(v => v.DenseValues().ToArray())];

    /// <summary>What an affine network (2x + 1) makes of row <paramref name="row"/> of <see cref="TestView.Features"/>.</summary>
    public static float[] AffineOf(long row, int length) => [.. Enumerable.Range(0, length).Select(e => (2 * ((100f * row) + e)) + 1)];

    /// <summary>Checks that every row of an affine network's output is there, in order.</summary>
    public static void AssertAffine(IReadOnlyList<float[]> rows, int count, int length)
    {
        Assert.HasCount(count, rows);
        for (int r = 0; r < count; r++)
        {
            CollectionAssert.AreEqual(AffineOf(r, length), rows[r], $"Row {r}");
        }
    }
}
