using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>The table of C functions, filled with managed code: contexts, QPCs, programs and queries here; queues and execution in the other part.</summary>
/// <remarks>
/// <para>One for the whole process; what a call works on is found by its handle or QID. No exception leaves a function: it becomes a status, and its message goes to the context's log callback, on the calling thread, before the function returns.
/// Failures that no context can be named for go to the log of every context, as the vendor's library has one log.</para>
/// <para>Null handles, null out-pointers and other impossible arguments give Inval (6). Handles that are stale, invented or of another kind give BadFd (8). Out-handles are 0 after a failure.</para>
/// <para>Counts and booleans are read as their C types (32 and 8 bits) whatever the upper half of the register holds.</para>
/// </remarks>
internal static unsafe partial class SimulatedApi
{
    // What the open runtime's header calls its library version.
    private const ushort MajorVersion = 10;
    private const ushort MinorVersion = 0;

    // Cards of a simulated machine.
    private const uint MaxDevices = 0x8000;

    // Lent to callers for good.
    private static readonly byte* s_patch = new NativeArena().Text("0");
    private static readonly byte* s_variant = new NativeArena().Text(QaicLibrary.SimulatedVariant);

    [ThreadStatic]
    private static string? s_lastError;

    /// <summary>The table.</summary>
    public static QaicApi Table { get; } = new()
    {
        CreateContext = &CreateContext,
        ReleaseContext = &ReleaseContext,
        CreateQueue = &CreateQueue,
        ReleaseQueue = &ReleaseQueue,
        OpenQpcFile = &OpenQpcFile,
        OpenQpc = &OpenQpc,
        CloseQpc = &CloseQpc,
        ProgramPropertiesInitDefault = &ProgramPropertiesInitDefault,
        CreateProgram = &CreateProgram,
        LoadProgram = &LoadProgram,
        UnloadProgram = &UnloadProgram,
        ReleaseProgram = &ReleaseProgram,
        RunActivationCmd = &RunActivationCmd,
        ProgramGetIoDescriptor = &ProgramGetIoDescriptor,
        CreateExecObj = &CreateExecObj,
        ReleaseExecObj = &ReleaseExecObj,
        ExecObjSetData = &ExecObjSetData,
        EnqueueExecObj = &EnqueueExecObj,
        ExecObjWaitForCompletion = &ExecObjWaitForCompletion,
        ExecObjSetDataExt = &ExecObjSetDataExt,
        GetAicVersion = &GetAicVersion,
        GetDeviceInfo = &GetDeviceInfo,
        GetResourceInfo = &GetResourceInfo,
        QpcGetInfo = &QpcGetInfo,
        ProgramGetIoBufferInfo = &ProgramGetIoBufferInfo,
        SetLogLevel = &SetLogLevel,
        CreateEvent = &CreateEvent,
        ReleaseEvent = &ReleaseEvent,
        EventClear = &EventClear,
        EventAddCallback = &EventAddCallback,
        EventRemoveCallback = &EventRemoveCallback,
        WaitforEvent = &WaitforEvent,
        ProgramGroupPropertiesInitDefault = &ProgramGroupPropertiesInitDefault,
        CreateProgramGroup = &CreateProgramGroup,
        ProgramGroupAddProgram = &ProgramGroupAddProgram,
        ProgramGroupEnable = &ProgramGroupEnable,
        ProgramGroupDisable = &ProgramGroupDisable,
        ReleaseProgramGroup = &ReleaseProgramGroup,
        ExecObjGetIoBuffers = &ExecObjGetIoBuffers,
    };

    /// <summary>What the last failed call on this thread said.</summary>
    public static string? LastError
    {
        get => s_lastError;
        set => s_lastError = value;
    }

    /// <summary>The objects of this process.</summary>
    public static HandleTable Handles { get; } = new();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateContext(
        nint* context,
        uint* properties,
        nuint numDevices,
        int* devices,
        delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void> log,
        nint logUser,
        delegate* unmanaged[Cdecl]<uint, byte*, uint, void*, nuint, nint, void> error,
        nint errorUser)
    {
        try
        {
            RequireOut(context, nameof(context));
            uint count = (uint)numDevices;
            Require(count == 0 || devices != null, "The device list is null.");
            Require(count <= MaxDevices, $"{count} devices are more than any machine has.");
            SimulatedCard[] cards = CardsOf(new ReadOnlySpan<int>(devices, (int)count));
            SimulatedMachine machine = cards[0].Machine;
            machine.Enter(ApiFunction.CreateContext);
            if (properties != null && *properties != 0)
            {
                throw SimulatedFailure.Invalid($"Context properties 0x{*properties:x} are not known; the simulated library knows 0.");
            }

            foreach (SimulatedCard card in cards)
            {
                card.ThrowIfLost();
            }

            *context = Publish(new SimulatedContext(machine, cards, log, logUser, error, errorUser));
            return QStatus.Success;
        }
        catch (Exception e)
        {
            // There is no context yet that would know the callback.
            return Guarded(e, log, logUser);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseContext(nint context) => Release<SimulatedContext>(context, ApiFunction.ReleaseContext);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SetLogLevel(nint context, QLogLevel level)
    {
        if (!Find(context, out SimulatedContext? target, out QStatus status))
        {
            return status;
        }

        try
        {
            target.Machine.Enter(ApiFunction.SetLogLevel);
            target.SetLevel(level);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus OpenQpcFile(nint* qpc, byte* path)
    {
        try
        {
            RequireOut(qpc, nameof(qpc));
            Require(path != null, "The path is null.");
            SimulatedMachine.EnterAll(ApiFunction.OpenQpcFile);
            *qpc = Publish(SimulatedQpc.Open(path));
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(null, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus OpenQpc(nint* qpc, byte* bytes, nuint size, nuint makeCopy)
    {
        try
        {
            RequireOut(qpc, nameof(qpc));
            Require(bytes != null, "The QPC's bytes are a null pointer.");
            SimulatedMachine.EnterAll(ApiFunction.OpenQpc);
            *qpc = Publish(SimulatedQpc.Open(bytes, size, (byte)makeCopy != 0));
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(null, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CloseQpc(nint qpc) => Release<SimulatedQpc>(qpc, ApiFunction.CloseQpc);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus QpcGetInfo(nint qpc, QAicQpcInfo** info)
    {
        if (!Find(qpc, out SimulatedQpc? target, out QStatus status))
        {
            return status;
        }

        try
        {
            Require(info != null, "The out-pointer info is null.");
            SimulatedMachine.EnterAll(ApiFunction.QpcGetInfo);
            using SimulatedObject.Call call = target.Use();
            *info = target.GetInfo();
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramPropertiesInitDefault(byte* properties)
    {
        try
        {
            Require(properties != null, "The program properties are a null pointer.");
            SimulatedMachine.EnterAll(ApiFunction.ProgramPropertiesInitDefault);
            Unsafe.WriteUnaligned(properties, ProgramProperties.Default);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(null, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateProgram(nint context, nint* program, byte* properties, int device, byte* name, nint qpc)
    {
        if (!Find(context, out SimulatedContext? owner, out QStatus status))
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

            owner.Machine.Enter(ApiFunction.CreateProgram);
            SimulatedCard card = owner.Card(device);
            ProgramProperties given = properties == null ? ProgramProperties.Default : Unsafe.ReadUnaligned<ProgramProperties>(properties);
            *program = PublishChild(owner, container, () => new SimulatedProgram(owner, card, given, Marshal.PtrToStringUTF8((nint)name), container), card.Add);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(owner, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus LoadProgram(nint program) => Call<SimulatedProgram>(program, ApiFunction.LoadProgram, static p => p.Load());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus UnloadProgram(nint program) => Call<SimulatedProgram>(program, ApiFunction.UnloadProgram, static p => p.Unload());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseProgram(nint program) => Release<SimulatedProgram>(program, ApiFunction.ReleaseProgram);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus RunActivationCmd(nint program, QAicActivationCmd command) => Call<SimulatedProgram>(program, ApiFunction.RunActivationCmd, command switch
    {
        QAicActivationCmd.ActivateFull => static p => p.Activate(),
        QAicActivationCmd.DeactivateFull => static p => p.Deactivate(),
        _ => static p => throw SimulatedFailure.Invalid("There is no such activation command; known are 0 (activate) and 1 (deactivate)."),
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGetIoDescriptor(nint program, QData* descriptor)
    {
        if (!Find(program, out SimulatedProgram? target, out QStatus status))
        {
            return status;
        }

        try
        {
            Require(descriptor != null, "The out-pointer descriptor is null.");
            target.Context.Machine.Enter(ApiFunction.ProgramGetIoDescriptor);
            using SimulatedObject.Call call = target.Use();
            *descriptor = target.GetIoDescriptor();
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ProgramGetIoBufferInfo(nint program, QAicIoBufferInfo** info)
    {
        if (!Find(program, out SimulatedProgram? target, out QStatus status))
        {
            return status;
        }

        try
        {
            Require(info != null, "The out-pointer info is null.");
            target.Context.Machine.Enter(ApiFunction.ProgramGetIoBufferInfo);
            using SimulatedObject.Call call = target.Use();
            *info = target.GetIoBufferInfo();
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus GetAicVersion(ushort* major, ushort* minor, byte** patch, byte** variant)
    {
        try
        {
            Require(major != null && minor != null && patch != null && variant != null, "An out-pointer is null; all four are needed.");
            SimulatedMachine.EnterAll(ApiFunction.GetAicVersion);
            *major = MajorVersion;
            *minor = MinorVersion;
            *patch = s_patch;
            *variant = s_variant;
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(null, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus GetDeviceInfo(int device, QDevInfo* info)
    {
        try
        {
            Require(info != null, "The out-pointer info is null.");

            // Devices are listed by asking for one after the other, so a number without a device is an answer and nothing to log.
            if (SimulatedMachine.FindCard(device) is not { } card)
            {
                return QStatus.NoDev;
            }

            card.Machine.Enter(ApiFunction.GetDeviceInfo);
            *info = default;
            info->Qid = device;
            "AIC100 (simulated)"u8.CopyTo(new Span<byte>(info->Name, 63));

            // A device that fell off the bus is still listed, in the error state; its resources cannot be asked for.
            info->DevStatus = card.IsLost ? QDevStatus.Error : QDevStatus.Ready;
            info->ResourceInfo = card.IsLost ? default : card.Pool.Snapshot();
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(null, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus GetResourceInfo(int device, QResourceInfo* info)
    {
        try
        {
            Require(info != null, "The out-pointer info is null.");
            if (SimulatedMachine.FindCard(device) is not { } card)
            {
                return QStatus.NoDev;
            }

            card.Machine.Enter(ApiFunction.GetResourceInfo);
            card.ThrowIfLost();
            *info = card.Pool.Snapshot();
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(null, e);
        }
    }

    private static SimulatedCard CardOf(int device) =>
        SimulatedMachine.FindCard(device) ?? throw new SimulatedFailure(QStatus.NoDev, SimulatedMachine.NoCard(device));

    // No list means every device of machine 0, which is the whole machine to a plain client of the C API.
    private static SimulatedCard[] CardsOf(ReadOnlySpan<int> devices)
    {
        if (devices.IsEmpty)
        {
            return SimulatedMachine.Find(0) is { } machine ? [.. machine.Cards] : throw new SimulatedFailure(QStatus.NoDev, "There is no device.");
        }

        SimulatedCard[] cards = new SimulatedCard[devices.Length];
        for (int i = 0; i < cards.Length; i++)
        {
            cards[i] = CardOf(devices[i]);
            Require(Array.IndexOf(cards, cards[i]) == i, $"Device {cards[i].Id} is listed twice.");
            Require(cards[i].Machine == cards[0].Machine, $"QIDs {devices[0]} and {devices[i]} are of different simulated machines.");
        }

        return cards;
    }
}
