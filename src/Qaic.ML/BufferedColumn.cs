using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Qaic.ML;

/// <summary>Keeps a column of the source for the rows of the batches that are ahead, since the source cannot go back.</summary>
internal abstract class BufferedColumn
{
    private static readonly MethodInfo s_scalar = typeof(BufferedColumn).GetMethod(nameof(CreateScalar), BindingFlags.NonPublic | BindingFlags.Static)!;
    private static readonly MethodInfo s_vector = typeof(BufferedColumn).GetMethod(nameof(CreateVector), BindingFlags.NonPublic | BindingFlags.Static)!;

    /// <summary>Getter of the row that the cursor is on: a <c>ValueGetter</c> of the column's raw type.</summary>
    public abstract Delegate Getter { get; }

    /// <param name="source">The source; active in <paramref name="column"/>.</param>
    /// <param name="column">The column.</param>
    /// <param name="at">The row that getters read.</param>
    /// <param name="capacity">Rows per batch.</param>
    public static BufferedColumn Create(DataViewRow source, DataViewSchema.Column column, BatchPosition at, int capacity)
    {
        MethodInfo create = column.Type is VectorDataViewType vector
            ? s_vector.MakeGenericMethod(vector.ItemType.RawType)
            : s_scalar.MakeGenericMethod(column.Type.RawType);
        return create.CreateDelegate<Func<DataViewRow, DataViewSchema.Column, BatchPosition, int, BufferedColumn>>()(source, column, at, capacity);
    }

    /// <summary>Copies the source's current value.</summary>
    public abstract void Load(int batch, int row);

    private static BufferedScalar<T> CreateScalar<T>(DataViewRow source, DataViewSchema.Column column, BatchPosition at, int capacity) =>
        new(source.GetGetter<T>(column), at, capacity);

    private static BufferedVector<T> CreateVector<T>(DataViewRow source, DataViewSchema.Column column, BatchPosition at, int capacity) =>
        new(source.GetGetter<VBuffer<T>>(column), at, capacity);
}

/// <inheritdoc/>
/// <typeparam name="T">Raw type of the column, the row's own: values, or for example images.</typeparam>
internal abstract class BufferedColumn<T>(ValueGetter<T> source, int capacity) : BufferedColumn
{
    private readonly List<T?[]> _batches = [];

    public sealed override void Load(int batch, int row)
    {
        while (_batches.Count <= batch)
        {
            _batches.Add(new T?[capacity]);
        }

        ref T value = ref _batches[batch][row]!;
        Prepare(ref value);
        source(ref value);
    }

    /// <summary>Readies the place for the source, which may reuse what it finds there.</summary>
    protected abstract void Prepare(ref T value);

    protected ref T At(BatchPosition at) => ref _batches[at.Batch][at.Row]!;
}

/// <summary>Buffers single values. Text is kept as it comes: its characters are immutable by ML.NET's convention, which its own shuffler relies on too.</summary>
internal sealed class BufferedScalar<T> : BufferedColumn<T>
{
    private readonly BatchPosition _at;

    public BufferedScalar(ValueGetter<T> source, BatchPosition at, int capacity)
        : base(source, capacity)
    {
        _at = at;
        Getter = (ValueGetter<T>)Get;
    }

    public override Delegate Getter { get; }

    // Objects, images for one, have been handed to a reader, who may still use them: the source must not dispose or overwrite them.
    protected override void Prepare(ref T value) => value = default!;

    private void Get(ref T value) => value = At(_at);
}

/// <summary>Buffers vectors, in memory of its own that is used again and again.</summary>
internal sealed class BufferedVector<T> : BufferedColumn<VBuffer<T>>
{
    private readonly BatchPosition _at;

    public BufferedVector(ValueGetter<VBuffer<T>> source, BatchPosition at, int capacity)
        : base(source, capacity)
    {
        _at = at;
        Getter = (ValueGetter<VBuffer<T>>)Get;
    }

    public override Delegate Getter { get; }

    protected override void Prepare(ref VBuffer<T> value)
    {
    }

    private void Get(ref VBuffer<T> value) => At(_at).CopyTo(ref value);
}
