using System.Runtime.CompilerServices;
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

    /// <summary>Allocates zeroed slices that have room for every shape, in the order of the bindings.</summary>
    /// <exception cref="QaicException">The host has not enough memory.</exception>
    public DeviceBuffers(ShapeSelection shapes)
        : base(0, ownsHandle: true)
    {
        IReadOnlyList<TensorSpec> bindings = shapes.Bindings;
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
        Shapes = new ChosenShapes(shapes);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The bindings, in the order of the slices.</summary>
    public IReadOnlyList<TensorSpec> Bindings { get; }

    /// <summary>The shapes in force, which decide how much of each slice is used. The slot's owner chooses them.</summary>
    public ChosenShapes Shapes { get; }

    /// <summary>The slice of one binding, as long as its shape.</summary>
    public Span<byte> Slice(int binding) => new((byte*)handle + _offsets[binding], checked((int)Shapes.ByteLength(binding)));

    /// <summary>The slices as the library takes them. One that is left out has neither bytes nor an address.</summary>
    public void Describe(Span<QBuffer> buffers)
    {
        for (int i = 0; i < Bindings.Count; i++)
        {
            long length = Shapes.ByteLength(i);
            buffers[i] = length == 0 ? default : new QBuffer { Size = (nuint)length, Buf = (byte*)handle + _offsets[i] };
        }
    }

    /// <summary>The dimensions that belong to the slices, in memory that stays where it is.</summary>
    public void DescribeDimensions(Span<QBufferDimensions> dimensions)
    {
        var next = (uint*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(Shapes.Selection.Dimensions(Shapes.Set)));
        for (int i = 0; i < Bindings.Count; i++)
        {
            TensorSpec tensor = Shapes.Selection.Tensor(Shapes.Set, i);
            uint size = (uint)tensor.ElementType.SizeInBytes();
            dimensions[i] = Shapes.ByteLength(i) == 0
                ? new QBufferDimensions { Count = 1, SizeOfElem = size, Dims = (uint*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(ShapeSelection.Skipped)) }
                : new QBufferDimensions { Count = (uint)tensor.Shape.Length, SizeOfElem = size, Dims = next };
            next += tensor.Shape.Length;
        }
    }

    /// <summary>New buffers with the same inputs and shapes, in the place of these, which a device does not let go of.</summary>
    /// <exception cref="QaicException">The host has not enough memory.</exception>
    public DeviceBuffers Replace(int inputs)
    {
        var copy = new DeviceBuffers(Shapes.Selection);
        copy.Shapes.CopyFrom(Shapes);
        for (int i = 0; i < inputs; i++)
        {
            Slice(i).CopyTo(copy.Slice(i));
        }

        Dispose();
        return copy;
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        GC.RemoveMemoryPressure(checked((long)Math.Max(_offsets[^1], Alignment)));
        return true;
    }
}
