using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Qaic.Diagnostics;

namespace Qaic.Runtime;

/// <summary>The slots of one network on all its devices: leased first in first out, each from the device that has the most free.</summary>
/// <remarks>
/// <para>Thread-safe. A device that fails leaves the pool; what it had in flight runs again elsewhere, and it is loaded again in the background and comes back.
/// One that fails before it has completed anything, or cannot be loaded, stays away. When the last one fails, the pool has failed and its owner makes a new one.</para>
/// <para><see cref="Dispose"/> waits for what the devices still own and tears down in the one order that the library allows.</para>
/// </remarks>
internal sealed class SlotPool : IDisposable
{
    // Guards everything below, and the free slots of every set.
    private readonly Lock _lock = new();
    private readonly LinkedList<SlotRequest> _waiting = [];
    private readonly List<InferenceSet> _healthy = [];
    private readonly List<Task> _recoveries = [];
    private readonly SortedDictionary<int, string> _lost = [];
    private readonly Func<SlotPool, int, InferenceSet> _activate;
    private readonly ILogger _logger;
    private readonly TelemetryTags _tags;
    private readonly bool _isTimed;
    private readonly int _devices;

    // Sets that have failed and that no recovery releases.
    private readonly Stack<InferenceSet> _retired = [];
    private bool _closed;
    private volatile QaicException? _failure;

    /// <param name="devices">Ids of the devices, each once.</param>
    /// <param name="activate">Loads and activates the network on a device. Called on other threads too.</param>
    /// <param name="mayLack">Whether devices may be missing, as long as one is there.</param>
    /// <param name="isTimed">Whether the time of each request is kept.</param>
    /// <param name="tags">For counting those that wait.</param>
    /// <param name="logger">Receives word of devices that come and go.</param>
    /// <exception cref="QaicException">A device is missing, busy, or has not enough cores or memory; nothing stays behind.</exception>
    public SlotPool(IReadOnlyList<int> devices, Func<SlotPool, int, InferenceSet> activate, bool mayLack, bool isTimed, TelemetryTags tags, ILogger logger)
    {
        _devices = devices.Count;
        _activate = activate;
        _isTimed = isTimed;
        _tags = tags;
        _logger = logger;
        var failures = new List<QaicException>();
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
            catch (QaicException e) when (mayLack && devices.Count > 1)
            {
                failures.Add(e);
                _lost[device] = e.Message;
                Log.DeviceStaysAway(logger, device, e);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        if (failures.Count == devices.Count)
        {
            throw new QaicException(failures[0].Error, $"All devices of the session are lost: {Describe(_lost)}", failures[0].HResult, failures[0]);
        }
    }

    /// <summary>The failure after which no device is left; null while one is.</summary>
    public QaicException? Failure => _failure;

    /// <summary>Whether there was more than one device to begin with.</summary>
    public bool IsShared => _devices > 1;

    /// <summary>Whether devices share the work and one is left.</summary>
    public bool HasAnother
    {
        get
        {
            lock (_lock)
            {
                return IsShared && _healthy.Count > 0;
            }
        }
    }

    /// <summary>Takes a slot if one is free.</summary>
    public bool TryRent(out Inference inference)
    {
        long requested = Now();
        lock (_lock)
        {
            return TryTake(requested, out inference);
        }
    }

    /// <summary>Takes a slot, or queues for one.</summary>
    /// <param name="inference">The slot, if one was free.</param>
    /// <param name="request">Null if <paramref name="inference"/> is a slot; else what to wait for.</param>
    /// <returns>False if the pool was closed or has failed: use another.</returns>
    public bool Rent(out Inference inference, out SlotRequest? request)
    {
        long requested = Now();
        lock (_lock)
        {
            request = null;
            if (_closed || _failure is not null)
            {
                inference = default;
                return false;
            }

            if (!TryTake(requested, out inference))
            {
                request = new SlotRequest(this, requested) { IsCounted = Telemetry.SlotWaitStarted(_tags) };
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
            Telemetry.SlotWaitEnded(request.IsCounted, _tags);
            return true;
        }
    }

    /// <summary>Takes a slot back, and hands it to whoever has waited longest.</summary>
    public void Return(InferenceSet set, InferenceSlot slot)
    {
        SlotRequest? next;
        int version = 0;
        lock (_lock)
        {
            next = set.Failure is null ? TakeOldestRequest() : null;
            if (next is null)
            {
                set.Free.Enqueue(slot);
            }
            else
            {
                version = slot.Rent(next.Requested);
            }
        }

        next?.Answer(new Inference(slot, version));
    }

    /// <summary>Stops leasing from a device that has failed.</summary>
    public void Leave(InferenceSet set)
    {
        bool isLast;
        lock (_lock)
        {
            if (!_healthy.Remove(set))
            {
                return;
            }

            isLast = _healthy.Count == 0;
            if (isLast)
            {
                // Waiters come back when the network has been loaded again.
                _failure = set.Failure;
            }

            if (IsShared && !_closed)
            {
                _recoveries.RemoveAll(static task => task.IsCompleted);
                _recoveries.Add(Task.Run(() => Recover(set)));
            }
            else
            {
                _retired.Push(set);
            }
        }

        if (isLast)
        {
            SendAway();
        }
    }

    /// <summary>A device, other than the failed one, on which an inference can run again. It stays until <see cref="InferenceSet.EndVisit"/>.</summary>
    /// <returns>Null if there is none.</returns>
    public InferenceSet? Visit(InferenceSet failed)
    {
        lock (_lock)
        {
            InferenceSet? other = null;
            foreach (InferenceSet set in _healthy)
            {
                if (set != failed && (other is null || set.Free.Count > other.Free.Count))
                {
                    other = set;
                }
            }

            return other is not null && other.TryBeginVisit() ? other : null;
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

        SendAway();

        // A recovery throws nothing, and brings no device back into a closed pool.
        Task.WaitAll(recoveries);
        for (; ; )
        {
            InferenceSet? set;
            lock (_lock)
            {
                // One at a time, in the pool as long as it lives: the others' inferences may have to run again there.
                set = _healthy.LastOrDefault() ?? (_retired.TryPop(out InferenceSet? retired) ? retired : null);
            }

            if (set is null)
            {
                return;
            }

            set.Dispose();
            lock (_lock)
            {
                _healthy.Remove(set);
            }
        }
    }

    private static string Describe(SortedDictionary<int, string> lost) => string.Join("; ", lost.Select(p => $"device {p.Key}: {p.Value}"));

    private long Now() => _isTimed ? Stopwatch.GetTimestamp() : 0;

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
        if (_closed || _failure is not null || _waiting.First is not { } first)
        {
            return null;
        }

        _waiting.RemoveFirst();
        Telemetry.SlotWaitEnded(first.Value.IsCounted, _tags);
        return first.Value;
    }

    // On a thread of its own, with no lock held: it waits for a device that has failed, and talks to loggers.
    private void Recover(InferenceSet failed)
    {
        try
        {
            int device = failed.DeviceId;
            failed.Dispose();
            Telemetry.DeviceLost(failed.Tags);
            Log.DeviceLost(_logger, device, failed.Retried, failed.Failure!);
            if (failed.Completed == 0)
            {
                // Loading it again and again would help nobody.
                StaysAway(device, failed.Failure!);
                return;
            }

            InferenceSet set;
            try
            {
                set = _activate(this, device);
            }
            catch (QaicException e)
            {
                StaysAway(device, e);
                return;
            }

            if (Join(set))
            {
                Log.DeviceIsBack(_logger, device);
            }
            else
            {
                set.Dispose();
            }
        }
        catch (Exception e)
        {
            // A logger, or a QPC that has gone: the device stays away, and the others go on.
            Console.Error.WriteLine($"Device {failed.DeviceId} was not brought back: {e}");
        }
    }

    private void StaysAway(int device, QaicException reason)
    {
        lock (_lock)
        {
            _lost[device] = reason.Message;
        }

        Log.DeviceStaysAway(_logger, device, reason);
    }

    private bool Join(InferenceSet set)
    {
        lock (_lock)
        {
            if (_closed || _failure is not null)
            {
                return false;
            }

            _healthy.Add(set);
        }

        // Its slots go to those who wait, as if they had just been given back.
        for (; ; )
        {
            InferenceSlot slot;
            SlotRequest? request;
            int version;
            lock (_lock)
            {
                if (set.Failure is not null || set.Free.Count == 0 || TakeOldestRequest() is not { } oldest)
                {
                    return true;
                }

                slot = set.Free.Dequeue();
                version = slot.Rent(oldest.Requested);
                request = oldest;
            }

            request.Answer(new Inference(slot, version));
        }
    }

    private void SendAway()
    {
        for (; ; )
        {
            SlotRequest? request;
            lock (_lock)
            {
                request = _waiting.First?.Value;
                if (request is null)
                {
                    return;
                }

                _waiting.RemoveFirst();
                Telemetry.SlotWaitEnded(request.IsCounted, _tags);
            }

            request.Answer(default);
        }
    }
}
