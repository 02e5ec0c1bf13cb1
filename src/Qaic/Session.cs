using Microsoft.Extensions.Logging;

namespace Qaic;

/// <summary>Runs one compiled network on one device.</summary>
/// <remarks>
/// Thread-safe. Up to <c>num_activations × set_size</c> inferences are in flight; further callers wait, first in first out.
/// Owns the device resources it activates; dispose it to give the cores back.
/// </remarks>
public sealed class Session : IDisposable, IAsyncDisposable
{
    /// <summary>Compiles an <c>.onnx</c> model, or opens a QPC (file, or directory that holds <c>programqpc.bin</c>). The device is not touched before <see cref="Setup"/> or the first run.</summary>
    public Session(string modelPath, QaicOptions? options = null, Platform? platform = null, ILoggerFactory? loggerFactory = null) => throw new NotImplementedException();

    public string QpcPath => throw new NotImplementedException();

    public QaicOptions Options => throw new NotImplementedException();

    public Platform Platform => throw new NotImplementedException();

    public IReadOnlyList<TensorSpec> Inputs => throw new NotImplementedException();

    public IReadOnlyList<TensorSpec> Outputs => throw new NotImplementedException();

    /// <summary>Rows per inference: the leading dimension that every input and output shares; 1 if they share none.</summary>
    public int BatchSize => throw new NotImplementedException();

    /// <summary>Activations × set size.</summary>
    public int MaxInFlight => throw new NotImplementedException();

    /// <summary>Loads and activates the network. Idempotent.</summary>
    public void Setup() => throw new NotImplementedException();

    /// <summary>Waits for what is in flight and gives the device's resources back. The next run sets up again.</summary>
    public void Reset() => throw new NotImplementedException();

    /// <summary>Runs once. Keys are tensor names; every input must be there with the exact type and shape.</summary>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs) => throw new NotImplementedException();

    /// <summary>Runs a network of one input and one output without allocating.</summary>
    public void Run<TIn, TOut>(ReadOnlySpan<TIn> input, Span<TOut> output) where TIn : unmanaged where TOut : unmanaged => throw new NotImplementedException();

    public Task<IReadOnlyDictionary<string, Tensor>> RunAsync(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask RunAsync<TIn, TOut>(ReadOnlyMemory<TIn> input, Memory<TOut> output, CancellationToken cancellationToken = default) where TIn : unmanaged where TOut : unmanaged => throw new NotImplementedException();

    /// <summary>Takes a free slot: native buffers to fill, submit, wait for and read in place. Waits while all are taken.</summary>
    public Inference Rent(CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<Inference> RentAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary>Takes a free slot if there is one at once.</summary>
    public bool TryRent(out Inference inference) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
