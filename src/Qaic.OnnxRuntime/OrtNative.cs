using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Qaic.OnnxRuntime;

/// <summary>A weight in memory that a model refers to.</summary>
/// <param name="Name">Name of the initializer; its data is external in the model.</param>
/// <param name="DataType">ONNX's number of the element type.</param>
/// <param name="Dims">Dimensions, outermost first.</param>
/// <param name="Address">First byte; stays valid as long as the session.</param>
/// <param name="Length">Bytes.</param>
internal sealed record MemoryWeight(string Name, int DataType, long[] Dims, nint Address, long Length);

/// <summary>The one function of ONNX Runtime's C interface that its .NET package leaves out, and what it needs: AddExternalInitializers.</summary>
/// <remarks>
/// Without it weights would have to be copied back into the model's bytes, which then end at 2 GiB, are parsed with them, and cost a multiple of the memory at load.
/// The table of functions only ever grows (onnxruntime_c_api.h), so a position in it is a contract.
/// </remarks>
internal static unsafe class OrtNative
{
    private const uint ApiVersion = 16;
    private const int GetErrorMessage = 2;
    private const int CreateTensorWithDataAsOrtValue = 49;
    private const int CreateCpuMemoryInfo = 69;
    private const int ReleaseStatus = 93;
    private const int ReleaseMemoryInfo = 94;
    private const int ReleaseValue = 96;
    private const int AddExternalInitializers = 210;

    // OrtDeviceAllocator, OrtMemTypeDefault.
    private const int DeviceAllocator = 0;
    private const int DefaultMemory = 0;

    private static readonly Lazy<nint> s_api = new(Open);

    /// <summary>Makes a session take weights from memory. ONNX Runtime keeps one copy of its own.</summary>
    /// <exception cref="InvalidOperationException">ONNX Runtime refused.</exception>
    public static void AddWeights(SessionOptions options, IReadOnlyList<MemoryWeight> weights)
    {
        if (weights.Count == 0)
        {
            return;
        }

        nint* api = (nint*)s_api.Value;
        nint[] names = new nint[weights.Count];
        nint[] values = new nint[weights.Count];
        nint memory;
        Check(api, ((delegate* unmanaged[Stdcall]<int, int, nint*, nint>)api[CreateCpuMemoryInfo])(DeviceAllocator, DefaultMemory, &memory));
        try
        {
            for (int i = 0; i < names.Length; i++)
            {
                MemoryWeight weight = weights[i];
                names[i] = Marshal.StringToCoTaskMemUTF8(weight.Name);
                fixed (nint* value = &values[i])
                fixed (long* dims = weight.Dims)
                {
                    Check(api, ((delegate* unmanaged[Stdcall]<nint, nint, nuint, long*, nuint, int, nint*, nint>)api[CreateTensorWithDataAsOrtValue])(
                        memory, weight.Address, (nuint)weight.Length, dims, (nuint)weight.Dims.Length, weight.DataType, value));
                }
            }

            fixed (nint* name = names, value = values)
            {
                Check(api, ((delegate* unmanaged[Stdcall]<nint, nint*, nint*, nuint, nint>)api[AddExternalInitializers])(options.DangerousGetHandle(), name, value, (nuint)names.Length));
            }

            GC.KeepAlive(options);
        }
        finally
        {
            // The options keep values of their own, which share the memory.
            for (int i = 0; i < names.Length; i++)
            {
                Marshal.FreeCoTaskMem(names[i]);
                if (values[i] != 0)
                {
                    ((delegate* unmanaged[Stdcall]<nint, void>)api[ReleaseValue])(values[i]);
                }
            }

            ((delegate* unmanaged[Stdcall]<nint, void>)api[ReleaseMemoryInfo])(memory);
        }
    }

    private static void Check(nint* api, nint status)
    {
        if (status == 0)
        {
            return;
        }

        string message = Marshal.PtrToStringUTF8(((delegate* unmanaged[Stdcall]<nint, nint>)api[GetErrorMessage])(status)) ?? "";
        ((delegate* unmanaged[Stdcall]<nint, void>)api[ReleaseStatus])(status);
        throw new InvalidOperationException($"ONNX Runtime does not take the weights from memory: {message}");
    }

    private static nint Open()
    {
        nint* api = (nint*)((delegate* unmanaged[Stdcall]<nint*>)NativeLibrary.GetExport(OrtLibrary.Handle, "OrtGetApiBase"))();
        nint table = ((delegate* unmanaged[Stdcall]<uint, nint>)api[0])(ApiVersion);
        return table != 0 ? table : throw new NotSupportedException($"This ONNX Runtime does not know version {ApiVersion} of its interface. Use the version that this package asks for.");
    }
}
