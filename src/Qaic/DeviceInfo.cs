namespace Qaic;

/// <summary>State of a device.</summary>
public enum DeviceState
{
    /// <summary>The library does not tell.</summary>
    Unknown,

    /// <summary>The device is starting; it will be ready, or fail, by itself.</summary>
    Initializing,

    /// <summary>The device runs networks.</summary>
    Ready,

    /// <summary>The device failed or cannot be asked; see <see cref="DeviceInfo.Problem"/>.</summary>
    Error,
}

/// <summary>A device of a platform, as it was when it was asked.</summary>
/// <param name="Id">Device id (QID), the value of <see cref="QaicOptions.DeviceId"/>.</param>
/// <param name="State">Whether networks can run on it.</param>
public sealed record DeviceInfo(int Id, DeviceState State)
{
    /// <summary>What is wrong and what to do; null when nothing is known to be wrong.</summary>
    public string? Problem { get; init; }

    /// <summary>AI cores (NSPs); null if the library does not tell.</summary>
    public int? Cores { get; init; }

    /// <summary>AI cores that no activation holds; null if the library does not tell.</summary>
    public int? FreeCores { get; init; }

    /// <summary>Device memory in bytes; null if the library does not tell.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Device memory that is free, in bytes; null if the library does not tell.</summary>
    public long? FreeMemoryBytes { get; init; }

    /// <summary>Whether it is worth trying: ready, or of unknown state with resources of its own.</summary>
    internal bool MayRun => State == DeviceState.Ready || (State == DeviceState.Unknown && Cores > 0);

    /// <summary>For messages: <c>device 0: Ready, 14 of 16 cores free</c>.</summary>
    public override string ToString() =>
        $"device {Id}: {State}{(Cores is null ? "" : $", {FreeCores} of {Cores} cores free")}{(Problem is null ? "" : $" ({Problem})")}";
}
