using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Qaic.Quantization;

/// <content>The loops over all values: whole vectors as wide as the machine's, then the rest one by one with the same arithmetic.</content>
public sealed partial class RunningHistogram
{
    // Each bin is counted in as many places as values are counted at once, so that equal values in a row (the zeros of a Relu) do not wait for each other's store.
    private const int Lanes = 8;

    // Values whose places are computed before they are counted.
    private const int Block = 512;

    // The bits of a float32 but its sign; infinity's, which only NaN's exceed.
    private const int Magnitude = 0x7fffffff, Infinity = 0x7f800000;

    private readonly uint[] _lanes;
    private readonly int[] _slots;
    private uint _inLanes;

    private static bool TryRangeOfVectors(ReadOnlySpan<float> values, out float minimum, out float maximum)
    {
        int width = Vector<float>.Count;
        if (!Vector.IsHardwareAccelerated || values.Length < width)
        {
            return TryRange(values, out minimum, out maximum);
        }

        ref float source = ref MemoryMarshal.GetReference(values);
        Vector<float> least = Vector.LoadUnsafe(ref source), most = least, least2 = least, most2 = least;
        var mask = new Vector<int>(Magnitude);
        Vector<int> largest = Vector.AsVectorInt32(least) & mask, largest2 = largest;
        int at = 0;
        for (; at <= values.Length - (2 * width); at += 2 * width)
        {
            Vector<float> a = Vector.LoadUnsafe(ref Unsafe.Add(ref source, at)), b = Vector.LoadUnsafe(ref Unsafe.Add(ref source, at + width));
            (least, most, largest) = (Vector.MinNative(least, a), Vector.MaxNative(most, a), Vector.Max(largest, Vector.AsVectorInt32(a) & mask));
            (least2, most2, largest2) = (Vector.MinNative(least2, b), Vector.MaxNative(most2, b), Vector.Max(largest2, Vector.AsVectorInt32(b) & mask));
        }

        // The last vectors overlap what has been seen, which changes no minimum.
        for (; at < values.Length; at += width)
        {
            Vector<float> a = Vector.LoadUnsafe(ref Unsafe.Add(ref source, Math.Min(at, values.Length - width)));
            (least, most, largest) = (Vector.MinNative(least, a), Vector.MaxNative(most, a), Vector.Max(largest, Vector.AsVectorInt32(a) & mask));
        }

        if (Vector.GreaterThanOrEqualAny(Vector.Max(largest, largest2), new Vector<int>(Infinity)))
        {
            (minimum, maximum) = (0, 0);
            return false;
        }

        (least, most) = (Vector.MinNative(least, least2), Vector.MaxNative(most, most2));
        (minimum, maximum) = (least[0], most[0]);
        for (int i = 1; i < width; i++)
        {
            minimum = MathF.Min(minimum, least[i]);
            maximum = MathF.Max(maximum, most[i]);
        }

        minimum += 0f;
        maximum += 0f;
        return true;
    }

    private void CountVectors(ReadOnlySpan<float> values, float width)
    {
        MakeRoom(values.Length);
        while (!values.IsEmpty)
        {
            ReadOnlySpan<float> block = values[..Math.Min(Block, values.Length)];
            values = values[block.Length..];
            int whole = block.Length - (block.Length % Vector<int>.Count);
            ComputeSlots(block[..whole], width);
            Increment(_slots.AsSpan(0, whole), One);
            foreach (float value in block[whole..])
            {
                _lanes[Bin(value, _minimum, _maximum, width) * Lanes]++;
            }
        }
    }

    // IEEE division and truncation: the same bins as one by one.
    private void ComputeSlots(ReadOnlySpan<float> values, float width)
    {
        var divisor = new Vector<float>(width);
        var minimum = new Vector<float>(_minimum);
        var last = new Vector<int>(Bins - 1);
        Vector<int> lane = Vector<int>.Indices & new Vector<int>(Lanes - 1);
        ref float source = ref MemoryMarshal.GetReference(values);
        ref int target = ref MemoryMarshal.GetArrayDataReference(_slots);
        for (int i = 0; i < values.Length; i += Vector<int>.Count)
        {
            Vector<int> bin = Vector.ConvertToInt32Native((Vector.LoadUnsafe(ref Unsafe.Add(ref source, i)) - minimum) / divisor);
            Vector.StoreUnsafe((Vector.Min(bin, last) * Lanes) + lane, ref Unsafe.Add(ref target, i));
        }
    }

    private void Increment(ReadOnlySpan<int> slots, uint step)
    {
        ref uint counts = ref MemoryMarshal.GetArrayDataReference(_lanes);
        ref int source = ref MemoryMarshal.GetReference(slots);
        int i = 0;
        for (; i <= slots.Length - 4; i += 4)
        {
            // Two slots by one load.
            ulong first = Unsafe.ReadUnaligned<ulong>(ref Unsafe.As<int, byte>(ref Unsafe.Add(ref source, i)));
            ulong second = Unsafe.ReadUnaligned<ulong>(ref Unsafe.As<int, byte>(ref Unsafe.Add(ref source, i + 2)));
            Unsafe.Add(ref counts, (nint)(uint)first) += step;
            Unsafe.Add(ref counts, (nint)(first >> 32)) += step;
            Unsafe.Add(ref counts, (nint)(uint)second) += step;
            Unsafe.Add(ref counts, (nint)(second >> 32)) += step;
        }

        for (; i < slots.Length; i++)
        {
            Unsafe.Add(ref counts, slots[i]) += step;
        }
    }

    // Before values are counted in the lanes: all of them might be in one.
    private void MakeRoom(int count)
    {
        if (uint.MaxValue - _inLanes < (uint)count)
        {
            Gather();
        }

        _inLanes += (uint)count;
    }

    // Adds what the lanes have counted to the counts.
    private void Gather()
    {
        if (_inLanes == 0)
        {
            return;
        }

        for (int bin = 0; bin < Bins; bin++)
        {
            uint sum = 0;
            foreach (uint count in _lanes.AsSpan(bin * Lanes, Lanes))
            {
                sum += count;
            }

            _counts[bin] += sum;
        }

        _lanes.AsSpan().Clear();
        _inLanes = 0;
    }
}
