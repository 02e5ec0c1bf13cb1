using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Qaic.Runtime;

namespace Qaic.ML;

/// <summary>What float values of a column must not be.</summary>
internal enum FloatCheck
{
    None,
    NoNaN,
    Finite,
}

/// <summary>Writes a column of the source into its place in an input buffer, row by row.</summary>
internal abstract class InputColumn
{
    protected InputColumn(InputBinding binding)
    {
        Index = binding.Index;
        Length = binding.Length;
        Binding = binding;
    }

    /// <summary>Position among the model's inputs.</summary>
    public int Index { get; }

    /// <summary>Elements per row.</summary>
    protected int Length { get; }

    protected InputBinding Binding { get; }

    /// <param name="source">The source; active in the column.</param>
    /// <param name="binding">The input.</param>
    /// <param name="nan">What happens to NaN.</param>
    public static InputColumn Create(DataViewRow source, InputBinding binding, NaNPolicy nan) => Create(source, binding, nan == NaNPolicy.Error ? FloatCheck.NoNaN : FloatCheck.None);

    /// <param name="source">The source; active in the column.</param>
    /// <param name="binding">The input.</param>
    /// <param name="check">What float values must not be.</param>
    public static InputColumn Create(DataViewRow source, InputBinding binding, FloatCheck check)
    {
        Type raw = ColumnTypes.ItemOf(binding.Column.Type).RawType;
        return raw switch
        {
            _ when raw == typeof(float) && binding.Tensor.ElementType != ElementType.Float32 => new ConvertedInputColumn(source, binding, check),
            _ when raw == typeof(float) => new InputColumn<float>(source, binding, check),
            _ when raw == typeof(bool) => new InputColumn<bool>(source, binding, check),
            _ when raw == typeof(byte) => new InputColumn<byte>(source, binding, check),
            _ when raw == typeof(sbyte) => new InputColumn<sbyte>(source, binding, check),
            _ when raw == typeof(short) => new InputColumn<short>(source, binding, check),
            _ when raw == typeof(int) => new InputColumn<int>(source, binding, check),
            _ => new InputColumn<long>(source, binding, check),
        };
    }

    /// <summary>Writes the source's current value.</summary>
    /// <param name="buffer">The whole input buffer.</param>
    /// <param name="row">Row in the buffer.</param>
    /// <param name="position">Row in the data; for messages.</param>
    /// <exception cref="InvalidOperationException">The value has the wrong length, or is NaN or infinite and must not be.</exception>
    public abstract void Load(Span<byte> buffer, int row, long position);

    /// <summary>Zeroes the buffer from a row on, so that nothing of an earlier batch is left.</summary>
    public abstract void Pad(Span<byte> buffer, int row);
}

/// <inheritdoc/>
/// <typeparam name="T">Raw type of the column's items.</typeparam>
internal class InputColumn<T> : InputColumn where T : unmanaged
{
    private readonly ValueGetter<T>? _scalar;
    private readonly ValueGetter<VBuffer<T>>? _vector;
    private readonly FloatCheck _check;
    private VBuffer<T> _value;

    public InputColumn(DataViewRow source, InputBinding binding, FloatCheck check)
        : base(binding)
    {
        _check = typeof(T) == typeof(float) ? check : FloatCheck.None;
        if (binding.Column.Type is VectorDataViewType)
        {
            _vector = source.GetGetter<VBuffer<T>>(binding.Column);
        }
        else
        {
            _scalar = source.GetGetter<T>(binding.Column);
        }
    }

    public sealed override void Load(Span<byte> buffer, int row, long position)
    {
        if (_scalar is not null)
        {
            T value = default;
            _scalar(ref value);
            Check(new ReadOnlySpan<T>(in value), position);
            Write(new ReadOnlySpan<T>(in value), buffer, row);
            return;
        }

        _vector!(ref _value);
        if (_value.Length != Length)
        {
            throw new InvalidOperationException(
                $"Row {position}: column '{Binding.Column.Name}' has {_value.Length} values; the model's input {Binding.Tensor} needs {Length} per row.");
        }

        Check(_value.GetValues(), position);
        if (_value.IsDense)
        {
            Write(_value.GetValues(), buffer, row);
        }
        else
        {
            WriteSparse(_value, buffer, row);
        }
    }

    public override void Pad(Span<byte> buffer, int row) => MemoryMarshal.Cast<byte, T>(buffer)[(row * Length)..].Clear();

    protected virtual void Write(ReadOnlySpan<T> values, Span<byte> buffer, int row) => values.CopyTo(MemoryMarshal.Cast<byte, T>(buffer).Slice(row * Length, Length));

    protected virtual void WriteSparse(in VBuffer<T> values, Span<byte> buffer, int row) =>
        values.CopyTo(MemoryMarshal.Cast<byte, T>(buffer).Slice(row * Length, Length));

    private void Check(ReadOnlySpan<T> values, long position)
    {
        if (_check == FloatCheck.NoNaN && !IsClean(MemoryMarshal.Cast<T, float>(values), rejectsInfinity: false))
        {
            throw new InvalidOperationException(
                $"Row {position}: column '{Binding.Column.Name}' holds NaN, which {nameof(QaicModelOptions)}.{nameof(QaicModelOptions.NaNPolicy)} does not allow. Replace missing values first, or allow it.");
        }

        if (_check == FloatCheck.Finite && !IsClean(MemoryMarshal.Cast<T, float>(values), rejectsInfinity: true))
        {
            throw new InvalidOperationException(
                $"Row {position}: column '{Binding.Column.Name}' holds NaN or infinity, and a network is quantized by the ranges of its values. Replace such values first, or filter such rows out.");
        }
    }

    // NaN differs from itself; infinity minus itself is NaN.
    private static bool IsClean(ReadOnlySpan<float> values, bool rejectsInfinity)
    {
        while (values.Length >= Vector<float>.Count)
        {
            var some = new Vector<float>(values);
            Vector<float> tested = rejectsInfinity ? some - some : some;
            if (!Vector.EqualsAll(tested, tested))
            {
                return false;
            }

            values = values[Vector<float>.Count..];
        }

        foreach (float value in values)
        {
            if (rejectsInfinity ? !float.IsFinite(value) : float.IsNaN(value))
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary><see cref="float"/> in ML.NET; float16, bfloat16 or 8-bit codes on the device.</summary>
internal sealed class ConvertedInputColumn(DataViewRow source, InputBinding binding, FloatCheck check) : InputColumn<float>(source, binding, check)
{
    private readonly int _rowBytes = binding.Length * binding.Tensor.ElementType.SizeInBytes();

    // Made for the first sparse row.
    private float[]? _dense;

    // With what stands for 0, which for codes is the offset.
    public override void Pad(Span<byte> buffer, int row) =>
        buffer[(row * _rowBytes)..].Fill(Binding.Tensor.ElementType is ElementType.Int8Q or ElementType.UInt8Q ? unchecked((byte)Binding.Tensor.Offset) : (byte)0);

    protected override void Write(ReadOnlySpan<float> values, Span<byte> buffer, int row) => ElementConversion.FromSingle(values, Binding.Tensor, buffer.Slice(row * _rowBytes, _rowBytes));

    protected override void WriteSparse(in VBuffer<float> values, Span<byte> buffer, int row)
    {
        values.CopyTo(_dense ??= new float[Length]);
        Write(_dense, buffer, row);
    }
}
