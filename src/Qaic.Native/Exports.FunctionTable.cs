using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Native;

// The table of qaicGetFunctionTable, in the order of qaic_sim.h: the vendor's is not public.
internal static unsafe partial class Exports
{
    private static readonly nint* s_table = MakeTable();

    [UnmanagedCallersOnly(EntryPoint = "qaicGetFunctionTable", CallConvs = [typeof(CallConvCdecl)])]
    private static nint* GetFunctionTable() => s_table;

    private static nint* MakeTable()
    {
        ReadOnlySpan<nint> members =
        [
            (nint)(delegate* unmanaged[Cdecl]<ushort*, ushort*, byte**, byte**, QStatus>)&GetAicVersion,
            (nint)(delegate* unmanaged[Cdecl]<int, QDevInfo*, QStatus>)&GetDeviceInfo,
            (nint)(delegate* unmanaged[Cdecl]<int, QResourceInfo*, QStatus>)&GetResourceInfo,
            (nint)(delegate* unmanaged[Cdecl]<nint*, uint*, uint, int*, nint, nint, nint, nint, QStatus>)&CreateContext,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ReleaseContext,
            (nint)(delegate* unmanaged[Cdecl]<nint, QLogLevel, QStatus>)&SetLogLevel,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint*, QAicQueueProperties*, int, QStatus>)&CreateQueue,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ReleaseQueue,
            (nint)(delegate* unmanaged[Cdecl]<nint*, byte*, QStatus>)&OpenQpcFile,
            (nint)(delegate* unmanaged[Cdecl]<nint*, byte*, nuint, byte, QStatus>)&OpenQpc,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&CloseQpc,
            (nint)(delegate* unmanaged[Cdecl]<nint, QAicQpcInfo**, QStatus>)&QpcGetInfo,
            (nint)(delegate* unmanaged[Cdecl]<byte*, QStatus>)&ProgramPropertiesInitDefault,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint*, byte*, int, byte*, nint, QStatus>)&CreateProgram,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&LoadProgram,
            (nint)(delegate* unmanaged[Cdecl]<nint, QAicActivationCmd, QStatus>)&RunActivationCmd,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&UnloadProgram,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ReleaseProgram,
            (nint)(delegate* unmanaged[Cdecl]<nint, QData*, QStatus>)&ProgramGetIoDescriptor,
            (nint)(delegate* unmanaged[Cdecl]<nint, QAicIoBufferInfo**, QStatus>)&ProgramGetIoBufferInfo,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint*, uint*, nint, QData*, uint*, QBuffer**, QStatus>)&CreateExecObj,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ReleaseExecObj,
            (nint)(delegate* unmanaged[Cdecl]<nint, uint, QBuffer*, QStatus>)&ExecObjSetData,
            (nint)(delegate* unmanaged[Cdecl]<nint, uint, QBuffer*, QBufferDimensions*, QStatus>)&ExecObjSetDataExt,
            (nint)(delegate* unmanaged[Cdecl]<nint, uint*, QBuffer**, QStatus>)&ExecObjGetIoBuffers,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint, QStatus>)&EnqueueExecObj,
            (nint)(delegate* unmanaged[Cdecl]<nint, uint, QStatus>)&ExecObjWaitForCompletion,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint*, QAicEventCompletionType, QStatus>)&CreateEvent,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ReleaseEvent,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&EventClear,
            (nint)(delegate* unmanaged[Cdecl]<nint, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void>, nint, QStatus>)&EventAddCallback,
            (nint)(delegate* unmanaged[Cdecl]<nint, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void>, QStatus>)&EventRemoveCallback,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&WaitforEvent,
            (nint)(delegate* unmanaged[Cdecl]<byte*, QStatus>)&ProgramGroupPropertiesInitDefault,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint*, nint*, byte*, byte*, int, QStatus>)&CreateProgramGroup,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint*, byte*, QStatus>)&ProgramGroupAddProgram,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ProgramGroupEnable,
            (nint)(delegate* unmanaged[Cdecl]<nint, byte, uint, QStatus>)&ProgramGroupDisable,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ReleaseProgramGroup,
            (nint)(delegate* unmanaged[Cdecl]<nint, QStatus>)&ReleaseConstants,
        ];
        int size = sizeof(nint) * (1 + members.Length);
        nint* table = (nint*)NativeMemory.Alloc((nuint)size);
        table[0] = size;
        members.CopyTo(new Span<nint>(table + 1, members.Length));
        return table;
    }
}
