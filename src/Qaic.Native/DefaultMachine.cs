using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;
using Qaic.OnnxRuntime;
using Qaic.Simulation;

namespace Qaic.Native;

/// <summary>The machine that C programs meet: the first of the process, so that its devices have QIDs from 0. Made at the first call of any function, from the environment.</summary>
/// <remarks>Held for good: the registry of machines would let it go as soon as nobody uses it.</remarks>
internal static unsafe class DefaultMachine
{
    private static readonly Lazy<Outcome> s_outcome = new(Make, LazyThreadSafetyMode.ExecutionAndPublication);

    /// <summary>The machine; null if the environment is wrong.</summary>
    public static SimulatedPlatform? Platform => s_outcome.Value.Platform;

    /// <summary>Whether the program is of the generation whose qaicCreateContext has seven arguments.</summary>
    public static bool IsOldGeneration => s_outcome.Value.IsOldGeneration;

    /// <summary>Makes the machine if this is the first call.</summary>
    /// <param name="failure">What every function returns where it cannot be made.</param>
    public static bool Start(out QStatus failure)
    {
        Outcome outcome = s_outcome.Value;
        failure = outcome.Failure;
        if (outcome.Message is not null)
        {
            SimulatedApi.LastError = outcome.Message;
        }

        return failure == QStatus.Success;
    }

    private static Outcome Make()
    {
        try
        {
            OrtLibrary.LoadFrom(OwnDirectory());
            MachineEnvironment environment = MachineEnvironment.Read(Environment.GetEnvironmentVariable);
            return new Outcome(new SimulatedPlatform(environment.Options(new ExitGate(new OnnxRuntimeEngine()))), environment.IsOldGeneration, QStatus.Success, null);
        }
        catch (Exception e)
        {
            Tell(e.Message);
            return new Outcome(null, false, e is ArgumentException ? QStatus.Inval : QStatus.Error, e.Message);
        }
    }

    // The program's directory is somebody else's; what this library needs lies beside it.
    private static string OwnDirectory()
    {
        DlInfo info;
        delegate* unmanaged[Cdecl]<nint, QStatus> here = &Exports.ReleaseContext;
        return DlAddr(here, &info) != 0 && Path.GetDirectoryName(Path.GetFullPath(Marshal.PtrToStringUTF8((nint)info.FileName)!)) is { } directory
            ? directory
            : throw new InvalidOperationException($"The loader does not tell where {LibraryCandidate.FileName} is.");
    }

    // Not Console, which would take over the program's terminal and signals.
    private static void Tell(string message)
    {
        byte[] line = Encoding.UTF8.GetBytes($"{LibraryCandidate.FileName} (simulated card): {message}\n");
        fixed (byte* bytes = line)
        {
            _ = Write(2, bytes, (nuint)line.Length);
        }
    }

    [DllImport("libc", EntryPoint = "dladdr")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int DlAddr(void* address, DlInfo* info);

    [DllImport("libc", EntryPoint = "write")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Write(int file, byte* bytes, nuint count);

    /// <summary>Dl_info, dlfcn.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct DlInfo
    {
        public byte* FileName;
        public void* FileBase;
        public byte* SymbolName;
        public void* SymbolAddress;
    }

    private sealed record Outcome(SimulatedPlatform? Platform, bool IsOldGeneration, QStatus Failure, string? Message);
}
