using Qaic.Qpc;

namespace Qaic.Runtime;

/// <summary>The combinations of shapes that a network was compiled for, and the choice among them.</summary>
/// <remarks>
/// Immutable. The card checks dimensions only while it executes, and a combination that it does not know costs the whole activation (status 300), so the host chooses before it submits.
/// </remarks>
internal sealed class ShapeSelection
{
    // Enough to find one's mistake; networks with more sets exist.
    private const int Listed = 24;

    // Per set, in the order of the bindings. The last one is the buffers' own: the largest shape of each binding.
    private readonly TensorSpec[][] _tensors;
    private readonly long[][] _bytes;
    private readonly uint[][] _dims;

    private ShapeSelection(TensorSpec[] largest, TensorSpec[][] sets, int inputs)
    {
        _tensors = [.. sets, largest];
        _bytes = [.. _tensors.Select(set => set.Select(t => t.ByteLength).ToArray())];

        // Pinned: whether the library copies dimensions, or only points to them, is not public. One more than needed, so that a scalar's are somewhere.
        _dims = [.. _tensors.Select(set =>
        {
            uint[] dims = GC.AllocateUninitializedArray<uint>(set.Sum(t => t.Shape.Length) + 1, pinned: true);
            set.SelectMany(t => t.Shape).Select(d => (uint)d).ToArray().CopyTo(dims, 0);
            return dims;
        })];
        Bindings = largest;
        Inputs = largest[..inputs];
        Outputs = largest[inputs..];
        Allowed = [.. sets.Select(set => new AllowedShapeSet(set[..inputs], set[inputs..]))];
        RowsAreFree = sets.Length == 0 && inputs > 0 && largest.All(t => t.Shape is [var rows, ..] && rows == largest[0].Shape[0] && !t.IsPartialAllowed);
        Initial = sets.Length == 0 ? 0 : Array.FindIndex(sets, set => set.Zip(largest).All(p => p.First.Shape.AsSpan().SequenceEqual(p.Second.Shape.AsSpan())));
    }

    /// <summary>No set is chosen.</summary>
    public const int None = -1;

    /// <summary>Dimensions that tell the library to leave a tensor out; pinned.</summary>
    public static uint[] Skipped { get; } = GC.AllocateArray<uint>(1, pinned: true);

    /// <summary>All tensors, inputs first, each in its largest shape: what its buffer has room for.</summary>
    public IReadOnlyList<TensorSpec> Bindings { get; }

    /// <summary>The inputs, each in its largest shape.</summary>
    public IReadOnlyList<TensorSpec> Inputs { get; }

    /// <summary>The outputs, each in its largest shape.</summary>
    public IReadOnlyList<TensorSpec> Outputs { get; }

    /// <summary>The allowed combinations; empty if the network has fixed shapes.</summary>
    public IReadOnlyList<AllowedShapeSet> Allowed { get; }

    /// <summary>Whether the network has fixed shapes.</summary>
    public bool IsFixed => Allowed.Count == 0;

    /// <summary>Whether the rows of all tensors belong together, so that any number of them can be split into inferences.</summary>
    public bool RowsAreFree { get; }

    /// <summary>The set that is in force until another is chosen: the one of the largest shapes; <see cref="None"/> if they do not occur together. 0 if the shapes are fixed.</summary>
    public int Initial { get; }

    /// <summary>Reads the sets of a descriptor.</summary>
    /// <param name="io">The descriptor.</param>
    /// <param name="booleans">Names of tensors that are boolean in the model.</param>
    /// <exception cref="QpcFormatException">A binding or a set cannot be read, or outputs come before inputs.</exception>
    public static ShapeSelection Of(IoDescriptor io, IReadOnlyList<string>? booleans = null)
    {
        List<IoBinding> bindings = io.SelectedSet.Bindings;
        int inputs = bindings.TakeWhile(b => b.Direction == DmaDirection.In).Count();
        if (bindings.Skip(inputs).Any(b => b.Direction == DmaDirection.In))
        {
            throw new QpcFormatException("The I/O descriptor lists an input after an output; buffers are inputs first", 0);
        }

        TensorSpec[] Marked(IEnumerable<TensorSpec> tensors) => [.. tensors.Select(t => booleans?.Contains(t.Name) == true ? t with { IsBoolean = true } : t)];
        return new ShapeSelection(Marked(bindings.Select(b => b.ToTensorSpec())), [.. io.AllowedShapes.Select(s => Marked(s.ToTensorSpecs(bindings)))], inputs);
    }

    /// <summary>A tensor in a set; in its largest shape for <see cref="None"/>.</summary>
    public TensorSpec Tensor(int set, int binding) => Of(_tensors, set)[binding];

    /// <summary>Bytes of a tensor in a set.</summary>
    public long ByteLength(int set, int binding) => Of(_bytes, set)[binding];

    /// <summary>Dimensions of all tensors of a set, one after the other; pinned.</summary>
    public uint[] Dimensions(int set) => Of(_dims, set);

    /// <summary>Whether both know the same tensors and the same sets, in the same order.</summary>
    public bool HasSameShapes(ShapeSelection other) =>
        _tensors.Length == other._tensors.Length && Inputs.Count == other.Inputs.Count
        && _tensors.Zip(other._tensors).All(sets => sets.First.Length == sets.Second.Length && sets.First.Zip(sets.Second).All(t =>
            t.First.Name == t.Second.Name && t.First.ElementType == t.Second.ElementType && t.First.Shape.AsSpan().SequenceEqual(t.Second.Shape.AsSpan())));

    /// <summary>The set of some inputs; their names and element types have been checked.</summary>
    /// <remarks>An exact match comes first; else, for inputs that may be partial, the smallest set that has room for them.</remarks>
    /// <exception cref="ArgumentException">No set has these shapes; the message lists those that there are.</exception>
    public int Find(IReadOnlyDictionary<string, Tensor> inputs)
    {
        int found = None;
        long least = long.MaxValue;
        for (int set = 0; set < Math.Max(1, Allowed.Count); set++)
        {
            bool isExact = true, fits = true;
            long bytes = 0;
            for (int i = 0; i < Inputs.Count && fits; i++)
            {
                TensorSpec spec = Tensor(set, i);
                Tensor tensor = inputs[spec.Name];
                bool isEqual = tensor.Shape.AsSpan().SequenceEqual(spec.Shape.AsSpan());
                fits = isEqual || IsPartOf(tensor, spec);
                isExact &= isEqual;
                bytes += ByteLength(set, i);
            }

            if (fits && (isExact || bytes < least))
            {
                (found, least) = (set, bytes);
                if (isExact)
                {
                    return set;
                }
            }
        }

        return found != None ? found : throw Refuse(inputs);
    }

    /// <summary>The set that has a number of elements in its only input, and one in its only output.</summary>
    /// <returns><see cref="None"/> if there is not exactly one.</returns>
    public int FindByLength(int input, int output, out int candidates)
    {
        int found = None;
        candidates = 0;
        for (int set = 0; set < Allowed.Count; set++)
        {
            if (Tensor(set, 0).ElementCount == input && Tensor(set, 1).ElementCount == output)
            {
                found = set;
                candidates++;
            }
        }

        return candidates == 1 ? found : None;
    }

    /// <summary>Leading rows of a tensor that is given in part; -1 if it is whole.</summary>
    public static int RowsOf(Tensor tensor, TensorSpec spec) => tensor.Shape.AsSpan().SequenceEqual(spec.Shape.AsSpan()) ? -1 : tensor.Length == 0 || tensor.Shape.IsEmpty ? 0 : tensor.Shape[0];

    /// <summary>The sets, for messages.</summary>
    public string List() =>
        string.Join("; ", Allowed.Take(Listed).Select((set, i) => $"{i}: {set}")) + (Allowed.Count > Listed ? $"; and {Allowed.Count - Listed} more, see Session.AllowedShapes" : "");

    private static bool IsPartOf(Tensor tensor, TensorSpec spec) =>
        spec.IsPartialAllowed
        && (tensor.Length == 0
            || (spec.Shape.Length > 0 && tensor.Shape.Length == spec.Shape.Length && tensor.Shape[0] <= spec.Shape[0] && tensor.Shape.AsSpan()[1..].SequenceEqual(spec.Shape.AsSpan()[1..])));

    private ArgumentException Refuse(IReadOnlyDictionary<string, Tensor> inputs)
    {
        if (IsFixed)
        {
            TensorSpec wrong = Inputs.First(i => RowsOf(inputs[i.Name], i) >= 0 && !IsPartOf(inputs[i.Name], i));
            string converted = wrong.ElementType != ElementType.Float32 && ElementConversion.IsConvertible(wrong) ? " or Float32" : "";
            string partial = wrong.IsPartialAllowed ? " or have fewer rows" : "";
            string rows = RowsAreFree ? " Another number of rows is taken if it is the same for all inputs." : "";
            return new ArgumentException($"Input '{wrong.Name}' must be {wrong.ElementType}{converted}[{string.Join(", ", wrong.Shape)}]{partial}, but is {inputs[wrong.Name]}.{rows}", nameof(inputs));
        }

        string given = string.Join(", ", Inputs.Select(i => $"{i.Name}[{string.Join(", ", inputs[i.Name].Shape)}]"));
        return new ArgumentException($"The network was not compiled for {given}. It takes {Allowed.Count} sets of shapes: {List()}. Pad the inputs to one of them, or compile the model with a specialization for these shapes.", nameof(inputs));
    }

    private static T Of<T>(T[] sets, int set) => set == None ? sets[^1] : sets[set];
}

/// <summary>The shapes that the owner of a slot has chosen: a set, and how much of each partial input.</summary>
internal sealed class ChosenShapes
{
    // Leading rows of each input; -1 for all.
    private readonly int[] _rows;

    public ChosenShapes(ShapeSelection selection)
    {
        Selection = selection;
        _rows = new int[selection.Inputs.Count];
        Reset();
    }

    public ShapeSelection Selection { get; }

    /// <summary>The set; <see cref="ShapeSelection.None"/> if one has to be chosen before the slot can be submitted.</summary>
    public int Set { get; private set; }

    /// <summary>Back to the initial set and whole inputs, which is where a rental begins.</summary>
    public void Reset()
    {
        Set = Selection.Initial;
        _rows.AsSpan().Fill(-1);
    }

    /// <exception cref="InvalidOperationException">The network has fixed shapes.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such set.</exception>
    public void Select(int set)
    {
        if (Selection.IsFixed)
        {
            throw new InvalidOperationException("The network was compiled for fixed shapes, so there is nothing to select. Compile it with Specializations (specializations) for several.");
        }

        if ((uint)set >= (uint)Selection.Allowed.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(set), set, $"The network has {Selection.Allowed.Count} sets of shapes: {Selection.List()}.");
        }

        Set = set;
        _rows.AsSpan().Fill(-1);
    }

    /// <exception cref="ArgumentOutOfRangeException">There is no such input, or it has fewer rows.</exception>
    /// <exception cref="ArgumentException">The input has to be whole.</exception>
    public void SetRows(int input, int rows)
    {
        if ((uint)input >= (uint)_rows.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(input), input, $"The network has {_rows.Length} inputs.");
        }

        TensorSpec spec = Selection.Tensor(Set, input);
        int all = spec.Shape.IsEmpty ? 1 : spec.Shape[0];
        if (rows < 0 || rows > all)
        {
            throw new ArgumentOutOfRangeException(nameof(rows), rows, $"Input '{spec}' has 0 to {all} rows.");
        }

        _rows[input] = rows == all ? -1
            : spec.IsPartialAllowed ? rows
            : throw new ArgumentException($"Input '{spec}' has to be whole: the network was compiled without partial input here.", nameof(input));
    }

    /// <summary>Bytes of a tensor.</summary>
    public long ByteLength(int binding)
    {
        long bytes = Selection.ByteLength(Set, binding);
        return binding >= _rows.Length || _rows[binding] < 0 ? bytes : bytes / Selection.Tensor(Set, binding).Shape[0] * _rows[binding];
    }

    /// <summary>Whether the library has been told the same.</summary>
    public bool Equal(ChosenShapes other) => Set == other.Set && _rows.AsSpan().SequenceEqual(other._rows);

    public void CopyFrom(ChosenShapes other)
    {
        Set = other.Set;
        other._rows.CopyTo(_rows, 0);
    }

    /// <exception cref="InvalidOperationException">No set is chosen.</exception>
    public void ThrowIfNone()
    {
        if (Set == ShapeSelection.None)
        {
            throw new InvalidOperationException(
                $"Select a set of shapes before submitting: the largest shape of each tensor does not occur together with those of the others. The network takes {Selection.List()}.");
        }
    }
}
