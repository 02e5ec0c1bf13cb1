using System.Runtime.InteropServices;

namespace Qaic.Interop;

/// <summary>Fills the table from a loaded library, each field by the name of its C function: "qaic" + field.</summary>
/// <remarks>The vendor's own function table is not used: the order of its members is not public.</remarks>
internal static unsafe class QaicApiBinder
{
    /// <summary>Resolves every function.</summary>
    /// <param name="library">The loader's handle.</param>
    /// <returns>The table, and the C names of core functions that the library lacks. Optional functions that it lacks are null in the table.</returns>
    public static (QaicApi Api, IReadOnlyList<string> Missing) Bind(nint library)
    {
        var api = new QaicApi();
        var missing = new List<string>();

        // A fixed slot instead of a cast: the signature stays written in one place, and no reflection is needed.
        fixed (void* slot = &api.CreateContext) { Core(slot, nameof(api.CreateContext)); }
        fixed (void* slot = &api.ReleaseContext) { Core(slot, nameof(api.ReleaseContext)); }
        fixed (void* slot = &api.CreateQueue) { Core(slot, nameof(api.CreateQueue)); }
        fixed (void* slot = &api.ReleaseQueue) { Core(slot, nameof(api.ReleaseQueue)); }
        fixed (void* slot = &api.CloseQpc) { Core(slot, nameof(api.CloseQpc)); }
        fixed (void* slot = &api.ProgramPropertiesInitDefault) { Core(slot, nameof(api.ProgramPropertiesInitDefault)); }
        fixed (void* slot = &api.CreateProgram) { Core(slot, nameof(api.CreateProgram)); }
        fixed (void* slot = &api.LoadProgram) { Core(slot, nameof(api.LoadProgram)); }
        fixed (void* slot = &api.UnloadProgram) { Core(slot, nameof(api.UnloadProgram)); }
        fixed (void* slot = &api.ReleaseProgram) { Core(slot, nameof(api.ReleaseProgram)); }
        fixed (void* slot = &api.RunActivationCmd) { Core(slot, nameof(api.RunActivationCmd)); }
        fixed (void* slot = &api.ProgramGetIoDescriptor) { Core(slot, nameof(api.ProgramGetIoDescriptor)); }
        fixed (void* slot = &api.CreateExecObj) { Core(slot, nameof(api.CreateExecObj)); }
        fixed (void* slot = &api.ReleaseExecObj) { Core(slot, nameof(api.ReleaseExecObj)); }
        fixed (void* slot = &api.ExecObjSetData) { Core(slot, nameof(api.ExecObjSetData)); }
        fixed (void* slot = &api.EnqueueExecObj) { Core(slot, nameof(api.EnqueueExecObj)); }
        fixed (void* slot = &api.ExecObjWaitForCompletion) { Core(slot, nameof(api.ExecObjWaitForCompletion)); }

        fixed (void* slot = &api.OpenQpcFile) { Optional(slot, nameof(api.OpenQpcFile)); }
        fixed (void* slot = &api.OpenQpc) { Optional(slot, nameof(api.OpenQpc)); }
        if (api.OpenQpcFile is null && api.OpenQpc is null)
        {
            missing.Add("qaicOpenQpcFile or qaicOpenQpc");
        }

        fixed (void* slot = &api.ExecObjSetDataExt) { Optional(slot, nameof(api.ExecObjSetDataExt)); }
        fixed (void* slot = &api.GetAicVersion) { Optional(slot, nameof(api.GetAicVersion)); }
        fixed (void* slot = &api.GetDeviceInfo) { Optional(slot, nameof(api.GetDeviceInfo)); }
        fixed (void* slot = &api.GetResourceInfo) { Optional(slot, nameof(api.GetResourceInfo)); }
        fixed (void* slot = &api.QpcGetInfo) { Optional(slot, nameof(api.QpcGetInfo)); }
        fixed (void* slot = &api.ProgramGetIoBufferInfo) { Optional(slot, nameof(api.ProgramGetIoBufferInfo)); }
        fixed (void* slot = &api.SetLogLevel) { Optional(slot, nameof(api.SetLogLevel)); }
        fixed (void* slot = &api.CreateEvent) { Optional(slot, nameof(api.CreateEvent)); }
        fixed (void* slot = &api.ReleaseEvent) { Optional(slot, nameof(api.ReleaseEvent)); }
        fixed (void* slot = &api.EventClear) { Optional(slot, nameof(api.EventClear)); }
        fixed (void* slot = &api.EventAddCallback) { Optional(slot, nameof(api.EventAddCallback)); }
        fixed (void* slot = &api.EventRemoveCallback) { Optional(slot, nameof(api.EventRemoveCallback)); }
        fixed (void* slot = &api.WaitforEvent) { Optional(slot, nameof(api.WaitforEvent)); }
        fixed (void* slot = &api.ProgramGroupPropertiesInitDefault) { Optional(slot, nameof(api.ProgramGroupPropertiesInitDefault)); }
        fixed (void* slot = &api.CreateProgramGroup) { Optional(slot, nameof(api.CreateProgramGroup)); }
        fixed (void* slot = &api.ProgramGroupAddProgram) { Optional(slot, nameof(api.ProgramGroupAddProgram)); }
        fixed (void* slot = &api.ProgramGroupEnable) { Optional(slot, nameof(api.ProgramGroupEnable)); }
        fixed (void* slot = &api.ProgramGroupDisable) { Optional(slot, nameof(api.ProgramGroupDisable)); }
        fixed (void* slot = &api.ReleaseProgramGroup) { Optional(slot, nameof(api.ReleaseProgramGroup)); }
        fixed (void* slot = &api.ExecObjGetIoBuffers) { Optional(slot, nameof(api.ExecObjGetIoBuffers)); }
        return (api, missing);

        void Core(void* slot, string field)
        {
            if (!Optional(slot, field))
            {
                missing.Add("qaic" + field);
            }
        }

        bool Optional(void* slot, string field)
        {
            bool found = NativeLibrary.TryGetExport(library, "qaic" + field, out nint address);
            *(nint*)slot = address;
            return found;
        }
    }
}
