using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Qaic.OnnxRuntime.Compilation;

/// <summary>Finds out whether the rows of a batch influence each other, or whether their place matters, by running a model on the same row in different company and places.</summary>
/// <remarks>
/// A shape alone does not tell: x - ReduceMean(x) over all axes keeps its leading dimension, and yet gives other results for other neighbours. Such a model must not be given a batch that
/// nobody asked for. A probe can miss an influence that shows for some values only.
/// </remarks>
internal static unsafe class RowProbe
{
    // Of the largest value in the row: kernels may add up in another order in another place, not more.
    private const double Tolerance = 1e-4;
    private const double HalfTolerance = 1e-2;

    // Fixed: the same model is always compiled the same way.
    private const int Seed = 1;

    /// <param name="session">The model; all its tensors lead with <paramref name="rows"/>.</param>
    /// <param name="rows">Rows in a batch; more than 1.</param>
    /// <returns>Whether the row's outputs depended on the others or on its place. True also if the model refuses the values, so that nothing can be said.</returns>
    public static bool RowsInteract(OrtSession session, int rows)
    {
        try
        {
            // First of random rows, against: last of zeros, last of others, in the middle of others.
            byte[][] first = Run(session, rows, 0, company: 1);
            return new[] { (At: rows - 1, Company: 0), (At: rows - 1, Company: 2), (At: rows / 2, Company: 3) }.Any(run =>
            {
                byte[][] other = Run(session, rows, run.At, run.Company);
                return session.Outputs.Where((output, i) => !Agree((TensorElementType)output.DataType, first[i], other[i])).Any();
            });
        }
        catch (OnnxRuntimeException)
        {
            // An index out of range, for example: the values mean nothing to this model.
            return true;
        }
    }

    // The outputs' rows at one place. The row there is always the same; the others are zeros (company 0) or random.
    private static byte[][] Run(OrtSession session, int rows, int at, int company)
    {
        var blocks = new List<nint>();
        var values = new List<OrtValue>();
        try
        {
            foreach (OrtTensor input in session.Inputs)
            {
                byte* block = (byte*)NativeMemory.AllocZeroed((nuint)Math.Max(input.ByteLength, 1));
                blocks.Add((nint)block);
                var all = new Span<byte>(block, checked((int)input.ByteLength));
                if (company != 0)
                {
                    Fill((TensorElementType)input.DataType, all, new Random(Seed + (1000 * company) + values.Count));
                }

                Fill((TensorElementType)input.DataType, Row(all, rows, at), new Random(Seed + values.Count));
                values.Add(OrtValue.CreateTensorValueWithData(
                    OrtMemoryInfo.DefaultInstance, (TensorElementType)input.DataType, [.. input.Shape.Select(d => (long)d)], (nint)block, input.ByteLength));
            }

            using var options = new RunOptions();
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Session.Run(options, [.. session.Inputs.Select(i => i.Name)], values, [.. session.Outputs.Select(o => o.Name)]);
            return [.. outputs.Select(value => Row(value.GetTensorMutableRawData(), rows, at).ToArray())];
        }
        finally
        {
            values.ForEach(v => v.Dispose());
            blocks.ForEach(b => NativeMemory.Free((void*)b));
        }
    }

    private static Span<byte> Row(Span<byte> all, int rows, int at) => all.Slice(all.Length / rows * at, all.Length / rows);

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
        double largest = 0;
        foreach (T item in a)
        {
            double magnitude = Math.Abs(value(item));
            largest = double.IsFinite(magnitude) ? Math.Max(largest, magnitude) : largest;
        }

        for (int i = 0; i < a.Length; i++)
        {
            (double x, double y) = (value(a[i]), value(b[i]));
            bool agree = x.Equals(y) || Math.Abs(x - y) <= tolerance * largest;
            if (!agree)
            {
                return false;
            }
        }

        return true;
    }
}
