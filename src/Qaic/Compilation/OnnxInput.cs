using System.Collections.Immutable;
using System.Globalization;

namespace Qaic.Compilation;

/// <summary>An input of an ONNX model as the model declares it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DataType">Element type by onnx.proto's number; 0 if it is no tensor.</param>
/// <param name="Dimensions">Dimensions: a length, or a symbol, or neither. Default if the model gives no shape.</param>
internal sealed record OnnxInput(string Name, int DataType, ImmutableArray<(long? Length, string? Symbol)> Dimensions)
{
    /// <summary>The symbol that is the first dimension; null if there is a number, nothing, or no shape at all.</summary>
    public string? LeadingSymbol => !Dimensions.IsDefaultOrEmpty && Dimensions[0].Symbol is { Length: > 0 } symbol ? symbol : null;

    /// <summary>With values for its symbols.</summary>
    /// <param name="symbols">Lengths of symbols.</param>
    /// <param name="batch">Length of a first dimension that has no name.</param>
    /// <param name="model">The model, for messages.</param>
    /// <exception cref="CompilationException">A dimension has no value, or no buffer of the card holds its elements.</exception>
    public TensorSpec Resolve(IReadOnlyDictionary<string, int> symbols, int batch, string model)
    {
        if (Dimensions.IsDefault)
        {
            throw new CompilationException($"Input '{Name}' of '{model}' has no shape, so its data cannot be laid out. Export the model with the shapes of its inputs.") { Error = CompilationError.ModelLoad };
        }

        var shape = ImmutableArray.CreateBuilder<int>(Dimensions.Length);
        for (int i = 0; i < Dimensions.Length; i++)
        {
            (long? length, string? symbol) = Dimensions[i];
            shape.Add(length is { } fixedLength ? Checked(fixedLength)
                : symbol is { Length: > 0 } ? symbols.TryGetValue(symbol, out int value) ? value : throw Missing($"'{symbol}'", $"Add it to OnnxDefineSymbol (onnx_define_symbol): OnnxDefineSymbol = ….Add(\"{symbol}\", 1)")
                : i == 0 ? batch
                : throw Missing($"number {i}, which has no name,", "Export the model with a name or a length for it"));
        }

        // TensorProto.DataType.
        ElementType type = DataType switch
        {
            1 => ElementType.Float32,
            2 or 9 => ElementType.UInt8,
            3 => ElementType.Int8,
            6 => ElementType.Int32,
            7 => ElementType.Int64,
            10 => ElementType.Float16,
            16 => ElementType.BFloat16,
            _ => throw new CompilationException(string.Create(
                CultureInfo.InvariantCulture, $"Input '{Name}' of '{model}' has elements of type {DataType} (onnx.proto), which no buffer of the card holds. Use float, float16, bfloat16, int8, uint8, int32, int64 or bool."))
            {
                Error = CompilationError.ModelLoad,
            },
        };
        return new TensorSpec(Name, type, shape.MoveToImmutable()) { IsBoolean = DataType == 9 };

        int Checked(long value) => value is > 0 and <= int.MaxValue
            ? (int)value
            : throw new CompilationException($"Input '{Name}' of '{model}' has a dimension of {value}.") { Error = CompilationError.ModelLoad };

        CompilationException Missing(string dimension, string remedy) =>
            new($"Dimension {dimension} of input '{Name}' of '{model}' has no value. {remedy}.") { Error = CompilationError.MissingSymbol };
    }
}
