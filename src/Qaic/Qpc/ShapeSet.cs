namespace Qaic.Qpc;

/// <summary>One combination of shapes that a network accepts: one shape per binding, inputs first.</summary>
public sealed class ShapeSet
{
    private UnknownFields _unknown;

    /// <summary>The shapes.</summary>
    public List<TensorShape> Shapes { get; } = [];

    /// <summary>The shapes as tensors of the host, in the order of the bindings. Element type and quantization are the binding's own.</summary>
    /// <remarks>A dimension of 0 becomes 1, as in <see cref="IoBinding.ToTensorSpec"/>.</remarks>
    /// <param name="bindings">The bindings that the shapes belong to; their buffers have to hold every shape.</param>
    /// <exception cref="QpcFormatException">There is not one shape per binding, or a shape is larger than the binding's buffer.</exception>
    public IReadOnlyList<TensorSpec> ToTensorSpecs(IReadOnlyList<IoBinding> bindings)
    {
        ArgumentNullException.ThrowIfNull(bindings);
        if (Shapes.Count != bindings.Count)
        {
            throw new QpcFormatException($"A set of allowed shapes lists {Shapes.Count} shapes; the network has {bindings.Count} inputs and outputs", 0);
        }

        return [.. bindings.Select((binding, i) =>
        {
            long bytes = BufferSize.Of(binding.Type, Shapes[i].Dims, binding.Name);
            return bytes <= binding.Size
                ? binding.ToTensorSpec() with { Shape = [.. Shapes[i].Dims.Select(d => Math.Max(d, 1))] }
                : throw new QpcFormatException(
                    $"A set of allowed shapes gives '{binding.Name}' the shape [{string.Join(", ", Shapes[i].Dims)}] of {bytes} bytes, but its buffer has {binding.Size}", 0);
        })];
    }

    internal static ShapeSet Read(WireReader reader)
    {
        var set = new ShapeSet();
        while (reader.Next(out int field))
        {
            if (field == 1)
            {
                set.Shapes.Add(TensorShape.Read(reader.Message()));
            }
            else
            {
                reader.Preserve(ref set._unknown);
            }
        }

        return set;
    }

    internal ShapeSet Copy()
    {
        var writer = new WireWriter();
        Write(writer);
        return Read(new WireReader(writer.ToArray(), "Allowed shapes"));
    }

    internal void Write(WireWriter writer)
    {
        Shapes.ForEach(s => writer.Message(1, s.Write));
        writer.Raw(_unknown.Bytes);
    }
}

/// <summary>Element type and dimensions in a <see cref="ShapeSet"/>.</summary>
public sealed class TensorShape
{
    private UnknownFields _unknown;

    /// <summary>Element type.</summary>
    public ElementType Type { get; set; }

    /// <summary>Dimensions, outermost first.</summary>
    public List<int> Dims { get; } = [];

    internal static TensorShape Read(WireReader reader)
    {
        var shape = new TensorShape();
        while (reader.Next(out int field))
        {
            switch (field)
            {
                case 1: shape.Type = (ElementType)reader.Int32(); break;
                case 2: reader.Int32s(shape.Dims); break;
                default: reader.Preserve(ref shape._unknown); break;
            }
        }

        return shape;
    }

    internal void Write(WireWriter writer)
    {
        writer.Int32(1, (int)Type);
        writer.Int32s(2, Dims);
        writer.Raw(_unknown.Bytes);
    }
}
