using System.Globalization;
using System.Runtime.InteropServices;

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
    /// <param name="files">Raw files, <c>name=path</c>, or the path alone for a network of one input; inputs without one are random.</param>
    /// <param name="seed">Seed of random numbers: in [0, 1) for floating types, 0 and 1 for integers, so that indices stay inside.</param>
    /// <param name="shapes">Position in <see cref="Session.AllowedShapes"/>; null for the largest.</param>
    /// <exception cref="ArgumentException">There is no such input or set of shapes, or a file has the wrong size.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static BenchInputs Create(Session session, IReadOnlyList<string> files, int seed, int? shapes)
    {
        if (shapes is { } index && (index < 0 || index >= session.AllowedShapes.Count))
        {
            throw new ArgumentException(session.AllowedShapes.Count == 0
                ? $"--shapes {index}: the network has fixed shapes, so there is nothing to choose."
                : $"--shapes {index}: the network has the sets {string.Join("; ", session.AllowedShapes.Select((s, i) => string.Create(CultureInfo.InvariantCulture, $"{i}: {s}")))}.");
        }

        // Without a choice, a rental begins with the largest shapes, if they are a set.
        bool isLargestASet = session.AllowedShapes.Count == 0 || session.AllowedShapes.Any(s => s.Inputs.SequenceEqual(session.Inputs));
        int? chosen = shapes ?? (isLargestASet ? null : 0);
        AllowedShapeSet set = chosen is { } c ? session.AllowedShapes[c] : new(session.Inputs, session.Outputs);
        Dictionary<string, string> given = ByName(set.Inputs, files);
        var random = new Random(seed);
        byte[][] data = [.. set.Inputs.Select(spec => given.TryGetValue(spec.Name, out string? path) ? FromFile(spec, path) : Random(spec, random))];
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

    private static Dictionary<string, string> ByName(IReadOnlyList<TensorSpec> inputs, IReadOnlyList<string> files)
    {
        var byName = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string file in files)
        {
            int equals = file.IndexOf('=', StringComparison.Ordinal);
            string name = equals >= 0 ? file[..equals] : inputs.Count == 1 ? inputs[0].Name : throw new ArgumentException($"--input '{file}': the network has {inputs.Count} inputs, so say which one: name=path. {Known()}");
            if (inputs.All(i => i.Name != name))
            {
                throw new ArgumentException($"--input '{file}': the network has no input '{name}'. {Known()}");
            }

            if (!byName.TryAdd(name, file[(equals + 1)..]))
            {
                throw new ArgumentException($"--input '{file}': input '{name}' is given twice.");
            }
        }

        return byName;

        string Known() => $"It has {string.Join("; ", inputs)}.";
    }

    private static byte[] FromFile(TensorSpec spec, string path)
    {
        // Before it is read: somebody may have named a film.
        long length = new FileInfo(path).Length;
        return length == spec.ByteLength
            ? File.ReadAllBytes(path)
            : throw new ArgumentException($"--input '{path}' has {length} bytes; '{spec}' takes {spec.ByteLength}: raw, row-major, little endian, one whole batch.");
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
