using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.Runtime;

namespace Qaic.ML;

/// <summary>Keeps an output of the model for the rows of the batches that are ready.</summary>
internal abstract class OutputColumn
{
    /// <summary>Getter of the row that the cursor is on: a <c>ValueGetter</c> of the column's raw type.</summary>
    public abstract Delegate Getter { get; }

    /// <param name="binding">The output.</param>
    /// <param name="at">The row that getters read.</param>
    /// <param name="capacity">Rows per batch.</param>
    /// <param name="batches">Batches there can be at most.</param>
    public static OutputColumn Create(OutputBinding binding, BatchPosition at, int capacity, int batches)
    {
        Type raw = ColumnTypes.ItemOf(binding.Type).RawType;
        return raw switch
        {
            _ when raw == typeof(float) && binding.Tensor.ElementType != ElementType.Float32 => new ConvertedOutputColumn(binding, at, capacity, batches),
            _ when raw == typeof(float) => new OutputColumn<float>(binding, at, capacity, batches),
            _ when raw == typeof(bool) => new OutputColumn<bool>(binding, at, capacity, batches),
            _ when raw == typeof(byte) => new OutputColumn<byte>(binding, at, capacity, batches),
            _ when raw == typeof(sbyte) => new OutputColumn<sbyte>(binding, at, capacity, batches),
            _ when raw == typeof(short) => new OutputColumn<short>(binding, at, capacity, batches),
            _ when raw == typeof(int) => new OutputColumn<int>(binding, at, capacity, batches),
            _ => new OutputColumn<long>(binding, at, capacity, batches),
        };
    }

    /// <summary>Makes room for a batch.</summary>
    public abstract void Allocate(int batch);

    /// <summary>Takes the output of the first rows of a batch from the device's buffer.</summary>
    public abstract void Drain(Inference slot, int batch, int rows);
}

/// <inheritdoc/>
/// <typeparam name="T">Raw type of the column's items.</typeparam>
internal class OutputColumn<T> : OutputColumn where T : unmanaged
{
    private readonly BatchPosition _at;
    private readonly int _length;
    private readonly int _capacity;
    private readonly T[][] _batches;

    public OutputColumn(OutputBinding binding, BatchPosition at, int capacity, int batches)
    {
        Index = binding.Index;
        _at = at;
        _length = binding.Length;
        _capacity = capacity;
        _batches = new T[batches][];
        Getter = binding.Type is VectorDataViewType ? (ValueGetter<VBuffer<T>>)Get : (ValueGetter<T>)Get;
    }

    public override Delegate Getter { get; }

    protected int Index { get; }

    public override void Allocate(int batch) => _batches[batch] = GC.AllocateUninitializedArray<T>(checked(_capacity * _length));

    public override void Drain(Inference slot, int batch, int rows) => Read(slot, _batches[batch].AsSpan(0, rows * _length));

    protected virtual void Read(Inference slot, Span<T> values) => slot.Output<T>(Index)[..values.Length].CopyTo(values);

    private void Get(ref T value) => value = _batches[_at.Batch][_at.Row * _length];

    // A copy into the caller's memory, which the caller may write to.
    private void Get(ref VBuffer<T> value)
    {
        var editor = VBufferEditor.Create(ref value, _length);
        _batches[_at.Batch].AsSpan(_at.Row * _length, _length).CopyTo(editor.Values);
        value = editor.Commit();
    }
}

/// <summary>Float16, bfloat16 or 8-bit codes on the device, <see cref="float"/> in ML.NET.</summary>
internal sealed class ConvertedOutputColumn(OutputBinding binding, BatchPosition at, int capacity, int batches) : OutputColumn<float>(binding, at, capacity, batches)
{
    private readonly TensorSpec _tensor = binding.Tensor;

    protected override void Read(Inference slot, Span<float> values) => ElementConversion.ToSingle(slot.OutputBytes(Index)[..(values.Length * _tensor.ElementType.SizeInBytes())], _tensor, values);
}
