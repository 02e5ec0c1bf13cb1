using System.Buffers.Binary;
using System.Text;

namespace Qaic.Qpc;

/// <summary>Walks over the fields of a protobuf message, in place.</summary>
/// <remarks>
/// Everything it returns lies inside the span it was given; what does not is a <see cref="QpcFormatException"/>.
/// Lengths allocate nothing before they are checked, and messages nest only as deep as the types that read them: there is no recursion to bound.
/// </remarks>
internal ref struct WireReader
{
    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _subject;
    private readonly long _origin;
    private int _position;
    private int _fieldStart;
    private WireType _type;

    /// <param name="bytes">The message.</param>
    /// <param name="subject">What is being read, for errors.</param>
    /// <param name="origin">Offset of the message in the outermost one, for errors.</param>
    public WireReader(ReadOnlySpan<byte> bytes, string subject, long origin = 0)
    {
        _bytes = bytes;
        _subject = subject;
        _origin = origin;
    }

    private enum WireType
    {
        Varint = 0,
        Fixed64 = 1,
        Length = 2,
        Fixed32 = 5,
    }

    /// <summary>Moves to the next field.</summary>
    /// <returns>False at the end of the message.</returns>
    public bool Next(out int field)
    {
        field = 0;
        if (_position == _bytes.Length)
        {
            return false;
        }

        _fieldStart = _position;
        ulong tag = RawVarint();
        field = (int)(tag >> 3);
        _type = (WireType)(tag & 7);
        if (tag >> 3 is 0 or > 0x1fff_ffff)
        {
            throw Fault($"Field number {tag >> 3} is impossible");
        }

        return _type is WireType.Varint or WireType.Fixed64 or WireType.Length or WireType.Fixed32
            ? true
            : throw Fault($"Field {field} has wire type {(int)_type}, which no message here uses");
    }

    public ulong Varint()
    {
        Expect(WireType.Varint);
        return RawVarint();
    }

    public uint UInt32() => unchecked((uint)Varint());

    public int Int32() => unchecked((int)Varint());

    public bool Boolean() => Varint() != 0;

    public float Float()
    {
        Expect(WireType.Fixed32);
        return BitConverter.UInt32BitsToSingle(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)));
    }

    public string String()
    {
        ReadOnlySpan<byte> bytes = LengthDelimited();
        try
        {
            return s_strictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Fault("A name is not valid UTF-8");
        }
    }

    public WireReader Message()
    {
        ReadOnlySpan<byte> bytes = LengthDelimited();
        return new WireReader(bytes, _subject, _origin + _position - bytes.Length);
    }

    /// <summary>The content of a message whose inside is of no interest, after what <paramref name="before"/> holds: a message sent in two parts is their concatenation.</summary>
    public byte[] Opaque(byte[]? before) => [.. before ?? [], .. LengthDelimited()];

    /// <summary>Adds one number or a packed run of them.</summary>
    public void Int32s(List<int> values)
    {
        if (_type == WireType.Varint)
        {
            values.Add(unchecked((int)RawVarint()));
            return;
        }

        WireReader packed = Message();
        while (packed._position < packed._bytes.Length)
        {
            values.Add(unchecked((int)packed.RawVarint()));
        }
    }

    /// <inheritdoc cref="Int32s"/>
    public void UInt32s(List<uint> values)
    {
        if (_type == WireType.Varint)
        {
            values.Add(unchecked((uint)RawVarint()));
            return;
        }

        WireReader packed = Message();
        while (packed._position < packed._bytes.Length)
        {
            values.Add(unchecked((uint)packed.RawVarint()));
        }
    }

    /// <summary>Skips the field and appends its bytes, tag included, to <paramref name="unknown"/>.</summary>
    public void Preserve(ref UnknownFields unknown)
    {
        Skip();
        unknown.Append(_bytes[_fieldStart.._position]);
    }

    /// <summary>Passes over the field.</summary>
    public void Skip()
    {
        switch (_type)
        {
            case WireType.Varint:
                RawVarint();
                break;
            case WireType.Length:
                LengthDelimited();
                break;
            default:
                Take(_type == WireType.Fixed32 ? 4 : 8);
                break;
        }
    }

    private ReadOnlySpan<byte> LengthDelimited()
    {
        Expect(WireType.Length);
        ulong length = RawVarint();
        return length <= (ulong)(_bytes.Length - _position)
            ? Take((int)length)
            : throw Fault($"A field claims {length} bytes; its message has {_bytes.Length - _position} left");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _position)
        {
            throw Fault($"The message ends inside a field of {count} bytes");
        }

        ReadOnlySpan<byte> taken = _bytes.Slice(_position, count);
        _position += count;
        return taken;
    }

    private ulong RawVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if (_position == _bytes.Length)
            {
                throw Fault("The message ends inside a number");
            }

            byte b = _bytes[_position++];
            value |= shift < 64 ? (ulong)(b & 0x7f) << shift : 0;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw Fault("A number is longer than ten bytes");
    }

    private readonly void Expect(WireType type)
    {
        if (_type != type)
        {
            throw Fault($"A field has wire type {_type} where {type} belongs");
        }
    }

    private readonly QpcFormatException Fault(string reason) => new($"{_subject}: {reason}", _origin + _position);
}
