using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Extensions.Logging;
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
            OrtEnvironment.Elsewhere = static (severity, message) =>
            {
                if (severity >= LogLevel.Error)
                {
                    Tell(message);
                }
            };
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
        string? file = DlAddr(here, &info) != 0 ? Marshal.PtrToStringUTF8((nint)info.FileName) : null;

        // The loader knows the name that it was given. A relative one says nothing any more if the program has changed its directory since; the kernel knows the file.
        file = file is not null && Path.IsPathRooted(file) ? file : MappedFile((nuint)(nint)here) ?? file;
        return file is not null && Path.GetDirectoryName(Path.GetFullPath(file)) is { } directory
            ? directory
            : throw new InvalidOperationException($"The loader does not tell where {LibraryCandidate.FileName} is.");
    }

    // Lines of /proc/self/maps: "7f01-7f02 r-xp 00000000 08:01 42    /path".
    private static string? MappedFile(nuint address)
    {
        try
        {
            foreach (string line in File.ReadLines("/proc/self/maps"))
            {
                ReadOnlySpan<char> range = line.AsSpan(0, line.IndexOf(' ', StringComparison.Ordinal));
                int dash = range.IndexOf('-');
                if (address >= nuint.Parse(range[..dash], NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                    && address < nuint.Parse(range[(dash + 1)..], NumberStyles.HexNumber, CultureInfo.InvariantCulture))
                {
                    int path = line.IndexOf('/', StringComparison.Ordinal);
                    return path < 0 ? null : line[path..];
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No /proc: the loader's word has to do.
        }

        return null;
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
