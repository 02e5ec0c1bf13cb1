using Microsoft.Extensions.Logging;
using Qaic.Diagnostics;

namespace Qaic;

/// <summary>Decides where sessions run that do not bring a platform of their own.</summary>
/// <param name="native">Loads the vendor's library, or throws with the reason.</param>
/// <param name="simulated">Makes the simulated machine that such sessions share.</param>
internal sealed class BackendChoice(Func<Platform> native, Func<Platform> simulated)
{
    private readonly Lock _lock = new();
    private Platform? _simulated;

    // Undecided ─Automatic→ decided, for good: (card, no reason), or (simulated, why no card).
    private Platform? _automatic;
    private string? _noCard;
    private bool _warned;

    /// <summary>The platform that <paramref name="backend"/> asks for.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such backend.</exception>
    /// <exception cref="QaicException">A card was asked for, and there is none that is ready; with the reason and what to do.</exception>
    public Platform Select(QaicBackend backend, ILogger logger)
    {
        Platform platform = backend switch
        {
            QaicBackend.Auto => Automatic(logger),
            QaicBackend.Aic => Card(),
            QaicBackend.Simulated => SharedSimulated(),
            _ => throw new ArgumentOutOfRangeException(nameof(backend), backend, "The backend must be Auto, Aic or Simulated."),
        };
        platform.Announce(logger);
        return platform;
    }

    private Platform Automatic(ILogger logger)
    {
        lock (_lock)
        {
            if (_automatic is null)
            {
                try
                {
                    _automatic = Card();
                }
                catch (QaicException e)
                {
                    _automatic = SimulatedBecause(e);
                    _noCard = e.Message;
                }
            }

            // Once, and to somebody who listens: the first session may have no log.
            if (_noCard is not null && !_warned && logger.IsEnabled(LogLevel.Warning))
            {
                _warned = true;
                Log.SimulatedInstead(logger, _automatic.Name, _noCard);
            }

            return _automatic;
        }
    }

    private Platform SimulatedBecause(QaicException noCard)
    {
        try
        {
            return SharedSimulated();
        }
        catch (QaicException e)
        {
            throw new QaicException(noCard.Error, $"There is neither a card nor a simulated one. The card: {noCard.Message} The simulated one: {e.Message}", noCard.HResult, e);
        }
    }

    private Platform Card()
    {
        Platform platform = native();
        IReadOnlyList<QaicDevice> devices = platform.GetDevices();
        if (devices.Any(device => device.MayRun))
        {
            return platform;
        }

        string found = devices.Count == 0
            ? "finds no device. Check that the card is there (lspci -d 17cb:) and its driver loaded (/dev/accel, or /dev/qaic_aic100_0 with old drivers), in a container also that the device nodes are passed in"
            : $"finds no device that is ready: {string.Join("; ", devices)}";
        throw new QaicException(QaicError.DeviceNotFound, $"{platform.Name} {found.TrimEnd('.')}. Without a card, set Backend to Simulated.");
    }

    private Platform SharedSimulated()
    {
        lock (_lock)
        {
            return _simulated ??= simulated();
        }
    }
}
