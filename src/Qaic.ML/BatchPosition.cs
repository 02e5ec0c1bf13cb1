namespace Qaic.ML;

/// <summary>The row that getters read: a batch, and a row in it. One per cursor.</summary>
internal sealed class BatchPosition
{
    private int _row = -1;

    public int Batch { get; private set; }

    /// <summary>The row in the batch.</summary>
    /// <exception cref="InvalidOperationException">The cursor is not on a row.</exception>
    public int Row => _row >= 0 ? _row : throw new InvalidOperationException("The cursor is not on a row: call MoveNext first, and read values only while it returns true.");

    public bool HasRow => _row >= 0;

    public void MoveTo(int batch, int row)
    {
        Batch = batch;
        _row = row;
    }

    public void Leave() => _row = -1;
}
