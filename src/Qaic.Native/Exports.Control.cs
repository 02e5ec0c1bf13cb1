using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Qaic.Interop;
using Qaic.Simulation;

namespace Qaic.Native;

// What no card has: the simulated machine's faults, for C programs.
internal static unsafe partial class Exports
{
    private static readonly ConcurrentDictionary<nint, Fault> s_faults = new();
    private static long s_lastFault;

    [UnmanagedCallersOnly(EntryPoint = "qaicSimFailCall", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimFailCall(byte* function, int status, uint occurrence, nint* fault) =>
        Add(fault, plan => plan.FailCall(Text(function), status, occurrence: Occurrence(occurrence)));

    [UnmanagedCallersOnly(EntryPoint = "qaicSimDelayCall", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimDelayCall(byte* function, uint delay, uint occurrence, nint* fault) =>
        Add(fault, plan => plan.DelayCall(Text(function), TimeSpan.FromMicroseconds(delay), Occurrence(occurrence)));

    [UnmanagedCallersOnly(EntryPoint = "qaicSimHoldCall", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimHoldCall(byte* function, uint occurrence, nint* fault) => Add(fault, plan => plan.HoldCall(Text(function), Occurrence(occurrence)));

    [UnmanagedCallersOnly(EntryPoint = "qaicSimFailInference", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimFailInference(int status, uint occurrence, nint* fault) => Add(fault, plan => plan.FailInference(status, occurrence: Occurrence(occurrence)));

    [UnmanagedCallersOnly(EntryPoint = "qaicSimDelayInference", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimDelayInference(uint delay, uint occurrence, nint* fault) =>
        Add(fault, plan => plan.DelayInference(TimeSpan.FromMicroseconds(delay), Occurrence(occurrence)));

    [UnmanagedCallersOnly(EntryPoint = "qaicSimHoldInference", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimHoldInference(uint occurrence, nint* fault) => Add(fault, plan => plan.HoldInference(Occurrence(occurrence)));

    // Tasks wait for whole milliseconds, and for less than one they only look: rounded up.
    [UnmanagedCallersOnly(EntryPoint = "qaicSimWaitForFault", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimWaitForFault(nint fault, uint timeout) =>
        Control(_ => Find(fault).WhenHit.Wait((int)((timeout + 999L) / 1000)) ? QStatus.Success : throw new SimulatedFailure(QStatus.TimedOut, "The fault has not struck yet."));

    [UnmanagedCallersOnly(EntryPoint = "qaicSimFaultHits", CallConvs = [typeof(CallConvCdecl)])]
    private static uint SimFaultHits(nint fault) => s_faults.TryGetValue(fault, out Fault? found) ? (uint)found.Hits : 0;

    [UnmanagedCallersOnly(EntryPoint = "qaicSimRelease", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimRelease(nint fault) => Control(_ =>
    {
        Find(fault).Dispose();
        s_faults.TryRemove(fault, out Fault? _);
        return QStatus.Success;
    });

    [UnmanagedCallersOnly(EntryPoint = "qaicSimClearFaults", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimClearFaults() => Control(plan =>
    {
        plan.Clear();
        s_faults.Clear();
        return QStatus.Success;
    });

    [UnmanagedCallersOnly(EntryPoint = "qaicSimLoseDevice", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimLoseDevice(int device) => Control(plan =>
    {
        plan.LoseDevice(Known(device));
        return QStatus.Success;
    });

    [UnmanagedCallersOnly(EntryPoint = "qaicSimRestoreDevice", CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus SimRestoreDevice(int device) => Control(plan =>
    {
        plan.RestoreDevice(Known(device));
        return QStatus.Success;
    });

    // A machine counts what was made on it; QPCs belong to no machine.
    [UnmanagedCallersOnly(EntryPoint = "qaicSimLiveObjects", CallConvs = [typeof(CallConvCdecl)])]
    private static uint SimLiveObjects() => (uint)((DefaultMachine.Platform?.LiveObjects ?? 0) + SimulatedApi.Handles.Live<SimulatedQpc>().Count());

    [UnmanagedCallersOnly(EntryPoint = "qaicSimLastError", CallConvs = [typeof(CallConvCdecl)])]
    private static nuint SimLastError(byte* buffer, nuint size)
    {
        try
        {
            byte[] text = Encoding.UTF8.GetBytes(SimulatedApi.LastError ?? "");
            if (buffer != null && size > 0)
            {
                int length = (int)Math.Min((nuint)text.Length, size - 1);
                text.AsSpan(0, length).CopyTo(new Span<byte>(buffer, length));
                buffer[length] = 0;
            }

            return (nuint)text.Length;
        }
        catch (Exception)
        {
            return 0;
        }
    }

    private static QStatus Add(nint* handle, Func<FaultPlan, Fault> make) => Control(plan =>
    {
        Fault fault = make(plan);
        nint made = (nint)Interlocked.Increment(ref s_lastFault);
        s_faults[made] = fault;
        if (handle != null)
        {
            *handle = made;
        }

        return QStatus.Success;
    });

    private static QStatus Control(Func<FaultPlan, QStatus> body)
    {
        try
        {
            return DefaultMachine.Start(out QStatus failure) ? body(DefaultMachine.Platform!.Faults) : failure;
        }
        catch (Exception e)
        {
            SimulatedApi.LastError = e.Message;
            return e is ArgumentException ? QStatus.Inval : SimulatedFailure.StatusOf(e);
        }
    }

    private static Fault Find(nint fault) =>
        s_faults.TryGetValue(fault, out Fault? found) ? found
        : fault == 0 ? throw SimulatedFailure.Invalid("The fault is null.")
        : throw new SimulatedFailure(QStatus.BadFd, $"0x{fault:x} is not the handle of a fault: it was released or cleared, or never was one.");

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? throw SimulatedFailure.Invalid("The name of the function is null.");

    private static int? Occurrence(uint occurrence) =>
        occurrence == 0 ? null : occurrence <= int.MaxValue ? (int)occurrence : throw SimulatedFailure.Invalid($"Occurrences go to {int.MaxValue}; 0 means every one.");

    private static int Known(int device) => SimulatedMachine.FindCard(device) is not null ? device : throw new SimulatedFailure(QStatus.NoDev, SimulatedMachine.NoCard(device));
}
