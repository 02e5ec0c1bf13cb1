using System.Collections.Immutable;
using System.Globalization;

namespace Qaic;

/// <summary>Name, type and shape of an input, for models that do not say them themselves (TorchScript).</summary>
/// <param name="Name">Name of the input.</param>
/// <param name="Type">Type as the compiler names it: <c>float</c>, <c>float16</c>, <c>int8q</c>, <c>int16q</c>, <c>int32q</c>, <c>int32</c>, <c>int64</c>, <c>bool</c>.</param>
/// <param name="Shape">Dimensions, outermost first, each 1 or more.</param>
public sealed record ModelInput(string Name, string Type, ImmutableArray<int> Shape)
{
    /// <summary>Scale of a quantized type (<c>…q</c>); null for others.</summary>
    public decimal? Scale { get; init; }

    /// <summary>Offset of a quantized type (<c>…q</c>); null for others.</summary>
    public int? Offset { get; init; }

    /// <inheritdoc/>
    public bool Equals(ModelInput? other) =>
        other is not null && Name == other.Name && Type == other.Type && Scale == other.Scale && Offset == other.Offset && Dims.AsSpan().SequenceEqual(other.Dims.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, Type, Scale, Offset, Dims.Length);

    /// <summary>As the compiler reads it: <c>name,float,[1,3,224,224]</c>; a quantized type has scale and offset before the shape.</summary>
    public override string ToString()
    {
        string quantization = Scale is null && Offset is null ? "" : string.Create(CultureInfo.InvariantCulture, $",{Scale ?? 1},{Offset ?? 0}");
        return $"{Name},{Type}{quantization},[{string.Join(',', Dims.Select(d => d.ToString(CultureInfo.InvariantCulture)))}]";
    }

    /// <summary>Reads what <see cref="ToString"/> writes; null if it is not in that form. Names have no commas.</summary>
    internal static ModelInput? TryParse(string text)
    {
        int bracket = text.IndexOf('[', StringComparison.Ordinal);
        if (bracket < 1 || !text.EndsWith(']') || text[..bracket].Split(',', StringSplitOptions.TrimEntries) is not [{ Length: > 0 } name, { Length: > 0 } type, .. var rest, ""])
        {
            return null;
        }

        var shape = ImmutableArray.CreateBuilder<int>();
        foreach (string dim in text[(bracket + 1)..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(dim, NumberStyles.None, CultureInfo.InvariantCulture, out int length))
            {
                return null;
            }

            shape.Add(length);
        }

        var input = new ModelInput(name, type, shape.ToImmutable());
        return rest switch
        {
            [] => input,
            [var scaleText, var offsetText] when decimal.TryParse(scaleText, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal scale)
                && int.TryParse(offsetText, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int offset) => input with { Scale = scale, Offset = offset },
            _ => null,
        };
    }

    internal ImmutableArray<int> Dims => Shape.IsDefault ? [] : Shape;
}
