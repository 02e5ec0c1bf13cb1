using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Qaic.OnnxRuntime;

/// <summary>Where ONNX Runtime's native library is loaded from, where that is not up to the .NET host: inside a library of C programs.</summary>
internal static class OrtLibrary
{
    // As the package's binding and OrtNative name it.
    private const string Name = "onnxruntime";

    private static string? s_path;

    /// <summary>Makes the process load it from a directory. Before ONNX Runtime is used for the first time, and once.</summary>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    public static void LoadFrom(string directory)
    {
        string path = Path.Combine(directory, OperatingSystem.IsWindows() ? "onnxruntime.dll" : OperatingSystem.IsMacOS() ? "libonnxruntime.dylib" : "libonnxruntime.so");
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path} is missing. The simulated card computes with ONNX Runtime, whose library has to lie beside it: copy the whole directory that was published.", path);
        }

        s_path = path;

        // The binding has a resolver of its own, for which there is one place; it looks beside the program.
        OrtEnv.DisableDllImportResolver = true;
        NativeLibrary.SetDllImportResolver(typeof(InferenceSession).Assembly, static (name, _, _) => name == Name ? NativeLibrary.Load(s_path!) : 0);
    }

    /// <summary>The handle of the library that the package's binding has loaded.</summary>
    public static nint Handle => s_path is { } path ? NativeLibrary.Load(path) : NativeLibrary.Load(Name, typeof(InferenceSession).Assembly, null);
}
