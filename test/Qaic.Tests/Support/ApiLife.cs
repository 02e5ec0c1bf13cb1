using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;

namespace Qaic.Tests.Support;

/// <summary>A life in which every function of the table is called, in order. It ends at the first call that fails; Dispose releases what lives by then.</summary>
internal sealed unsafe class ApiLife(QaicApi api) : IDisposable
{
    private readonly float* _memory = (float*)NativeMemory.AllocZeroed(32);
    private nint _context;
    private nint _queue;
    private nint _file;
    private nint _copy;
    private nint _program;
    private nint _exec;
    private nint _lent;
    private nint _event;
    private nint _group;

    /// <summary>The calls and what they returned.</summary>
    public List<(string Function, QStatus Status)> Calls { get; } = [];

    public ApiLife Run(int qid, string qpcPath)
    {
        byte[] path = Encoding.UTF8.GetBytes(qpcPath + '\0'), bytes = File.ReadAllBytes(qpcPath);
        byte* properties = stackalloc byte[QaicApi.ProgramPropertiesCapacity];
        QBuffer* buffers = stackalloc QBuffer[2], lent;
        uint count, zeroCopy = (uint)(QAicExecObjProperties.AutoLoadActivate | QAicExecObjProperties.ZeroCopyBuffers);
        QBufferDimensions* dims = stackalloc QBufferDimensions[2];
        uint dim = 4;
        for (int i = 0; i < 2; i++)
        {
            buffers[i] = new QBuffer { Buf = (byte*)(_memory + (4 * i)), Size = 16 };
            dims[i] = new QBufferDimensions { Count = 1, SizeOfElem = 4, Dims = &dim };
        }

        ushort number;
        byte* text;
        QDevInfo device;
        QResourceInfo resources;
        QAicQpcInfo* info;
        QAicIoBufferInfo* bufferInfo;
        QData descriptor;
        nint groupQueue, groupProgram;
        fixed (byte* pathBytes = path, qpcBytes = bytes)
        fixed (nint* context = &_context, queue = &_queue, file = &_file, copy = &_copy, program = &_program, exec = &_exec, own = &_lent, completion = &_event, group = &_group)
        {
            _ = Call("GetAicVersion", api.GetAicVersion(&number, &number, &text, &text))
                && Call("GetDeviceInfo", api.GetDeviceInfo(qid, &device))
                && Call("GetResourceInfo", api.GetResourceInfo(qid, &resources))
                && Call("CreateContext", api.CreateContext(context, null, 1, &qid, null, 0, null, 0))
                && Call("SetLogLevel", api.SetLogLevel(_context, QLogLevel.Debug))
                && Call("CreateQueue", api.CreateQueue(_context, queue, null, qid))
                && Call("OpenQpc", api.OpenQpc(copy, qpcBytes, (nuint)bytes.Length, 1))
                && Call("OpenQpcFile", api.OpenQpcFile(file, pathBytes))
                && Call("QpcGetInfo", api.QpcGetInfo(_file, &info))
                && Call("ProgramPropertiesInitDefault", api.ProgramPropertiesInitDefault(properties))
                && Call("CreateProgram", api.CreateProgram(_context, program, properties, qid, null, _file))
                && Call("ProgramGetIoBufferInfo", api.ProgramGetIoBufferInfo(_program, &bufferInfo))
                && Call("ProgramGetIoDescriptor", api.ProgramGetIoDescriptor(_program, &descriptor))
                && Call("LoadProgram", api.LoadProgram(_program))
                && Call("RunActivationCmd", api.RunActivationCmd(_program, QAicActivationCmd.ActivateFull))
                && Call("CreateExecObj", api.CreateExecObj(_context, exec, null, _program, &descriptor, null, null))
                && Call("ExecObjSetData", api.ExecObjSetData(_exec, 2, buffers))
                && Call("ExecObjSetDataExt", api.ExecObjSetDataExt(_exec, 2, buffers, dims))
                && Call("CreateEvent", api.CreateEvent(_context, completion, QAicEventCompletionType.DeviceComplete))
                && Call("EventAddCallback", api.EventAddCallback(_event, &OnEvent, 0))
                && Call("EnqueueExecObj", api.EnqueueExecObj(_queue, _exec, _event))
                && Call("WaitforEvent", api.WaitforEvent(_event))
                && Call("ExecObjWaitForCompletion", api.ExecObjWaitForCompletion(_exec, 30_000_000))
                && Call("EventRemoveCallback", api.EventRemoveCallback(_event, &OnEvent))
                && Call("EventClear", api.EventClear(_event))
                && Call("CreateExecObj", api.CreateExecObj(_context, own, &zeroCopy, _program, null, null, null))
                && Call("ExecObjGetIoBuffers", api.ExecObjGetIoBuffers(_lent, &count, &lent))
                && Call("ReleaseExecObj", Release(api.ReleaseExecObj, ref _lent))
                && Call("ReleaseExecObj", Release(api.ReleaseExecObj, ref _exec))
                && Call("ReleaseEvent", Release(api.ReleaseEvent, ref _event))
                && Call("RunActivationCmd", api.RunActivationCmd(_program, QAicActivationCmd.DeactivateFull))
                && Call("UnloadProgram", api.UnloadProgram(_program))
                && Call("ReleaseProgram", Release(api.ReleaseProgram, ref _program))
                && Call("ProgramGroupPropertiesInitDefault", api.ProgramGroupPropertiesInitDefault(properties))
                && Call("CreateProgramGroup", api.CreateProgramGroup(_context, group, &groupQueue, properties, null, qid))
                && Call("ProgramGroupAddProgram", api.ProgramGroupAddProgram(_group, _file, &groupProgram, null))
                && Call("ProgramGroupEnable", api.ProgramGroupEnable(_group))
                && Call("ProgramGroupDisable", api.ProgramGroupDisable(_group, 0, 1_000_000))
                && Call("ReleaseProgramGroup", Release(api.ReleaseProgramGroup, ref _group))
                && Call("CloseQpc", Release(api.CloseQpc, ref _file))
                && Call("ReleaseQueue", Release(api.ReleaseQueue, ref _queue))
                && Call("ReleaseContext", Release(api.ReleaseContext, ref _context));
        }

        return this;

        bool Call(string function, QStatus status)
        {
            Calls.Add((function, status));
            return status == QStatus.Success;
        }
    }

    public void Dispose()
    {
        TableClient.Check(Release(api.ReleaseExecObj, ref _lent));
        TableClient.Check(Release(api.ReleaseExecObj, ref _exec));
        TableClient.Check(Release(api.ReleaseEvent, ref _event));
        TableClient.Check(Release(api.ReleaseProgram, ref _program));
        TableClient.Check(Release(api.ReleaseProgramGroup, ref _group));
        TableClient.Check(Release(api.CloseQpc, ref _file));
        TableClient.Check(Release(api.CloseQpc, ref _copy));
        TableClient.Check(Release(api.ReleaseQueue, ref _queue));
        TableClient.Check(Release(api.ReleaseContext, ref _context));
        NativeMemory.Free(_memory);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnEvent(nint completion, QAicEventCompletionType type, nint user)
    {
    }

    private static QStatus Release(delegate* unmanaged[Cdecl]<nint, QStatus> release, ref nint handle)
    {
        QStatus status = handle == 0 ? QStatus.Success : release(handle);
        handle = status == QStatus.Success ? 0 : handle;
        return status;
    }
}
