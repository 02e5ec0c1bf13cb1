using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Qaic.Diagnostics;
using Qaic.Interop;
using Qaic.Qpc;

namespace Qaic.Runtime;

/// <summary>One activation: a network loaded on the device and active on cores of its own.</summary>
internal sealed unsafe class QaicProgram : IDisposable
{
    // Created ─Activate→ Active ─Dispose→ gone. A failed Activate leaves what Dispose undoes.
    private readonly QaicContext _context;
    private readonly ILogger _logger;
    private bool _loaded;
    private bool _active;

    /// <exception cref="QaicException">The library refused.</exception>
    public QaicProgram(QaicContext context, QaicQpc qpc, ILogger logger)
    {
        _context = context;
        _logger = logger;
        QaicApi api = context.Api;
        byte* properties = (byte*)NativeMemory.AllocZeroed(QaicApi.ProgramPropertiesCapacity);
        try
        {
            nint raw;
            api.ProgramPropertiesInitDefault(properties).ThrowIfFailed();
            using QaicHandle.Lease owner = context.Handle.Use();
            using QaicHandle.Lease container = qpc.Handle.Use();
            api.CreateProgram(owner.Raw, &raw, properties, context.Qid, null, container.Raw).ThrowIfFailed();
            Handle = new QaicHandle("program", raw, api.ReleaseProgram, qpc.Handle);
        }
        finally
        {
            NativeMemory.Free(properties);
        }
    }

    public QaicHandle Handle { get; }

    /// <summary>Loads the network and takes cores for it.</summary>
    /// <exception cref="QaicException">Not enough cores, channels or memory, or a device error.</exception>
    public void Activate()
    {
        using QaicHandle.Lease program = Handle.Use();
        _context.Api.LoadProgram(program.Raw).ThrowIfFailed();
        _loaded = true;
        _context.Api.RunActivationCmd(program.Raw, QAicActivationCmd.ActivateFull).ThrowIfFailed();
        _active = true;
    }

    /// <summary>The buffers that execution objects take.</summary>
    /// <exception cref="QaicException">The library refused.</exception>
    public IoDescriptor GetIoDescriptor()
    {
        QData data;
        using QaicHandle.Lease program = Handle.Use();
        _context.Api.ProgramGetIoDescriptor(program.Raw, &data).ThrowIfFailed();
        return IoDescriptor.Parse(new ReadOnlySpan<byte>(data.Data, checked((int)data.Size)));
    }

    /// <summary>Gives cores and memory back. A device that fails meanwhile is only worth a remark: there is nothing left to give back.</summary>
    public void Dispose()
    {
        if (Handle.IsClosed)
        {
            return;
        }

        // A program cannot be deactivated as long as an execution object of it is alive.
        QaicHandle.RetryRefused();
        using (QaicHandle.Lease program = Handle.Use())
        {
            if (_active)
            {
                Remark("qaicRunActivationCmd", _context.Api.RunActivationCmd(program.Raw, QAicActivationCmd.DeactivateFull));
                _active = false;
            }

            if (_loaded)
            {
                Remark("qaicUnloadProgram", _context.Api.UnloadProgram(program.Raw));
                _loaded = false;
            }
        }

        Handle.Dispose();
    }

    private void Remark(string function, QStatus status)
    {
        NativeLog.ForgetLastError();
        if (status != QStatus.Success)
        {
            Log.ReleaseFailed(_logger, function, (int)status, status);
        }
    }
}
