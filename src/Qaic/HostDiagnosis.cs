using Qaic.Hosts;

namespace Qaic;

/// <summary>Looks at everything on this machine that running networks depends on: card, driver, permissions, library, compiler, simulated card, cache.</summary>
/// <remarks>Changes nothing. Loads the vendor's library into the process if there is one, and runs <c>qaic-util</c> and the compiler's <c>-version</c> if they are installed, so it may take seconds.</remarks>
public sealed class HostDiagnosis
{
    internal HostDiagnosis(HostView host)
    {
        var card = new CardChecks(host);
        var library = new LibraryChecks(host, card.Seen);
        var tools = new ToolChecks(host, library.Devices.Count > 0);
        Checks = [ToolChecks.System(host), .. card.All(), .. library.All(), .. tools.All()];
        Devices = library.Devices;
        HasCard = Devices.Any(device => device.MayRun);
        HasSimulatedCard = tools.HasSimulatedCard;
    }

    /// <summary>What was looked at, in the order in which one thing depends on another.</summary>
    public IReadOnlyList<HostCheck> Checks { get; }

    /// <summary>The cards' devices, ready or not; empty if nobody knows any.</summary>
    public IReadOnlyList<QaicDevice> Devices { get; }

    /// <summary>Whether there is a card on which networks can run now.</summary>
    public bool HasCard { get; }

    /// <summary>Whether networks can run on a simulated card.</summary>
    public bool HasSimulatedCard { get; }

    /// <summary>Looks.</summary>
    public static HostDiagnosis Run() => new(new HostView());

    /// <summary>Whether a session with this backend can run.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such backend.</exception>
    public bool CanRun(QaicBackend backend) => backend switch
    {
        QaicBackend.Auto => HasCard || HasSimulatedCard,
        QaicBackend.Aic => HasCard,
        QaicBackend.Simulated => HasSimulatedCard,
        _ => throw new ArgumentOutOfRangeException(nameof(backend), backend, "The backend must be Auto, Aic or Simulated."),
    };
}
