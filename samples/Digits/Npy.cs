using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Digits;

/// <summary>Reads a two-dimensional float32 array of NumPy's file format (version 1, little endian, C order).</summary>
internal static partial class Npy
{
    public static float[][] ReadRows(string path)
    {
        ReadOnlySpan<byte> file = File.ReadAllBytes(path);
        int headerLength = BitConverter.ToUInt16(file[8..10]);
        string header = Encoding.ASCII.GetString(file.Slice(10, headerLength));
        Match shape = Shape().Match(header);
        if (!header.Contains("'<f4'", StringComparison.Ordinal) || !shape.Success)
        {
            throw new InvalidDataException($"{path}: expected a float32 matrix, but the header is {header}");
        }

        int columns = int.Parse(shape.Groups[2].ValueSpan, provider: null);
        return [.. MemoryMarshal.Cast<byte, float>(file[(10 + headerLength)..]).ToArray().Chunk(columns)];
    }

    [GeneratedRegex(@"'shape': \((\d+), (\d+)\)")]
    private static partial Regex Shape();
}
