using System.Reflection;
using System.Runtime.ExceptionServices;
using Qaic.Compilation;
using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>Options of a simulated machine.</summary>
public sealed record SimulatedPlatformOptions
{
    /// <summary>The machine's cards, by device id; 1 to 32768. Default: one with 16 cores.</summary>
    public IReadOnlyList<SimulatedCardOptions> Cards { get; init; } = [new()];

    /// <summary>What computes. Default: the engine of <c>Qaic.OnnxRuntime</c>.</summary>
    public ISimulationEngine? Engine { get; init; }

    /// <summary>Clock of time-outs and delays. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>What goes wrong. Default: nothing, until something is added.</summary>
    public FaultPlan Faults { get; init; } = new();
}

/// <summary>A machine with simulated cards.</summary>
/// <remarks>
/// Thread-safe; several live side by side in one process. Needs no disposal: it is gone when neither it nor a session on it is in use. The cards keep the rules of real ones: see <see cref="Faults"/> for what can be made to go wrong.
/// </remarks>
public sealed class SimulatedPlatform : Platform
{
    private const string DefaultEngineType = "Qaic.OnnxRuntime.OnnxRuntimeEngine, Qaic.OnnxRuntime";

    private static readonly Lock s_sync = new();
    private static ISimulationEngine? s_defaultEngine;

    private readonly SimulatedMachine _machine;

    /// <exception cref="ArgumentException">There are no cards, or too many.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A card's resources are out of range.</exception>
    /// <exception cref="QaicException"><see cref="QaicError.LibraryNotAvailable"/>: there is no engine.</exception>
    internal SimulatedPlatform(SimulatedPlatformOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(options.Cards);
        ArgumentNullException.ThrowIfNull(options.TimeProvider);
        ArgumentNullException.ThrowIfNull(options.Faults);
        if (options.Cards.Count is 0 or > 0x8000)
        {
            throw new ArgumentException($"A simulated machine has 1 to 32768 cards; {nameof(SimulatedPlatformOptions.Cards)} has {options.Cards.Count}.", nameof(options));
        }

        foreach (SimulatedCardOptions card in options.Cards)
        {
            card.Validate();
        }

        ISimulationEngine engine = options.Engine ?? DefaultEngine();
        _machine = new SimulatedMachine(options, engine);
        Name = $"simulated card ({engine.Name})";
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override bool IsSimulated => true;

    /// <inheritdoc/>
    public override ICompiler Compiler => _machine.Engine.Compiler;

    internal override TimeProvider Clock => _machine.Clock;

    /// <summary>What goes wrong on this machine; may be changed at any time.</summary>
    public FaultPlan Faults => _machine.Faults;

    /// <summary>Contexts, queues, programs and execution objects that are alive on this machine. 0 when every session is disposed.</summary>
    public int LiveObjects => _machine.LiveObjects;

    internal override QaicApi Api => SimulatedApi.Table;

    internal override int FirstQid => _machine.FirstQid;

    internal override bool TakesLogUser => true;

    internal override IReadOnlyList<QaicDevice> Describe(IReadOnlyList<QaicDevice> devices) =>
        [.. devices.Select(d => d with { Sku = "simulated", Serial = _machine.Cards[d.Id].Serial })];

    /// <summary>The engine of <c>Qaic.OnnxRuntime</c>, one per process.</summary>
    /// <exception cref="QaicException"><see cref="QaicError.LibraryNotAvailable"/>: that assembly is not there.</exception>
    internal static ISimulationEngine DefaultEngine()
    {
        lock (s_sync)
        {
            return s_defaultEngine ??= CreateDefaultEngine();
        }
    }

    // Looked for by name because that assembly references this one. The trimmer understands the constant and keeps the constructor if the assembly is there.
    private static ISimulationEngine CreateDefaultEngine()
    {
        Type? type = Type.GetType(DefaultEngineType);
        if (type is null)
        {
            throw new QaicException(
                QaicError.LibraryNotAvailable,
                $"The simulated card has nothing that computes: {DefaultEngineType} was not found. Reference the package Qaic.OnnxRuntime, or give {nameof(SimulatedPlatformOptions)} an {nameof(SimulatedPlatformOptions.Engine)}.");
        }

        try
        {
            return (ISimulationEngine)Activator.CreateInstance(type)!;
        }
        catch (TargetInvocationException e) when (e.InnerException is not null)
        {
            ExceptionDispatchInfo.Throw(e.InnerException);
            throw;
        }
    }
}
