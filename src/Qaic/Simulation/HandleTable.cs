using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Qaic.Interop;

namespace Qaic.Simulation;

/// <summary>Hands out handles and finds their objects again. A handle is slot, generation and kind, never an address: whatever a caller invents, keeps too long or mixes up is told from a live one.</summary>
/// <remarks>Thread-safe. Finding takes no lock.</remarks>
internal sealed class HandleTable
{
    private const int SlotBits = 24;
    private const int KindShift = 56;

    private readonly Lock _sync = new();
    private readonly Stack<int> _free = new();
    private uint[] _generations = new uint[64];
    private int _used;

    // Replaced when it grows, under the lock. A handle that a caller was given is in the array that the caller's thread sees.
    private volatile SimulatedObject?[] _objects = new SimulatedObject?[64];

    /// <summary>Gives <paramref name="item"/> its handle.</summary>
    public nint Add(SimulatedObject item)
    {
        lock (_sync)
        {
            if (!_free.TryPop(out int slot))
            {
                slot = _used++;
                if (slot >> SlotBits != 0)
                {
                    throw new SimulatedFailure(QStatus.NoSpc, $"{slot} objects are alive; the simulated library has no handles left. Release objects that are no longer used.");
                }

                if (slot == _generations.Length)
                {
                    Array.Resize(ref _generations, slot * 2);
                    SimulatedObject?[] larger = new SimulatedObject?[slot * 2];
                    _objects.CopyTo(larger, 0);
                    _objects = larger;
                }
            }

            uint generation = ++_generations[slot];
            nint handle = (nint)(((ulong)item.Kind << KindShift) | ((ulong)generation << SlotBits) | (uint)slot);
            item.Handle = handle;
            Volatile.Write(ref _objects[slot], item);
            return handle;
        }
    }

    /// <summary>Makes the handle stale.</summary>
    public void Remove(SimulatedObject item)
    {
        lock (_sync)
        {
            int slot = SlotOf(item.Handle);
            if (_objects[slot] == item)
            {
                _objects[slot] = null;
                _free.Push(slot);
            }
        }
    }

    /// <summary>Finds the live object of a handle.</summary>
    /// <param name="handle">What the caller passed.</param>
    /// <param name="item">The object.</param>
    /// <param name="failure">Inval for null, BadFd for everything else that is not a live handle of this kind.</param>
    public bool TryGet<T>(nint handle, [NotNullWhen(true)] out T? item, out QStatus failure) where T : SimulatedObject
    {
        SimulatedObject?[] objects = _objects;
        int slot = SlotOf(handle);
        item = slot < objects.Length && Volatile.Read(ref objects[slot]) is T found && found.Handle == handle ? found : null;
        failure = item is not null ? QStatus.Success : handle == 0 ? QStatus.Inval : QStatus.BadFd;
        return item is not null;
    }

    /// <summary>The live objects, at this moment.</summary>
    public IEnumerable<T> Live<T>() where T : SimulatedObject => _objects.OfType<T>();

    /// <summary>Says what is wrong with a handle that <see cref="TryGet"/> did not find.</summary>
    public static string Describe<T>(nint handle) where T : SimulatedObject =>
        handle == 0
            ? $"The {SimulatedObject.NameOf<T>()} handle is null."
            : string.Create(CultureInfo.InvariantCulture, $"0x{handle:x} is not the handle of a live {SimulatedObject.NameOf<T>()}: it was released, made by another library, or is of another kind.");

    private static int SlotOf(nint handle) => (int)handle & ((1 << SlotBits) - 1);
}
