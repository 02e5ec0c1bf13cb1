using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Simulation;

// Program groups: programs that take turns on the same cores.
internal static unsafe partial class SimulatedApi
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupPropertiesInitDefault(byte* properties)
    {
        try
        {
            Require(properties != null, "The program group's properties are a null pointer.");
            SimulatedMachine.EnterAll(ApiFunction.ProgramGroupPropertiesInitDefault);
            Unsafe.WriteUnaligned(properties, default(ProgramGroupProperties));
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(null, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateProgramGroup(nint context, nint* group, nint* queue, byte* properties, byte* name, int device)
    {
        if (!Find(context, out SimulatedContext? owner, out QStatus status))
        {
            return status;
        }

        try
        {
            RequireOut(group, nameof(group));
            RequireOut(queue, nameof(queue));
            owner.Machine.Enter(ApiFunction.CreateProgramGroup);
            SimulatedCard card = owner.Card(device);
            ProgramGroupProperties given = properties == null ? default : Unsafe.ReadUnaligned<ProgramGroupProperties>(properties);
            SimulatedProgramGroup? made = null;
            *group = PublishChild(owner, null, () => made = new SimulatedProgramGroup(owner, card, given, Marshal.PtrToStringUTF8((nint)name)), card.Add);
            *queue = Publish(made!.Queue);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(owner, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupAddProgram(nint group, nint qpc, nint* program, byte* properties)
    {
        if (!Find(group, out SimulatedProgramGroup? owner, out QStatus status))
        {
            return status;
        }

        try
        {
            RequireOut(program, nameof(program));
            if (!Handles.TryGet(qpc, out SimulatedQpc? container, out status))
            {
                throw new SimulatedFailure(status, HandleTable.Describe<SimulatedQpc>(qpc));
            }

            owner.Context.Machine.Enter(ApiFunction.ProgramGroupAddProgram);
            owner.Card.ThrowIfLost();

            // First, as the group itself may have the cores that the program would need.
            owner.ThrowIfOn();
            ProgramProperties given = properties == null ? ProgramProperties.Default : Unsafe.ReadUnaligned<ProgramProperties>(properties);

            // Not released meanwhile.
            owner.Adopt();
            try
            {
                *program = PublishChild(owner.Context, container, () => new SimulatedProgram(owner.Context, owner.Card, given, null, container, owner), made =>
                {
                    owner.Add(made);
                    owner.Card.Add(made);
                });
            }
            finally
            {
                owner.Disown();
            }

            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(owner, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupEnable(nint group) => Call<SimulatedProgramGroup>(group, ApiFunction.ProgramGroupEnable, static g => g.Enable());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGroupDisable(nint group, nuint force, nuint timeout)
    {
        bool isForced = (byte)force != 0;
        return Call<SimulatedProgramGroup>(group, ApiFunction.ProgramGroupDisable, g => g.Disable(isForced, timeout));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseProgramGroup(nint group) => Release<SimulatedProgramGroup>(group, ApiFunction.ReleaseProgramGroup);
}
