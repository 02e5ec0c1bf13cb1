using System.Buffers.Binary;
using System.Text;

namespace Qaic.OnnxRuntime.Tests.Compilation;

/// <summary>A table in a flatbuffer, read without the product's code and with a verifier's checks of bounds and alignment.</summary>
internal sealed class MiniFlat
{
    private readonly byte[] _buffer;
    private readonly int _at;
    private readonly int _vtable;

    private MiniFlat(byte[] buffer, int at)
    {
        (_buffer, _at) = (buffer, at);
        Assert.AreEqual(0, at % 4, "alignment of a table");
        _vtable = at - Int(at);
        Assert.AreEqual(0, _vtable % 2, "alignment of a vtable");
        Assert.IsTrue(_vtable >= 0 && _vtable + 4 <= buffer.Length && _vtable + VtableSize <= buffer.Length && at + Short(_vtable + 2) <= buffer.Length, "bounds of table and vtable");
    }

    private int VtableSize => Short(_vtable);

    public static MiniFlat Root(byte[] buffer) => new(buffer, BinaryPrimitives.ReadInt32LittleEndian(buffer));

    public ulong Number(int slot, int size)
    {
        if (Field(slot) is not { } at)
        {
            return 0;
        }

        Assert.AreEqual(0, at % size, $"alignment of slot {slot}");
        Assert.IsTrue(at + size <= _at + Short(_vtable + 2), $"slot {slot} inside its table");
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        _buffer.AsSpan(at, size).CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public string Text(int slot)
    {
        int at = Target(Field(slot)!.Value);
        Assert.AreEqual(0, _buffer[at + 4 + Int(at)], "a string ends in NUL");
        return Encoding.UTF8.GetString(_buffer, at + 4, Int(at));
    }

    public int Count(int slot) => Int(Target(Field(slot)!.Value));

    public MiniFlat Table(int slot) => new(_buffer, Target(Field(slot)!.Value));

    public MiniFlat[] Tables(int slot)
    {
        int at = Target(Field(slot)!.Value);
        return [.. Enumerable.Range(0, Int(at)).Select(i => new MiniFlat(_buffer, Target(at + 4 + (4 * i))))];
    }

    private int? Field(int slot) => 4 + (2 * slot) < VtableSize && Short(_vtable + 4 + (2 * slot)) is var offset and not 0 ? _at + offset : null;

    private int Target(int at)
    {
        int offset = Int(at);
        Assert.IsTrue(offset > 0 && at + offset + 4 <= _buffer.Length, "a reference points forward and inside");
        Assert.AreEqual(0, (at + offset) % 4, "alignment of what is referred to");
        return at + offset;
    }

    private int Int(int at) => BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(at));

    private int Short(int at) => BinaryPrimitives.ReadUInt16LittleEndian(_buffer.AsSpan(at));
}
