using Qaic.Diagnostics;

namespace Qaic.Runtime;

/// <summary>A place in the queue for a slot of a <see cref="SlotPool"/>.</summary>
internal sealed class SlotRequest
{
    private readonly SlotPool _pool;
    private readonly TaskCompletionSource<Inference> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SlotRequest(SlotPool pool, long requested)
    {
        _pool = pool;
        Requested = requested;
        Node = new LinkedListNode<SlotRequest>(this);
    }

    /// <summary>The place itself; the pool's lock guards it.</summary>
    public LinkedListNode<SlotRequest> Node { get; }

    /// <summary>When it was asked for; 0 if nobody wants to know.</summary>
    public long Requested { get; }

    /// <summary>Gives a slot, or the default to say: the pool has closed, ask again.</summary>
    public void Answer(Inference inference) => _answer.SetResult(inference);

    /// <summary>Waits for the answer on this thread.</summary>
    /// <exception cref="OperationCanceledException">Cancelled before a slot was free.</exception>
    public Inference Wait(CancellationToken cancellationToken)
    {
        bool isCounted = Telemetry.SlotWaitStarted(_pool.Tags);
        try
        {
            _answer.Task.Wait(cancellationToken);
        }
        catch (OperationCanceledException) when (_pool.Cancel(this))
        {
            throw;
        }
        catch (OperationCanceledException)
        {
            // The slot came at the same moment; give it on.
            _answer.Task.GetAwaiter().GetResult().Dispose();
            throw;
        }
        finally
        {
            Telemetry.SlotWaitEnded(isCounted, _pool.Tags);
        }

        return _answer.Task.Result;
    }

    /// <summary>Waits for the answer without a thread.</summary>
    /// <exception cref="OperationCanceledException">Cancelled before a slot was free.</exception>
    public async ValueTask<Inference> WaitAsync(CancellationToken cancellationToken)
    {
        bool isCounted = Telemetry.SlotWaitStarted(_pool.Tags);
        try
        {
            return await _answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_pool.Cancel(this))
        {
            throw;
        }
        catch (OperationCanceledException)
        {
            (await _answer.Task.ConfigureAwait(false)).Dispose();
            throw;
        }
        finally
        {
            Telemetry.SlotWaitEnded(isCounted, _pool.Tags);
        }
    }
}
