using System.Runtime.ExceptionServices;

namespace Qaic.ML;

/// <summary>Rows that one inference scores, from filling its input buffers until they have been read.</summary>
/// <remarks>The owning cursor does everything, except that any thread may <see cref="Complete"/> a batch that runs.</remarks>
internal sealed class Batch
{
    // Empty ─Begin→ Filling ─Submit→ Running ─Complete→ Ready or Failed;  Recycle and Drop make any of them Empty.
    private readonly Lock _lock = new();
    private readonly SharedSession _shared;
    private readonly OutputColumn[] _outputs;
    private Inference _slot;
    private State _state;
    private ExceptionDispatchInfo? _failure;

    public Batch(SharedSession shared, OutputColumn[] outputs, int index, int capacity)
    {
        _shared = shared;
        _outputs = outputs;
        Index = index;
        Ids = new Microsoft.ML.Data.DataViewRowId[capacity];
        BatchNumbers = new long[capacity];
        Node = new LinkedListNode<Batch>(this);
        foreach (OutputColumn output in outputs)
        {
            output.Allocate(index);
        }
    }

    private enum State
    {
        Empty,
        Filling,
        Running,
        Ready,
        Failed,
    }

    /// <summary>Position among the cursor's batches; where buffered columns keep this one's rows.</summary>
    public int Index { get; }

    /// <summary>Rows in it.</summary>
    public int Rows { get; private set; }

    public Microsoft.ML.Data.DataViewRowId[] Ids { get; }

    public long[] BatchNumbers { get; }

    /// <summary>The place among the parked batches; <see cref="SharedSession"/>'s lock guards it.</summary>
    public LinkedListNode<Batch> Node { get; }

    /// <summary>The input buffer to fill.</summary>
    public Span<byte> Input(int index) => _slot.InputBytes(index);

    public void Begin(Inference slot)
    {
        _slot = slot;
        _state = State.Filling;
    }

    /// <summary>Hands the rows to the device.</summary>
    public void Submit(int rows)
    {
        Rows = rows;
        try
        {
            _slot.Submit();
        }
        catch
        {
            Drop();
            throw;
        }

        lock (_lock)
        {
            _state = State.Running;
        }

        _shared.Park(this);
    }

    /// <summary>Waits for the device, takes the outputs and gives the slot back. A failure is kept for <see cref="ThrowIfFailed"/>.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            if (_state != State.Running)
            {
                return;
            }

            try
            {
                _slot.Wait();
                foreach (OutputColumn output in _outputs)
                {
                    output.Drain(_slot, Index, Rows);
                }

                _state = State.Ready;
            }
            catch (Exception e)
            {
                // Whoever completes it may not be the one who reads it; the reader gets the exception.
                _failure = ExceptionDispatchInfo.Capture(e);
                _state = State.Failed;
            }

            _slot.Dispose();
        }

        _shared.Unpark(this);
    }

    public void ThrowIfFailed() => _failure?.Throw();

    /// <summary>Gives the slot back, whatever the state; waits for the device if it is at work.</summary>
    public void Drop()
    {
        lock (_lock)
        {
            if (_state is State.Filling or State.Running)
            {
                _slot.Dispose();
            }

            _state = State.Empty;
            _failure = null;
            Rows = 0;
        }

        _shared.Unpark(this);
    }
}
