using System.Buffers;

namespace Qaic.Qpc;

/// <summary>Fields of a message that were read and are not understood, as they came; written again after the known ones.</summary>
internal struct UnknownFields
{
    // Grows by doubling: a message of a million small unknown fields must not cost a copy for each. Null until there is one, as almost always.
    private ArrayBufferWriter<byte>? _bytes;

    /// <summary>Tags and values.</summary>
    public readonly ReadOnlySpan<byte> Bytes => _bytes is null ? default : _bytes.WrittenSpan;

    public void Append(ReadOnlySpan<byte> field) => (_bytes ??= new()).Write(field);
}
