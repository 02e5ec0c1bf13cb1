using System.Diagnostics;

namespace Qaic.Diagnostics;

/// <summary>When one inference passed from one phase into the next: time stamps of <see cref="Stopwatch"/>, in this order.</summary>
internal record struct PhaseTimestamps
{
    /// <summary>Phases between the seven time stamps.</summary>
    public const int PhaseCount = 6;

    /// <summary>The caller asked for a slot.</summary>
    public long Requested;

    /// <summary>It has one.</summary>
    public long Leased;

    /// <summary>The inputs are in the slot's buffers.</summary>
    public long MarshalledIn;

    /// <summary>The buffers are bound to the execution object. The same as <see cref="MarshalledIn"/> where they stay bound.</summary>
    public long DataSet;

    /// <summary>The execution object is in the device's queue.</summary>
    public long Enqueued;

    /// <summary>The device is done, and the host knows it.</summary>
    public long Completed;

    /// <summary>The outputs are with the caller.</summary>
    public long MarshalledOut;

    private static readonly string[] s_names =
        [nameof(Requested), nameof(Leased), nameof(MarshalledIn), nameof(DataSet), nameof(Enqueued), nameof(Completed), nameof(MarshalledOut)];

    /// <summary>Names of the phases, in order.</summary>
    public static ReadOnlySpan<string> PhaseNames => s_phaseNames;

    private static readonly string[] s_phaseNames = ["lease wait", "marshal in", "set data", "enqueue", "device wait", "marshal out"];

    /// <summary>The whole inference, in ticks: exactly the sum of its phases.</summary>
    public readonly long Total => MarshalledOut - Requested;

    /// <summary>Time stamp 0 to 6.</summary>
    public readonly long this[int index] => index switch
    {
        0 => Requested,
        1 => Leased,
        2 => MarshalledIn,
        3 => DataSet,
        4 => Enqueued,
        5 => Completed,
        6 => MarshalledOut,
        _ => throw new ArgumentOutOfRangeException(nameof(index), index, "There are time stamps 0 to 6."),
    };

    /// <summary>Length of phase 0 to 5, in ticks.</summary>
    public readonly long Phase(int phase) => this[phase + 1] - this[phase];

    /// <exception cref="ArgumentException">A time stamp is earlier than the one before it; a forgotten one is 0. The message names both.</exception>
    public readonly void Validate()
    {
        if (Requested <= Leased && Leased <= MarshalledIn && MarshalledIn <= DataSet && DataSet <= Enqueued && Enqueued <= Completed && Completed <= MarshalledOut)
        {
            return;
        }

        int late = 1;
        while (this[late] >= this[late - 1])
        {
            late++;
        }

        throw new ArgumentException(
            $"Time stamp {s_names[late]} ({this[late]}) is earlier than {s_names[late - 1]} ({this[late - 1]}). Set all seven in order; a step that was not taken has the time of the one before it.");
    }
}
