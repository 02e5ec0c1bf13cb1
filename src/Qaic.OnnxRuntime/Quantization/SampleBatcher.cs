using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime.Tensors;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Options;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Cuts samples into rows and puts the rows into batches. Nothing is allocated per sample.</summary>
internal sealed class SampleBatcher
{
    private readonly OrtTensor[] _inputs;
    private readonly ElementType[] _types;
    private readonly int[] _rowBytes;
    private readonly string[] _names;
    private readonly bool _hasBatch;
    private readonly Tensor[] _current;
    private int _rows;
    private int _next;

    // The first batch, for the last one.
    private byte[][]? _kept;
    private long[] _keptSamples = [];

    /// <param name="inputs">The model's inputs, in fixed shapes.</param>
    /// <param name="batchSize">Rows of an inference.</param>
    /// <param name="hasBatch">Whether the inputs' leading dimension is the batch; otherwise each sample is a whole inference.</param>
    public SampleBatcher(IReadOnlyList<OrtTensor> inputs, int batchSize, bool hasBatch)
    {
        _inputs = [.. inputs];
        _names = [.. inputs.Select(i => i.Name)];
        _types = [.. inputs.Select(i => OnnxTypes.BufferType(i.DataType)!.Value)];
        _rowBytes = [.. inputs.Select(i => checked((int)(i.ByteLength / batchSize)))];
        _current = new Tensor[_inputs.Length];
        (BatchSize, _hasBatch) = (batchSize, hasBatch);
    }

    /// <summary>Rows of an inference.</summary>
    public int BatchSize { get; }

    /// <summary>Number of the current sample, from 0; -1 before the first.</summary>
    public long Sample { get; private set; } = -1;

    /// <summary>Takes the next sample. The rows of the one before have to be taken by now.</summary>
    /// <exception cref="ArgumentException">The sample does not fit the model; the message names it by its number.</exception>
    public void Begin(IReadOnlyDictionary<string, Tensor>? sample)
    {
        Sample++;
        (_rows, _next) = (0, 0);
        if (sample is null)
        {
            throw Fault("it is null. Give each sample all inputs by name");
        }

        int rows = 1;
        for (int i = 0; i < _inputs.Length; i++)
        {
            if (!sample.TryGetValue(_names[i], out Tensor? tensor) || tensor is null)
            {
                string given = sample.Keys.Where(k => !_names.Contains(k)).ToArray() is { Length: > 0 } others && Spelling.Nearest(_names[i], others) is { } nearest ? $" It has '{nearest}'; is that meant?" : "";
                throw Fault($"it lacks the input '{_names[i]}', which should be {Expected(i)}.{given} It has: {List(sample.Keys)}");
            }

            int count = CheckType(i, tensor);
            if (i > 0 && count != rows)
            {
                throw Fault($"input '{_names[0]}' has {rows} {Rows(rows)}, but '{_names[i]}' has {count}. All inputs of a sample have the same number");
            }

            rows = count;
            CheckFinite(i, tensor);
            _current[i] = tensor;
        }

        if (sample.Count != _inputs.Length && sample.Keys.FirstOrDefault(k => !_names.Contains(k)) is { } extra)
        {
            string hint = Spelling.Nearest(extra, _names) is { } nearest ? $" Did you mean '{nearest}'?" : "";
            throw Fault($"the model has no input '{extra}'.{hint} It has: {List(_names)}");
        }

        _rows = rows;
    }

    /// <summary>Copies rows of the current sample into a batch, as many as there are and fit.</summary>
    /// <param name="inputs">First byte of each input of the batch.</param>
    /// <param name="at">Rows that the batch has already.</param>
    /// <returns>Rows that were copied.</returns>
    public unsafe int Take(ReadOnlySpan<nint> inputs, int at)
    {
        int count = Math.Min(_rows - _next, BatchSize - at);
        for (int i = 0; i < _inputs.Length && count > 0; i++)
        {
            int bytes = _rowBytes[i];
            _current[i].Bytes.Slice(_next * bytes, count * bytes).CopyTo(new Span<byte>((byte*)inputs[i] + ((long)at * bytes), count * bytes));
        }

        _next += count;
        return count;
    }

    /// <summary>Remembers the rows of a full batch, for <see cref="Fill"/>.</summary>
    public unsafe void Keep(ReadOnlySpan<nint> inputs, ReadOnlySpan<long> samples)
    {
        _kept = new byte[_inputs.Length][];
        for (int i = 0; i < _inputs.Length; i++)
        {
            _kept[i] = new ReadOnlySpan<byte>((byte*)inputs[i], checked(_rowBytes[i] * BatchSize)).ToArray();
        }

        _keptSamples = samples.ToArray();
    }

    /// <summary>Fills the rest of a batch: with the rows that were kept, from the first one on; with its own over and over if there are none.</summary>
    /// <param name="inputs">First byte of each input of the batch.</param>
    /// <param name="samples">The sample of each row.</param>
    /// <param name="rows">Rows that the batch has; at least one.</param>
    public unsafe void Fill(ReadOnlySpan<nint> inputs, Span<long> samples, int rows)
    {
        for (int i = 0; i < _inputs.Length; i++)
        {
            int bytes = _rowBytes[i];
            var batch = new Span<byte>((byte*)inputs[i], checked(bytes * BatchSize));
            Repeat(_kept is null ? batch[..(rows * bytes)] : _kept[i], batch[(rows * bytes)..]);
        }

        Repeat(_kept is null ? samples[..rows] : _keptSamples, samples[rows..]);
    }

    /// <summary>Index of the first number that is NaN or infinite; -1 if there is none, or the type has none.</summary>
    internal static int FirstNotFinite(ReadOnlySpan<byte> bytes, TensorElementType type) => type switch
    {
        // All exponent bits are set.
        TensorElementType.Float => FirstWithAll(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000u),
        TensorElementType.Float16 => FirstWithAll(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7C00),
        TensorElementType.BFloat16 => FirstWithAll(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7F80),
        _ => -1,
    };

    private static void Repeat<T>(ReadOnlySpan<T> from, Span<T> to)
    {
        while (!to.IsEmpty)
        {
            int count = Math.Min(from.Length, to.Length);
            from[..count].CopyTo(to);
            to = to[count..];
        }
    }

    private static int FirstWithAll<T>(ReadOnlySpan<T> values, T mask) where T : unmanaged, IBinaryInteger<T>
    {
        int i = 0;
        var masks = new Vector<T>(mask);
        while (i <= values.Length - Vector<T>.Count && !Vector.EqualsAny(new Vector<T>(values[i..]) & masks, masks))
        {
            i += Vector<T>.Count;
        }

        for (; i < values.Length; i++)
        {
            if ((values[i] & mask) == mask)
            {
                return i;
            }
        }

        return -1;
    }

    // The number of rows.
    private int CheckType(int input, Tensor tensor)
    {
        // By the .NET type: a quantized integer and a plain one have the same bits.
        if (tensor.ElementType.ClrType() != _types[input].ClrType())
        {
            throw Fault($"input '{_names[input]}' is {tensor}, but should be {Expected(input)}. Convert the elements");
        }

        ReadOnlySpan<int> given = tensor.Shape.AsSpan();
        ReadOnlySpan<int> model = _inputs[input].Shape;
        return _hasBatch && given.Length == model.Length && given[1..].SequenceEqual(model[1..]) ? given[0]
            : given.SequenceEqual(_hasBatch ? model[1..] : model) ? 1
            : throw Fault($"input '{_names[input]}' is {tensor}, but should be {Expected(input)}");
    }

    private void CheckFinite(int input, Tensor tensor)
    {
        int index = FirstNotFinite(tensor.Bytes, (TensorElementType)_inputs[input].DataType);
        if (index >= 0)
        {
            string value = (TensorElementType)_inputs[input].DataType switch
            {
                TensorElementType.Float => Name(tensor.AsSpan<float>()[index]),
                TensorElementType.Float16 => Name((float)tensor.AsSpan<Half>()[index]),
                _ => Name(BitConverter.UInt32BitsToSingle((uint)tensor.AsSpan<ushort>()[index] << 16)),
            };
            throw Fault($"element {index} of input '{_names[input]}' ({tensor}) is {value}. A range cannot hold it; leave the sample out, or repair it");
        }
    }

    internal static string Name(float value) => float.IsNaN(value) ? "NaN" : value > 0 ? "infinity" : "minus infinity";

    private string Expected(int input)
    {
        string type = _types[input].ToString();
        string shape = string.Join(", ", _inputs[input].Shape);
        string row = string.Join(", ", _inputs[input].Shape.Skip(1));
        return _hasBatch ? $"{type}[{shape}] with any number of rows, or one row: {type}[{row}]" : $"{type}[{shape}]";
    }

    private static string Rows(int count) => count == 1 ? "row" : "rows";

    private static string List(IEnumerable<string> names) => string.Join(", ", names.Select(n => $"'{n}'")) is { Length: > 0 } list ? list : "none";

    private ArgumentException Fault(string what) => new($"Sample {Sample}: {what}.");
}
