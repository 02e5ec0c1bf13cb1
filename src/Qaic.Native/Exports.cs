using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;
using Qaic.Simulation;

namespace Qaic.Native;

/// <summary>The functions of libQAic.so, with the widths of their C types: devices, contexts, QPCs and programs here.</summary>
/// <remarks>
/// <para>Each makes the machine if it is the first, and calls the field of the simulated table that has its name; qaic_sim.h documents them. C callers may leave anything in the upper half of a
/// register that carries 32 bits or a bool: these signatures read what C wrote, and hand the table a clean number.</para>
/// <para>No exception can leave: the machine's start and the table's functions catch all of them.</para>
/// </remarks>
internal static unsafe partial class Exports
{
    private static QaicApi Api => SimulatedApi.Table;

    [UnmanagedCallersOnly(EntryPoint = "qaicGetAicVersion", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus GetAicVersion(ushort* major, ushort* minor, byte** patch, byte** variant) =>
        DefaultMachine.Start(out QStatus failure) ? Api.GetAicVersion(major, minor, patch, variant) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicGetDeviceInfo", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus GetDeviceInfo(int device, QDevInfo* info) => DefaultMachine.Start(out QStatus failure) ? Api.GetDeviceInfo(device, info) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicGetResourceInfo", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus GetResourceInfo(int device, QResourceInfo* info) => DefaultMachine.Start(out QStatus failure) ? Api.GetResourceInfo(device, info) : failure;

    // The older generation has seven arguments: (…, log callback of two arguments, error callback, user). They lie in the first seven places, and the eighth is whatever was there.
    // A log callback of two arguments does not look at a third.
    [UnmanagedCallersOnly(EntryPoint = "qaicCreateContext", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateContext(nint* context, uint* properties, uint numDevices, int* devices, nint log, nint logUser, nint error, nint errorUser)
    {
        if (!DefaultMachine.Start(out QStatus failure))
        {
            return failure;
        }

        if (DefaultMachine.IsOldGeneration)
        {
            (error, errorUser, logUser) = (logUser, error, 0);
        }

        return Api.CreateContext(
            context,
            properties,
            numDevices,
            devices,
            (delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void>)log,
            logUser,
            (delegate* unmanaged[Cdecl]<uint, byte*, uint, void*, nuint, nint, void>)error,
            errorUser);
    }

    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseContext", CallConvs = [typeof(CallConvCdecl)])]
    internal static QStatus ReleaseContext(nint context) => DefaultMachine.Start(out QStatus failure) ? Api.ReleaseContext(context) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicSetLogLevel", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SetLogLevel(nint context, QLogLevel level) => DefaultMachine.Start(out QStatus failure) ? Api.SetLogLevel(context, level) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicCreateQueue", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateQueue(nint context, nint* queue, QAicQueueProperties* properties, int device) =>
        DefaultMachine.Start(out QStatus failure) ? Api.CreateQueue(context, queue, properties, device) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseQueue", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseQueue(nint queue) => DefaultMachine.Start(out QStatus failure) ? Api.ReleaseQueue(queue) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicOpenQpcFile", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus OpenQpcFile(nint* qpc, byte* path) => DefaultMachine.Start(out QStatus failure) ? Api.OpenQpcFile(qpc, path) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicOpenQpc", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus OpenQpc(nint* qpc, byte* bytes, nuint size, byte makeCopy) => DefaultMachine.Start(out QStatus failure) ? Api.OpenQpc(qpc, bytes, size, makeCopy) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicCloseQpc", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CloseQpc(nint qpc) => DefaultMachine.Start(out QStatus failure) ? Api.CloseQpc(qpc) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicQpcGetInfo", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus QpcGetInfo(nint qpc, QAicQpcInfo** info) => DefaultMachine.Start(out QStatus failure) ? Api.QpcGetInfo(qpc, info) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicProgramPropertiesInitDefault", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramPropertiesInitDefault(byte* properties) => DefaultMachine.Start(out QStatus failure) ? Api.ProgramPropertiesInitDefault(properties) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicCreateProgram", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateProgram(nint context, nint* program, byte* properties, int device, byte* name, nint qpc) =>
        DefaultMachine.Start(out QStatus failure) ? Api.CreateProgram(context, program, properties, device, name, qpc) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicLoadProgram", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus LoadProgram(nint program) => DefaultMachine.Start(out QStatus failure) ? Api.LoadProgram(program) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicRunActivationCmd", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus RunActivationCmd(nint program, QAicActivationCmd command) => DefaultMachine.Start(out QStatus failure) ? Api.RunActivationCmd(program, command) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicUnloadProgram", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus UnloadProgram(nint program) => DefaultMachine.Start(out QStatus failure) ? Api.UnloadProgram(program) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicReleaseProgram", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseProgram(nint program) => DefaultMachine.Start(out QStatus failure) ? Api.ReleaseProgram(program) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicProgramGetIoDescriptor", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGetIoDescriptor(nint program, QData* descriptor) => DefaultMachine.Start(out QStatus failure) ? Api.ProgramGetIoDescriptor(program, descriptor) : failure;

    [UnmanagedCallersOnly(EntryPoint = "qaicProgramGetIoBufferInfo", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGetIoBufferInfo(nint program, QAicIoBufferInfo** info) => DefaultMachine.Start(out QStatus failure) ? Api.ProgramGetIoBufferInfo(program, info) : failure;
}
