using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Quantize;

/// <summary>Reads an array of NumPy's file format (version 1, little endian, C order).</summary>
internal static partial class Npy
{
    /// <summary>The elements, the last dimension innermost.</summary>
    /// <param name="path">The file.</param>
    /// <param name="type">NumPy's name of the type that it must have: <c>&lt;f4</c>, <c>|u1</c>, <c>&lt;i8</c>.</param>
    public static (T[] Values, int[] Shape) Read<T>(string path, string type) where T : unmanaged
    {
        ReadOnlySpan<byte> file = File.ReadAllBytes(path);
        int headerLength = BitConverter.ToUInt16(file[8..10]);
        string header = Encoding.ASCII.GetString(file.Slice(10, headerLength));
        Match shape = Shape().Match(header);
        if (!header.Contains($"'{type}'", StringComparison.Ordinal) || !shape.Success)
        {
            throw new InvalidDataException($"{path}: expected an array of {type}, but the header is {header}");
        }

        int[] dimensions = [.. shape.Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(int.Parse)];
        return (MemoryMarshal.Cast<byte, T>(file[(10 + headerLength)..]).ToArray(), dimensions);
    }

    [GeneratedRegex(@"'shape': \(([\d, ]+)\)")]
    private static partial Regex Shape();
}
