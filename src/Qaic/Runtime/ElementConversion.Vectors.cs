using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Qaic.Runtime;

/// <content>The loops: whole vectors as wide as the machine's, then the rest one by one with the same arithmetic.</content>
public static partial class ElementConversion
{
    private static void QuantizeCore(ReadOnlySpan<float> values, float scale, int offset, int lowest, int highest, Span<byte> codes)
    {
        int done = 0;
        if (Vector.IsHardwareAccelerated)
        {
            var step = new Vector<float>(scale);
            var zero = new Vector<float>(offset);
            var low = new Vector<float>(lowest);
            var high = new Vector<float>(highest);
            int width = Vector<float>.Count;
            ref float source = ref MemoryMarshal.GetReference(values);
            ref byte target = ref MemoryMarshal.GetReference(codes);
            for (; done <= values.Length - Vector<byte>.Count; done += Vector<byte>.Count)
            {
                ref float at = ref Unsafe.Add(ref source, done);

                // Each number is in the range of its code, so that narrowing cuts off nothing but its sign's copies.
                Vector<short> first = Vector.Narrow(Codes(ref at, step, zero, low, high), Codes(ref Unsafe.Add(ref at, width), step, zero, low, high));
                Vector<short> second = Vector.Narrow(Codes(ref Unsafe.Add(ref at, 2 * width), step, zero, low, high), Codes(ref Unsafe.Add(ref at, 3 * width), step, zero, low, high));
                Vector.StoreUnsafe(Vector.AsVectorByte(Vector.Narrow(first, second)), ref Unsafe.Add(ref target, done));
            }
        }

        for (; done < values.Length; done++)
        {
            codes[done] = unchecked((byte)Code(values[done], scale, offset, lowest, highest));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<int> Codes(ref float at, Vector<float> step, Vector<float> zero, Vector<float> low, Vector<float> high)
    {
        Vector<float> value = Vector.LoadUnsafe(ref at);
        Vector<float> code = (value / step) + zero;

        // Only NaN differs from itself. Clamped before it is rounded, which is the same because the bounds are whole numbers, and infinity cannot be converted.
        code = Vector.ConditionalSelect(Vector.Equals(value, value), code, zero);
        return Vector.ConvertToInt32(Vector.Round(Vector.Min(Vector.Max(code, low), high)));
    }

    private static int Code(float value, float scale, int offset, int lowest, int highest) =>
        float.IsNaN(value) ? offset : (int)MathF.Round(Math.Clamp((value / scale) + offset, lowest, highest), MidpointRounding.ToEven);

    private static void DequantizeCore(ReadOnlySpan<byte> codes, byte flip, float scale, int offset, Span<float> values)
    {
        int done = 0;
        if (Vector.IsHardwareAccelerated)
        {
            var step = new Vector<float>(scale);
            var zero = new Vector<int>(offset);
            var mask = new Vector<byte>(flip);
            int width = Vector<float>.Count;
            ref byte source = ref MemoryMarshal.GetReference(codes);
            ref float target = ref MemoryMarshal.GetReference(values);
            for (; done <= codes.Length - Vector<byte>.Count; done += Vector<byte>.Count)
            {
                Vector.Widen(Vector.LoadUnsafe(ref Unsafe.Add(ref source, done)) ^ mask, out Vector<ushort> low, out Vector<ushort> high);
                Vector.Widen(low, out Vector<uint> first, out Vector<uint> second);
                Vector.Widen(high, out Vector<uint> third, out Vector<uint> fourth);
                ref float at = ref Unsafe.Add(ref target, done);
                Vector.StoreUnsafe(Numbers(first, zero, step), ref at);
                Vector.StoreUnsafe(Numbers(second, zero, step), ref Unsafe.Add(ref at, width));
                Vector.StoreUnsafe(Numbers(third, zero, step), ref Unsafe.Add(ref at, 2 * width));
                Vector.StoreUnsafe(Numbers(fourth, zero, step), ref Unsafe.Add(ref at, 3 * width));
            }
        }

        for (; done < codes.Length; done++)
        {
            values[done] = scale * ((codes[done] ^ flip) - offset);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Numbers(Vector<uint> codes, Vector<int> zero, Vector<float> step) => step * Vector.ConvertToSingle(Vector.AsVectorInt32(codes) - zero);

    private static void BFloat16Core(ReadOnlySpan<float> values, Span<ushort> bits)
    {
        int done = 0;
        if (Vector.IsHardwareAccelerated)
        {
            ref float source = ref MemoryMarshal.GetReference(values);
            ref ushort target = ref MemoryMarshal.GetReference(bits);
            for (; done <= values.Length - Vector<ushort>.Count; done += Vector<ushort>.Count)
            {
                ref float at = ref Unsafe.Add(ref source, done);
                Vector.StoreUnsafe(Vector.Narrow(Upper(ref at), Upper(ref Unsafe.Add(ref at, Vector<float>.Count))), ref Unsafe.Add(ref target, done));
            }
        }

        for (; done < values.Length; done++)
        {
            uint word = BitConverter.SingleToUInt32Bits(values[done]);
            bits[done] = (ushort)((float.IsNaN(values[done]) ? word | QuietBit : word + RoundingBias + ((word >> 16) & 1)) >> 16);
        }
    }

    // The bit that tells a quiet NaN; setting it keeps a NaN whose payload is cut off from becoming infinity.
    private const uint QuietBit = 1u << 22;

    // With the last bit that stays: half of it, less one if that bit is 0, so that ties go to even.
    private const uint RoundingBias = 0x7fff;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Upper(ref float at)
    {
        Vector<float> value = Vector.LoadUnsafe(ref at);
        Vector<uint> word = Vector.AsVectorUInt32(value);
        Vector<uint> rounded = word + new Vector<uint>(RoundingBias) + ((word >>> 16) & Vector<uint>.One);
        return Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.Equals(value, value)), rounded, word | new Vector<uint>(QuietBit)) >>> 16;
    }

    private static void SingleCore(ReadOnlySpan<ushort> bits, Span<float> values)
    {
        int done = 0;
        if (Vector.IsHardwareAccelerated)
        {
            ref ushort source = ref MemoryMarshal.GetReference(bits);
            ref float target = ref MemoryMarshal.GetReference(values);
            for (; done <= bits.Length - Vector<ushort>.Count; done += Vector<ushort>.Count)
            {
                Vector.Widen(Vector.LoadUnsafe(ref Unsafe.Add(ref source, done)), out Vector<uint> low, out Vector<uint> high);
                Vector.StoreUnsafe(Vector.AsVectorSingle(low << 16), ref Unsafe.Add(ref target, done));
                Vector.StoreUnsafe(Vector.AsVectorSingle(high << 16), ref Unsafe.Add(ref target, done + Vector<float>.Count));
            }
        }

        for (; done < bits.Length; done++)
        {
            values[done] = BitConverter.UInt32BitsToSingle((uint)bits[done] << 16);
        }
    }
}
