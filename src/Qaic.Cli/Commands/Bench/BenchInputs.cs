using System.Globalization;
using System.Runtime.InteropServices;
using Qaic.Cli.Data;
using Qaic.Runtime;

namespace Qaic.Cli.Commands.Bench;

/// <summary>The data of a benchmark's inferences: the same for each, copied once into every slot, so that only the device is measured and not the copying.</summary>
internal sealed class BenchInputs
{
    private readonly int? _shapes;
    private readonly IReadOnlyList<TensorSpec> _specs;
    private readonly byte[][] _data;

    private BenchInputs(int? shapes, IReadOnlyList<TensorSpec> specs, byte[][] data, int rows)
    {
        _shapes = shapes;
        _specs = specs;
        _data = data;
        RowsPerInference = rows;
    }

    /// <summary>Rows per inference in the shapes that are used: the leading dimension that all inputs and outputs share, 1 if they share none.</summary>
    public int RowsPerInference { get; }

    /// <summary>For people: <c>image Float32[32, 1, 8, 8]</c>.</summary>
    public string Description => string.Join(", ", _specs);

    /// <summary>Makes the data.</summary>
    /// <param name="session">The network.</param>
    /// <param name="files"><c>name=file</c>, or the file alone for a network of one input; inputs without one are random.</param>
    /// <param name="seed">Seed of random numbers: in [0, 1) for floating types, 0 and 1 for integers, so that indices stay inside.</param>
    /// <param name="shapes">Position in <see cref="Session.AllowedShapes"/>; null for the largest.</param>
    /// <exception cref="UsageException">There is no such input or set of shapes.</exception>
    /// <exception cref="IOException">A file cannot be read, or does not fit its input.</exception>
    public static BenchInputs Create(Session session, IReadOnlyList<string> files, int seed, int? shapes)
    {
        if (shapes is { } index && (index < 0 || index >= session.AllowedShapes.Count))
        {
            throw new UsageException(session.AllowedShapes.Count == 0
                ? $"--shapes {index}: the network has fixed shapes, so there is nothing to choose."
                : $"--shapes {index}: the network has the sets {string.Join("; ", session.AllowedShapes.Select((s, i) => string.Create(CultureInfo.InvariantCulture, $"{i}: {s}")))}.");
        }

        // Without a choice, a rental begins with the largest shapes, if they are a set.
        bool isLargestASet = session.AllowedShapes.Count == 0 || session.AllowedShapes.Any(s => s.Inputs.SequenceEqual(session.Inputs));
        int? chosen = shapes ?? (isLargestASet ? null : 0);
        AllowedShapeSet set = chosen is { } c ? session.AllowedShapes[c] : new(session.Inputs, session.Outputs);
        bool hasBatch = InputFiles.HasBatch(session);
        Dictionary<string, string> given = new InputFiles(set.Inputs, hasBatch, []).ByName(files);
        var random = new Random(seed);
        byte[][] data = [.. set.Inputs.Select(spec => given.TryGetValue(spec.Name, out string? path) ? FromFile(spec, path, hasBatch) : Random(spec, random))];
        return new BenchInputs(chosen, set.Inputs, data, Rows([.. set.Inputs, .. set.Outputs]));
    }

    /// <summary>Writes the data into a slot's buffers.</summary>
    public void Fill(Inference slot)
    {
        if (_shapes is { } set)
        {
            slot.SelectShapes(set);
        }

        for (int i = 0; i < _data.Length; i++)
        {
            _data[i].CopyTo(slot.InputBytes(i));
        }
    }

    // As a session converts them.
    private static byte[] Converted(Tensor tensor, TensorSpec spec)
    {
        byte[] bytes = new byte[tensor.Length * spec.ElementType.SizeInBytes()];
        ElementConversion.FromSingle(tensor.AsSpan<float>(), spec, bytes);
        return bytes;
    }

    // Rows are taken in turn until the batch is full.
    private static byte[] FromFile(TensorSpec spec, string path, bool hasBatch)
    {
        Tensor tensor = TensorFile.Load(path, spec, hasBatch);
        byte[] bytes = new byte[spec.ByteLength];
        ReadOnlySpan<byte> rows = tensor.ElementType == spec.ElementType ? tensor.Bytes : Converted(tensor, spec);
        for (int at = 0; at < bytes.Length; at += rows.Length)
        {
            rows[..Math.Min(rows.Length, bytes.Length - at)].CopyTo(bytes.AsSpan(at));
        }

        return bytes;
    }

    private static byte[] Random(TensorSpec spec, Random random)
    {
        byte[] bytes = new byte[spec.ByteLength];
        int size = spec.ElementType.SizeInBytes();
        for (int at = 0; at < bytes.Length; at += size)
        {
            Span<byte> element = bytes.AsSpan(at, size);
            switch (spec.ElementType)
            {
                case ElementType.Float32:
                    MemoryMarshal.Write(element, random.NextSingle());
                    break;
                case ElementType.Float16:
                    MemoryMarshal.Write(element, (Half)random.NextSingle());
                    break;
                case ElementType.BFloat16:
                    MemoryMarshal.Write(element, (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle()) >> 16));
                    break;
                default:
                    element[0] = (byte)random.Next(2);
                    break;
            }
        }

        return bytes;
    }

    private static int Rows(IReadOnlyList<TensorSpec> tensors) =>
        tensors.All(t => t.Shape.Length > 0 && t.Shape[0] == tensors[0].Shape[0]) ? tensors[0].Shape[0] : 1;
}
