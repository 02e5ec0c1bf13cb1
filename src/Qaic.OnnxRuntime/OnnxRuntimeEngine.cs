using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Simulation;

namespace Qaic.OnnxRuntime;

/// <summary>Computes the networks of simulated cards with ONNX Runtime, on the CPU.</summary>
/// <remarks>Thread-safe. Loads QPCs of <see cref="EmbeddedCompiler"/> only: those of the vendor's compiler hold code for the card's cores.</remarks>
public sealed class OnnxRuntimeEngine : ISimulationEngine
{
    /// <inheritdoc/>
    public string Name => $"ONNX Runtime {OrtEnvironment.Version}";

    /// <inheritdoc/>
    public ICompiler Compiler { get; } = new EmbeddedCompiler();

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public ISimulatedNetwork Load(QpcFile qpc, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(qpc);
        ArgumentNullException.ThrowIfNull(logger);
        return OnnxNetwork.Load(qpc, logger);
    }
}
