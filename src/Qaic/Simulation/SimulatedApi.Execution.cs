using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Simulation;

internal static unsafe partial class SimulatedApi
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateQueue(nint context, nint* queue, QAicQueueProperties* properties, int device)
    {
        if (!Find(context, out SimulatedContext? owner, out QStatus status))
        {
            return status;
        }

        try
        {
            RequireOut(queue, nameof(queue));
            owner.Machine.Enter(ApiFunction.CreateQueue);
            SimulatedCard card = owner.Card(device);
            QAicQueueProperties given = properties == null ? new QAicQueueProperties { Properties = 1 } : *properties;
            *queue = PublishChild(owner, null, () => new SimulatedQueue(owner, card, given), null);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(owner, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseQueue(nint queue) => Release<SimulatedQueue>(queue, ApiFunction.ReleaseQueue);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus CreateExecObj(nint context, nint* exec, uint* properties, nint program, QData* descriptor, uint* numBuffers, QBuffer** buffers)
    {
        if (!Find(context, out SimulatedContext? owner, out QStatus status))
        {
            return status;
        }

        try
        {
            RequireOut(exec, nameof(exec));
            if (!Handles.TryGet(program, out SimulatedProgram? parent, out status))
            {
                throw new SimulatedFailure(status, HandleTable.Describe<SimulatedProgram>(program));
            }

            owner.Machine.Enter(ApiFunction.CreateExecObj);
            Require(parent.Context == owner, "The program belongs to another context.");

            // Loading and activating automatically is the vendor's default.
            var given = properties == null ? QAicExecObjProperties.AutoLoadActivate : (QAicExecObjProperties)(*properties);
            SimulatedExecObj made = parent.CreateExecObj(given, SelectedSet(descriptor));
            *exec = Publish(made);

            // None, unless they are zero-copy buffers.
            if (numBuffers != null)
            {
                *numBuffers = (uint)made.IoBufferCount;
            }

            if (buffers != null)
            {
                *buffers = made.IoBuffers;
            }

            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(owner, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ReleaseExecObj(nint exec) => Release<SimulatedExecObj>(exec, ApiFunction.ReleaseExecObj);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjSetData(nint exec, nuint count, QBuffer* buffers) => SetData(exec, (uint)count, buffers, null, ApiFunction.ExecObjSetData);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjSetDataExt(nint exec, nuint count, QBuffer* buffers, QBufferDimensions* dimensions) =>
        SetData(exec, (uint)count, buffers, dimensions, ApiFunction.ExecObjSetDataExt);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus EnqueueExecObj(nint queue, nint exec, nint completion)
    {
        if (!Find(exec, out SimulatedExecObj? target, out QStatus status))
        {
            return status;
        }

        try
        {
            if (!Handles.TryGet(queue, out SimulatedQueue? onto, out status))
            {
                throw new SimulatedFailure(status, HandleTable.Describe<SimulatedQueue>(queue));
            }

            SimulatedEvent? completed = null;
            if (completion != 0 && !Handles.TryGet(completion, out completed, out status))
            {
                throw new SimulatedFailure(status, HandleTable.Describe<SimulatedEvent>(completion));
            }

            target.Program.Context.Machine.Enter(ApiFunction.EnqueueExecObj);
            Require(completed is null || completed.Context == target.Program.Context, "The event belongs to another context.");
            target.Program.Enqueue(onto, target, completed);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static QStatus ExecObjWaitForCompletion(nint exec, nuint timeout)
    {
        if (!Find(exec, out SimulatedExecObj? target, out QStatus status))
        {
            return status;
        }

        try
        {
            target.Program.Context.Machine.Enter(ApiFunction.ExecObjWaitForCompletion);
            if (target.Wait(timeout))
            {
                return QStatus.Success;
            }

            // Not an error: the inference goes on, and callers wait in slices.
            s_lastError = "The inference is not complete yet.";
            target.Program.Context.Write(QLogLevel.Info, s_lastError);
            return QStatus.TimedOut;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    private static QStatus SetData(nint exec, uint count, QBuffer* buffers, QBufferDimensions* dimensions, ApiFunction function)
    {
        if (!Find(exec, out SimulatedExecObj? target, out QStatus status))
        {
            return status;
        }

        try
        {
            Require(buffers != null, "The buffers are a null pointer.");
            Require(count <= int.MaxValue, "There are too many buffers.");
            Require(function == ApiFunction.ExecObjSetData || dimensions != null, "The dimensions are a null pointer.");
            target.Program.Context.Machine.Enter(function);
            target.Program.Card.ThrowIfLost();
            ReadOnlySpan<QBufferDimensions> dims = function == ApiFunction.ExecObjSetDataExt ? new(dimensions, (int)count) : default;
            target.Activation.SetData(target, new ReadOnlySpan<QBuffer>(buffers, (int)count), dims);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    private static IoSet? SelectedSet(QData* descriptor)
    {
        if (descriptor == null)
        {
            return null;
        }

        Require(descriptor->Data != null && descriptor->Size <= int.MaxValue, "The I/O descriptor is a null pointer or too large.");
        return IoDescriptor.Parse(new ReadOnlySpan<byte>(descriptor->Data, (int)descriptor->Size)).SelectedSet;
    }

    private static bool Find<T>(nint handle, [NotNullWhen(true)] out T? target, out QStatus status) where T : SimulatedObject
    {
        if (Handles.TryGet(handle, out target, out status))
        {
            return true;
        }

        Fail(null, new SimulatedFailure(status, HandleTable.Describe<T>(handle)));
        return false;
    }

    // A call that races a release works on the object or does nothing, and never on what is left of one.
    private static QStatus Call<T>(nint handle, ApiFunction function, Action<T> body, bool isHeld = true) where T : SimulatedObject
    {
        if (!Find(handle, out T? target, out QStatus status))
        {
            return status;
        }

        try
        {
            if (target.Home is { } machine)
            {
                machine.Enter(function);
            }
            else
            {
                SimulatedMachine.EnterAll(function);
            }

            if (!isHeld)
            {
                body(target);
                return QStatus.Success;
            }

            using SimulatedObject.Call call = target.Use();
            body(target);
            return QStatus.Success;
        }
        catch (Exception e)
        {
            return Fail(target, e);
        }
    }

    private static QStatus Release<T>(nint handle, ApiFunction function) where T : SimulatedObject =>
        Call<T>(handle, function, static target => target.Release(Handles), isHeld: false);

    private static nint Publish(SimulatedObject made)
    {
        nint handle = Handles.Add(made);
        made.Home?.ObjectMade();
        return handle;
    }

    // Parents learn of the child before it is made, so that none of them can be released meanwhile.
    private static nint PublishChild<T>(SimulatedObject parent, SimulatedObject? other, Func<T> make, Action<T>? made) where T : SimulatedObject
    {
        parent.Adopt();
        try
        {
            other?.Adopt();
            try
            {
                T child = make();
                made?.Invoke(child);
                return Publish(child);
            }
            catch
            {
                other?.Disown();
                throw;
            }
        }
        catch
        {
            parent.Disown();
            throw;
        }
    }

    private static void RequireOut(nint* handle, string name)
    {
        Require(handle != null, $"The out-pointer {name} is null.");
        *handle = 0;
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw SimulatedFailure.Invalid(message);
        }
    }

    // The last line of defence: also what goes wrong while an error is told stays inside.
    private static QStatus Fail(SimulatedObject? target, Exception exception)
    {
        try
        {
            s_lastError = exception.Message;
            if (target?.LogContext is { } context)
            {
                context.Write(QLogLevel.Error, exception.Message);
            }
            else
            {
                foreach (SimulatedContext any in Handles.Live<SimulatedContext>())
                {
                    any.Write(QLogLevel.Error, exception.Message);
                }
            }

            return SimulatedFailure.StatusOf(exception);
        }
        catch (Exception)
        {
            return QStatus.Error;
        }
    }

    private static QStatus Guarded(Exception exception, delegate* unmanaged[Cdecl]<QLogLevel, byte*, nint, void> log, nint user)
    {
        try
        {
            s_lastError = exception.Message;
            SimulatedContext.Write(log, user, QLogLevel.Error, exception.Message);
            return SimulatedFailure.StatusOf(exception);
        }
        catch (Exception)
        {
            return QStatus.Error;
        }
    }
}
