namespace Qaic.Interop;

/// <summary>The library's C functions as one table, filled by <c>libQAic.so</c> or by the simulated card.</summary>
/// <remarks>
/// <para>Every function returns a QStatus. Object handles are opaque and pointer-sized. Integer scalars whose width differs between SDK generations
/// (counts, time-outs, booleans) are passed as <see cref="nuint"/> holding small positive values: in a 64-bit register every narrower callee sees the same number.</para>
/// <para>A class, so that contexts, programs and queues share one table by reference. Optional functions are null when the library lacks them; what needs them checks and says so. Signatures: QAicApi.h of SDK 1.8 and later.</para>
/// </remarks>
internal sealed unsafe class QaicApi
{
    // Core. Missing ones are an error at load time.

    /// <summary>qaicCreateContext(ctx*, properties or null, numDevices, QID*, log callback, log user, error callback, error user). SDKs up to 1.7 take seven and ignore the last.</summary>
    public delegate* unmanaged[Cdecl]<nint*, uint*, nuint, int*, delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void>, nint, delegate* unmanaged[Cdecl]<uint, byte*, uint, void*, nuint, nint, void>, nint, QStatus> CreateContext;
    public delegate* unmanaged[Cdecl]<nint, QStatus> ReleaseContext;

    /// <summary>qaicCreateQueue(ctx, queue*, properties or null, QID).</summary>
    public delegate* unmanaged[Cdecl]<nint, nint*, QAicQueueProperties*, int, QStatus> CreateQueue;
    public delegate* unmanaged[Cdecl]<nint, QStatus> ReleaseQueue;

    /// <summary>qaicOpenQpcFile(qpc*, UTF-8 path of programqpc.bin). Either this or <see cref="OpenQpc"/> must exist.</summary>
    public delegate* unmanaged[Cdecl]<nint*, byte*, QStatus> OpenQpcFile;

    /// <summary>qaicOpenQpc(qpc*, bytes, size, makeCopy). Without a copy the bytes must outlive the QPC object.</summary>
    public delegate* unmanaged[Cdecl]<nint*, byte*, nuint, nuint, QStatus> OpenQpc;
    public delegate* unmanaged[Cdecl]<nint, QStatus> CloseQpc;

    /// <summary>qaicProgramPropertiesInitDefault(properties*). Writes the library's own size, so give it <see cref="ProgramPropertiesCapacity"/> bytes.</summary>
    public delegate* unmanaged[Cdecl]<byte*, QStatus> ProgramPropertiesInitDefault;

    /// <summary>qaicCreateProgram(ctx, program*, properties, QID, UTF-8 name or null, qpc).</summary>
    public delegate* unmanaged[Cdecl]<nint, nint*, byte*, int, byte*, nint, QStatus> CreateProgram;
    public delegate* unmanaged[Cdecl]<nint, QStatus> LoadProgram;
    public delegate* unmanaged[Cdecl]<nint, QStatus> UnloadProgram;
    public delegate* unmanaged[Cdecl]<nint, QStatus> ReleaseProgram;

    /// <summary>qaicRunActivationCmd(program, command).</summary>
    public delegate* unmanaged[Cdecl]<nint, QAicActivationCmd, QStatus> RunActivationCmd;

    /// <summary>qaicProgramGetIoDescriptor(program, out data): serialized aicapi.IoDesc in library memory, alive as long as the program.</summary>
    public delegate* unmanaged[Cdecl]<nint, QData*, QStatus> ProgramGetIoDescriptor;

    /// <summary>qaicCreateExecObj(ctx, exec*, properties or null, program, I/O descriptor or null, count* or null, buffers** or null).</summary>
    public delegate* unmanaged[Cdecl]<nint, nint*, uint*, nint, QData*, uint*, QBuffer**, QStatus> CreateExecObj;
    public delegate* unmanaged[Cdecl]<nint, QStatus> ReleaseExecObj;

    /// <summary>qaicExecObjSetData(exec, count, buffers). The array is copied, the memory it points to is not.</summary>
    public delegate* unmanaged[Cdecl]<nint, nuint, QBuffer*, QStatus> ExecObjSetData;

    /// <summary>qaicEnqueueExecObj(queue, exec, event or null).</summary>
    public delegate* unmanaged[Cdecl]<nint, nint, nint, QStatus> EnqueueExecObj;

    /// <summary>qaicExecObjWaitForCompletion(exec, time-out in µs). 9 (timed out) leaves the inference running.</summary>
    public delegate* unmanaged[Cdecl]<nint, nuint, QStatus> ExecObjWaitForCompletion;

    // Optional. Null when the library lacks them.

    /// <summary>qaicExecObjSetDataExt(exec, count, buffers, dimensions), for dynamic shapes.</summary>
    public delegate* unmanaged[Cdecl]<nint, nuint, QBuffer*, QBufferDimensions*, QStatus> ExecObjSetDataExt;

    /// <summary>qaicGetAicVersion(major*, minor*, patch**, variant**).</summary>
    public delegate* unmanaged[Cdecl]<ushort*, ushort*, byte**, byte**, QStatus> GetAicVersion;

    /// <summary>qaicGetDeviceInfo(QID, info*). Give it <see cref="QDevInfo.Capacity"/> bytes.</summary>
    public delegate* unmanaged[Cdecl]<int, QDevInfo*, QStatus> GetDeviceInfo;

    /// <summary>qaicGetResourceInfo(QID, info*).</summary>
    public delegate* unmanaged[Cdecl]<int, QResourceInfo*, QStatus> GetResourceInfo;

    /// <summary>qaicQpcGetInfo(qpc, out info): library memory, alive as long as the QPC.</summary>
    public delegate* unmanaged[Cdecl]<nint, QAicQpcInfo**, QStatus> QpcGetInfo;

    /// <summary>qaicProgramGetIoBufferInfo(program, out info): library memory, alive as long as the program.</summary>
    public delegate* unmanaged[Cdecl]<nint, QAicIoBufferInfo**, QStatus> ProgramGetIoBufferInfo;

    /// <summary>qaicSetLogLevel(ctx, level).</summary>
    public delegate* unmanaged[Cdecl]<nint, QLogLevel, QStatus> SetLogLevel;

    // Events. Null when the library lacks them.

    /// <summary>qaicCreateEvent(ctx, event*, completion type).</summary>
    public delegate* unmanaged[Cdecl]<nint, nint*, QAicEventCompletionType, QStatus> CreateEvent;
    public delegate* unmanaged[Cdecl]<nint, QStatus> ReleaseEvent;

    /// <summary>qaicEventClear(event): takes a completed event back to waiting.</summary>
    public delegate* unmanaged[Cdecl]<nint, QStatus> EventClear;

    /// <summary>qaicEventAddCallback(event, callback, user). The callback comes from a thread of the library.</summary>
    public delegate* unmanaged[Cdecl]<nint, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void>, nint, QStatus> EventAddCallback;
    public delegate* unmanaged[Cdecl]<nint, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void>, QStatus> EventRemoveCallback;

    /// <summary>qaicWaitforEvent(event): blocks until it is complete.</summary>
    public delegate* unmanaged[Cdecl]<nint, QStatus> WaitforEvent;

    // Program groups: several programs that take turns on the same cores. Null when the library lacks them.

    /// <summary>qaicProgramGroupPropertiesInitDefault(properties*). Writes the library's own size, so give it <see cref="ProgramPropertiesCapacity"/> bytes.</summary>
    public delegate* unmanaged[Cdecl]<byte*, QStatus> ProgramGroupPropertiesInitDefault;

    /// <summary>qaicCreateProgramGroup(ctx, group*, queue*, properties, UTF-8 name or null, QID). The queue belongs to the group.</summary>
    public delegate* unmanaged[Cdecl]<nint, nint*, nint*, byte*, byte*, int, QStatus> CreateProgramGroup;

    /// <summary>qaicProgramGroupAddProgram(group, qpc, program*, program properties). The program belongs to the group.</summary>
    public delegate* unmanaged[Cdecl]<nint, nint, nint*, byte*, QStatus> ProgramGroupAddProgram;
    public delegate* unmanaged[Cdecl]<nint, QStatus> ProgramGroupEnable;

    /// <summary>qaicProgramGroupDisable(group, force, time-out).</summary>
    public delegate* unmanaged[Cdecl]<nint, nuint, nuint, QStatus> ProgramGroupDisable;
    public delegate* unmanaged[Cdecl]<nint, QStatus> ReleaseProgramGroup;

    /// <summary>qaicExecObjGetIoBuffers(exec, count*, buffers**): the library's DMA buffers of a zero-copy execution object, in the order of the descriptor's dma_buf.</summary>
    public delegate* unmanaged[Cdecl]<nint, uint*, QBuffer**, QStatus> ExecObjGetIoBuffers;

    /// <summary>Bytes to allocate for the program properties, whose size is the library's secret: 24 in the open runtime, more in the vendor's.</summary>
    public const int ProgramPropertiesCapacity = 512;
}
