using Microsoft.Extensions.Logging;
using Qaic.Compilation;
using Qaic.Qpc;

namespace Qaic.Simulation;

/// <summary>What computes on a simulated card, and the compiler that makes QPCs for it.</summary>
/// <remarks>Thread-safe. The assembly <c>Qaic.OnnxRuntime</c> has the one that is used by default.</remarks>
public interface ISimulationEngine
{
    /// <summary>Name and version for people: <c>ONNX Runtime 1.31.1</c>.</summary>
    string Name { get; }

    /// <summary>Compiler whose QPCs <see cref="Load"/> understands.</summary>
    ICompiler Compiler { get; }

    /// <summary>Loads the network of a QPC. Called once per QPC object and card, when the first program made from it is loaded.</summary>
    /// <param name="qpc">The container; stays open until the network is disposed.</param>
    /// <param name="logger">Receives the engine's remarks.</param>
    /// <exception cref="NotSupportedException">The QPC holds no network for this engine, for example because the vendor's compiler made it for a real card.</exception>
    /// <exception cref="QpcFormatException">The QPC's network is damaged.</exception>
    ISimulatedNetwork Load(QpcFile qpc, ILogger logger);
}

/// <summary>A network in a simulated card's memory, shared by all its executions.</summary>
public interface ISimulatedNetwork : IDisposable
{
    /// <summary>Prepares one execution over fixed device memory.</summary>
    /// <param name="tensors">
    /// The network's inputs, then its outputs, in the order of its descriptor. The memory outlives the execution. A network that was compiled for several sets of shapes is bound once
    /// for each, over the same memory; the tensors then have the shapes of that set. Executions over the same memory do not run at the same time.
    /// </param>
    ISimulatedExecution Bind(ReadOnlySpan<DeviceTensor> tensors);
}

/// <summary>One bound execution. Used by one thread at a time; different executions of a network may run at the same time.</summary>
public interface ISimulatedExecution : IDisposable
{
    /// <summary>Reads the inputs, computes, writes the outputs. Allocates nothing that the caller could avoid.</summary>
    /// <exception cref="Exception">The computation failed or was terminated; the message goes to the caller's log.</exception>
    void Run();

    /// <summary>Makes a <see cref="Run"/> that is under way on another thread, or the next one, fail soon.</summary>
    void Terminate();
}

/// <summary>One input or output in a simulated card's memory.</summary>
/// <param name="Spec">Name, element type and shape.</param>
/// <param name="IsInput">Whether the network reads it.</param>
/// <param name="Address">First byte; aligned to 64.</param>
/// <param name="ByteLength">Number of bytes.</param>
public readonly record struct DeviceTensor(TensorSpec Spec, bool IsInput, nint Address, long ByteLength);
