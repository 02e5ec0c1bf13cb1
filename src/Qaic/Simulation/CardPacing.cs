using System.Runtime.CompilerServices;

namespace Qaic.Simulation;

/// <summary>How the times of a <see cref="CardPacing"/> scatter around their mean.</summary>
public enum PacingDistribution
{
    /// <summary>Never below 0, with a longer tail above: what latencies look like.</summary>
    LogNormal,

    /// <summary>Even on both sides. Cut at 0, which raises the mean where the coefficient of variation is above a third.</summary>
    Normal,
}

/// <summary>How long a simulated card takes: for work on performance where there is no card. A card that is not paced is as fast as the host computes.</summary>
/// <remarks>
/// <para>An inference reaches the card <see cref="TurnAround"/> after it was submitted, waits for its inputs behind the other transfers to the card, occupies the cores of its activation for
/// <see cref="PerInference"/> + <see cref="PerRow"/> × rows, and completes when its outputs are through. Activations compute side by side; each direction of the link serves one transfer after the other.
/// Rows are the batch size, or of a smaller set of shapes as much of it as the inputs are smaller.</para>
/// <para>These are the shortest times. The host computes the same inference meanwhile; one that takes the host longer takes the card as long. The clock is the machine's
/// (<see cref="SimulatedPlatformOptions.TimeProvider"/>); on the system's clock of Linux and macOS an inference completes some tens of microseconds after its time (later at times where the host is busy), elsewhere up to a tick of the system's timer.</para>
/// <para>The defaults are an INT8 ResNet-50 on 4 of the 16 cores of a Pro card, from published MLPerf results. They are there to show how a card saturates, not to predict another network.</para>
/// </remarks>
public sealed record CardPacing
{
    /// <summary>Time of an inference that does not depend on its rows. Default 37 µs: the single-stream latency of ResNet-50 (340 µs, MLPerf v2.0) without one turn-around and one row; an estimate, as that result had 8 cores.</summary>
    public TimeSpan PerInference { get; init; } = TimeSpan.FromMicroseconds(37);

    /// <summary>Time per row. Default 183 µs: 4 activations of 4 cores did 21 903 rows of ResNet-50 per second (MLPerf offline, one Pro card, SDK 1.7.1).</summary>
    public TimeSpan PerRow { get; init; } = TimeSpan.FromMicroseconds(183);

    /// <summary>From submission until the card begins with the transfer. Default 120 µs: the gap between two inferences that wait for each other, the same in both of the vendor's tutorials. Inferences in flight together hide it.</summary>
    public TimeSpan TurnAround { get; init; } = TimeSpan.FromMicroseconds(120);

    /// <summary>Bytes per second of the link to the card, shared by its activations; infinite for transfers that take no time. Default 15.75e9: PCIe 4.0 × 8, which a card has for each of its processors.</summary>
    public double HostToDeviceBytesPerSecond { get; init; } = 15.75e9;

    /// <summary>Bytes per second of the link from the card, shared by its activations; infinite for transfers that take no time. Default 15.75e9: PCIe 4.0 × 8.</summary>
    public double DeviceToHostBytesPerSecond { get; init; } = 15.75e9;

    /// <summary>How service and transfer times scatter.</summary>
    public PacingDistribution Distribution { get; init; }

    /// <summary>Standard deviation of service and transfer times, as a part of their mean; 0 for none, at most 10. Default 0.03: percentiles 50, 90 and 99 of ResNet-50 at a fixed rate (1.75, 1.82 and 1.89 ms, MLPerf v1.0, SDK 1.5.9).</summary>
    public double CoefficientOfVariation { get; init; } = 0.03;

    /// <summary>Seed of the scatter: the n-th inference of a card's m-th activation takes the same in every run.</summary>
    public int Seed { get; init; }

    /// <summary>Time of a switch between programs of a group over the control path. Default 15 ms, as measured on a card with SDK 1.21.6.</summary>
    public TimeSpan ControlPathSwitch { get; init; } = TimeSpan.FromMilliseconds(15);

    /// <summary>Time of a switch between programs of a group over the data path. Default 8 ms, as measured on a card with SDK 1.21.6.</summary>
    public TimeSpan DataPathSwitch { get; init; } = TimeSpan.FromMilliseconds(8);

    /// <exception cref="ArgumentOutOfRangeException">A time is negative, a bandwidth not positive, or the scatter out of range.</exception>
    internal void Validate()
    {
        Check(PerInference);
        Check(PerRow);
        Check(TurnAround);
        Check(ControlPathSwitch);
        Check(DataPathSwitch);
        Check(HostToDeviceBytesPerSecond);
        Check(DeviceToHostBytesPerSecond);
        if (!(CoefficientOfVariation is >= 0 and <= 10))
        {
            throw new ArgumentOutOfRangeException(nameof(CoefficientOfVariation), CoefficientOfVariation, $"{nameof(CardPacing)}.{nameof(CoefficientOfVariation)} has to be 0 to 10; 0.03 means 3 %.");
        }

        if (!Enum.IsDefined(Distribution))
        {
            throw new ArgumentOutOfRangeException(nameof(Distribution), Distribution, $"{nameof(CardPacing)}.{nameof(Distribution)} has to be {nameof(PacingDistribution.LogNormal)} or {nameof(PacingDistribution.Normal)}.");
        }
    }

    /// <summary>What a time of an inference is multiplied with; 1 on average.</summary>
    /// <param name="activation">Number of the activation on its card.</param>
    /// <param name="inference">Number of the inference in its activation.</param>
    /// <param name="part">Which of the inference's times.</param>
    internal double Factor(int activation, long inference, PacedPart part)
    {
        if (CoefficientOfVariation == 0)
        {
            return 1;
        }

        // Drawn from the numbers and not from a stream, so that it does not matter which thread comes first.
        ulong state = Mix(Mix(Mix((uint)Seed) ^ (uint)activation) ^ (((ulong)inference << 2) | (uint)part));
        double radius = Math.Sqrt(-2 * Math.Log(1 - Unit(state)));
        double normal = radius * Math.Cos(2 * Math.PI * Unit(Mix(state)));
        if (Distribution == PacingDistribution.Normal)
        {
            return Math.Max(0, 1 + (CoefficientOfVariation * normal));
        }

        double variance = Math.Log(1 + (CoefficientOfVariation * CoefficientOfVariation));
        return Math.Exp((Math.Sqrt(variance) * normal) - (variance / 2));
    }

    // SplitMix64 (Steele, Lea and Flood 2014).
    private static ulong Mix(ulong x)
    {
        x += 0x9e3779b97f4a7c15;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
    }

    private static double Unit(ulong bits) => (bits >> 11) * (1.0 / (1ul << 53));

    private static void Check(TimeSpan value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (value < TimeSpan.Zero || value > TimeSpan.FromDays(1))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{nameof(CardPacing)}.{name} has to be 0 to one day.");
        }
    }

    private static void Check(double bytesPerSecond, [CallerArgumentExpression(nameof(bytesPerSecond))] string? name = null)
    {
        if (!(bytesPerSecond >= 1))
        {
            throw new ArgumentOutOfRangeException(name, bytesPerSecond, $"{nameof(CardPacing)}.{name} has to be 1 byte per second or more; {nameof(Double)}.{nameof(double.PositiveInfinity)} for transfers that take no time.");
        }
    }
}

/// <summary>The times of an inference that scatter.</summary>
internal enum PacedPart
{
    Service,
    ToDevice,
    ToHost,
}
