namespace Qaic.Simulation;

/// <summary>The functions of the table, by the names of the fields of QaicApi.</summary>
internal enum ApiFunction
{
    CreateContext,
    ReleaseContext,
    CreateQueue,
    ReleaseQueue,
    OpenQpcFile,
    OpenQpc,
    CloseQpc,
    ProgramPropertiesInitDefault,
    CreateProgram,
    LoadProgram,
    UnloadProgram,
    ReleaseProgram,
    RunActivationCmd,
    ProgramGetIoDescriptor,
    CreateExecObj,
    ReleaseExecObj,
    ExecObjSetData,
    EnqueueExecObj,
    ExecObjWaitForCompletion,
    ExecObjSetDataExt,
    GetAicVersion,
    GetDeviceInfo,
    GetResourceInfo,
    QpcGetInfo,
    ProgramGetIoBufferInfo,
    SetLogLevel,
}
