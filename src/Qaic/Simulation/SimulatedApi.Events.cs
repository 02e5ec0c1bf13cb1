using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Simulation;

// Events: what an inference completes.
internal static unsafe partial class SimulatedApi
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateEvent(nint context, nint* made, QAicEventCompletionType type) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseEvent(nint completion) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventClear(nint completion) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventAddCallback(nint completion, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> callback, nint user) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventRemoveCallback(nint completion, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> callback) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus WaitforEvent(nint completion) => QStatus.Unsupported;
}
