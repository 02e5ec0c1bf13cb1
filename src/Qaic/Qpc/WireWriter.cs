using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Qaic.Qpc;

/// <summary>Writes a protobuf message; proto3 rules, so zero values are left out.</summary>
internal sealed class WireWriter
{
    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();

    public void UInt32(int field, uint value)
    {
        if (value != 0)
        {
            Tag(field, 0);
            Varint(value);
        }
    }

    public void Int32(int field, int value)
    {
        if (value != 0)
        {
            Tag(field, 0);
            Varint(unchecked((ulong)(long)value));
        }
    }

    public void Boolean(int field, bool value) => UInt32(field, value ? 1u : 0u);

    public void Float(int field, float value)
    {
        // Compared as bits: minus zero is a value of its own.
        if (BitConverter.SingleToUInt32Bits(value) != 0)
        {
            Tag(field, 5);
            BinaryPrimitives.WriteSingleLittleEndian(_bytes.GetSpan(4), value);
            _bytes.Advance(4);
        }
    }

    /// <exception cref="EncoderFallbackException">The text has half a surrogate pair, which UTF-8 cannot express.</exception>
    public void String(int field, string value)
    {
        if (value.Length > 0)
        {
            Item(field, value);
        }
    }

    /// <summary>Repeated strings are written even when empty: their number counts.</summary>
    public void Strings(int field, List<string> values) => values.ForEach(value => Item(field, value));

    public void Message(int field, Action<WireWriter> write)
    {
        var inner = new WireWriter();
        write(inner);
        Bytes(field, inner._bytes.WrittenSpan);
    }

    /// <summary>A message kept as it came; null is an absent one.</summary>
    public void Opaque(int field, byte[]? message)
    {
        if (message is not null)
        {
            Bytes(field, message);
        }
    }

    public void Int32s(int field, List<int> values)
    {
        if (values.Count > 0)
        {
            var packed = new WireWriter();
            values.ForEach(value => packed.Varint(unchecked((ulong)(long)value)));
            Bytes(field, packed._bytes.WrittenSpan);
        }
    }

    public void UInt32s(int field, List<uint> values)
    {
        if (values.Count > 0)
        {
            var packed = new WireWriter();
            values.ForEach(value => packed.Varint(value));
            Bytes(field, packed._bytes.WrittenSpan);
        }
    }

    /// <summary>Fields that were read and are not understood, as they came.</summary>
    public void Raw(ReadOnlySpan<byte> fields) => _bytes.Write(fields);

    private void Item(int field, string value) => Bytes(field, s_strictUtf8.GetBytes(value));

    private void Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Tag(field, 2);
        Varint((uint)bytes.Length);
        _bytes.Write(bytes);
    }

    private void Tag(int field, uint type) => Varint(((uint)field << 3) | type);

    private void Varint(ulong value)
    {
        Span<byte> span = _bytes.GetSpan(10);
        int count = 0;
        while (value >= 0x80)
        {
            span[count++] = (byte)(value | 0x80);
            value >>= 7;
        }

        span[count++] = (byte)value;
        _bytes.Advance(count);
    }
}
