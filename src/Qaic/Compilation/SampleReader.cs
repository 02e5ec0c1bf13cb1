using System.Numerics;
using System.Runtime.InteropServices;
using Qaic.Options;

namespace Qaic.Compilation;

/// <summary>Checks data to profile with against a network's inputs, sample by sample. Not thread-safe; nothing is allocated per sample.</summary>
/// <remarks>A sample has all inputs by name, each in the network's shape with any number of rows (the same for all), or without the leading dimension, which is one row.</remarks>
public sealed class SampleReader
{
    private readonly TensorSpec[] _inputs;
    private readonly string[] _names;
    private readonly bool _hasBatch;
    private readonly Tensor[] _tensors;

    /// <param name="inputs">The network's inputs, in its order, with the shape of a whole inference.</param>
    /// <param name="hasBatch">Whether the leading dimension of all inputs is the batch; otherwise each sample is a whole inference, in exactly the inputs' shapes.</param>
    /// <exception cref="ArgumentException">An input has no leading dimension that could be a batch.</exception>
    public SampleReader(IReadOnlyList<TensorSpec> inputs, bool hasBatch)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (hasBatch && inputs.FirstOrDefault(i => i.Shape.IsEmpty) is { } scalar)
        {
            throw new ArgumentException($"Input '{scalar}' is a scalar, so the network has no batch.", nameof(inputs));
        }

        _inputs = [.. inputs];
        _names = [.. inputs.Select(i => i.Name)];
        _tensors = new Tensor[_inputs.Length];
        _hasBatch = hasBatch;
    }

    /// <summary>Number of the current sample, from 0; -1 before the first.</summary>
    public long Sample { get; private set; } = -1;

    /// <summary>Rows of the current sample; 0 if it was refused.</summary>
    public int Rows { get; private set; }

    /// <summary>The current sample's tensors, in the order of the inputs. Their bytes are the rows, one after the other.</summary>
    public ReadOnlySpan<Tensor> Tensors => _tensors;

    /// <summary>Takes the next sample.</summary>
    /// <returns>Its rows.</returns>
    /// <exception cref="ArgumentException">It lacks an input or has another, or one is of the wrong type or shape, or holds NaN or infinity. The message names sample and input.</exception>
    public int Read(IReadOnlyDictionary<string, Tensor>? sample)
    {
        Sample++;
        Rows = 0;
        if (sample is null)
        {
            throw Fault("it is null. Give each sample all inputs by name");
        }

        int rows = 1;
        for (int i = 0; i < _inputs.Length; i++)
        {
            if (!sample.TryGetValue(_names[i], out Tensor? tensor))
            {
                string given = sample.Keys.Where(k => !_names.Contains(k)).ToArray() is { Length: > 0 } others && Spelling.Nearest(_names[i], others) is { } nearest ? $" It has '{nearest}'; is that meant?" : "";
                throw Fault($"it lacks the input '{_names[i]}', which should be {Expected(i)}.{given} It has: {List(sample.Keys)}");
            }

            if (tensor is null)
            {
                throw Fault($"input '{_names[i]}' is null, but should be {Expected(i)}");
            }

            int count = CheckForm(i, tensor);
            if (i > 0 && count != rows)
            {
                throw Fault($"input '{_names[0]}' has {rows} {(rows == 1 ? "row" : "rows")}, but '{_names[i]}' has {count}. All inputs of a sample have the same number");
            }

            rows = count;
            CheckFinite(i, tensor);
            _tensors[i] = tensor;
        }

        if (sample.Count != _inputs.Length && sample.Keys.FirstOrDefault(k => !_names.Contains(k)) is { } extra)
        {
            string hint = Spelling.Nearest(extra, _names) is { } nearest ? $" Did you mean '{nearest}'?" : "";
            throw Fault($"the model has no input '{extra}'.{hint} It has: {List(_names)}");
        }

        return Rows = rows;
    }

    /// <summary>Index of the first number that is NaN or infinite; -1 if there is none, or the type has none.</summary>
    internal static int FirstNotFinite(ReadOnlySpan<byte> bytes, ElementType type) => type switch
    {
        // All exponent bits are set.
        ElementType.Float32 => FirstWithAll(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000u),
        ElementType.Float16 => FirstWithAll(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7C00),
        ElementType.BFloat16 => FirstWithAll(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7F80),
        _ => -1,
    };

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
    private int CheckForm(int input, Tensor tensor)
    {
        // By the .NET type: a quantized integer and a plain one have the same bits.
        if (tensor.ElementType.ClrType() != _inputs[input].ElementType.ClrType())
        {
            throw Fault($"input '{_names[input]}' is {tensor}, but should be {Expected(input)}. Convert the elements");
        }

        ReadOnlySpan<int> given = tensor.Shape.AsSpan();
        ReadOnlySpan<int> model = _inputs[input].Shape.AsSpan();
        return _hasBatch && given.Length == model.Length && given[1..].SequenceEqual(model[1..]) ? given[0]
            : given.SequenceEqual(_hasBatch ? model[1..] : model) ? 1
            : throw Fault($"input '{_names[input]}' is {tensor}, but should be {Expected(input)}");
    }

    private void CheckFinite(int input, Tensor tensor)
    {
        ElementType type = _inputs[input].ElementType;
        int index = FirstNotFinite(tensor.Bytes, type);
        if (index >= 0)
        {
            float value = type switch
            {
                ElementType.Float32 => tensor.AsSpan<float>()[index],
                ElementType.Float16 => (float)tensor.AsSpan<Half>()[index],
                _ => BitConverter.UInt32BitsToSingle((uint)tensor.AsSpan<ushort>()[index] << 16),
            };
            string name = float.IsNaN(value) ? "NaN" : value > 0 ? "infinity" : "minus infinity";
            throw Fault($"element {index} of input '{_names[input]}' ({tensor}) is {name}. A range cannot hold it; leave the sample out, or repair it");
        }
    }

    private string Expected(int input)
    {
        TensorSpec spec = _inputs[input];
        string whole = $"{spec.ElementType}[{string.Join(", ", spec.Shape)}]";
        return _hasBatch ? $"{whole} with any number of rows, or one row: {spec.ElementType}[{string.Join(", ", spec.Shape.Skip(1))}]"
            : spec.Shape.IsEmpty ? $"a scalar of {spec.ElementType}" : $"{whole}, because the inputs have no batch in common";
    }

    private static string List(IEnumerable<string> names) => string.Join(", ", names.Select(n => $"'{n}'")) is { Length: > 0 } list ? list : "none";

    private ArgumentException Fault(string what) => new($"Sample {Sample}: {what}.");
}
