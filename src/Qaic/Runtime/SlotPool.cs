using Microsoft.Extensions.Logging;
using Qaic.Diagnostics;

namespace Qaic.Runtime;

/// <summary>The slots of one network on all its devices: leased first in first out, each from the device that has the most free.</summary>
/// <remarks>
/// <para>Thread-safe. Of several devices, one that fails leaves the pool; what it had in flight runs again elsewhere, and it is loaded again in the background, at once the first time,
/// later in growing intervals. When the last one fails, the pool has failed and its owner makes a new one.</para>
/// <para><see cref="Dispose"/> waits for what the devices still own and tears down in the one order that the library allows.</para>
/// </remarks>
internal sealed class SlotPool : IDisposable
{
    // Before the first, second … attempt to bring a device back since it has last completed anything. A card that resets needs some seconds.
    private static readonly TimeSpan[] s_pauses = [TimeSpan.Zero, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15), TimeSpan.FromMinutes(1)];

    // Guards everything below, and the free slots of every set.
    private readonly Lock _lock = new();
    private readonly LinkedList<SlotRequest> _waiting = [];
    private readonly List<InferenceSet> _healthy = [];

    // Sets that have failed and that no recovery releases.
    private readonly List<InferenceSet> _retired = [];
    private readonly List<Task> _recoveries = [];

    // Of devices that are away: why, and how often they have failed without having completed anything in between.
    private readonly SortedDictionary<int, (string Reason, int Setbacks)> _away = [];
    private readonly CancellationTokenSource _ended = new();
    private readonly Func<SlotPool, int, InferenceSet> _activate;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private bool _closed;
    private volatile bool _hasFailed;

    /// <param name="devices">Ids of the devices, each once.</param>
    /// <param name="activate">Loads and activates the network on a device. Called on other threads too.</param>
    /// <param name="mayLack">Whether devices may be missing, as long as one is there.</param>
    /// <param name="tags">For counting those that wait.</param>
    /// <param name="clock">For the time between attempts to bring a device back.</param>
    /// <param name="logger">Receives word of devices that come and go.</param>
    /// <exception cref="QaicException">A device is missing, busy, or has not enough cores or memory; nothing stays behind.</exception>
    public SlotPool(IReadOnlyList<int> devices, Func<SlotPool, int, InferenceSet> activate, bool mayLack, TelemetryTags tags, TimeProvider clock, ILogger logger)
    {
        HasSeveralDevices = devices.Count > 1;
        Tags = tags;
        _activate = activate;
        _clock = clock;
        _logger = logger;
        QaicException? missing = null;
        foreach (int device in devices)
        {
            try
            {
                InferenceSet set = activate(this, device);
                lock (_lock)
                {
                    _healthy.Add(set);
                }
            }
            catch (QaicException e) when (mayLack && HasSeveralDevices)
            {
                missing ??= e;
                _away[device] = (e.Message, 1);
                Log.DeviceStaysAway(logger, device, s_pauses[1], e);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        if (_healthy.Count == 0)
        {
            Dispose();
            throw new QaicException(missing!.Error, $"All devices of the session are lost: {DescribeAway()}", missing.HResult, missing);
        }

        lock (_lock)
        {
            _recoveries.AddRange(_away.Keys.Select(device => Task.Run(() => BringBack(device))));
        }
    }

    /// <summary>Whether the last device has failed.</summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Whether there was more than one device to begin with.</summary>
    public bool HasSeveralDevices { get; }

    /// <summary>For telemetry.</summary>
    public TelemetryTags Tags { get; }

    /// <summary>Whether there are several devices and one is in use.</summary>
    public bool HasAnother
    {
        get
        {
            lock (_lock)
            {
                return HasSeveralDevices && _healthy.Count > 0;
            }
        }
    }

    /// <summary>Takes a slot if one is free.</summary>
    /// <param name="requested">When it was asked for, if that is to be recorded.</param>
    /// <param name="inference">The slot.</param>
    public bool TryRent(long requested, out Inference inference)
    {
        lock (_lock)
        {
            return TryTake(requested, out inference);
        }
    }

    /// <summary>Takes a slot, or queues for one.</summary>
    /// <param name="requested">When it was asked for, if that is to be recorded.</param>
    /// <param name="inference">The slot, if one was free.</param>
    /// <param name="request">Null if <paramref name="inference"/> is a slot; else what to wait for.</param>
    /// <returns>False if the pool was closed or has failed: use another.</returns>
    public bool Rent(long requested, out Inference inference, out SlotRequest? request)
    {
        lock (_lock)
        {
            request = null;
            if (_closed || _hasFailed)
            {
                inference = default;
                return false;
            }

            if (!TryTake(requested, out inference))
            {
                request = new SlotRequest(this, requested);
                _waiting.AddLast(request.Node);
            }

            return true;
        }
    }

    /// <summary>Takes a request out of the queue.</summary>
    /// <returns>False if it was answered meanwhile.</returns>
    public bool Cancel(SlotRequest request)
    {
        lock (_lock)
        {
            if (request.Node.List is null)
            {
                return false;
            }

            _waiting.Remove(request.Node);
            return true;
        }
    }

    /// <summary>Takes a slot back, and hands it to whoever has waited longest.</summary>
    public void Return(InferenceSet set, InferenceSlot slot)
    {
        SlotRequest? next;
        Inference inference = default;
        lock (_lock)
        {
            next = set.Failure is null ? TakeOldestRequest() : null;
            if (next is null)
            {
                set.Free.Enqueue(slot);
            }
            else
            {
                inference = new Inference(slot, slot.Rent(next.Requested));
            }
        }

        next?.Answer(inference);
    }

    /// <summary>Stops leasing from a device that has failed.</summary>
    public void Leave(InferenceSet set)
    {
        lock (_lock)
        {
            if (!_healthy.Remove(set))
            {
                return;
            }

            int setbacks = set.Completed == 0 && _away.TryGetValue(set.DeviceId, out (string Reason, int Setbacks) before) ? before.Setbacks + 1 : 0;
            _away[set.DeviceId] = (set.Failure!.Message, setbacks);
            _hasFailed |= _healthy.Count == 0;
            if (HasSeveralDevices && !_closed)
            {
                _recoveries.RemoveAll(static task => task.IsCompleted);
                _recoveries.Add(Task.Run(() => Recover(set)));
            }
            else
            {
                _retired.Add(set);
            }
        }

        if (_hasFailed)
        {
            // Waiters come back when the network has been loaded again.
            _ = _ended.CancelAsync();
            SendAway();
        }
    }

    /// <summary>A device, other than the failed one, on which an inference can run again. It stays until <see cref="InferenceSet.EndVisit"/>.</summary>
    /// <returns>Null if there is none.</returns>
    public InferenceSet? Visit(InferenceSet failed)
    {
        lock (_lock)
        {
            return _healthy.Where(set => set != failed).OrderByDescending(set => set.Free.Count).FirstOrDefault(set => set.TryBeginVisit());
        }
    }

    /// <summary>The devices that are away, with the reason of each; for messages.</summary>
    public string DescribeAway()
    {
        lock (_lock)
        {
            return string.Join("; ", _away.Select(p => $"device {p.Key}: {p.Value.Reason.TrimEnd('.')}"));
        }
    }

    /// <summary>Stops leasing, waits for the devices, and gives everything back.</summary>
    public void Dispose()
    {
        Task[] recoveries;
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
            recoveries = [.. _recoveries];
        }

        _ended.Cancel();
        SendAway();

        // A recovery throws nothing, and brings no device back into a closed pool.
        Task.WaitAll(recoveries);
        InferenceSet[] sets;
        lock (_lock)
        {
            sets = [.. _healthy, .. _retired];
        }

        // While inferences end, all devices are up: what fails on one may run again on another.
        Array.ForEach(sets, set => set.Drain());
        Array.ForEach(sets, set => set.Dispose());
        _ended.Dispose();
    }

    // The caller holds the lock.
    private bool TryTake(long requested, out Inference inference)
    {
        InferenceSet? best = null;
        if (!_closed)
        {
            foreach (InferenceSet set in _healthy)
            {
                if (set.Free.Count > (best?.Free.Count ?? 0))
                {
                    best = set;
                }
            }
        }

        if (best is null)
        {
            inference = default;
            return false;
        }

        InferenceSlot slot = best.Free.Dequeue();
        inference = new Inference(slot, slot.Rent(requested));
        return true;
    }

    // The caller holds the lock.
    private SlotRequest? TakeOldestRequest()
    {
        if (_closed || _hasFailed || _waiting.First is not { } first)
        {
            return null;
        }

        _waiting.RemoveFirst();
        return first.Value;
    }

    // With no lock held: it waits for a device that has failed, and talks to loggers.
    private async Task Recover(InferenceSet failed)
    {
        failed.Dispose();
        Telemetry.DeviceLost(failed.Tags);
        Log.DeviceLost(_logger, failed.DeviceId, failed.Retried, failed.Failure!);
        await BringBack(failed.DeviceId).ConfigureAwait(false);
    }

    private async Task BringBack(int device)
    {
        for (; ; )
        {
            int setbacks;
            lock (_lock)
            {
                setbacks = _away[device].Setbacks;
            }

            await Task.Delay(s_pauses[Math.Min(setbacks, s_pauses.Length - 1)], _clock, _ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            lock (_lock)
            {
                if (_closed || _hasFailed)
                {
                    return;
                }
            }

            InferenceSet set;
            try
            {
                set = _activate(this, device);
            }
            catch (Exception e)
            {
                // Also a QPC that is gone meanwhile: the others go on without this device.
                lock (_lock)
                {
                    _away[device] = (e.Message, setbacks + 1);
                }

                Log.DeviceStaysAway(_logger, device, s_pauses[Math.Min(setbacks + 1, s_pauses.Length - 1)], e);
                continue;
            }

            if (Join(set))
            {
                Log.DeviceIsBack(_logger, device);
            }
            else
            {
                set.Dispose();
            }

            return;
        }
    }

    private bool Join(InferenceSet set)
    {
        var answers = new List<(SlotRequest Request, Inference Inference)>();
        lock (_lock)
        {
            if (_closed || _hasFailed)
            {
                return false;
            }

            // Its slots go to those who wait, as if they had just been given back.
            _healthy.Add(set);
            while (set.Free.Count > 0 && TakeOldestRequest() is { } oldest)
            {
                InferenceSlot slot = set.Free.Dequeue();
                answers.Add((oldest, new Inference(slot, slot.Rent(oldest.Requested))));
            }
        }

        answers.ForEach(static answer => answer.Request.Answer(answer.Inference));
        return true;
    }

    private void SendAway()
    {
        SlotRequest[] requests;
        lock (_lock)
        {
            requests = [.. _waiting];
            _waiting.Clear();
        }

        Array.ForEach(requests, static request => request.Answer(default));
    }
}
