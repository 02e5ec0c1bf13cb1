using Microsoft.ML.Data;
using Qaic.Runtime;

namespace Qaic.ML;

/// <summary>Which ML.NET types stand for a tensor's element type, in one table.</summary>
internal static class ColumnTypes
{
    /// <summary>The item type of a column that holds elements of <paramref name="tensor"/>. Real numbers in any precision are <see cref="float"/>, also codes with scale and offset: ML.NET has no half precision, and its learners take no codes.</summary>
    /// <exception cref="NotSupportedException">No column type carries the tensor's elements.</exception>
    public static PrimitiveDataViewType ItemTypeOf(TensorSpec tensor) => tensor.ElementType switch
    {
        _ when ElementConversion.IsConvertible(tensor) => NumberDataViewType.Single,
        ElementType.UInt8 when tensor.IsBoolean => BooleanDataViewType.Instance,
        ElementType.UInt8 or ElementType.UInt8Q => NumberDataViewType.Byte,
        ElementType.Int8 or ElementType.Int8Q => NumberDataViewType.SByte,
        ElementType.Int16Q => NumberDataViewType.Int16,
        ElementType.Int32 or ElementType.Int32Q => NumberDataViewType.Int32,
        ElementType.Int64 => NumberDataViewType.Int64,
        _ => throw new NotSupportedException($"Tensor '{tensor.Name}' has elements of {tensor.ElementType}, for which ML.NET has no column type. Cast it to float32 inside the model."),
    };

    /// <summary>Whether a column of items of <paramref name="item"/> can be the input <paramref name="tensor"/>.</summary>
    /// <remarks>Bytes pass for 8-bit codes, which are then taken as they are. As ApplyOnnxModel compares: by the type behind the values, so that a key over <see cref="byte"/> passes for <see cref="byte"/>. Never a silent conversion of double.</remarks>
    public static bool Accepts(TensorSpec tensor, DataViewType item) =>
        item.RawType == ItemTypeOf(tensor).RawType
        || (tensor.ElementType is ElementType.Int8Q or ElementType.UInt8Q && item.RawType == tensor.ElementType.ClrType())
        || (tensor.ElementType == ElementType.UInt8 && item.RawType == typeof(bool));

    /// <summary>Items of a column: of the vector, or the scalar itself.</summary>
    public static DataViewType ItemOf(DataViewType type) => type is VectorDataViewType vector ? vector.ItemType : type;

    /// <summary>Values of a column in every row; null if it varies.</summary>
    public static int? LengthOf(DataViewType type) => type is not VectorDataViewType vector ? 1 : vector.IsKnownSize ? vector.Size : null;

    /// <summary>The column type of a tensor's share of one row: its shape with a leading dimension of 1 where the batch was.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="rows">Rows that share the tensor; the leading dimension if more than 1.</param>
    /// <param name="squeeze">Whether one element becomes a scalar.</param>
    public static DataViewType RowTypeOf(TensorSpec tensor, int rows, bool squeeze)
    {
        PrimitiveDataViewType item = ItemTypeOf(tensor);
        if (tensor.Shape.IsEmpty || (squeeze && tensor.ElementCount == rows))
        {
            return item;
        }

        return new VectorDataViewType(item, rows == 1 ? tensor.Shape : tensor.Shape.SetItem(0, 1));
    }
}
