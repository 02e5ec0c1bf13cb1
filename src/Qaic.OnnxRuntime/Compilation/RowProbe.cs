using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>Finds out whether the rows of a batch influence each other, by running a model twice on the same first row and different others.</summary>
/// <remarks>
/// A shape alone does not tell: x - ReduceMean(x) over all axes keeps its leading dimension, and yet gives other results for other neighbours. Such a model must not be given a batch that
/// nobody asked for. A probe can miss an influence that shows for some values only.
/// </remarks>
internal static unsafe class RowProbe
{
    // Kernels may add up in another order for another row, not more. Fixed seed: the same model is always compiled the same way.
    private const double Tolerance = 1e-4;
    private const double HalfTolerance = 1e-2;
    private const int Seed = 1;

    /// <param name="session">The model; all its tensors lead with <paramref name="rows"/>.</param>
    /// <param name="rows">Rows in a batch; more than 1.</param>
    /// <returns>Whether the first row's outputs depended on the others. False also if the model refuses such values.</returns>
    public static bool RowsInteract(OrtSession session, int rows)
    {
        try
        {
            byte[][] among = Run(session, rows, othersAreZero: false);
            byte[][] alone = Run(session, rows, othersAreZero: true);
            return session.Outputs.Select((output, i) => !Agree((TensorElementType)output.DataType, among[i], alone[i])).Any(differs => differs);
        }
        catch (OnnxRuntimeException)
        {
            // An index out of range, for example: the values mean nothing to this model, and nothing is learned.
            return false;
        }
    }

    // The outputs' first rows.
    private static byte[][] Run(OrtSession session, int rows, bool othersAreZero)
    {
        var random = new Random(Seed);
        var blocks = new List<nint>();
        var values = new List<OrtValue>();
        try
        {
            foreach (OrtTensor input in session.Inputs)
            {
                byte* block = (byte*)NativeMemory.AllocZeroed((nuint)Math.Max(input.ByteLength, 1));
                blocks.Add((nint)block);
                long filled = othersAreZero ? input.ByteLength / rows : input.ByteLength;
                Fill((TensorElementType)input.DataType, new Span<byte>(block, checked((int)filled)), random);
                values.Add(OrtValue.CreateTensorValueWithData(
                    OrtMemoryInfo.DefaultInstance, (TensorElementType)input.DataType, [.. input.Shape.Select(d => (long)d)], (nint)block, input.ByteLength));

                // Both runs draw the same numbers for the first row of every input.
                random = new Random(Seed + values.Count);
            }

            using var options = new RunOptions();
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Session.Run(options, [.. session.Inputs.Select(i => i.Name)], values, [.. session.Outputs.Select(o => o.Name)]);
            return [.. outputs.Select((value, i) => value.GetTensorMutableRawData()[..(int)(session.Outputs[i].ByteLength / rows)].ToArray())];
        }
        finally
        {
            values.ForEach(v => v.Dispose());
            blocks.ForEach(b => NativeMemory.Free((void*)b));
        }
    }

    private static void Fill(TensorElementType type, Span<byte> bytes, Random random)
    {
        switch (type)
        {
            case TensorElementType.Float:
                foreach (ref float value in MemoryMarshal.Cast<byte, float>(bytes))
                {
                    value = (2 * random.NextSingle()) - 1;
                }

                break;
            case TensorElementType.Float16:
                foreach (ref Half value in MemoryMarshal.Cast<byte, Half>(bytes))
                {
                    value = (Half)((2 * random.NextSingle()) - 1);
                }

                break;
            case TensorElementType.BFloat16:
                foreach (ref ushort value in MemoryMarshal.Cast<byte, ushort>(bytes))
                {
                    value = (ushort)(BitConverter.SingleToUInt32Bits((2 * random.NextSingle()) - 1) >> 16);
                }

                break;
            case TensorElementType.Int64:
                foreach (ref long value in MemoryMarshal.Cast<byte, long>(bytes))
                {
                    value = random.Next(2);
                }

                break;
            case TensorElementType.Int32:
                foreach (ref int value in MemoryMarshal.Cast<byte, int>(bytes))
                {
                    value = random.Next(2);
                }

                break;
            case TensorElementType.Int16:
                foreach (ref short value in MemoryMarshal.Cast<byte, short>(bytes))
                {
                    value = (short)random.Next(2);
                }

                break;
            case TensorElementType.UInt8:
                random.NextBytes(bytes);
                break;
            default:
                foreach (ref byte value in bytes)
                {
                    value = (byte)random.Next(2);
                }

                break;
        }
    }

    private static bool Agree(TensorElementType type, byte[] a, byte[] b) => type switch
    {
        TensorElementType.Float => Agree(MemoryMarshal.Cast<byte, float>(a), MemoryMarshal.Cast<byte, float>(b), Tolerance, static v => v),
        TensorElementType.Float16 => Agree(MemoryMarshal.Cast<byte, Half>(a), MemoryMarshal.Cast<byte, Half>(b), HalfTolerance, static v => (double)v),
        TensorElementType.BFloat16 => Agree(
            MemoryMarshal.Cast<byte, ushort>(a), MemoryMarshal.Cast<byte, ushort>(b), HalfTolerance, static v => BitConverter.UInt32BitsToSingle((uint)v << 16)),
        _ => a.AsSpan().SequenceEqual(b),
    };

    private static bool Agree<T>(ReadOnlySpan<T> a, ReadOnlySpan<T> b, double tolerance, Func<T, double> value)
    {
        for (int i = 0; i < a.Length; i++)
        {
            (double x, double y) = (value(a[i]), value(b[i]));
            bool agree = x.Equals(y) || Math.Abs(x - y) <= tolerance * Math.Max(1, Math.Abs(x));
            if (!agree)
            {
                return false;
            }
        }

        return true;
    }
}
