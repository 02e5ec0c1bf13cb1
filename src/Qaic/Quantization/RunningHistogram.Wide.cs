using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Qaic.Quantization;

/// <content>The loop for AVX-512, with the same arithmetic.</content>
/// <remarks>
/// <para>A processor stores about one count per cycle, so what counts is how few are stored: the values in zero's bin, half of all that a Relu leaves, are told apart by a mask and only their number is added.</para>
/// <para>As the range seldom grows, values are taken to lie in the one there is, and are read once. Where a block of them does not, the blocks before it are taken back.</para>
/// </remarks>
public sealed partial class RunningHistogram
{
    private const uint One = 1, MinusOne = uint.MaxValue;

    // Counts all values, or none: where one is outside of the range, or no number.
    private bool TryCountWide(ReadOnlySpan<float> values, float width)
    {
        int whole = values.Length - (values.Length % Vector512<float>.Count);
        foreach (float value in values[whole..])
        {
            if (!(value >= _minimum && value <= _maximum))
            {
                return false;
            }
        }

        MakeRoom(values.Length);
        int counted = CountBlocks(values[..whole], width, One);
        if (counted < whole)
        {
            CountBlocks(values[..counted], width, MinusOne);
            _inLanes -= (uint)values.Length;
            return false;
        }

        foreach (float value in values[whole..])
        {
            _lanes[Bin(value, _minimum, _maximum, width) * Lanes]++;
        }

        return true;
    }

    // How many values were counted: whole blocks, until one has a value that cannot be.
    private int CountBlocks(ReadOnlySpan<float> values, float width, uint step)
    {
        int zero = Bin(0f, _minimum, _maximum, width), at = 0;
        while (at < values.Length)
        {
            ReadOnlySpan<float> block = values.Slice(at, Math.Min(Block, values.Length - at));
            int others = ComputeSlotsWide(block, width, zero);
            if (others < 0)
            {
                break;
            }

            // A lane may wrap around, the sum of a bin's lanes does not.
            Increment(_slots.AsSpan(0, others), step);
            _lanes[zero * Lanes] += (uint)(block.Length - others) * step;
            at += block.Length;
        }

        return at;
    }

    // Number of slots, which are those of the values outside of zero's bin; -1 if a value is outside of the range or no number.
    private int ComputeSlotsWide(ReadOnlySpan<float> values, float width, int zero)
    {
        Vector512<float> divisor = Vector512.Create(width), minimum = Vector512.Create(_minimum), maximum = Vector512.Create(_maximum);
        Vector512<float> least = minimum, most = maximum;
        Vector512<int> last = Vector512.Create(Bins - 1), lane = Vector512<int>.Indices & Vector512.Create(Lanes - 1);
        Vector512<int> skipped = Vector512.Create(zero), signs = Vector512<int>.Zero;
        ref float source = ref MemoryMarshal.GetReference(values);
        ref int target = ref MemoryMarshal.GetArrayDataReference(_slots);
        int slots = 0;
        for (int i = 0; i < values.Length; i += Vector512<float>.Count)
        {
            Vector512<float> value = Vector512.LoadUnsafe(ref source, (nuint)i);
            (least, most) = (Vector512.MinNative(least, value), Vector512.MaxNative(most, value));
            Vector512<int> bin = Vector512.ConvertToInt32Native((value - minimum) / divisor);
            signs |= bin;
            bin = Vector512.Min(bin, last);
            Vector512<int> others = ~Vector512.Equals(bin, skipped);

            // Stores a whole vector, of which the next one overwrites what is not a slot.
            Vector512.StoreUnsafe(Avx512F.Compress(Vector512<int>.Zero, others, (bin * Lanes) + lane), ref target, (nuint)slots);
            slots += BitOperations.PopCount((uint)others.ExtractMostSignificantBits());
        }

        // The next value makes a minimum and a maximum forget NaN, but it becomes a negative bin.
        bool inside = least == minimum && most == maximum && Vector512.GreaterThanOrEqualAll(signs, Vector512<int>.Zero);
        return inside ? slots : -1;
    }
}
