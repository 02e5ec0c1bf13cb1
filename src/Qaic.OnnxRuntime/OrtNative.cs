using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Qaic.OnnxRuntime;

/// <summary>A file that ONNX Runtime finds in memory instead of on the disk.</summary>
/// <param name="Name">Location that the model's tensors refer to.</param>
/// <param name="Address">First byte; stays valid as long as the session.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct MemoryFile(string Name, nint Address, long Length);

/// <summary>The one function of ONNX Runtime's C interface that its .NET package leaves out.</summary>
/// <remarks>
/// Without it weights would have to be copied back into the model's bytes, which then end at 2 GiB, are parsed with them, and cost twice the memory at load.
/// The table only ever grows, so a position in it is a contract: AddExternalInitializersFromFilesInMemory, onnxruntime_c_api.h, is the last of version 18.
/// </remarks>
internal static unsafe class OrtNative
{
    private const uint ApiVersion = 18;
    private const int GetErrorMessageSlot = 2;
    private const int ReleaseStatusSlot = 93;
    private const int AddFilesSlot = 279;

    private static readonly Lazy<nint> s_api = new(Open);

    /// <summary>Makes a session take external weights from memory.</summary>
    /// <exception cref="InvalidOperationException">ONNX Runtime refused.</exception>
    public static void AddFiles(SessionOptions options, IReadOnlyList<MemoryFile> files)
    {
        if (files.Count == 0)
        {
            return;
        }

        nint* table = (nint*)s_api.Value;
        nint[] names = new nint[files.Count];
        nint[] addresses = [.. files.Select(f => f.Address)];
        nuint[] lengths = [.. files.Select(f => (nuint)f.Length)];
        try
        {
            for (int i = 0; i < names.Length; i++)
            {
                // ORTCHAR_T, the character of paths: UTF-16 on Windows, UTF-8 elsewhere.
                names[i] = OperatingSystem.IsWindows() ? Marshal.StringToHGlobalUni(files[i].Name) : Marshal.StringToCoTaskMemUTF8(files[i].Name);
            }

            nint status;
            fixed (nint* name = names, address = addresses)
            fixed (nuint* length = lengths)
            {
                status = ((delegate* unmanaged[Stdcall]<nint, nint*, nint*, nuint*, nuint, nint>)table[AddFilesSlot])(options.DangerousGetHandle(), name, address, length, (nuint)names.Length);
            }

            GC.KeepAlive(options);
            if (status != 0)
            {
                string message = Marshal.PtrToStringUTF8(((delegate* unmanaged[Stdcall]<nint, nint>)table[GetErrorMessageSlot])(status)) ?? "";
                ((delegate* unmanaged[Stdcall]<nint, void>)table[ReleaseStatusSlot])(status);
                throw new InvalidOperationException($"ONNX Runtime does not take weights from memory: {message}");
            }
        }
        finally
        {
            foreach (nint name in names)
            {
                if (OperatingSystem.IsWindows())
                {
                    Marshal.FreeHGlobal(name);
                }
                else
                {
                    Marshal.FreeCoTaskMem(name);
                }
            }
        }
    }

    private static nint Open()
    {
        // The library that the package's own binding has loaded.
        nint library = NativeLibrary.Load("onnxruntime", typeof(InferenceSession).Assembly, null);
        nint* api = (nint*)((delegate* unmanaged[Stdcall]<nint*>)NativeLibrary.GetExport(library, "OrtGetApiBase"))();
        nint table = ((delegate* unmanaged[Stdcall]<uint, nint>)api[0])(ApiVersion);
        return table != 0 ? table : throw new NotSupportedException("This ONNX Runtime is older than 1.18, the first that takes weights from memory. Use the version that this package asks for.");
    }
}
