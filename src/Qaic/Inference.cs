namespace Qaic;

/// <summary>A slot of a session, rented: native buffers, filled and read in place. Free ─Rent→ Filling ─Submit→ Running ─Wait→ Done ─Submit→ Running …; Dispose gives it back from any state (waits while Running).</summary>
/// <remarks>One owner at a time; not thread-safe. The buffers keep what the previous owner left: fill every input byte. Any use after Dispose throws InvalidOperationException.</remarks>
public readonly struct Inference : IDisposable
{
    /// <summary>Input buffer in place, index as in Session.Inputs. T must be the element type's .NET type (bool for boolean tensors too).</summary>
    public Span<T> Input<T>(int index) where T : unmanaged => throw new NotImplementedException();

    public Span<byte> InputBytes(int index) => throw new NotImplementedException();

    /// <summary>Output buffer in place; valid after Wait until the next Submit or Dispose.</summary>
    public ReadOnlySpan<T> Output<T>(int index) where T : unmanaged => throw new NotImplementedException();

    public ReadOnlySpan<byte> OutputBytes(int index) => throw new NotImplementedException();

    /// <summary>Hands the buffers to the device. Until Wait returns they belong to it.</summary>
    public void Submit() => throw new NotImplementedException();

    /// <summary>Waits for the device. Throws QaicException if the inference failed.</summary>
    public void Wait() => throw new NotImplementedException();

    public ValueTask WaitAsync() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
