using System.Runtime.InteropServices;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Runtime;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>Where a tensor crosses from the host's precision to the model's: memory in the model's type, and the conversion that a card does between the two.</summary>
/// <remarks>One execution's; used by one thread at a time.</remarks>
internal sealed unsafe class CustomIoEdge : IDisposable
{
    // Elements per step where there is a float between two other types.
    private const int StepLength = 1024;
    private const int LargestSpan = 1 << 28;
    private const int Alignment = 64;

    private readonly TensorSpec _host;
    private readonly TensorSpec _model;
    private readonly byte* _hostMemory;
    private readonly byte* _modelMemory;
    private readonly long _length;

    /// <param name="host">The tensor as the host sees it.</param>
    /// <param name="memory">The host's elements in the device's memory.</param>
    /// <param name="model">The tensor as the model sees it.</param>
    public CustomIoEdge(TensorSpec host, nint memory, OrtTensor model)
    {
        _host = host;
        _model = new TensorSpec(model.Name, OnnxTypes.BufferType(model.DataType)!.Value, []);
        _length = model.ByteLength / _model.ElementType.SizeInBytes();
        _hostMemory = (byte*)memory;
        _modelMemory = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(model.ByteLength, 1), Alignment);
        NativeMemory.Clear(_modelMemory, (nuint)model.ByteLength);
        GC.AddMemoryPressure(Math.Max(model.ByteLength, 1));
    }

    /// <summary>The elements in the model's type.</summary>
    public nint ModelMemory => (nint)_modelMemory;

    /// <summary>Whether the two types differ, and a conversion lies between them.</summary>
    public static bool IsNeeded(TensorSpec host, OrtTensor model)
    {
        ElementType type = OnnxTypes.BufferType(model.DataType)!.Value;
        return host.ElementType != type && type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16 && ElementConversion.IsConvertible(host);
    }

    /// <summary>Bytes of the tensor in the host's type.</summary>
    public static long HostLength(TensorSpec host, OrtTensor model) => model.ByteLength / OnnxTypes.BufferType(model.DataType)!.Value.SizeInBytes() * host.ElementType.SizeInBytes();

    /// <summary>Converts an input.</summary>
    public void ToModel() => Convert(_hostMemory, _host, _modelMemory, _model);

    /// <summary>Converts an output.</summary>
    public void ToHost() => Convert(_modelMemory, _model, _hostMemory, _host);

    public void Dispose()
    {
        NativeMemory.AlignedFree(_modelMemory);
        GC.RemoveMemoryPressure(Math.Max(_length * _model.ElementType.SizeInBytes(), 1));
    }

    private void Convert(byte* from, TensorSpec source, byte* to, TensorSpec target)
    {
        (int sourceSize, int targetSize) = (source.ElementType.SizeInBytes(), target.ElementType.SizeInBytes());
        bool isDirect = source.ElementType == ElementType.Float32 || target.ElementType == ElementType.Float32;
        Span<float> between = stackalloc float[isDirect ? 0 : StepLength];
        for (long done = 0; done < _length;)
        {
            int count = (int)Math.Min(_length - done, isDirect ? LargestSpan : StepLength);
            var elements = new ReadOnlySpan<byte>(from + (done * sourceSize), count * sourceSize);
            var results = new Span<byte>(to + (done * targetSize), count * targetSize);
            if (target.ElementType == ElementType.Float32)
            {
                ElementConversion.ToSingle(elements, source, MemoryMarshal.Cast<byte, float>(results));
            }
            else if (source.ElementType == ElementType.Float32)
            {
                ElementConversion.FromSingle(MemoryMarshal.Cast<byte, float>(elements), target, results);
            }
            else
            {
                ElementConversion.ToSingle(elements, source, between[..count]);
                ElementConversion.FromSingle(between[..count], target, results);
            }

            done += count;
        }
    }
}
