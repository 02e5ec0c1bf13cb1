using Qaic.Qpc;
using Qaic.Runtime;

namespace Qaic.Simulation;

/// <summary>How the host sees a program's buffers: one of the descriptor's I/O sets, and what is between it and the card.</summary>
/// <remarks>
/// "default" is the user's side, "dma" the card's, the others are between: of an input the steps up to the one that the set is named for are left to the host, of an output the steps from there on.
/// The copy from or to a DMA buffer is never left out. Quantize, Dequantize and Convert are done, between the types that <see cref="ElementConversion"/> knows; transpositions and tiled layouts are not.
/// </remarks>
internal sealed class HostView
{
    private readonly TensorSpec[][] _stages;

    private HostView(TensorSpec[] specs, TensorSpec[][] stages)
    {
        Specs = specs;
        _stages = stages;
    }

    /// <summary>The host's buffers, inputs then outputs.</summary>
    public TensorSpec[] Specs { get; }

    /// <summary>Whether elements change between the host and the card.</summary>
    public bool IsConverting => Array.Exists(_stages, stages => stages.Length > 1);

    /// <summary>Derives the view of a set.</summary>
    /// <param name="network">The network.</param>
    /// <param name="set">One of the sets that its I/O descriptor lists.</param>
    /// <param name="device">The card's side of its bindings.</param>
    /// <exception cref="SimulatedFailure">A step is none that the simulated card does (Inval).</exception>
    public static HostView Of(NetworkDescriptor network, IoSet set, DeviceBinding[] device)
    {
        TensorSpec[] specs = [.. set.Bindings.Select(b => b.ToTensorSpec())];
        int inputs = network.Inputs.Count;
        (TransformKind Input, TransformKind Output)? step = IoDescriptor.StageOf(set.Name);
        return new HostView(specs, [.. specs.Select((host, i) => i < inputs
            ? Input(network.Inputs[i], host, device[i].Spec, step?.Input)
            : Output(network.Outputs[i - inputs], host, device[i].Spec, step?.Output))]);
    }

    /// <summary>The card's side of a binding: what its copy from or to a DMA buffer carries.</summary>
    /// <param name="binding">The binding.</param>
    /// <param name="isInput">Whether it is an input.</param>
    /// <param name="user">The user's side.</param>
    /// <param name="copy">The copy; null if the compiler optimised the binding away.</param>
    /// <exception cref="SimulatedFailure">The transforms are not steps between the host and one copy (Inval).</exception>
    public static TensorSpec DeviceSpec(NetworkBinding binding, bool isInput, TensorSpec user, out DmaCopy? copy)
    {
        copy = null;
        if (binding.Transforms.Count == 0)
        {
            return user;
        }

        Transform end = isInput ? binding.Transforms[^1] : binding.Transforms[0];
        copy = end.Kind == TransformKind.CopyDmaBuffer && binding.Transforms.Count(t => t.Kind == TransformKind.CopyDmaBuffer) == 1 ? end.CopyDmaBuffer : null;
        if (copy is null)
        {
            throw Refused(binding, isInput, $"the simulated card, like the open runtime, wants one CopyDmaBuffer, {(isInput ? "the last step of an input" : "the first step of an output")}");
        }

        // A copy changes nothing, so where it stands alone the user's side says it all.
        return binding.Transforms.Count == 1 ? user : Result(isInput ? binding.Transforms[^2] : end, user);
    }

    /// <summary>Scratch memory and steps for one binding; null if its elements are copied as they are.</summary>
    public ElementStages? StagesOf(int binding) => _stages[binding].Length > 1 ? new ElementStages(_stages[binding]) : null;

    // What the set is named for, and what comes before it, is left to the host.
    private static TensorSpec[] Input(NetworkBinding binding, TensorSpec host, TensorSpec device, TransformKind? left)
    {
        int next = left is null ? 0 : binding.Transforms.FindIndex(t => t.Kind == left) + 1;
        return Chain(binding, isInput: true, host, binding.Transforms.Skip(next).SkipLast(next < binding.Transforms.Count ? 1 : 0), device);
    }

    // What the set is named for, and what comes after it, is left to the host; never the copy, which is the first.
    private static TensorSpec[] Output(NetworkBinding binding, TensorSpec host, TensorSpec device, TransformKind? left)
    {
        int end = left is null ? -1 : binding.Transforms.FindIndex(t => t.Kind == left);
        return Chain(binding, isInput: false, device, binding.Transforms.Take(end < 0 ? binding.Transforms.Count : end).Skip(1), host);
    }

    // Each stage is the result of a step.
    private static TensorSpec[] Chain(NetworkBinding binding, bool isInput, TensorSpec first, IEnumerable<Transform> steps, TensorSpec last)
    {
        List<TensorSpec> stages = [first];
        foreach (Transform step in steps)
        {
            TensorSpec result = Result(step, first);
            if (step.Kind is not (TransformKind.Quantize or TransformKind.Dequantize or TransformKind.Convert))
            {
                throw Refused(binding, isInput, $"the simulated card does no {step.Kind}");
            }

            // An element for an element: the dimensions may be written otherwise.
            if (result.ElementCount != first.ElementCount || !ElementConversion.IsConvertible(stages[^1]) || !ElementConversion.IsConvertible(result) || Math.Max(result.ByteLength, first.ByteLength) > int.MaxValue)
            {
                throw Refused(binding, isInput, $"{step.Kind} from {Describe(stages[^1])} to {Describe(result)} is not known");
            }

            stages.Add(result);
        }

        return stages[^1].ElementType == last.ElementType && stages[^1].ByteLength == last.ByteLength
            ? [.. stages]
            : throw Refused(binding, isInput, $"they end with {stages[^1]}, but the {(isInput ? "card" : "host")} gets {last}");
    }

    private static TensorSpec Result(Transform step, TensorSpec binding) =>
        binding with { ElementType = step.Type, Shape = [.. step.Dims.Select(d => Math.Max(d, 1))], Scale = step.Scale, Offset = step.Offset };

    private static string Describe(TensorSpec spec) => spec.Scale == 0 ? spec.ToString() : $"{spec} with scale {spec.Scale} and offset {spec.Offset}";

    private static SimulatedFailure Refused(NetworkBinding binding, bool isInput, string why) => SimulatedFailure.Invalid(
        $"{(isInput ? "Input" : "Output")} '{binding.Name}' needs the transforms {string.Join(", ", binding.Transforms.Select(t => t.Kind))}: {why}. Select the I/O set 'dma' and do them yourself, or compile the model with the simulated platform's compiler.");
}

/// <summary>Carries a tensor's elements through its stages, from one element type to the next.</summary>
/// <param name="stages">Two or more, all convertible and of as many elements.</param>
internal sealed unsafe class ElementStages(TensorSpec[] stages)
{
    private readonly float[] _values = new float[stages[0].ElementCount];
    private readonly byte[] _between = new byte[stages[1..^1].Select(s => s.ByteLength).DefaultIfEmpty().Max()];

    /// <summary>Reads the first stage, writes the last.</summary>
    public void Run(nint from, nint to)
    {
        ElementConversion.ToSingle(new ReadOnlySpan<byte>((void*)from, (int)stages[0].ByteLength), stages[0], _values);
        foreach (TensorSpec stage in stages.AsSpan(1, stages.Length - 2))
        {
            // Each stage rounds in its own way, also one whose bytes nobody sees.
            Span<byte> bytes = _between.AsSpan(0, (int)stage.ByteLength);
            ElementConversion.FromSingle(_values, stage, bytes);
            ElementConversion.ToSingle(bytes, stage, _values);
        }

        ElementConversion.FromSingle(_values, stages[^1], new Span<byte>((void*)to, (int)stages[^1].ByteLength));
    }
}
