using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Simulation;

// Zero-copy: execution objects over the library's own buffers.
internal static unsafe partial class SimulatedApi
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjGetIoBuffers(nint exec, uint* count, QBuffer** buffers)
    {
        if (!Find(exec, out SimulatedExecObj? target, out QStatus status))
        {
            return status;
        }

        try
        {
            Require(count != null && buffers != null, "An out-pointer is null; count and buffers are needed.");
            *count = 0;
            *buffers = null;
            target.Program.Context.Machine.Enter(ApiFunction.ExecObjGetIoBuffers);
            Require(target.IoBuffers != null, "The execution object has no buffers of the library's own. Make it with the property for zero-copy buffers (0x1).");
            *count = (uint)target.IoBufferCount;
            *buffers = target.IoBuffers;
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }
}
