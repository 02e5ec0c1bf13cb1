using Qaic.Runtime;

namespace Qaic;

/// <summary>A slot of a session, rented: native buffers that are filled, submitted, and read in place, without a copy or an allocation.</summary>
/// <remarks>
/// <para>Filling ─<see cref="Submit"/>→ running ─<see cref="Wait"/>→ done ─<see cref="Submit"/>→ running again; <see cref="Dispose"/> gives the slot back from
/// any of them, and waits first for an inference that is running.</para>
/// <para>One owner at a time; not thread-safe. The buffers keep what the previous owner left: fill every element. Any use after
/// <see cref="Dispose"/> throws <see cref="InvalidOperationException"/>.</para>
/// </remarks>
public readonly struct Inference : IDisposable, IEquatable<Inference>
{
    private readonly InferenceSlot? _slot;
    private readonly int _version;

    internal Inference(InferenceSlot slot, int version)
    {
        _slot = slot;
        _version = version;
    }

    internal bool IsDefault => _slot is null;

    /// <summary>Equal for slots of the same activation.</summary>
    internal object Activation => Slot.Waiter;

    /// <summary>The set of shapes in force.</summary>
    internal int ShapeSet => Slot.ShapeSet(_version);

    private InferenceSlot Slot => _slot ?? throw new InvalidOperationException("This inference was not rented; get one from Session.Rent.");

    /// <summary>An input buffer, in place: elements in row-major order.</summary>
    /// <typeparam name="T">The .NET type of the input's element type; <see cref="bool"/> too where that is <see cref="ElementType.UInt8"/>.</typeparam>
    /// <param name="index">Position in <see cref="Session.Inputs"/>.</param>
    /// <exception cref="ArgumentException">Another element type, or no such input.</exception>
    /// <exception cref="InvalidOperationException">The device owns the buffer, or the slot was given back.</exception>
    public Span<T> Input<T>(int index) where T : unmanaged => Slot.Input<T>(_version, index);

    /// <summary>An input buffer's bytes, in place.</summary>
    /// <param name="index">Position in <see cref="Session.Inputs"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such input.</exception>
    /// <exception cref="InvalidOperationException">The device owns the buffer, or the slot was given back.</exception>
    public Span<byte> InputBytes(int index) => Slot.Input(_version, index);

    /// <summary>An output buffer, in place. Valid until the next <see cref="Submit"/> or <see cref="Dispose"/>.</summary>
    /// <typeparam name="T">The .NET type of the output's element type; <see cref="bool"/> too where that is <see cref="ElementType.UInt8"/>.</typeparam>
    /// <param name="index">Position in <see cref="Session.Outputs"/>.</param>
    /// <exception cref="ArgumentException">Another element type, or no such output.</exception>
    /// <exception cref="InvalidOperationException">There is no result yet, the inference failed, or the slot was given back.</exception>
    public ReadOnlySpan<T> Output<T>(int index) where T : unmanaged => Slot.Output<T>(_version, index);

    /// <summary>An output buffer's bytes, in place. Valid until the next <see cref="Submit"/> or <see cref="Dispose"/>.</summary>
    /// <param name="index">Position in <see cref="Session.Outputs"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such output.</exception>
    /// <exception cref="InvalidOperationException">There is no result yet, the inference failed, or the slot was given back.</exception>
    public ReadOnlySpan<byte> OutputBytes(int index) => Slot.Output(_version, index);

    /// <summary>Chooses the shapes of this inference, and with them the lengths of all buffers. A rental begins with the largest shapes, if they are a set.</summary>
    /// <remarks>Inputs keep their bytes, whose meaning changes; outputs of an earlier inference are gone. Allocates nothing.</remarks>
    /// <param name="index">Position in <see cref="Session.AllowedShapes"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such set; the message lists them.</exception>
    /// <exception cref="InvalidOperationException">The network has fixed shapes, the inference is running, or the slot was given back.</exception>
    public void SelectShapes(int index) => Slot.SelectShapes(_version, index);

    /// <summary>Gives only the leading rows of an input that allows it (<see cref="TensorSpec.IsPartialAllowed"/>); its buffer becomes as long.</summary>
    /// <remarks>Holds until the slot is given back or <see cref="SelectShapes"/> is called. The simulated card reads the rest as zeros.</remarks>
    /// <param name="index">Position in <see cref="Session.Inputs"/>.</param>
    /// <param name="rows">Rows of the leading dimension; 0 leaves the input out, and the device uses what it has from before.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such input, or it has fewer rows.</exception>
    /// <exception cref="ArgumentException">The input does not allow it.</exception>
    /// <exception cref="InvalidOperationException">The inference is running, or the slot was given back.</exception>
    public void SetInputRows(int index, int rows) => Slot.SetInputRows(_version, index, rows);

    /// <summary>Hands the buffers to the device, which owns them until <see cref="Wait"/> returns.</summary>
    /// <exception cref="InvalidOperationException">It is running already, the session was reset, the slot was given back, or no shapes are selected where none are the largest.</exception>
    /// <exception cref="QaicException">The device refused.</exception>
    public void Submit()
    {
        if (!TrySubmit())
        {
            throw new InvalidOperationException("The session gave this slot's device resources back (Reset, Dispose, or a device failure elsewhere). Dispose it and rent another.");
        }
    }

    /// <summary>As <see cref="Submit"/>, unless the session has given up the slot's device resources meanwhile: because of Reset, Dispose, or a device failure elsewhere.</summary>
    /// <returns>False in that case. Nothing was submitted; dispose this inference, rent another and fill that.</returns>
    /// <exception cref="InvalidOperationException">It is running already, or the slot was given back.</exception>
    /// <exception cref="QaicException">The device refused.</exception>
    public bool TrySubmit() => Slot.TrySubmit(_version);

    /// <summary>As <see cref="TrySubmit"/>, for an inference that no record counts.</summary>
    internal bool TrySubmitUnrecorded() => Slot.TrySubmit(_version, unrecorded: true);

    /// <summary>Waits for the device.</summary>
    /// <exception cref="InvalidOperationException">Nothing was submitted, or the slot was given back.</exception>
    /// <exception cref="QaicException">The inference failed; there are no outputs. The session loads the network again before the next rental.</exception>
    public void Wait() => Slot.Wait(_version);

    /// <summary>Waits for the device without holding a thread. One wait at a time.</summary>
    /// <exception cref="InvalidOperationException">Nothing was submitted, or the slot was given back.</exception>
    /// <exception cref="QaicException">The inference failed; there are no outputs. The session loads the network again before the next rental.</exception>
    public ValueTask WaitAsync() => Slot.WaitAsync(_version);

    /// <summary>Id of the device that the slot belongs to, or, after <see cref="Wait"/>, of the one that the inference ended on.</summary>
    /// <exception cref="InvalidOperationException">The slot was given back.</exception>
    public int DeviceId => Slot.GetDeviceId(_version);

    /// <summary>Gives the slot back; waits first for an inference that is running. Idempotent.</summary>
    public void Dispose() => _slot?.Return(_version);

    /// <inheritdoc/>
    public bool Equals(Inference other) => _slot == other._slot && _version == other._version;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Inference other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_slot, _version);

    /// <summary>Whether both are the same rental.</summary>
    public static bool operator ==(Inference left, Inference right) => left.Equals(right);

    /// <summary>Whether the two are different rentals.</summary>
    public static bool operator !=(Inference left, Inference right) => !left.Equals(right);
}
