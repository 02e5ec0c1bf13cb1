using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>An event: completed by the inference that it was enqueued with, whatever its result. Then whoever waits for it goes on, and its callbacks are called.</summary>
/// <remarks>
/// <para>Idle ─enqueue→ in flight ─completion→ complete ─Clear→ idle. One inference at a time: an event that is complete has to be cleared before it is enqueued again, so that nobody takes an old result for a new one.</para>
/// <para>Every callback is called once per completion, on a thread of its context's, under no lock; those of one event one at a time. One that is added to a complete event is called at once.
/// Removing a callback, and releasing the event, wait for the calls that are due, so that afterwards nobody uses what they point to. Called from a callback they wait for none, its own included, as two that wait for each other would never end.</para>
/// <para>An event in flight cannot be released.</para>
/// </remarks>
internal sealed unsafe class SimulatedEvent : SimulatedObject
{
    [ThreadStatic]
    private static bool s_isCallback;

    private readonly object _sync = new();
    private readonly QAicEventCompletionType _type;
    private readonly List<Callback> _callbacks = [];
    private readonly Queue<Callback> _due = new();

    // Null when idle. What a waiter has seen stays its own when the event is cleared meanwhile.
    private Completion? _completion;
    private Callback _calling;
    private bool _isCalling;

    /// <summary>Makes an idle event.</summary>
    /// <param name="context">The context whose inferences complete it.</param>
    /// <param name="type">
    /// Handed on to the callbacks. Any number: there is one type by name, DEVICE_COMPLETE, and its number is not public, so a client that was compiled with the vendor's header may pass any.
    /// </param>
    public SimulatedEvent(SimulatedContext context, QAicEventCompletionType type)
        : base(ObjectKind.Event, context.Machine, context)
    {
        Context = context;
        _type = type;
    }

    public SimulatedContext Context { get; }

    /// <summary>Whether the calling thread is inside a callback of an event.</summary>
    public static bool IsOnCallback => s_isCallback;

    /// <summary>The most threads on which the events of a context call back.</summary>
    public static int MaxThreads => SimulatedQueue.DefaultThreads;

    /// <summary>An inference is enqueued that will complete it.</summary>
    /// <param name="activation">What runs it.</param>
    /// <exception cref="SimulatedFailure">It is in flight or complete (Inval), or released (BadFd).</exception>
    public void Begin(Activation activation)
    {
        lock (_sync)
        {
            if (_completion is not null)
            {
                throw SimulatedFailure.Invalid(_completion.IsDone
                    ? "The event is complete. Clear it with qaicEventClear before it is enqueued again."
                    : "The event is in flight with another inference; one inference at a time completes an event.");
            }

            // Until it completes it is like a parent: it cannot be released.
            Adopt();
            _completion = new Completion(activation);
        }
    }

    /// <summary>Completes it: at one moment for those who wait for the event and those who wait for the execution object.</summary>
    /// <param name="failure">Why the inference failed; null if it did not.</param>
    /// <param name="execution">What is set for the execution object's waiters.</param>
    public void Complete(SimulatedFailure? failure, ManualResetEventSlim execution)
    {
        lock (_sync)
        {
            _completion!.IsDone = true;
            _completion.Failure = failure;
            _callbacks.ForEach(_due.Enqueue);
            Disown();
            execution.Set();
            Monitor.PulseAll(_sync);
            CallWhatIsDue();
        }
    }

    /// <summary>Makes a complete event idle. Calls that are due are still made.</summary>
    /// <exception cref="SimulatedFailure">It is in flight (Inval).</exception>
    public void Clear()
    {
        lock (_sync)
        {
            if (_completion is { IsDone: false })
            {
                throw SimulatedFailure.Invalid("The event is in flight and cannot be cleared. Wait for it first.");
            }

            _completion = null;
        }
    }

    /// <summary>Waits for the inference.</summary>
    /// <exception cref="SimulatedFailure">The inference failed; or none was enqueued with the event since it was made or cleared (Inval), so that a wait might never end.</exception>
    public void Wait()
    {
        Completion? completion;
        lock (_sync)
        {
            completion = _completion ?? throw SimulatedFailure.Invalid("There is nothing to wait for: no inference was enqueued with the event since it was made or cleared.");
            while (!completion.IsDone)
            {
                completion.Activation.ThrowIfToldHere();
                Monitor.Wait(_sync);
            }
        }

        if (completion.Failure is { } failure)
        {
            throw new SimulatedFailure(failure.Status, failure.Message, failure);
        }
    }

    /// <summary>Adds a callback. The same function may be there more than once.</summary>
    public void Add(delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> function, nint user)
    {
        lock (_sync)
        {
            Callback callback = new((nint)function, user);
            _callbacks.Add(callback);
            if (_completion is { IsDone: true })
            {
                _due.Enqueue(callback);
                CallWhatIsDue();
            }
        }
    }

    /// <summary>Removes every callback with this function.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Remove(delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void> function)
    {
        lock (_sync)
        {
            int removed = _callbacks.RemoveAll(c => c.Function == (nint)function);
            while (!s_isCallback && (_calling.Function == (nint)function || _due.Any(c => c.Function == (nint)function)))
            {
                Monitor.Wait(_sync);
            }

            return removed > 0;
        }
    }

    /// <summary>Makes the calls that are due, on the calling thread.</summary>
    public void CallBack()
    {
        while (true)
        {
            lock (_sync)
            {
                _isCalling = _due.TryDequeue(out _calling);
                Monitor.PulseAll(_sync);
                if (!_isCalling)
                {
                    return;
                }
            }

            s_isCallback = true;
            ((delegate* unmanaged[Cdecl]<nint, QAicEventCompletionType, nint, void>)_calling.Function)(Handle, _type, _calling.User);
            s_isCallback = false;
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        lock (_sync)
        {
            _callbacks.Clear();
            while (_isCalling && !s_isCallback)
            {
                Monitor.Wait(_sync);
            }
        }

        Context.Disown();
    }

    /// <inheritdoc/>
    protected override string WhyAlive(int children) => "the inference that completes it is in flight. Wait for it, or release its execution object first.";

    // The caller holds the lock. Never on its thread: that may be the card's, a timer's, or one that is inside another function of the table.
    private void CallWhatIsDue()
    {
        if (!_isCalling && _due.Count > 0)
        {
            _isCalling = true;
            Context.Callbacks.Schedule(this);
        }
    }

    private readonly record struct Callback(nint Function, nint User);

    private sealed class Completion(Activation activation)
    {
        public Activation Activation => activation;

        public bool IsDone { get; set; }

        public SimulatedFailure? Failure { get; set; }
    }
}
