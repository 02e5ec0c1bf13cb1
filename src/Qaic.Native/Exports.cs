using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;
using Qaic.Simulation;

namespace Qaic.Native;

/// <summary>The functions of libQAic.so, with the widths of their C types.</summary>
internal static unsafe class Exports
{
    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseContext", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseContext(nint context) => SimulatedApi.Table.ReleaseContext(context);
}
