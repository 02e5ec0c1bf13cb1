using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;
using System.Text;

namespace Qaic.Cli.Data;

/// <summary>An array from a <c>.npy</c> file of NumPy: any version of the format, any order, any endianness, all integers, floats and booleans.</summary>
/// <param name="Kind">NumPy's letter: <c>f</c> float, <c>i</c> signed, <c>u</c> unsigned integer, <c>b</c> boolean, <c>V</c> raw bytes, which 2-byte bfloat16 are.</param>
/// <param name="Size">Bytes of an element.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Bytes">The elements, row-major and little endian.</param>
internal sealed record NpyFile(char Kind, int Size, ImmutableArray<int> Shape, byte[] Bytes)
{
    private const int HeaderAlignment = 64;

    // What follows the magic word: major and minor version, and the header's length, in 2 bytes for version 1 and in 4 after that.
    private const int LengthAt = 8;
    private static readonly byte[] s_magic = [0x93, .. "NUMPY"u8];

    /// <summary>For messages: <c>f4[32, 10]</c>.</summary>
    public override string ToString() => $"{Kind}{Size}[{string.Join(", ", Shape)}]";

    /// <summary>Reads a file.</summary>
    /// <exception cref="DataFormatException">It is no such file, is damaged, or its elements are no numbers.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static NpyFile Load(string path) => Parse(TensorFile.ReadAll(path), path);

    /// <summary>Reads the bytes of a file.</summary>
    /// <param name="file">All of it.</param>
    /// <param name="path">What errors call it.</param>
    /// <exception cref="DataFormatException">As for <see cref="Load"/>.</exception>
    public static NpyFile Parse(byte[] file, string path)
    {
        if (file.Length < LengthAt + 2 || !file.AsSpan().StartsWith(s_magic))
        {
            throw new DataFormatException(path, "this is no .npy file: it does not begin with NumPy's magic word. Write it with numpy.save.");
        }

        int major = file[6];
        if (major is < 1 or > 3 || file[7] != 0)
        {
            throw new DataFormatException(path, $"version {major}.{file[7]} of the format is unknown; 1.0, 2.0 and 3.0 are read.");
        }

        int start = major == 1 ? LengthAt + 2 : LengthAt + 4;
        long length = major == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(LengthAt)) : file.Length < start ? long.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(LengthAt));
        if (length > file.Length - start)
        {
            throw new DataFormatException(path, $"the file ends within its header, after {file.Length} bytes. Copy it again.");
        }

        NpyHeader header;
        try
        {
            header = NpyHeader.Parse((major == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(file, start, (int)length));
        }
        catch (FormatException e)
        {
            throw new DataFormatException(path, $"{e.Message}.", e);
        }

        (char kind, int size, bool isBigEndian) = TypeOf(header.Descr, path);
        BigInteger expected = header.Shape.Aggregate((BigInteger)size, (bytes, dim) => bytes * dim);
        byte[] data = file[(start + (int)length)..];
        if (expected != data.Length)
        {
            throw new DataFormatException(path, $"an array of {kind}{size}[{string.Join(", ", header.Shape)}] has {expected} bytes, but {data.Length} follow the header. The file is cut off or damaged; write it again.");
        }

        if (isBigEndian)
        {
            Reverse(data, size);
        }

        return new NpyFile(kind, size, header.Shape, header.IsColumnMajor ? RowMajor(data, header.Shape, size) : data);
    }

    /// <summary>The beginning of a file of version 1.0, up to the elements.</summary>
    /// <param name="type">Type of the elements.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <param name="length">Bytes that it is filled up to; 0 for as few as possible, always a multiple of 64.</param>
    /// <exception cref="ArgumentException">NumPy has no such type.</exception>
    public static byte[] Preamble(ElementType type, ReadOnlySpan<int> shape, int length = 0)
    {
        byte[] text = Encoding.Latin1.GetBytes(new NpyHeader(DescrOf(type), IsColumnMajor: false, [.. shape]).ToString());
        int least = s_magic.Length + 4 + text.Length + 1;
        byte[] preamble = new byte[Math.Max(length, (least + HeaderAlignment - 1) / HeaderAlignment * HeaderAlignment)];
        preamble.AsSpan().Fill((byte)' ');
        s_magic.CopyTo(preamble, 0);
        preamble[6] = 1;
        preamble[7] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(preamble.AsSpan(LengthAt), checked((ushort)(preamble.Length - LengthAt - 2)));
        text.CopyTo(preamble, LengthAt + 2);
        preamble[^1] = (byte)'\n';
        return preamble;
    }

    private static (char Kind, int Size, bool IsBigEndian) TypeOf(string descr, string path)
    {
        bool hasOrder = descr.Length > 0 && descr[0] is '<' or '>' or '|' or '=';
        string type = hasOrder ? descr[1..] : descr;
        return type switch
        {
            "f2" or "f4" or "f8" or "i1" or "i2" or "i4" or "i8" or "u1" or "u2" or "u4" or "u8" or "b1" or "V2" => (type[0], type[1] - '0', descr[0] == '>'),
            _ => throw new DataFormatException(path, $"its elements are '{descr}'; integers, floats of up to 64 bits and booleans are read. Convert the array with astype."),
        };
    }

    private static string DescrOf(ElementType type) => type switch
    {
        ElementType.Float32 => "<f4",
        ElementType.Float16 => "<f2",
        ElementType.Int8 or ElementType.Int8Q => "|i1",
        ElementType.UInt8 or ElementType.UInt8Q => "|u1",
        ElementType.Int16Q => "<i2",
        ElementType.Int32 or ElementType.Int32Q => "<i4",
        ElementType.Int64 => "<i8",
        // What ml_dtypes.bfloat16 is saved as; astype brings it back.
        ElementType.BFloat16 => "<V2",
        ElementType.Complex64 => "<c8",
        _ => throw new ArgumentException($"NumPy has no type for {type}.", nameof(type)),
    };

    private static void Reverse(Span<byte> data, int size)
    {
        for (int at = 0; at < data.Length; at += size)
        {
            data.Slice(at, size).Reverse();
        }
    }

    private static byte[] RowMajor(byte[] source, ImmutableArray<int> shape, int size)
    {
        byte[] result = new byte[source.Length];
        int[] index = new int[shape.Length];
        for (int at = 0; at < source.Length; at += size)
        {
            // The position of the element whose first index runs fastest.
            long position = 0;
            for (int axis = 0; axis < shape.Length; axis++)
            {
                position = (position * shape[axis]) + index[axis];
            }

            source.AsSpan(at, size).CopyTo(result.AsSpan((int)position * size));
            for (int axis = 0; axis < shape.Length && ++index[axis] == shape[axis]; axis++)
            {
                index[axis] = 0;
            }
        }

        return result;
    }
}
