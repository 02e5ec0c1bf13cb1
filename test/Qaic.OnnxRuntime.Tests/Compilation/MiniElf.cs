using System.Buffers.Binary;
using System.Text;

namespace Qaic.OnnxRuntime.Tests.Compilation;

/// <summary>Sections of a 64-bit ELF, read without the product's code.</summary>
internal static class MiniElf
{
    public static Dictionary<string, byte[]> Sections(byte[] file)
    {
        Assert.AreEqual("7F454C46020101", Convert.ToHexString(file, 0, 7), "64 bits, little-endian, version 1");
        long table = BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(0x28));
        int size = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(0x3A));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(0x3C));
        int names = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(0x3E));
        Assert.AreEqual(64, size);
        byte[] strings = Content(names);
        return Enumerable.Range(1, count - 1).ToDictionary(
            i => Encoding.ASCII.GetString([.. strings.Skip(BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan((int)table + (i * size)))).TakeWhile(b => b != 0)]),
            Content);

        byte[] Content(int index)
        {
            Span<byte> header = file.AsSpan((int)table + (index * size), size);
            return file.AsSpan((int)BinaryPrimitives.ReadInt64LittleEndian(header[0x18..]), (int)BinaryPrimitives.ReadInt64LittleEndian(header[0x20..])).ToArray();
        }
    }
}
