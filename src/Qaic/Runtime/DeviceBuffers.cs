using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Runtime;

/// <summary>The host's memory of one execution object: one block, one slice per binding.</summary>
/// <remarks>
/// Slices start on pages, which makes pinning for DMA cheap. The execution object's handle holds a reference, so the block outlives it even where everybody forgot to dispose.
/// </remarks>
internal sealed unsafe class DeviceBuffers : SafeHandle
{
    private const int Alignment = 4096;

    private readonly nuint[] _offsets;

    /// <summary>Allocates zeroed slices for <paramref name="bindings"/>, in their order.</summary>
    /// <exception cref="QaicException">The host has not enough memory.</exception>
    public DeviceBuffers(IReadOnlyList<TensorSpec> bindings)
        : base(0, ownsHandle: true)
    {
        _offsets = new nuint[bindings.Count + 1];
        for (int i = 0; i < bindings.Count; i++)
        {
            nuint length = checked((nuint)bindings[i].ByteLength);
            _offsets[i + 1] = checked(_offsets[i] + ((length + Alignment - 1) & ~(nuint)(Alignment - 1)));
        }

        nuint total = Math.Max(_offsets[^1], Alignment);
        try
        {
            SetHandle((nint)NativeMemory.AlignedAlloc(total, Alignment));
        }
        catch (OutOfMemoryException e)
        {
            throw new QaicException(QaicError.OutOfDeviceMemory, $"The host could not allocate {total} bytes for the buffers of one inference. Lower SetSize or NumActivations.", 0, e);
        }

        NativeMemory.Clear((void*)handle, total);
        GC.AddMemoryPressure(checked((long)total));
        Bindings = bindings;
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The bindings, in the order of the slices.</summary>
    public IReadOnlyList<TensorSpec> Bindings { get; }

    /// <summary>The slice of one binding.</summary>
    public Span<byte> Slice(int binding) => new((byte*)handle + _offsets[binding], checked((int)Bindings[binding].ByteLength));

    /// <summary>The slices as the library takes them.</summary>
    public void Describe(Span<QBuffer> buffers)
    {
        for (int i = 0; i < Bindings.Count; i++)
        {
            buffers[i] = new QBuffer { Size = (nuint)Bindings[i].ByteLength, Buf = (byte*)handle + _offsets[i] };
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        GC.RemoveMemoryPressure(checked((long)Math.Max(_offsets[^1], Alignment)));
        return true;
    }
}
