using System.Buffers.Binary;
using System.Text;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>A flatbuffer table under construction: a value per slot. As much of the format as the network's metadata needs.</summary>
/// <remarks>Written front to back: each table follows its vtable, and what it refers to follows it, so that every reference points forward as the format wants.</remarks>
internal sealed class FlatTable
{
    private readonly SortedDictionary<int, object> _slots = [];

    public FlatTable Set(int slot, byte value) => Put(slot, value);

    public FlatTable Set(int slot, ushort value) => Put(slot, value);

    public FlatTable Set(int slot, uint value) => Put(slot, value);

    public FlatTable Set(int slot, ulong value) => Put(slot, value);

    public FlatTable Set(int slot, string value) => Put(slot, value);

    public FlatTable Set(int slot, FlatTable value) => Put(slot, value);

    public FlatTable Set(int slot, IReadOnlyList<FlatTable> value) => Put(slot, value);

    /// <summary>A vector without elements; its element type does not show in the bytes.</summary>
    public FlatTable SetEmptyVector(int slot) => Put(slot, Array.Empty<FlatTable>());

    /// <summary>The buffer whose root this table is, without a file identifier.</summary>
    public byte[] ToBytes()
    {
        var writer = new Writer();
        writer.Root(this);
        return writer.ToArray();
    }

    private FlatTable Put(int slot, object value)
    {
        _slots[slot] = value;
        return this;
    }

    private static int SizeOf(object value) => value switch
    {
        byte => 1,
        ushort => 2,
        ulong => 8,
        _ => 4,
    };

    private sealed class Writer
    {
        private readonly List<byte> _bytes = [];

        public byte[] ToArray() => [.. _bytes];

        public void Root(FlatTable table)
        {
            int reference = Reserve(4, 4);
            Refer(reference, Table(table));
            Align(8);
        }

        private int Table(FlatTable table)
        {
            // Fields by falling size, so that only the first of them can need padding.
            var fields = table._slots.OrderByDescending(s => SizeOf(s.Value)).ThenBy(s => s.Key).ToList();
            int size = 4;
            var offsets = new Dictionary<int, int>();
            foreach ((int slot, object value) in fields)
            {
                size = (size + SizeOf(value) - 1) / SizeOf(value) * SizeOf(value);
                offsets[slot] = size;
                size += SizeOf(value);
            }

            int slots = table._slots.Count == 0 ? 0 : table._slots.Keys.Max() + 1;
            int vtable = Reserve(4 + (2 * slots), 2);
            Put16(vtable, (ushort)(4 + (2 * slots)));
            Put16(vtable + 2, (ushort)size);
            foreach ((int slot, int offset) in offsets)
            {
                Put16(vtable + 4 + (2 * slot), (ushort)offset);
            }

            int start = Reserve(size, 8);
            Put32(start, (uint)(start - vtable));
            foreach ((int slot, object value) in fields)
            {
                int at = start + offsets[slot];
                switch (value)
                {
                    case byte number: _bytes[at] = number; break;
                    case ushort number: Put16(at, number); break;
                    case uint number: Put32(at, number); break;
                    case ulong number: Put32(at, (uint)number); Put32(at + 4, (uint)(number >> 32)); break;
                    case string text: Refer(at, String(text)); break;
                    case FlatTable child: Refer(at, Table(child)); break;
                    case IReadOnlyList<FlatTable> children: Refer(at, Vector(children)); break;
                }
            }

            return start;
        }

        private int Vector(IReadOnlyList<FlatTable> elements)
        {
            int start = Reserve(4 + (4 * elements.Count), 4);
            Put32(start, (uint)elements.Count);
            for (int i = 0; i < elements.Count; i++)
            {
                Refer(start + 4 + (4 * i), Table(elements[i]));
            }

            return start;
        }

        private int String(string text)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            int start = Reserve(4 + utf8.Length + 1, 4);
            Put32(start, (uint)utf8.Length);
            for (int i = 0; i < utf8.Length; i++)
            {
                _bytes[start + 4 + i] = utf8[i];
            }

            return start;
        }

        private int Reserve(int size, int alignment)
        {
            Align(alignment);
            int start = _bytes.Count;
            _bytes.AddRange(new byte[size]);
            return start;
        }

        private void Align(int alignment)
        {
            while (_bytes.Count % alignment != 0)
            {
                _bytes.Add(0);
            }
        }

        private void Refer(int at, int target) => Put32(at, (uint)(target - at));

        private void Put16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)[at..], value);

        private void Put32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)[at..], value);
    }
}
