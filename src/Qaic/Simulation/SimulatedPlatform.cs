using Qaic.Compilation;
using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>Options of a simulated machine.</summary>
public sealed record SimulatedPlatformOptions
{
    /// <summary>The machine's cards, by device id. Default: one with 16 cores.</summary>
    public IReadOnlyList<SimulatedCardOptions> Cards { get; init; } = [new()];

    /// <summary>What computes. Default: the engine of <c>Qaic.OnnxRuntime</c>.</summary>
    public ISimulationEngine? Engine { get; init; }

    /// <summary>Clock of time-outs and delays. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}

/// <summary>Resources of a simulated card.</summary>
public sealed record SimulatedCardOptions
{
    /// <summary>AI cores (NSPs); 16 on Pro and Ultra, 14 on Standard.</summary>
    public int Cores { get; init; } = 16;
}

/// <summary>A machine with simulated cards.</summary>
public sealed class SimulatedPlatform : Platform
{
    internal SimulatedPlatform(SimulatedPlatformOptions options) => throw new NotImplementedException();

    /// <inheritdoc/>
    public override string Name => throw new NotImplementedException();

    /// <inheritdoc/>
    public override bool IsSimulated => true;

    /// <inheritdoc/>
    public override ICompiler Compiler => throw new NotImplementedException();

    internal override QaicApi Api => throw new NotImplementedException();
}
