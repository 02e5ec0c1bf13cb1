using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Simulation;

// Program groups: programs that take turns on the same cores.
internal static unsafe partial class SimulatedApi
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupPropertiesInitDefault(byte* properties) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateProgramGroup(nint context, nint* group, nint* queue, byte* properties, byte* name, int device) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupAddProgram(nint group, nint qpc, nint* program, byte* properties) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupEnable(nint group) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupDisable(nint group, nuint force, nuint timeout) => QStatus.Unsupported;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseProgramGroup(nint group) => QStatus.Unsupported;
}
