using System.Diagnostics;
using Qaic.Diagnostics;

namespace Qaic;

/// <summary>Where the time of one inference went, in seconds. The six phases follow each other without gaps: in the clock's ticks they add up to <see cref="Total"/> exactly.</summary>
public sealed record InferenceProfile
{
    private readonly PhaseTimestamps _timestamps;
    private readonly long _origin;

    internal InferenceProfile(in PhaseTimestamps timestamps, long origin, int deviceId, int activation, long index)
    {
        _timestamps = timestamps;
        _origin = origin;
        Index = index;
        DeviceId = deviceId;
        Activation = activation;
    }

    /// <summary>Number of the inference in its session, from 0.</summary>
    public long Index { get; }

    /// <summary>The device that ran it (QID).</summary>
    public int DeviceId { get; }

    /// <summary>The activation on that device, from 0.</summary>
    public int Activation { get; }

    /// <summary>When it was asked for: seconds after the profile's earliest request.</summary>
    public double Start => Seconds(_timestamps.Requested - _origin);

    /// <summary>From the request to the slot: waiting for activations × set size to have room, in seconds.</summary>
    public double LeaseWait => Seconds(_timestamps.Phase(0));

    /// <summary>Copying the inputs into the device's buffers, in seconds.</summary>
    public double MarshalIn => Seconds(_timestamps.Phase(1));

    /// <summary>Binding the buffers to the execution object, in seconds.</summary>
    public double SetData => Seconds(_timestamps.Phase(2));

    /// <summary>Handing the execution object to the device's queue, in seconds.</summary>
    public double Enqueue => Seconds(_timestamps.Phase(3));

    /// <summary>From the queue until the host knows of the result: queueing on the device, transfers, the network itself, in seconds.</summary>
    public double DeviceWait => Seconds(_timestamps.Phase(4));

    /// <summary>Copying the outputs to the caller, in seconds.</summary>
    public double MarshalOut => Seconds(_timestamps.Phase(5));

    /// <summary>From the request until the caller has the outputs, in seconds.</summary>
    public double Total => Seconds(_timestamps.Total);

    internal PhaseTimestamps Timestamps => _timestamps;

    internal long Origin => _origin;

    private static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;
}
