using System.Runtime.CompilerServices;

namespace Qaic.Simulation;

/// <summary>Resources of a simulated card. The defaults are those of a Pro card as its driver reports them.</summary>
public sealed record SimulatedCardOptions
{
    /// <summary>AI cores (NSPs), 1 to 64: 16 on Pro and Ultra, 14 on Standard. An activation takes as many as its network was compiled for.</summary>
    public int Cores { get; init; } = 16;

    /// <summary>Virtual channels, 1 to 255. An activation takes one.</summary>
    public int VirtualChannels { get; init; } = 16;

    /// <summary>Multicast ids, 1 or more. An activation takes one per core.</summary>
    public int MulticastIds { get; init; } = 3072;

    /// <summary>Semaphores, 1 or more. An activation takes two, one per direction of transfer.</summary>
    public int Semaphores { get; init; } = 32;

    /// <summary>Memory in MB (2^20 bytes), 1 or more. Taken by a network's constants, once for all programs of one QPC, and by its device program, once for each.</summary>
    public int DramMegabytes { get; init; } = 32692;

    /// <summary>Serial number of the board; null for one made of the device id. Give several devices the same to make them one card.</summary>
    public string? Serial { get; init; }

    /// <summary>How long the card takes; null for as fast as the host computes.</summary>
    public CardPacing? Pacing { get; init; }

    internal void Validate()
    {
        Check(Cores, 64);
        Check(VirtualChannels, 255);
        Check(MulticastIds, int.MaxValue);
        Check(Semaphores, int.MaxValue);
        Check(DramMegabytes, int.MaxValue);
        Pacing?.Validate();
    }

    private static void Check(int value, int maximum, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (value < 1 || value > maximum)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{nameof(SimulatedCardOptions)}.{name} has to be 1 to {maximum}.");
        }
    }
}
