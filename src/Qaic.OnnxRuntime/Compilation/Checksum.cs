using System.Numerics;
using System.Runtime.InteropServices;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>CRC-32C (Castagnoli), which processors compute at memory speed.</summary>
internal static class Checksum
{
    /// <summary>Continues a checksum; begin with 0.</summary>
    public static uint Append(uint checksum, ReadOnlySpan<byte> bytes)
    {
        uint crc = ~checksum;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(word));
        }

        foreach (byte b in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}

/// <summary>Keeps the checksum of what is written to it, and nothing else.</summary>
internal sealed class ChecksumStream : Stream
{
    private long _length;

    public uint Value { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _length;

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException("A checksum is written from its start to its end.");
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Value = Checksum.Append(Value, buffer);
        _length += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A checksum cannot be read back.");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A checksum is written from its start to its end.");

    public override void SetLength(long value) => throw new NotSupportedException("A checksum has no length of its own.");
}
