using System.Runtime.ExceptionServices;

namespace Qaic.ML;

/// <summary>Rows that one inference scores, from its submission until they have been read.</summary>
/// <remarks>The owning cursor does everything, except that any thread may <see cref="Complete"/> a batch that runs.</remarks>
internal sealed class Batch
{
    // Empty ─TrySubmit→ Running ─Complete→ Ready or Failed;  Drop makes any of them Empty.
    // Parked and unparked under the lock, so that a batch is parked exactly while it runs.
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

    /// <summary>Copies the rows into a slot and hands it to the device.</summary>
    /// <param name="slot">The slot; the batch's from now on, or given back.</param>
    /// <param name="inputs">Whole input buffers, in the order of the inputs.</param>
    /// <param name="rows">Rows in them.</param>
    /// <returns>False if the session has given the slot's device resources up meanwhile: try another.</returns>
    public bool TrySubmit(Inference slot, byte[][] inputs, int rows)
    {
        bool submitted = false;
        try
        {
            for (int i = 0; i < inputs.Length; i++)
            {
                inputs[i].CopyTo(slot.InputBytes(i));
            }

            lock (_lock)
            {
                submitted = slot.TrySubmit();
                if (submitted)
                {
                    _slot = slot;
                    _state = State.Running;
                    Rows = rows;
                    _shared.Park(this);
                }
            }

            return submitted;
        }
        finally
        {
            if (!submitted)
            {
                slot.Dispose();
            }
        }
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
            _shared.Unpark(this);
        }
    }

    public void ThrowIfFailed() => _failure?.Throw();

    /// <summary>Gives the slot back, whatever the state; waits for the device if it is at work.</summary>
    public void Drop()
    {
        lock (_lock)
        {
            if (_state == State.Running)
            {
                _slot.Dispose();
                _shared.Unpark(this);
            }

            _state = State.Empty;
            _failure = null;
            Rows = 0;
        }
    }
}
