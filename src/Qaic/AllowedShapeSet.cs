namespace Qaic;

/// <summary>One combination of shapes that a network was compiled for.</summary>
/// <param name="Inputs">The inputs in these shapes, in the order of <see cref="Session.Inputs"/>.</param>
/// <param name="Outputs">The outputs that come of them, in the order of <see cref="Session.Outputs"/>.</param>
public sealed record AllowedShapeSet(IReadOnlyList<TensorSpec> Inputs, IReadOnlyList<TensorSpec> Outputs)
{
    /// <inheritdoc/>
    public bool Equals(AllowedShapeSet? other) => other is not null && Inputs.SequenceEqual(other.Inputs) && Outputs.SequenceEqual(other.Outputs);

    /// <inheritdoc/>
    public override int GetHashCode() => Inputs.Concat(Outputs).Aggregate(0, HashCode.Combine);

    /// <summary>For messages, what has to be given: <c>ids[1, 16], mask[1, 16]</c>.</summary>
    public override string ToString() => string.Join(", ", Inputs.Select(i => $"{i.Name}[{string.Join(", ", i.Shape)}]"));
}
