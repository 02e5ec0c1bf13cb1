using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Tests.Conformance;

/// <summary>A tensor as raw little-endian bytes.</summary>
internal sealed record RawTensor(int DataType, long[] Dims, byte[] Bytes, string[] Strings)
{
    public static RawTensor Read(string path)
    {
        TensorProto tensor = TensorProto.Parser.ParseFrom(File.ReadAllBytes(path));
        return new RawTensor(tensor.DataType, [.. tensor.Dims], tensor.HasRawData ? tensor.RawData.ToByteArray() : Typed(tensor), [.. tensor.StringData.Select(s => s.ToStringUtf8())]);
    }

    /// <summary>Elements as numbers; exact for every type of up to 53 bits.</summary>
    public double[] Numbers() => DataType switch
    {
        1 => Cast<float>(v => v),
        2 or 9 => Cast<byte>(v => v),
        3 => Cast<sbyte>(v => v),
        4 => Cast<ushort>(v => v),
        5 => Cast<short>(v => v),
        6 => Cast<int>(v => v),
        7 => Cast<long>(v => v),
        10 => Cast<Half>(v => (double)v),
        11 => Cast<double>(v => v),
        12 => Cast<uint>(v => v),
        13 => Cast<ulong>(v => v),
        16 => Cast<ushort>(v => BitConverter.UInt32BitsToSingle((uint)v << 16)),
        _ => throw new NotSupportedException($"No numbers from element type {DataType}."),
    };

    private static byte[] Typed(TensorProto tensor)
    {
        int width = tensor.DataType switch { 2 or 3 or 9 => 1, 4 or 5 or 10 or 16 => 2, 7 or 11 or 13 => 8, _ => 4 };
        return tensor.DataType switch
        {
            1 => MemoryMarshal.AsBytes<float>(tensor.FloatData.ToArray()).ToArray(),
            7 => MemoryMarshal.AsBytes<long>(tensor.Int64Data.ToArray()).ToArray(),
            11 => MemoryMarshal.AsBytes<double>(tensor.DoubleData.ToArray()).ToArray(),
            12 or 13 => [.. tensor.Uint64Data.SelectMany(v => Little((long)v, width))],
            8 => [],
            _ => [.. tensor.Int32Data.SelectMany(v => Little(v, width))],
        };
    }

    private static byte[] Little(long value, int width)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes[..width];
    }

    private double[] Cast<T>(Func<T, double> convert) where T : unmanaged => [.. MemoryMarshal.Cast<byte, T>(Bytes).ToArray().Select(convert)];
}

/// <summary>One backend test of ONNX: a model, and sets of inputs with the outputs that belong to them.</summary>
internal sealed class ConformanceCase(string root, string name)
{
    public const string Root = "/usr/share/libonnx-testdata/data";

    public string Name => name;

    public string ModelPath { get; } = Path.Combine(root, name, "model.onnx");

    public OnnxModel Model() => OnnxModel.Load(ModelPath);

    public IEnumerable<(RawTensor[] Inputs, RawTensor[] Outputs)> Sets() =>
        Directory.GetDirectories(Path.Combine(root, name), "test_data_set_*").Order(StringComparer.Ordinal).Select(d => (Read(d, "input"), Read(d, "output")));

    private static RawTensor[] Read(string directory, string what) =>
        [.. Enumerable.Range(0, Directory.GetFiles(directory, what + "_*.pb").Length).Select(i => RawTensor.Read(Path.Combine(directory, $"{what}_{i}.pb")))];

    /// <summary>What is different, by the tolerances of ONNX's own runner; null if nothing is.</summary>
    public static string? Difference(RawTensor expected, int dataType, IEnumerable<long> dims, byte[] bytes)
    {
        if (expected.DataType != dataType || !expected.Dims.SequenceEqual(dims))
        {
            return $"{OnnxTypes.Name(dataType)}[{string.Join(", ", dims)}] instead of {OnnxTypes.Name(expected.DataType)}[{string.Join(", ", expected.Dims)}]";
        }

        bool isExact = dataType is not (1 or 10 or 11 or 16);
        if (isExact)
        {
            return expected.Bytes.AsSpan().SequenceEqual(bytes) ? null : "other integers";
        }

        (double[] left, double[] right) = (expected.Numbers(), new RawTensor(dataType, expected.Dims, bytes, []).Numbers());
        for (int i = 0; i < left.Length; i++)
        {
            bool isSame = left[i].Equals(right[i]) || Math.Abs(left[i] - right[i]) <= 1e-5 + (1e-3 * Math.Abs(left[i]));
            if (!isSame)
            {
                return $"element {i} is {right[i]} instead of {left[i]}";
            }
        }

        return null;
    }
}
