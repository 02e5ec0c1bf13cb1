using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;
using Qaic.TestSupport;

namespace Qaic.Native.Tests.Support;

/// <summary>The library as users get it: published with the one command of the README, once per run, and loaded into this process where a test asks for it.</summary>
/// <remarks>Tests are inconclusive where the machine cannot make it: no Linux, no linker.</remarks>
internal static unsafe class DropInLibrary
{
    private static readonly Lazy<(string? Directory, string Output)> s_published = new(() => Publish());
    private static readonly Lazy<nint> s_handle = new(() => NativeLibrary.Load(Path));

    /// <summary>Where it was published to.</summary>
    public static string Directory
    {
        get
        {
            (string? directory, string output) = s_published.Value;
            if (directory is null)
            {
                Assert.Inconclusive(output);
            }

            return directory!;
        }
    }

    /// <summary>The library's file.</summary>
    public static string Path => System.IO.Path.Combine(Directory, LibraryCandidate.FileName);

    /// <summary>The C header.</summary>
    public static string Header => System.IO.Path.Combine(Directory, "qaic_sim.h");

    /// <summary>The platform on this library, in this process.</summary>
    public static Platform Platform => Platform.Native(Path);

    /// <summary>Objects that live in this process's library.</summary>
    public static uint LiveObjects => s_handle.IsValueCreated ? ((delegate* unmanaged[Cdecl]<uint>)Export("qaicSimLiveObjects"))() : 0;

    /// <summary>Address of a function; an error if it is not exported.</summary>
    public static nint Export(string name) => NativeLibrary.GetExport(s_handle.Value, name);

    /// <summary>Holds every inference until the result is disposed.</summary>
    public static HeldInferences Hold()
    {
        nint fault;
        Check(((delegate* unmanaged[Cdecl]<uint, nint*, QStatus>)Export("qaicSimHoldInference"))(0, &fault));
        return new HeldInferences(fault);
    }

    /// <summary>Makes the next inference fail.</summary>
    public static void FailNextInference(QStatus status) => Check(((delegate* unmanaged[Cdecl]<QStatus, uint, nint*, QStatus>)Export("qaicSimFailInference"))(status, 1, null));

    private static void Check(QStatus status) => Assert.AreEqual(QStatus.Success, status);

    private static (string? Directory, string Output) Publish()
    {
        if (!OperatingSystem.IsLinux())
        {
            return (null, "The library's binary interface is that of Linux.");
        }

        var start = new ProcessStartInfo("dotnet", ["publish", "src/Qaic.Native", "-nodeReuse:false"])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // A dotnet within "dotnet test" has to find its own SDK again.
        foreach (string variable in start.Environment.Keys.Where(k => k.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            start.Environment.Remove(variable);
        }

        using var process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        var output = new StringBuilder(process.StandardOutput.ReadToEnd());
        process.WaitForExit();
        output.Append(errors.Result);
        if (process.ExitCode == 0)
        {
            return (System.IO.Path.Combine(Repository.Root, "artifacts", "native"), "");
        }

        return output.ToString().Contains("Platform linker", StringComparison.Ordinal)
            ? (null, $"There is no C linker (clang or gcc), without which .NET makes no native library. {output}")
            : throw new InvalidOperationException($"\"dotnet publish src/Qaic.Native\" ended with {process.ExitCode}: {output}");
    }

    /// <summary>A hold in the library's fault plan.</summary>
    public sealed class HeldInferences(nint fault) : IDisposable
    {
        /// <summary>Waits until an inference is held.</summary>
        public void WaitForOne() => Check(((delegate* unmanaged[Cdecl]<nint, uint, QStatus>)Export("qaicSimWaitForFault"))(fault, 60_000_000));

        public void Dispose() => Check(((delegate* unmanaged[Cdecl]<nint, QStatus>)Export("qaicSimRelease"))(fault));
    }
}
