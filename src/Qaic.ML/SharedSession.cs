namespace Qaic.ML;

/// <summary>One session under all transformers of an estimator, and the order in which their cursors share its slots.</summary>
/// <remarks>
/// Thread-safe. The device's resources go back with the last transformer; the compiled program stays for the next fit.
/// A cursor that is not being read keeps batches in flight, and so keeps slots that another reader may be waiting for, on the same thread even. So a
/// submitted batch is parked here: whoever finds no slot completes parked batches, the oldest first, until one is free, and else waits its turn.
/// </remarks>
internal sealed class SharedSession
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Batch> _parked = [];
    private readonly TemporaryFile? _program;
    private readonly bool _reusable;
    private readonly (long Length, DateTime Written) _fingerprint;
    private int _references;
    private int _waiting;

    /// <param name="session">The session; owned.</param>
    /// <param name="program">The file behind the session's program, if it is ours; owned.</param>
    /// <param name="reusable">Whether transformers may come after the last one has gone.</param>
    public SharedSession(Session session, TemporaryFile? program, bool reusable)
    {
        Session = session;
        _program = program;
        _reusable = reusable;
        _fingerprint = Fingerprint();
    }

    public Session Session { get; }

    /// <summary>Whether somebody waits for a slot, so that nobody should keep one longer than needed.</summary>
    public bool IsWanted => Volatile.Read(ref _waiting) > 0;

    public void AddReference()
    {
        lock (_lock)
        {
            _references++;
        }
    }

    public void Release()
    {
        lock (_lock)
        {
            if (--_references > 0)
            {
                return;
            }

            if (_reusable)
            {
                Session.Reset();
                return;
            }
        }

        Session.Dispose();
        _program?.Dispose();
    }

    /// <summary>Takes a slot if one is free at once.</summary>
    public bool TryAcquire(out Inference slot) => Session.TryRent(out slot) && Referenced(slot);

    /// <summary>Takes a slot, and waits for one if need be. The caller must hold none.</summary>
    public Inference Acquire()
    {
        if (!Session.TryRent(out Inference slot))
        {
            // Announced before looking: a batch that is parked meanwhile sees the announcement, or we see the batch.
            Interlocked.Increment(ref _waiting);
            try
            {
                bool rented = false;
                while (!rented && CompleteOldest())
                {
                    rented = Session.TryRent(out slot);
                }

                slot = rented ? slot : Session.Rent();
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }

        Referenced(slot);
        return slot;
    }

    /// <summary>Notes a batch that the device works on and whose reader is elsewhere.</summary>
    public void Park(Batch batch)
    {
        lock (_lock)
        {
            _parked.AddLast(batch.Node);
        }
    }

    /// <summary>Forgets a batch that has given its slot back.</summary>
    public void Unpark(Batch batch)
    {
        lock (_lock)
        {
            batch.Node.List?.Remove(batch.Node);
        }
    }

    /// <summary>Opens the program for reading from its start.</summary>
    /// <exception cref="IOException">The file is not the one that the session was made from.</exception>
    public FileStream OpenProgram()
    {
        if (Fingerprint() != _fingerprint)
        {
            throw new IOException($"The QPC '{Session.QpcPath}' has changed since the model was fitted, so it cannot be saved; fit again.");
        }

        return Open();
    }

    // Of a file that belongs to somebody else, who may have written another program there.
    private (long Length, DateTime Written) Fingerprint()
    {
        if (_program is not null)
        {
            return default;
        }

        using FileStream file = Open();
        return (file.Length, File.GetLastWriteTimeUtc(file.SafeFileHandle));
    }

    private FileStream Open() => new(Session.QpcPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);

    private bool CompleteOldest()
    {
        Batch? oldest;
        lock (_lock)
        {
            oldest = _parked.First?.Value;
        }

        oldest?.Complete();
        return oldest is not null;
    }

    // A slot that was rented after the last reference had gone has set the session up again; undo that.
    private bool Referenced(Inference slot)
    {
        lock (_lock)
        {
            if (_references > 0)
            {
                return true;
            }

            slot.Dispose();
            Session.Reset();
        }

        throw new ObjectDisposedException(nameof(QaicTransformer));
    }
}
