using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Qaic.Diagnostics;
using Qaic.Interop;

namespace Qaic.Runtime;

/// <summary>One inference that can be in flight: an execution object and its buffers, bound once.</summary>
/// <remarks>One owner at a time.</remarks>
internal sealed unsafe class QaicExecObj : IDisposable
{
    // One call of the library waits this long; then it is asked again. Neither 0 nor a huge value has a known meaning.
    private const uint WaitMicroseconds = 10_000_000;

    // The library's own limit is far below (time-out × retries of the program, about 30 s by default).
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(30);

    private static readonly TimeSpan s_reportEvery = TimeSpan.FromSeconds(10);

    // No unit of the time-out makes a wait shorter than this; and a thread that is delayed returns later, not earlier.
    private static readonly TimeSpan s_shortestWait = TimeSpan.FromMilliseconds(1);

    // So many time-outs in a row that came at once are no time-outs of a wait.
    private const int MaxEmptyWaits = 100;

    private readonly QaicContext _context;
    private readonly QaicQueue _queue;
    private readonly ILogger _logger;
    private readonly DeviceBuffers _buffers;

    // The shapes that the library was given last, if it was.
    private readonly ChosenShapes _told;
    private bool _isTold;
    private long _submitted;

    /// <exception cref="QaicException">The library refused.</exception>
    public QaicExecObj(QaicContext context, QaicProgram program, QaicQueue queue, DeviceBuffers buffers, ILogger logger)
    {
        _context = context;
        _queue = queue;
        _logger = logger;
        _buffers = buffers;
        _told = new ChosenShapes(buffers.Shapes.Selection);
        QaicApi api = context.Api;
        nint raw;
        using (QaicHandle.Lease owner = context.Handle.Use())
        using (QaicHandle.Lease activation = program.Handle.Use())
        {
            api.CreateExecObj(owner.Raw, &raw, null, activation.Raw, null, null, null).ThrowIfFailed();
        }

        Handle = new QaicHandle("execution object", raw, api.ReleaseExecObj, program.Handle, buffers);
        try
        {
            // Without an initial set, the library hears of the buffers when the owner has chosen one.
            if (buffers.Shapes.Set != ShapeSelection.None)
            {
                Tell();
            }
        }
        catch
        {
            Handle.Dispose();
            throw;
        }
    }

    public QaicHandle Handle { get; }

    /// <summary>When the buffers were last handed to the device, by <see cref="Stopwatch"/>.</summary>
    public long Submitted => _submitted;

    /// <summary>Hands the buffers to the device.</summary>
    /// <exception cref="QaicException">The device refused.</exception>
    public void Submit()
    {
        if (!_isTold || !_told.Equal(_buffers.Shapes))
        {
            Tell();
        }

        using QaicHandle.Lease queue = _queue.Handle.Use();
        using QaicHandle.Lease exec = Handle.Use();
        _submitted = Stopwatch.GetTimestamp();
        _context.Api.EnqueueExecObj(queue.Raw, exec.Raw, 0).ThrowIfFailed();
    }

    /// <summary>Waits for the device to finish what was submitted.</summary>
    /// <exception cref="QaicException">The inference failed, or the device did not answer.</exception>
    public void Wait()
    {
        using QaicHandle.Lease exec = Handle.Use();
        TimeSpan reported = TimeSpan.Zero;
        int emptyWaits = 0;
        for (; ; )
        {
            long asked = Stopwatch.GetTimestamp();
            QStatus status = _context.Api.ExecObjWaitForCompletion(exec.Raw, WaitMicroseconds);
            if (status == QStatus.Success)
            {
                NativeLog.ForgetLastError();
                return;
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(_submitted);
            emptyWaits = Stopwatch.GetElapsedTime(asked) < s_shortestWait ? emptyWaits + 1 : 0;
            if (status != QStatus.TimedOut || elapsed > s_limit || emptyWaits == MaxEmptyWaits)
            {
                // Also an inference that has ended with this status, which is then what every further wait returns.
                status.ThrowIfFailed("qaicExecObjWaitForCompletion");
            }

            // By the clock, not by the call: a library that takes the time-out in another unit returns far more often.
            if (elapsed - reported >= s_reportEvery)
            {
                reported = elapsed;
                Log.StillRunning(_logger, _context.Qid, elapsed);
            }
        }
    }

    public void Dispose() => Handle.Dispose();

    // Gives the library the buffers in their present shapes.
    private void Tell()
    {
        QaicApi api = _context.Api;
        ShapeSelection selection = _buffers.Shapes.Selection;
        if (selection.Allowed.Count > 1 && api.ExecObjSetDataExt is null)
        {
            throw new QaicException(
                QaicError.NotSupported,
                $"The network takes {selection.Allowed.Count} sets of shapes, but this library has no qaicExecObjSetDataExt to choose one. Install SDK 1.12 or later, or compile the network for fixed shapes.");
        }

        _isTold = false;
        Span<QBuffer> buffers = stackalloc QBuffer[_buffers.Bindings.Count];
        _buffers.Describe(buffers);
        using QaicHandle.Lease exec = Handle.Use();
        fixed (QBuffer* first = buffers)
        {
            if (selection.IsFixed || api.ExecObjSetDataExt is null)
            {
                api.ExecObjSetData(exec.Raw, (nuint)buffers.Length, first).ThrowIfFailed();
            }
            else
            {
                Span<QBufferDimensions> dimensions = stackalloc QBufferDimensions[buffers.Length];
                _buffers.DescribeDimensions(dimensions);
                fixed (QBufferDimensions* firstDimensions = dimensions)
                {
                    api.ExecObjSetDataExt(exec.Raw, (nuint)buffers.Length, first, firstDimensions).ThrowIfFailed();
                }
            }
        }

        _told.CopyFrom(_buffers.Shapes);
        _isTold = true;
    }
}
