using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Native;

// Execution objects, events, and programs that take turns.
internal static unsafe partial class Exports
{
    [UnmanagedCallersOnly(EntryPoint = "qaicCreateExecObj", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateExecObj(nint context, nint* exec, uint* properties, nint program, QData* descriptor, uint* numBuffers, QBuffer** buffers) =>
        DefaultMachine.Start(out QStatus failure) ? Api.CreateExecObj(context, exec, properties, program, descriptor, numBuffers, buffers) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseExecObj", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseExecObj(nint exec) => DefaultMachine.Start(out QStatus failure) ? Api.ReleaseExecObj(exec) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicExecObjSetData", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjSetData(nint exec, uint count, QBuffer* buffers) => DefaultMachine.Start(out QStatus failure) ? Api.ExecObjSetData(exec, count, buffers) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicExecObjSetDataExt", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjSetDataExt(nint exec, uint count, QBuffer* buffers, QBufferDimensions* dimensions) =>
        DefaultMachine.Start(out QStatus failure) ? Api.ExecObjSetDataExt(exec, count, buffers, dimensions) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicExecObjGetIoBuffers", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjGetIoBuffers(nint exec, uint* count, QBuffer** buffers) => DefaultMachine.Start(out QStatus failure) ? Api.ExecObjGetIoBuffers(exec, count, buffers) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicEnqueueExecObj", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EnqueueExecObj(nint queue, nint exec, nint completion) => DefaultMachine.Start(out QStatus failure) ? Api.EnqueueExecObj(queue, exec, completion) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicExecObjWaitForCompletion", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjWaitForCompletion(nint exec, uint timeout) => DefaultMachine.Start(out QStatus failure) ? Api.ExecObjWaitForCompletion(exec, timeout) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicCreateEvent", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateEvent(nint context, nint* made, QAicEventCompletionType type) => DefaultMachine.Start(out QStatus failure) ? Api.CreateEvent(context, made, type) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseEvent", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseEvent(nint completion) => DefaultMachine.Start(out QStatus failure) ? Api.ReleaseEvent(completion) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicEventClear", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventClear(nint completion) => DefaultMachine.Start(out QStatus failure) ? Api.EventClear(completion) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicEventAddCallback", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventAddCallback(nint completion, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> callback, nint user) =>
        DefaultMachine.Start(out QStatus failure) ? Api.EventAddCallback(completion, callback, user) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicEventRemoveCallback", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventRemoveCallback(nint completion, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> callback) =>
        DefaultMachine.Start(out QStatus failure) ? Api.EventRemoveCallback(completion, callback) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicWaitforEvent", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus WaitforEvent(nint completion) => DefaultMachine.Start(out QStatus failure) ? Api.WaitforEvent(completion) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicProgramGroupPropertiesInitDefault", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupPropertiesInitDefault(byte* properties) => DefaultMachine.Start(out QStatus failure) ? Api.ProgramGroupPropertiesInitDefault(properties) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicCreateProgramGroup", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateProgramGroup(nint context, nint* group, nint* queue, byte* properties, byte* name, int device) =>
        DefaultMachine.Start(out QStatus failure) ? Api.CreateProgramGroup(context, group, queue, properties, name, device) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicProgramGroupAddProgram", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupAddProgram(nint group, nint qpc, nint* program, byte* properties) =>
        DefaultMachine.Start(out QStatus failure) ? Api.ProgramGroupAddProgram(group, qpc, program, properties) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicProgramGroupEnable", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupEnable(nint group) => DefaultMachine.Start(out QStatus failure) ? Api.ProgramGroupEnable(group) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicProgramGroupDisable", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupDisable(nint group, byte force, uint timeout) => DefaultMachine.Start(out QStatus failure) ? Api.ProgramGroupDisable(group, force, timeout) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseProgramGroup", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseProgramGroup(nint group) => DefaultMachine.Start(out QStatus failure) ? Api.ReleaseProgramGroup(group) : failure;

    // Nothing makes constants any more, so every handle but null is invented.
    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseConstants", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseConstants(nint constants) => !DefaultMachine.Start(out QStatus failure) ? failure : constants == 0 ? QStatus.Success : QStatus.BadFd;
}
