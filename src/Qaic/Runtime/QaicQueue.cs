using Qaic.Interop;

namespace Qaic.Runtime;

/// <summary>Carries submitted inferences to the device. One per activation.</summary>
internal sealed unsafe class QaicQueue : IDisposable
{
    /// <exception cref="QaicException">The library refused.</exception>
    public QaicQueue(QaicContext context)
    {
        nint raw;
        using QaicHandle.Lease owner = context.Handle.Use();
        context.Api.CreateQueue(owner.Raw, &raw, null, context.Qid).ThrowIfFailed();
        Handle = new QaicHandle("queue", raw, context.Api.ReleaseQueue, context.Handle);
    }

    public QaicHandle Handle { get; }

    public void Dispose() => Handle.Dispose();
}
