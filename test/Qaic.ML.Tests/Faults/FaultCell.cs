using Qaic.Interop;
using Qaic.Simulation;

namespace Qaic.ML.Tests.Faults;

/// <summary>What goes wrong in a cell of the campaign's table.</summary>
internal enum FaultKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>One call or inference fails.</summary>
    FailsOnce,

    /// <summary>Every call or inference fails for a time.</summary>
    Fails,

    /// <summary>One takes an hour, which is beyond every time-out.</summary>
    IsLate,

    /// <summary>One is held, and released.</summary>
    IsHeld,

    /// <summary>A device is lost while one is held, and comes back.</summary>
    LosesDevice,
}

/// <summary>A cell of the campaign's table: where, what, and on how many devices.</summary>
/// <param name="Function">Name of the function; null for the inference on the card.</param>
/// <param name="Kind">What goes wrong.</param>
/// <param name="Status">The status, where calls fail.</param>
/// <param name="Devices">Devices of the sessions.</param>
/// <param name="Occurrence">Which call or inference of the act it strikes, from 1.</param>
internal sealed record FaultCell(string? Function, FaultKind Kind, QStatus Status, int Devices, int Occurrence)
{
    /// <summary>How long a late call takes.</summary>
    public static readonly TimeSpan Lateness = TimeSpan.FromHours(1);

    /// <summary>Heading of the column.</summary>
    public string Column => Kind switch
    {
        FaultKind.FailsOnce => $"{(int)Status}",
        FaultKind.Fails => $"{(int)Status}…",
        FaultKind.IsLate => "late",
        FaultKind.IsHeld => "held",
        FaultKind.LosesDevice => "device lost",
        _ => "none",
    };

    /// <summary>Whether a device is away while the fault lasts: then only does the runtime ask which devices there are.</summary>
    public bool IsWithoutDevice => Function == "GetDeviceInfo";

    /// <summary>The device that is lost.</summary>
    public int Victim => Occurrence % Devices;

    /// <summary>Whether the call gives something back to the library that it can refuse to take.</summary>
    public bool IsRelease => Function == "CloseQpc" || Function?.StartsWith("Release", StringComparison.Ordinal) == true;

    /// <summary>Puts the fault into the plan.</summary>
    public Fault Arm(FaultPlan plan) => (Kind, Function) switch
    {
        (FaultKind.FailsOnce, null) => plan.FailInference((int)Status, occurrence: Occurrence),
        (FaultKind.FailsOnce, { } function) => plan.FailCall(function, (int)Status, occurrence: Occurrence),
        (FaultKind.Fails, null) => plan.FailInference((int)Status),
        (FaultKind.Fails, { } function) => plan.FailCall(function, (int)Status),
        (FaultKind.IsLate, null) => plan.DelayInference(Lateness, Occurrence),
        (FaultKind.IsLate, { } function) => plan.DelayCall(function, Lateness, Occurrence),
        (_, null) => plan.HoldInference(Occurrence),
        (_, { } function) => plan.HoldCall(function, Occurrence),
    };

    /// <inheritdoc/>
    public override string ToString() => $"{Function ?? "inference"} × {Kind} {(Status == 0 ? "" : $"{(int)Status} ")}at {Occurrence}, {Devices} device(s)";
}
