namespace Qaic.ML;

/// <summary>What a compiled network reads and makes, without the session that runs it.</summary>
/// <param name="Inputs">In the order of the network's buffers.</param>
/// <param name="Outputs">In the order of the network's buffers.</param>
/// <param name="BatchSize">Rows per inference.</param>
internal sealed record NetworkTensors(IReadOnlyList<TensorSpec> Inputs, IReadOnlyList<TensorSpec> Outputs, int BatchSize)
{
    public static NetworkTensors Of(Session session) => new(session.Inputs, session.Outputs, session.BatchSize);
}
