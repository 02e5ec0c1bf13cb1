using System.Runtime.InteropServices;
using System.Text;

namespace Qaic.Simulation;

/// <summary>Memory that the library lends to its callers, freed in one go.</summary>
internal sealed unsafe class NativeArena
{
    private readonly List<nint> _blocks = [];
    private readonly List<nint> _aligned = [];

    /// <summary>Zeroed room for <paramref name="count"/> values; never null.</summary>
    public T* Allocate<T>(int count) where T : unmanaged
    {
        T* block = (T*)NativeMemory.AllocZeroed((nuint)Math.Max(count, 1), (nuint)sizeof(T));
        _blocks.Add((nint)block);
        return block;
    }

    /// <summary>Zeroed room whose address is a multiple of <paramref name="alignment"/>, a power of two.</summary>
    public nint AllocateAligned(long bytes, int alignment)
    {
        nuint size = (nuint)Math.Max(bytes, 1);
        void* block = NativeMemory.AlignedAlloc(size, (nuint)alignment);
        _aligned.Add((nint)block);
        NativeMemory.Clear(block, size);
        return (nint)block;
    }

    /// <summary>A copy of <paramref name="bytes"/>.</summary>
    public byte* Copy(ReadOnlySpan<byte> bytes)
    {
        byte* copy = Allocate<byte>(bytes.Length);
        bytes.CopyTo(new Span<byte>(copy, bytes.Length));
        return copy;
    }

    /// <summary>NUL-terminated UTF-8.</summary>
    public byte* Text(string text) => Copy(Encoding.UTF8.GetBytes(text + '\0'));

    public void Free()
    {
        foreach (nint block in _blocks)
        {
            NativeMemory.Free((void*)block);
        }

        foreach (nint block in _aligned)
        {
            NativeMemory.AlignedFree((void*)block);
        }

        _blocks.Clear();
        _aligned.Clear();
    }
}
