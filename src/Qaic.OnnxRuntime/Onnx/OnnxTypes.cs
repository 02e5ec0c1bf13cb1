using Microsoft.ML.OnnxRuntime.Tensors;

namespace Qaic.OnnxRuntime.Onnx;

/// <summary>ONNX element types: names, sizes, and what carries them in the card's buffers. ONNX Runtime shares the numbering.</summary>
internal static class OnnxTypes
{
    /// <summary>The buffer type that carries a tensor of this type; null if none does.</summary>
    public static ElementType? BufferType(int dataType) => (TensorElementType)dataType switch
    {
        TensorElementType.Float => ElementType.Float32,
        TensorElementType.Float16 => ElementType.Float16,
        TensorElementType.BFloat16 => ElementType.BFloat16,
        TensorElementType.Int8 => ElementType.Int8,
        TensorElementType.UInt8 => ElementType.UInt8,

        // The card's only 16-bit integers are quantized ones; a plain one is such a code without a scale.
        TensorElementType.Int16 => ElementType.Int16Q,
        TensorElementType.Int32 => ElementType.Int32,
        TensorElementType.Int64 => ElementType.Int64,
        TensorElementType.Bool => ElementType.UInt8,
        _ => null,
    };

    /// <summary>The format's name of the type, for messages.</summary>
    public static string Name(int dataType) => dataType switch
    {
        1 => "float",
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        6 => "int32",
        7 => "int64",
        8 => "string",
        9 => "bool",
        10 => "float16",
        11 => "double",
        12 => "uint32",
        13 => "uint64",
        14 => "complex64",
        15 => "complex128",
        16 => "bfloat16",
        17 => "float8e4m3fn",
        18 => "float8e4m3fnuz",
        19 => "float8e5m2",
        20 => "float8e5m2fnuz",
        21 => "uint4",
        22 => "int4",
        23 => "float4e2m1",
        _ => $"element type {dataType}",
    };

    /// <summary>Bytes of an element in raw data; 0 for types that are packed or have no fixed size.</summary>
    public static int RawSize(int dataType) => dataType switch
    {
        2 or 3 or 9 or 17 or 18 or 19 or 20 => 1,
        4 or 5 or 10 or 16 => 2,
        1 or 6 or 12 => 4,
        7 or 11 or 13 or 14 => 8,
        15 => 16,
        _ => 0,
    };
}
