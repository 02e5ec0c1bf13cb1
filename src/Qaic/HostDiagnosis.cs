using Qaic.Hosts;

namespace Qaic;

/// <summary>Looks at everything on this machine that running networks depends on: card, driver, permissions, library, compiler, simulated card, cache.</summary>
/// <remarks>Changes nothing. Loads the vendor's library into the process if there is one, and runs <c>qaic-util</c> and the compiler's <c>-version</c> if they are installed, so it may take seconds.</remarks>
public sealed class HostDiagnosis
{
    internal HostDiagnosis(Host host)
    {
        var card = new CardChecks(host);
        var library = new LibraryChecks(host, card.Seen);
        var tools = new ToolChecks(host, library.Devices.Any(device => !device.IsSimulated));
        Checks = [ToolChecks.System(host), .. card.All(), .. library.All(), .. tools.All()];
        Devices = library.Devices;
        HasCard = Devices.Any(device => device.MayRun && !device.IsSimulated);
        SimulatedLibrary = Devices.Any(device => device.MayRun && device.IsSimulated) ? library.SimulatedLibrary : null;
        HasSimulatedCard = tools.HasSimulatedCard;
    }

    /// <summary>What was looked at, in the order in which one thing depends on another.</summary>
    public IReadOnlyList<HostCheck> Checks { get; }

    /// <summary>The cards' devices, ready or not, or those of <see cref="SimulatedLibrary"/>; empty if nobody knows any.</summary>
    public IReadOnlyList<QaicDevice> Devices { get; }

    /// <summary>Whether there is a card on which networks can run now; a simulated one is none.</summary>
    public bool HasCard { get; }

    /// <summary>Path of a <c>libQAic.so</c> that is the simulated card as a library, and that sessions take for the vendor's: with the backends Aic and Auto networks run on it. Null if the library is the vendor's, or there is none.</summary>
    public string? SimulatedLibrary { get; internal init; }

    /// <summary>Whether networks can run on a simulated card.</summary>
    public bool HasSimulatedCard { get; }

    /// <summary>Looks.</summary>
    public static HostDiagnosis Run() => new(new Host());

    /// <summary>Whether a session with this backend can run.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such backend.</exception>
    public bool CanRun(QaicBackend backend) => backend switch
    {
        QaicBackend.Auto => HasCard || SimulatedLibrary is not null || HasSimulatedCard,
        QaicBackend.Aic => HasCard || SimulatedLibrary is not null,
        QaicBackend.Simulated => HasSimulatedCard,
        _ => throw new ArgumentOutOfRangeException(nameof(backend), backend, "The backend must be Auto, Aic or Simulated."),
    };
}
