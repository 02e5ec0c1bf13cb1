using System.Globalization;
using Qaic.Simulation;

namespace Qaic.Native;

/// <summary>What the environment says of the machine.</summary>
internal sealed record MachineEnvironment
{
    /// <summary>Name of the variable for the generation of the interface.</summary>
    public const string Generation = "QAIC_SIM_LIBRARY_GENERATION";

    private int Cards { get; init; }

    private SimulatedCardOptions Card { get; init; } = new();

    /// <summary>Whether qaicCreateContext takes seven arguments, as in SDKs up to 1.7.</summary>
    public bool IsOldGeneration { get; private init; }

    /// <summary>Reads the variables.</summary>
    /// <param name="variable">Value of a variable; null if it is not set. An empty value is as good as none.</param>
    /// <exception cref="ArgumentException">A value is not what its variable takes; the message names both, and the range.</exception>
    public static MachineEnvironment Read(Func<string, string?> variable)
    {
        SimulatedCardOptions usual = new();
        return new MachineEnvironment
        {
            Cards = Number("QAIC_SIM_CARDS", 1, 32768, 1),
            Card = usual with
            {
                Cores = Number("QAIC_SIM_CORES", 1, 64, usual.Cores),
                DramMegabytes = Number("QAIC_SIM_DRAM_MB", 1, int.MaxValue, usual.DramMegabytes),
            },
            IsOldGeneration = Number(Generation, 7, 8, 8) == 7,
        };

        int Number(string name, int least, int most, int otherwise)
        {
            string? text = variable(name);
            return string.IsNullOrEmpty(text) ? otherwise
                : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most ? number
                : throw new ArgumentException($"{name}={text}: expected a whole number from {least} to {most}. Correct or unset it; until then every call returns {(int)Interop.QStatus.Inval} (invalid).");
        }
    }

    /// <summary>The machine's options.</summary>
    public SimulatedPlatformOptions Options(ISimulationEngine engine) => new() { Cards = [.. Enumerable.Repeat(Card, Cards)], Engine = engine };
}
