using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;

namespace Qaic.Simulation;

// Events: what an inference completes.
internal static unsafe partial class SimulatedApi
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateEvent(nint context, nint* made, QAicEventCompletionType type)
    {
        if (!Find(context, out SimulatedContext? owner, out QStatus status))
        {
            return status;
        }

        try
        {
            RequireOut(made, "event");
            owner.Machine.Enter(ApiFunction.CreateEvent);
            *made = PublishChild(owner, null, () => new SimulatedEvent(owner, type), null);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(owner, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseEvent(nint completion) => Release<SimulatedEvent>(completion, ApiFunction.ReleaseEvent);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventClear(nint completion) => Call<SimulatedEvent>(completion, ApiFunction.EventClear, static e => e.Clear());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventAddCallback(nint completion, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> callback, nint user)
    {
        if (!Find(completion, out SimulatedEvent? target, out QStatus status))
        {
            return status;
        }

        try
        {
            Require(callback != null, "The callback is a null pointer.");
            target.Context.Machine.Enter(ApiFunction.EventAddCallback);
            using SimulatedObject.Call call = target.Use();
            target.Add(callback, user);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EventRemoveCallback(nint completion, delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> callback)
    {
        if (!Find(completion, out SimulatedEvent? target, out QStatus status))
        {
            return status;
        }

        try
        {
            Require(callback != null, "The callback is a null pointer.");
            target.Context.Machine.Enter(ApiFunction.EventRemoveCallback);
            if (target.Remove(callback))
            {
                return QStatus.Success;
            }

            // Nothing to shout about: clients remove before they add, to be sure that it is there once.
            s_lastError = "The event has no such callback.";
            target.Context.Write(QLogLevel.Info, s_lastError);
            return QStatus.Inval;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus WaitforEvent(nint completion) =>

        // What a waiter has seen is its own: a callback may release the event before everybody who waited has returned.
        Call<SimulatedEvent>(completion, ApiFunction.WaitforEvent, static e => e.Wait(), isHeld: false);
}
