namespace Qaic.Qpc;

/// <summary>One combination of shapes that a network accepts: one shape per binding, inputs first.</summary>
public sealed class ShapeSet
{
    private UnknownFields _unknown;

    /// <summary>The shapes.</summary>
    public List<TensorShape> Shapes { get; } = [];

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
