using System.Runtime.InteropServices;

namespace Qaic.Tests.Qpc;

/// <summary>Memory between two pages that nobody may touch: a read one byte outside ends the process instead of going unnoticed.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    // mman.h on Linux.
    private const int ProtNone = 0;
    private const int ProtReadWrite = 3;
    private const int MapPrivateAnonymous = 0x22;

    private readonly nuint _page = (nuint)Environment.SystemPageSize;
    private readonly nuint _size;
    private readonly byte* _start;

    public GuardedMemory(int capacity)
    {
        _size = ((nuint)capacity + _page - 1) / _page * _page;
        nint mapped = Map(0, _size + (2 * _page), ProtNone, MapPrivateAnonymous, -1, 0);
        if (mapped == -1)
        {
            throw new IOException($"mmap failed with errno {Marshal.GetLastPInvokeError()}.");
        }

        _start = (byte*)mapped + _page;
        if (Protect((nint)_start, _size, ProtReadWrite) != 0)
        {
            throw new IOException($"mprotect failed with errno {Marshal.GetLastPInvokeError()}.");
        }
    }

    /// <summary>A copy of <paramref name="bytes"/> that ends (or begins) exactly at a forbidden page.</summary>
    public byte* Place(ReadOnlySpan<byte> bytes, bool atEnd)
    {
        byte* place = atEnd ? _start + _size - (nuint)bytes.Length : _start;
        bytes.CopyTo(new Span<byte>(place, checked((int)_size)));
        return place;
    }

    public void Dispose() => _ = Unmap((nint)(_start - _page), _size + (2 * _page));

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
