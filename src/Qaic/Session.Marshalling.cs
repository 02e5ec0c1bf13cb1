using System.Runtime.InteropServices;
using Qaic.Runtime;

namespace Qaic;

// Between the callers' memory and the device's buffers: checks, copies and conversions.
public sealed partial class Session
{
    /// <summary>Checks names, types and shapes.</summary>
    /// <returns>Null if the inputs are one inference; the number of rows if they have to be split.</returns>
    private int? Check(IReadOnlyDictionary<string, Tensor> inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        foreach (TensorSpec spec in Inputs)
        {
            if (!inputs.TryGetValue(spec.Name, out Tensor? tensor))
            {
                throw new ArgumentException($"Input '{spec.Name}' is missing. The network needs: {string.Join("; ", Inputs)}. Given: {(inputs.Count == 0 ? "nothing" : string.Join(", ", inputs.Keys))}.", nameof(inputs));
            }

            bool isConverted = IsConverted(spec);
            if (tensor is null || (tensor.ElementType.ClrType() != spec.ElementType.ClrType() && !(isConverted && tensor.ElementType == ElementType.Float32)))
            {
                throw new ArgumentException($"Input '{spec.Name}' must be {spec.ElementType}{(isConverted ? " or Float32" : "")}[{string.Join(", ", spec.Shape)}], but is {tensor?.ToString() ?? "null"}.", nameof(inputs));
            }
        }

        if (inputs.Count != Inputs.Count)
        {
            string unknown = inputs.Keys.First(name => Inputs.All(spec => spec.Name != name));
            throw new ArgumentException($"The network has no input '{unknown}'. It needs: {string.Join("; ", Inputs)}.", nameof(inputs));
        }

        if (_shapes.RowsAreFree && RowsOf(inputs) is { } rows)
        {
            return rows == BatchSize ? null : rows;
        }

        _shapes.Find(inputs);
        return null;
    }

    // The rows that all inputs have, whose other dimensions are the network's; null if that is not so.
    private int? RowsOf(IReadOnlyDictionary<string, Tensor> inputs)
    {
        int? rows = null;
        foreach (TensorSpec spec in Inputs)
        {
            Tensor tensor = inputs[spec.Name];
            if (tensor.Shape.Length != spec.Shape.Length || !tensor.Shape.AsSpan()[1..].SequenceEqual(spec.Shape.AsSpan()[1..]) || (rows ??= tensor.Shape[0]) != tensor.Shape[0])
            {
                return null;
            }
        }

        return rows;
    }

    private void CheckSingle<TIn, TOut>(int inputLength, int outputLength)
        where TIn : unmanaged
        where TOut : unmanaged
    {
        if (Inputs.Count != 1 || Outputs.Count != 1)
        {
            throw new InvalidOperationException(
                $"This overload is for networks of one input and one output; this one has {Inputs.Count} ({string.Join("; ", Inputs)}) and {Outputs.Count} ({string.Join("; ", Outputs)}). Use the dictionary overload, or Rent.");
        }

        CheckType<TIn>(Inputs[0], "Input", "input");
        CheckType<TOut>(Outputs[0], "Output", "output");
        ShapesOf(inputLength, outputLength);
    }

    // The set of shapes that a single input and output of these lengths have, and the rows of a partial input; -1 for a whole one.
    private (int Set, int Rows) ShapesOf(int inputLength, int outputLength)
    {
        if (!_shapes.IsFixed)
        {
            return (FindByLength(inputLength, outputLength, "input"), -1);
        }

        TensorSpec spec = Inputs[0];
        int rows = -1;
        if (spec.IsPartialAllowed && !spec.Shape.IsEmpty && inputLength < spec.ElementCount && inputLength % (spec.ElementCount / spec.Shape[0]) == 0)
        {
            rows = (int)(inputLength / (spec.ElementCount / spec.Shape[0]));
        }
        else
        {
            CheckLength(spec, "Input", inputLength, "input");
        }

        CheckLength(Outputs[0], "Output", outputLength, "output");
        return (0, rows);
    }

    private int FindByLength(int inputLength, int outputLength, string parameter)
    {
        int set = _shapes.FindByLength(inputLength, outputLength, out int candidates);
        return set != ShapeSelection.None ? set
            : candidates > 1
            ? throw new ArgumentException(
                $"{candidates} sets of shapes have an input of {inputLength} elements and an output of {outputLength}, so the lengths do not tell which is meant: {_shapes.List()}. Use the dictionary overload, or Rent and SelectShapes.",
                parameter)
            : throw new ArgumentException(
                $"The network takes no input of {inputLength} elements with an output of {outputLength}. Its sets of shapes: "
                + $"{string.Join("; ", AllowedShapes.Select(s => $"{s.Inputs[0]} ({s.Inputs[0].ElementCount}) to {s.Outputs[0]} ({s.Outputs[0].ElementCount})"))}.",
                parameter);
    }

    private static void CheckType<T>(TensorSpec spec, string what, string parameter) where T : unmanaged
    {
        bool isConverted = IsConverted(spec);
        if (!spec.ElementType.Holds<T>() && !(isConverted && typeof(T) == typeof(float)))
        {
            throw new ArgumentException($"{what} '{spec.Name}' is {spec.ElementType} ({spec.ElementType.ClrType().Name}{(isConverted ? ", or Single with a conversion" : "")}), not {typeof(T).Name}.", parameter);
        }
    }

    private void CheckLength(TensorSpec spec, string what, int length, string parameter)
    {
        if (length != spec.ElementCount)
        {
            string remedy = _shapes.RowsAreFree ? " For another number of rows use the dictionary overload." : "";
            throw new ArgumentException($"{what} '{spec.Name}' is {spec.ElementType}[{string.Join(", ", spec.Shape)}] and has {spec.ElementCount} elements, not {length}.{remedy}", parameter);
        }
    }

    private static bool IsConverted(TensorSpec spec) => spec.ElementType != ElementType.Float32 && ElementConversion.IsConvertible(spec);

    // The inputs have been checked.
    private void Fill(Inference inference, IReadOnlyDictionary<string, Tensor> inputs)
    {
        int set = Select(inference, _shapes.Find(inputs));
        for (int i = 0; i < Inputs.Count; i++)
        {
            Tensor tensor = inputs[Inputs[i].Name];
            Shorten(inference, i, ShapeSelection.RowsOf(tensor, _shapes.Tensor(set, i)));
            Copy(tensor, 0, tensor.Length, Inputs[i], inference.InputBytes(i));
        }
    }

    private void Fill<T>(Inference inference, ReadOnlySpan<T> input, int outputLength) where T : unmanaged
    {
        (int set, int rows) = ShapesOf(input.Length, outputLength);
        Select(inference, set);
        Shorten(inference, 0, rows);
        if (typeof(T) == typeof(float))
        {
            ElementConversion.FromSingle(MemoryMarshal.Cast<T, float>(input), Inputs[0], inference.InputBytes(0));
        }
        else
        {
            input.CopyTo(inference.Input<T>(0));
        }
    }

    // Some rows of more, padded with copies of the last: a row that the network has seen anyway.
    private void FillRows(Inference inference, IReadOnlyDictionary<string, Tensor> inputs, int first, int count)
    {
        for (int i = 0; i < Inputs.Count; i++)
        {
            Tensor tensor = inputs[Inputs[i].Name];
            Span<byte> buffer = inference.InputBytes(i);
            int row = tensor.Length / tensor.Shape[0];
            int rowBytes = buffer.Length / BatchSize;
            Copy(tensor, first * row, count * row, Inputs[i], buffer[..(count * rowBytes)]);
            ReadOnlySpan<byte> last = buffer.Slice((count - 1) * rowBytes, rowBytes);
            for (int padding = count; padding < BatchSize; padding++)
            {
                last.CopyTo(buffer[(padding * rowBytes)..]);
            }
        }
    }

    // Straight into the device's buffer, in its precision.
    private static void Copy(Tensor tensor, int first, int count, TensorSpec spec, Span<byte> buffer)
    {
        if (tensor.ElementType == ElementType.Float32)
        {
            ElementConversion.FromSingle(tensor.AsSpan<float>().Slice(first, count), spec, buffer);
        }
        else
        {
            int size = tensor.ElementType.SizeInBytes();
            tensor.Bytes.Slice(first * size, count * size).CopyTo(buffer);
        }
    }

    private int Select(Inference inference, int set)
    {
        if (!_shapes.IsFixed)
        {
            inference.SelectShapes(set);
        }

        return set;
    }

    private static void Shorten(Inference inference, int input, int rows)
    {
        if (rows >= 0)
        {
            inference.SetInputRows(input, rows);
        }
    }

    private Dictionary<string, Tensor> Drain(Inference inference)
    {
        int set = inference.ShapeSet;
        var outputs = new Dictionary<string, Tensor>(Outputs.Count);
        for (int i = 0; i < Outputs.Count; i++)
        {
            Tensor tensor = Tensor.Zeros(_shapes.Tensor(set, Inputs.Count + i));
            inference.OutputBytes(i).CopyTo(tensor.Bytes);
            outputs.Add(Outputs[i].Name, tensor);
        }

        return outputs;
    }

    private void Drain<T>(Inference inference, Span<T> output) where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            ElementConversion.ToSingle(inference.OutputBytes(0), Outputs[0], MemoryMarshal.Cast<T, float>(output));
        }
        else
        {
            inference.Output<T>(0).CopyTo(output);
        }
    }

    private void DrainRows(Inference inference, Dictionary<string, Tensor> outputs, int first, int count)
    {
        for (int i = 0; i < Outputs.Count; i++)
        {
            ReadOnlySpan<byte> rows = inference.OutputBytes(i);
            int rowBytes = rows.Length / BatchSize;
            rows[..(count * rowBytes)].CopyTo(outputs[Outputs[i].Name].Bytes[(first * rowBytes)..]);
        }
    }

    private Dictionary<string, Tensor> OutputsFor(int rows) =>
        Outputs.ToDictionary(output => output.Name, output => Tensor.Zeros(output with { Shape = output.Shape.SetItem(0, rows) }));
}
