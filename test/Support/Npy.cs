using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Qaic.TestSupport;

/// <summary>An array as NumPy's <c>.npy</c> files hold it: little-endian, row-major.</summary>
internal sealed partial class Npy
{
    /// <param name="type">Element type; boolean arrays have <see cref="ElementType.UInt8"/>.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <param name="bytes">The elements.</param>
    public Npy(ElementType type, int[] shape, byte[] bytes)
    {
        long expected = shape.Aggregate((long)type.SizeInBytes(), (size, dim) => size * dim);
        if (expected != bytes.Length)
        {
            throw new InvalidDataException($"{type}[{string.Join(", ", shape)}] takes {expected} bytes, not {bytes.Length}.");
        }

        (Type, Shape, Bytes) = (type, shape, bytes);
    }

    public ElementType Type { get; }

    public int[] Shape { get; }

    public byte[] Bytes { get; }

    /// <summary>Length of the first dimension.</summary>
    public int Rows => Shape[0];

    /// <summary>Bytes of one row.</summary>
    public int RowBytes => Rows == 0 ? 0 : Bytes.Length / Rows;

    public static Npy Load(string path) => Parse(File.ReadAllBytes(path), path);

    /// <summary>The elements, which must be of type <typeparamref name="T"/>.</summary>
    public ReadOnlySpan<T> As<T>() where T : unmanaged =>
        Type.Holds<T>() ? MemoryMarshal.Cast<byte, T>(Bytes) : throw new InvalidOperationException($"The array holds {Type}, not {typeof(T).Name}.");

    /// <summary>The bytes of some rows.</summary>
    public ReadOnlySpan<byte> RowSlice(int first, int count) => Bytes.AsSpan(first * RowBytes, count * RowBytes);

    /// <summary>All of it as a tensor.</summary>
    public Tensor ToTensor()
    {
        var tensor = Tensor.Zeros(new TensorSpec("all", Type, [.. Shape]));
        Bytes.AsSpan().CopyTo(tensor.Bytes);
        return tensor;
    }

    /// <summary>One row as a tensor of its own, without the leading dimension.</summary>
    public Tensor Row(int index)
    {
        var tensor = Tensor.Zeros(new TensorSpec("row", Type, [.. Shape[1..]]));
        RowSlice(index, 1).CopyTo(tensor.Bytes);
        return tensor;
    }

    /// <summary>All elements as float, whatever their type.</summary>
    public float[] ToSingles() => Type switch
    {
        ElementType.Float32 => As<float>().ToArray(),
        ElementType.Float16 => Convert<Half>(h => (float)h),
        ElementType.Int64 => Convert<long>(v => v),
        ElementType.Int32 => Convert<int>(v => v),
        ElementType.UInt8 => Convert<byte>(v => v),
        _ => throw new NotSupportedException($"No conversion from {Type} to float here."),
    };

    private static Npy Parse(byte[] file, string path)
    {
        if (file.Length < 12 || file[0] != 0x93 || !file.AsSpan(1, 5).SequenceEqual("NUMPY"u8))
        {
            throw new InvalidDataException($"'{path}' is no .npy file.");
        }

        bool small = file[6] == 1;
        int header = small ? BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(8)) : BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(8));
        int start = small ? 10 : 12;
        string text = Encoding.Latin1.GetString(file, start, header);
        Match match = HeaderPattern().Match(text);
        if (!match.Success || match.Groups["order"].Value == "True")
        {
            throw new InvalidDataException($"'{path}' has the header {text.Trim()}; only row-major arrays of simple types are read.");
        }

        int[] shape = [.. match.Groups["shape"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(d => int.Parse(d, CultureInfo.InvariantCulture))];
        return new Npy(TypeOf(match.Groups["type"].Value), shape, file[(start + header)..]);
    }

    private static ElementType TypeOf(string descriptor) => descriptor switch
    {
        "<f4" => ElementType.Float32,
        "<f2" => ElementType.Float16,
        "<i8" => ElementType.Int64,
        "<i4" => ElementType.Int32,
        "|i1" => ElementType.Int8,
        "|u1" or "|b1" => ElementType.UInt8,
        _ => throw new NotSupportedException($"No buffer type for NumPy's '{descriptor}'."),
    };

    private float[] Convert<T>(Func<T, float> convert) where T : unmanaged
    {
        ReadOnlySpan<T> source = As<T>();
        float[] result = new float[source.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = convert(source[i]);
        }

        return result;
    }

    [GeneratedRegex(@"'descr':\s*'(?<type>[^']+)'.*'fortran_order':\s*(?<order>\w+).*'shape':\s*\((?<shape>[^)]*)\)")]
    private static partial Regex HeaderPattern();
}
