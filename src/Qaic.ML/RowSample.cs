using Microsoft.ML;

namespace Qaic.ML;

/// <summary>Chooses rows by number while they pass: all, or so many, each set of that many as likely as any other.</summary>
/// <remarks>
/// Selection sampling (Knuth, volume 2, 3.4.2, algorithm S): it keeps the order of the data and no rows, but has to know how many there are. Where the data does not know,
/// they are counted first, without computing a column. The same seed and number of rows choose the same rows, however the data is stored.
/// </remarks>
internal sealed class RowSample
{
    private readonly Random? _random;
    private long _left;
    private long _wanted;

    private RowSample(long rows, long wanted, int seed) => (_left, _wanted, _random) = (rows, wanted, new Random(seed));

    private RowSample() => _wanted = long.MaxValue;

    /// <param name="data">The data.</param>
    /// <param name="limit">How many rows to choose; null for all.</param>
    /// <param name="seed">Seed of the choice.</param>
    public static RowSample Of(IDataView data, int? limit, int seed) =>
        limit is { } wanted && (data.GetRowCount() ?? Count(data)) is var rows && rows > wanted ? new RowSample(rows, wanted, seed) : new RowSample();

    /// <summary>Whether no row will be chosen any more.</summary>
    public bool IsComplete => _wanted == 0;

    /// <summary>Whether the next row is one of the chosen. Asked once for each row, in order.</summary>
    public bool TakesNext()
    {
        if (_random is null)
        {
            return true;
        }

        bool takes = _random.NextInt64(_left--) < _wanted;
        _wanted -= takes ? 1 : 0;
        return takes;
    }

    private static long Count(IDataView data)
    {
        long rows = 0;
        using DataViewRowCursor cursor = data.GetRowCursor([]);
        while (cursor.MoveNext())
        {
            rows++;
        }

        return rows;
    }
}
