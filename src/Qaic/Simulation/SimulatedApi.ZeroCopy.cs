using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Simulation;

// Zero-copy: execution objects over the library's own buffers.
internal static unsafe partial class SimulatedApi
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjGetIoBuffers(nint exec, uint* count, QBuffer** buffers) => QStatus.Unsupported;
}
