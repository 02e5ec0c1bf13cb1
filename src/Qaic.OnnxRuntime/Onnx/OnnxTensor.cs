namespace Qaic.OnnxRuntime.Onnx;

/// <summary>One dimension as a model declares it: a number, a symbol, or neither.</summary>
internal readonly record struct OnnxDimension(long? Value, string? Symbol)
{
    /// <summary>Whether the model leaves the length open.</summary>
    public bool IsFree => Value is null;

    public static OnnxDimension From(TensorShapeProto.Types.Dimension dimension) => dimension.ValueCase switch
    {
        // Some exporters write -1 for a length they do not know.
        TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue when dimension.DimValue >= 0 => new(dimension.DimValue, null),
        TensorShapeProto.Types.Dimension.ValueOneofCase.DimParam when dimension.DimParam.Length > 0 => new(null, dimension.DimParam),
        _ => default,
    };

    public override string ToString() => Value?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? Symbol ?? "?";
}

/// <summary>A graph's input or output as the model declares it.</summary>
internal sealed class OnnxTensor
{
    private readonly ValueInfoProto _proto;

    public OnnxTensor(ValueInfoProto proto)
    {
        _proto = proto;
        Shape = proto.Type?.TensorType?.Shape is { } shape ? [.. shape.Dim.Select(OnnxDimension.From)] : null;
    }

    public string Name => _proto.Name;

    /// <summary>What it is: <c>tensor</c>, <c>sequence</c>, …; <c>unknown</c> if the model does not say.</summary>
    public string Kind => _proto.Type?.ValueCase switch
    {
        TypeProto.ValueOneofCase.TensorType => "tensor",
        TypeProto.ValueOneofCase.SequenceType => "sequence",
        TypeProto.ValueOneofCase.MapType => "map",
        TypeProto.ValueOneofCase.OpaqueType => "opaque",
        TypeProto.ValueOneofCase.SparseTensorType => "sparse tensor",
        TypeProto.ValueOneofCase.OptionalType => "optional",
        _ => "unknown",
    };

    /// <summary>ONNX's number of the element type; 0 if the model does not say.</summary>
    public int DataType => _proto.Type?.TensorType?.ElemType ?? 0;

    /// <summary>The dimensions; null if not even their number is declared.</summary>
    public IReadOnlyList<OnnxDimension>? Shape { get; private set; }

    /// <summary>Replaces the declared dimensions. A free one without a symbol is left to ONNX Runtime.</summary>
    public void SetShape(IEnumerable<OnnxDimension> shape)
    {
        Shape = [.. shape];
        var proto = new TensorShapeProto();
        foreach (OnnxDimension dimension in Shape)
        {
            var dim = new TensorShapeProto.Types.Dimension();
            if (dimension.Value is { } value)
            {
                dim.DimValue = value;
            }
            else if (dimension.Symbol is { } symbol)
            {
                dim.DimParam = symbol;
            }

            proto.Dim.Add(dim);
        }

        ((_proto.Type ??= new()).TensorType ??= new()).Shape = proto;
    }

    /// <summary>Replaces type and dimensions by known ones.</summary>
    public void SetType(int dataType, IEnumerable<int> shape)
    {
        SetShape(shape.Select(d => new OnnxDimension(d, null)));
        _proto.Type.TensorType.ElemType = dataType;
    }

    /// <summary>For messages: <c>image float[batch, 1, 8, 8]</c>.</summary>
    public override string ToString() => $"{Name} {(Kind == "tensor" ? OnnxTypes.Name(DataType) : Kind)}[{(Shape is null ? "…" : string.Join(", ", Shape))}]";
}
