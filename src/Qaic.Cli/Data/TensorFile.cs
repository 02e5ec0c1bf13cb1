using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using Qaic.Runtime;

namespace Qaic.Cli.Data;

/// <summary>Reads a file as the data of one input: raw elements, <c>.npy</c> or <c>.csv</c>, by the file's extension.</summary>
internal static class TensorFile
{
    private const long MaxBytes = 1 << 30;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file; <c>.npy</c>, <c>.csv</c>, and everything else as raw elements, row-major and little endian.</param>
    /// <param name="spec">The input, with the shape of a whole inference.</param>
    /// <param name="hasBatch">Whether the leading dimension is the batch: then the file may hold any number of rows.</param>
    /// <returns>The data: in the input's type, or as float32 where that can be converted.</returns>
    /// <exception cref="DataFormatException">The data does not fit the input, or the file is damaged.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Tensor Load(string path, TensorSpec spec, bool hasBatch)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException(Directory.Exists(path) ? $"'{path}' for input '{spec.Name}' is a directory. Give a file." : $"There is no file '{Path.GetFullPath(path)}' for input '{spec.Name}'.", path);
        }

        return Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".NPY" => From(NpyFile.Load(path), path, spec, hasBatch),
            ".CSV" => From(CsvFile.Load(path), spec, hasBatch),
            _ => FromRaw(ReadAll(path), path, spec, hasBatch),
        };
    }

    /// <summary>Reads a whole file; devices and pipes as well, which have no length and may have no end.</summary>
    /// <exception cref="DataFormatException">It has more than 1 GiB.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static byte[] ReadAll(string path)
    {
        using FileStream file = File.OpenRead(path);
        if (file.CanSeek && file.Length is > 0 and <= MaxBytes)
        {
            byte[] bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }

        using var content = new MemoryStream();
        byte[] block = new byte[1 << 16];
        for (int read; content.Length <= MaxBytes && (read = file.Read(block)) > 0;)
        {
            content.Write(block, 0, read);
        }

        return content.Length <= MaxBytes ? content.ToArray() : throw new DataFormatException(path, "it has more than 1 GiB. Split it, and run the parts one after the other.");
    }

    /// <summary>Raw elements as a tensor.</summary>
    /// <exception cref="DataFormatException">Another number of bytes.</exception>
    public static Tensor FromRaw(ReadOnlySpan<byte> bytes, string path, TensorSpec spec, bool hasBatch)
    {
        Tensor tensor = Empty(spec, hasBatch, bytes.Length, spec.ElementType.SizeInBytes(), spec.ElementType, "bytes", path);
        bytes.CopyTo(tensor.Bytes);
        return tensor;
    }

    /// <summary>A NumPy array as a tensor.</summary>
    /// <exception cref="DataFormatException">Its shape is not the input's, or its elements cannot be.</exception>
    public static Tensor From(NpyFile array, string path, TensorSpec spec, bool hasBatch)
    {
        ReadOnlySpan<int> given = array.Shape.AsSpan();
        ReadOnlySpan<int> wanted = spec.Shape.AsSpan();
        bool isRows = hasBatch && given.Length == wanted.Length && given[1..].SequenceEqual(wanted[1..]) && given[0] > 0;
        bool isOneRow = hasBatch && given.SequenceEqual(wanted[1..]);
        if (hasBatch && given.Length > 0 && given[0] == 0)
        {
            throw new DataFormatException(path, $"the array has no rows (its shape is [{string.Join(", ", array.Shape)}]); input '{spec}' needs at least one.");
        }

        if (!isRows && !isOneRow && !given.SequenceEqual(wanted))
        {
            throw new DataFormatException(path, $"the array has the shape [{string.Join(", ", array.Shape)}], but input '{spec}' takes {(hasBatch ? $"any number of rows of [{string.Join(", ", spec.Shape.Skip(1))}]" : "exactly its shape")}. Reshape the array.");
        }

        ImmutableArray<int> shape = isOneRow ? [1, .. array.Shape] : array.Shape;
        bool isReal = array.Kind == 'f';
        ElementType type = TypeFor(spec, array.Kind, array.Size) ?? throw new DataFormatException(
            path, $"the array's elements are {array.Kind}{array.Size}, and input '{spec}' takes {Accepted(spec)}. Convert the array with astype.");
        Tensor tensor = Tensor.Zeros(new TensorSpec(spec.Name, type, shape));
        if (array.Size == type.SizeInBytes() && (array.Kind == KindOf(type) || (array.Kind is 'b' or 'V')))
        {
            array.Bytes.CopyTo(tensor.Bytes);
            return tensor;
        }

        for (int i = 0; i < tensor.Length; i++)
        {
            ReadOnlySpan<byte> element = array.Bytes.AsSpan(i * array.Size, array.Size);
            if (isReal)
            {
                double value = Real(element);
                if (!TryStore(tensor, i, value))
                {
                    throw new DataFormatException(path, string.Create(CultureInfo.InvariantCulture, $"element {i} is {value}, which float32 does not hold. Scale the data."));
                }
            }
            else if (!TryStore(tensor, i, Integer(element, array.Kind)))
            {
                throw new DataFormatException(path, string.Create(CultureInfo.InvariantCulture, $"element {i} is {Integer(element, array.Kind)}, which input '{spec}' cannot hold as {type}. Correct the data."));
            }
        }

        return tensor;
    }

    /// <summary>A table as a tensor: a row of the table is a row of the input.</summary>
    /// <exception cref="DataFormatException">A row has another number of elements, or a field is no such number, or the names of the columns are missing; the message has line and column.</exception>
    public static Tensor From(CsvFile table, TensorSpec spec, bool hasBatch)
    {
        bool isReal = ElementConversion.IsConvertible(spec);
        if (!isReal && spec.ElementType == ElementType.Complex64)
        {
            throw new DataFormatException(table.Path, $"input '{spec}' takes complex numbers, which a table does not have. Use raw or .npy files.");
        }

        if (table.Names.All(IsNumber) && !IsNamedAfter(table.Names, spec))
        {
            throw new DataFormatException(table.Path, $"line 1 looks like data; the first line names the columns, each further one is a row. Write a line of names above it, such as {string.Join(',', table.Names.Take(3).Select((_, i) => $"x{i}"))}{(table.Names.Count > 3 ? ",…" : "")}.");
        }

        ElementType type = isReal ? ElementType.Float32 : spec.ElementType;
        long count = (long)table.Rows.Count * table.Names.Count;
        if (hasBatch && table.Names.Count != spec.ElementCount / Math.Max(spec.Shape[0], 1))
        {
            throw new DataFormatException(table.Path, $"the table has {table.Names.Count} columns, but a row of input '{spec}' has {spec.ElementCount / Math.Max(spec.Shape[0], 1)} elements. Each line of the table is one row, with a column per element.");
        }

        Tensor tensor = Empty(spec, hasBatch, count, 1, type, "fields", table.Path);
        int at = 0;
        foreach ((int line, string[] fields) in table.Rows)
        {
            for (int column = 0; column < fields.Length; column++)
            {
                if (!TryParse(tensor, at++, fields[column], isReal))
                {
                    throw new DataFormatException(table.Path, $"line {line}, column '{table.Names[column]}': '{fields[column]}' is no {(isReal ? "number that float32 holds" : $"{type}")}. Write numbers with a decimal point and without separators of thousands.");
                }
            }
        }

        return tensor;
    }

    private static bool IsNumber(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _);

    // Tensors may be called 1104, and a table of the outputs of such a network has the columns 1104.0, 1104.1 and so on.
    private static bool IsNamedAfter(IReadOnlyList<string> names, TensorSpec spec) =>
        names is [var only] && only == spec.Name || names.Select((name, i) => name == string.Create(CultureInfo.InvariantCulture, $"{spec.Name}.{i}")).All(same => same);

    // A tensor for so many elements; of any number of rows where there is a batch.
    private static Tensor Empty(TensorSpec spec, bool hasBatch, long units, int perElement, ElementType type, string what, string path)
    {
        long whole = spec.ElementCount * perElement;
        long row = hasBatch && spec.Shape[0] > 0 ? whole / spec.Shape[0] : whole;
        bool isRows = hasBatch && row > 0 && units > 0 && units % row == 0;
        if (!isRows && units != whole)
        {
            throw new DataFormatException(path, hasBatch
                ? $"it has {units} {what}, which is no whole number of rows of input '{spec}': a row has {row}. Write the elements in this type and layout, without a header."
                : $"it has {units} {what}, but input '{spec}' takes {whole}. Write the elements in this type and layout, without a header.");
        }

        long rows = isRows ? units / row : 0;
        return rows <= int.MaxValue ? Tensor.Zeros(new TensorSpec(spec.Name, type, isRows ? [(int)rows, .. spec.Shape.Skip(1)] : spec.Shape)) : throw new DataFormatException(path, $"it has {rows} rows, more than can be held. Split the file.");
    }

    // In which type elements of an array reach the session; null if they cannot.
    private static ElementType? TypeFor(TensorSpec spec, char kind, int size) => kind switch
    {
        'V' => spec.ElementType == ElementType.BFloat16 && size == 2 ? ElementType.BFloat16 : null,
        'b' => spec.ElementType is ElementType.UInt8 or ElementType.UInt8Q or ElementType.Int32 or ElementType.Int64 or ElementType.Int8 ? spec.ElementType : null,
        'f' => spec.ElementType == ElementType.Float16 && size == 2 ? ElementType.Float16 : ElementConversion.IsConvertible(spec) ? ElementType.Float32 : null,
        _ when spec.ElementType is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16 => ElementType.Float32,
        _ => spec.ElementType == ElementType.Complex64 ? null : spec.ElementType,
    };

    private static string Accepted(TensorSpec spec) => spec.ElementType switch
    {
        ElementType.Float32 or ElementType.Float16 => "floats or integers",
        ElementType.BFloat16 => "floats, integers or bfloat16",
        ElementType.Int8Q or ElementType.UInt8Q when ElementConversion.IsConvertible(spec) => "integers, or floats, which are quantized",
        ElementType.Complex64 => "complex numbers, in raw files only",
        _ => "integers",
    };

    private static char KindOf(ElementType type) => type switch
    {
        ElementType.Float32 or ElementType.Float16 => 'f',
        ElementType.UInt8 or ElementType.UInt8Q => 'u',
        ElementType.BFloat16 => 'V',
        _ => 'i',
    };

    private static double Real(ReadOnlySpan<byte> element) => element.Length switch
    {
        2 => (double)BinaryPrimitives.ReadHalfLittleEndian(element),
        4 => BinaryPrimitives.ReadSingleLittleEndian(element),
        _ => BinaryPrimitives.ReadDoubleLittleEndian(element),
    };

    private static Int128 Integer(ReadOnlySpan<byte> element, char kind) => (kind, element.Length) switch
    {
        ('i', 1) => (sbyte)element[0],
        (_, 1) => element[0],
        ('i', 2) => BinaryPrimitives.ReadInt16LittleEndian(element),
        (_, 2) => BinaryPrimitives.ReadUInt16LittleEndian(element),
        ('i', 4) => BinaryPrimitives.ReadInt32LittleEndian(element),
        (_, 4) => BinaryPrimitives.ReadUInt32LittleEndian(element),
        ('i', _) => BinaryPrimitives.ReadInt64LittleEndian(element),
        _ => BinaryPrimitives.ReadUInt64LittleEndian(element),
    };

    private static bool TryParse(Tensor tensor, int index, string text, bool isReal) => isReal
        ? double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) && TryStore(tensor, index, real)
        : Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out Int128 integer) && TryStore(tensor, index, integer);

    // A finite number that would become infinite is refused; one that loses digits is what float32 means.
    private static bool TryStore(Tensor tensor, int index, double value)
    {
        float single = (float)value;
        MemoryMarshal.Cast<byte, float>(tensor.Bytes)[index] = single;
        return float.IsFinite(single) || !double.IsFinite(value);
    }

    private static bool TryStore(Tensor tensor, int index, Int128 value)
    {
        switch (tensor.ElementType.ClrType())
        {
            case var t when t == typeof(float):
                tensor.AsSpan<float>()[index] = (float)value;
                return true;
            case var t when t == typeof(sbyte) && value >= sbyte.MinValue && value <= sbyte.MaxValue:
                tensor.AsSpan<sbyte>()[index] = (sbyte)value;
                return true;
            case var t when t == typeof(byte) && value >= byte.MinValue && value <= byte.MaxValue:
                tensor.AsSpan<byte>()[index] = (byte)value;
                return true;
            case var t when t == typeof(short) && value >= short.MinValue && value <= short.MaxValue:
                tensor.AsSpan<short>()[index] = (short)value;
                return true;
            case var t when t == typeof(int) && value >= int.MinValue && value <= int.MaxValue:
                tensor.AsSpan<int>()[index] = (int)value;
                return true;
            case var t when t == typeof(long) && value >= long.MinValue && value <= long.MaxValue:
                tensor.AsSpan<long>()[index] = (long)value;
                return true;
            default:
                return false;
        }
    }
}
