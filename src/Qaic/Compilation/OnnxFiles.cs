using System.Collections.Immutable;
using System.IO.MemoryMappedFiles;
using Qaic.Qpc;

namespace Qaic.Compilation;

/// <summary>Reads of an ONNX model what must be known before it is compiled: the files in which it keeps weights outside of itself, its inputs, and its batch symbol. Field numbers are those of onnx.proto.</summary>
public static unsafe class OnnxFiles
{
    // Subgraphs nest in control flow; the bound keeps a hostile model from exhausting the stack.
    private const int MaxDepth = 64;

    private delegate void Visitor(WireReader model);

    /// <summary>The locations that the model's tensors name, as they are written; each once, sorted.</summary>
    /// <exception cref="QpcFormatException">The file is no ONNX model, or nests too deeply.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    internal static IReadOnlyCollection<string> ExternalLocations(string modelPath)
    {
        var locations = new SortedSet<string>(StringComparer.Ordinal);
        Visit(modelPath, model => Model(model, locations));
        return locations;
    }

    /// <summary>The symbol that is the first dimension of every input: the batch.</summary>
    /// <returns>Null if an input has another one there, or a number, or nothing; or if there is no input.</returns>
    /// <inheritdoc cref="ExternalLocations" path="/exception"/>
    internal static string? LeadingSymbol(string modelPath)
    {
        string?[] symbols = [.. Inputs(modelPath).Select(i => i.LeadingSymbol).Distinct()];
        return symbols is [{ } common] ? common : null;
    }

    /// <summary>Whether the first dimension of every input is the same one and open, so that it is the batch and can be chosen.</summary>
    /// <param name="modelPath">Path of the <c>.onnx</c> file.</param>
    /// <param name="symbol">Its symbol; null if it has no name, or is not open.</param>
    /// <exception cref="QpcFormatException">The file is no ONNX model, or nests too deeply.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static bool HasOpenBatch(string modelPath, out string? symbol)
    {
        (long? Length, string? Symbol)[] leading = [.. Inputs(modelPath).Select(i => i.Dimensions.IsDefaultOrEmpty ? (0, null) : (i.Dimensions[0].Length, i.Dimensions[0].Symbol)).Distinct()];
        bool isOpen = leading is [{ Length: null }];
        symbol = isOpen && leading[0].Symbol is { Length: > 0 } name ? name : null;
        return isOpen;
    }

    /// <summary>The inputs in the model's order, without those that only give an initializer's type.</summary>
    /// <inheritdoc cref="ExternalLocations" path="/exception"/>
    internal static IReadOnlyList<OnnxInput> Inputs(string modelPath)
    {
        // Before version 4 of the format every initializer is an input as well, and no input of the network.
        var initializers = new HashSet<string>(StringComparer.Ordinal);
        var inputs = new List<OnnxInput>();
        Visit(modelPath, model =>
        {
            while (model.Next(out int field))
            {
                if (field == 7)
                {
                    Inputs(model.Message(), initializers, inputs);
                }
                else
                {
                    model.Skip();
                }
            }
        });
        return [.. inputs.Where(i => !initializers.Contains(i.Name))];
    }

    private static void Visit(string modelPath, Visitor visit)
    {
        using var stream = new FileStream(modelPath, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        if (stream.Length is 0 or > int.MaxValue)
        {
            throw new QpcFormatException($"'{modelPath}' has {stream.Length} bytes; a model is one protobuf message of 1 byte to 2 GiB", 0);
        }

        // Mapped, so that weights inside the model are stepped over without being read.
        using var mapping = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        using MemoryMappedViewAccessor view = mapping.CreateViewAccessor(0, stream.Length, MemoryMappedFileAccess.Read);
        byte* address = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        try
        {
            visit(new WireReader(new ReadOnlySpan<byte>(address + view.PointerOffset, (int)stream.Length), $"Model '{modelPath}'"));
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    // GraphProto: initializer 5, input 11. TensorProto: name 8.
    private static void Inputs(WireReader graph, HashSet<string> initializers, List<OnnxInput> inputs)
    {
        while (graph.Next(out int field))
        {
            switch (field)
            {
                case 5:
                    WireReader tensor = graph.Message();
                    while (tensor.Next(out int part))
                    {
                        if (part == 8)
                        {
                            initializers.Add(tensor.String());
                        }
                        else
                        {
                            tensor.Skip();
                        }
                    }

                    break;
                case 11:
                    inputs.Add(Input(graph.Message()));
                    break;
                default:
                    graph.Skip();
                    break;
            }
        }
    }

    // ValueInfoProto: name 1, type 2. TypeProto: tensor_type 1. TypeProto.Tensor: elem_type 1, shape 2.
    private static OnnxInput Input(WireReader value)
    {
        string name = "";
        int type = 0;
        ImmutableArray<(long?, string?)> dimensions = default;
        while (value.Next(out int field))
        {
            switch (field)
            {
                case 1:
                    name = value.String();
                    break;
                case 2:
                    if (First(value.Message(), 1, out WireReader tensor))
                    {
                        while (tensor.Next(out int part))
                        {
                            switch (part)
                            {
                                case 1:
                                    type = tensor.Int32();
                                    break;
                                case 2:
                                    dimensions = Dimensions(tensor.Message());
                                    break;
                                default:
                                    tensor.Skip();
                                    break;
                            }
                        }
                    }

                    break;
                default:
                    value.Skip();
                    break;
            }
        }

        return new OnnxInput(name, type, dimensions);
    }

    // TensorShapeProto: dim 1. Dimension: dim_value 1, dim_param 2; the last one that is there counts.
    private static ImmutableArray<(long?, string?)> Dimensions(WireReader shape)
    {
        var dimensions = ImmutableArray.CreateBuilder<(long?, string?)>();
        while (shape.Next(out int field))
        {
            if (field != 1)
            {
                shape.Skip();
                continue;
            }

            WireReader dimension = shape.Message();
            (long?, string?) found = default;
            while (dimension.Next(out int part))
            {
                switch (part)
                {
                    case 1:
                        found = (unchecked((long)dimension.Varint()), null);
                        break;
                    case 2:
                        found = (null, dimension.String());
                        break;
                    default:
                        dimension.Skip();
                        break;
                }
            }

            dimensions.Add(found);
        }

        return dimensions.ToImmutable();
    }

    // The first message of that field.
    private static bool First(WireReader message, int wanted, out WireReader found)
    {
        while (message.Next(out int field))
        {
            if (field == wanted)
            {
                found = message.Message();
                return true;
            }

            message.Skip();
        }

        found = default;
        return false;
    }

    // ModelProto: graph 7, training_info 20, functions 25.
    private static void Model(WireReader model, SortedSet<string> locations)
    {
        while (model.Next(out int field))
        {
            switch (field)
            {
                case 7:
                    Graph(model.Message(), locations, 0);
                    break;
                case 20:
                    Training(model.Message(), locations);
                    break;
                case 25:
                    Function(model.Message(), locations);
                    break;
                default:
                    model.Skip();
                    break;
            }
        }
    }

    // TrainingInfoProto: initialization 1, algorithm 2.
    private static void Training(WireReader training, SortedSet<string> locations)
    {
        while (training.Next(out int field))
        {
            if (field is 1 or 2)
            {
                Graph(training.Message(), locations, 0);
            }
            else
            {
                training.Skip();
            }
        }
    }

    // FunctionProto: node 7, attribute_proto 11.
    private static void Function(WireReader function, SortedSet<string> locations)
    {
        while (function.Next(out int field))
        {
            switch (field)
            {
                case 7:
                    Node(function.Message(), locations, 0);
                    break;
                case 11:
                    Attribute(function.Message(), locations, 0);
                    break;
                default:
                    function.Skip();
                    break;
            }
        }
    }

    // GraphProto: node 1, initializer 5, sparse_initializer 15.
    private static void Graph(WireReader graph, SortedSet<string> locations, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new QpcFormatException($"The model's graphs nest more than {MaxDepth} deep", 0);
        }

        while (graph.Next(out int field))
        {
            switch (field)
            {
                case 1:
                    Node(graph.Message(), locations, depth);
                    break;
                case 5:
                    Tensor(graph.Message(), locations);
                    break;
                case 15:
                    Sparse(graph.Message(), locations);
                    break;
                default:
                    graph.Skip();
                    break;
            }
        }
    }

    // NodeProto: attribute 5.
    private static void Node(WireReader node, SortedSet<string> locations, int depth)
    {
        while (node.Next(out int field))
        {
            if (field == 5)
            {
                Attribute(node.Message(), locations, depth);
            }
            else
            {
                node.Skip();
            }
        }
    }

    // AttributeProto: t 5, g 6, tensors 10, graphs 11, sparse_tensor 22, sparse_tensors 23.
    private static void Attribute(WireReader attribute, SortedSet<string> locations, int depth)
    {
        while (attribute.Next(out int field))
        {
            switch (field)
            {
                case 5 or 10:
                    Tensor(attribute.Message(), locations);
                    break;
                case 6 or 11:
                    Graph(attribute.Message(), locations, depth + 1);
                    break;
                case 22 or 23:
                    Sparse(attribute.Message(), locations);
                    break;
                default:
                    attribute.Skip();
                    break;
            }
        }
    }

    // SparseTensorProto: values 1, indices 2.
    private static void Sparse(WireReader sparse, SortedSet<string> locations)
    {
        while (sparse.Next(out int field))
        {
            if (field is 1 or 2)
            {
                Tensor(sparse.Message(), locations);
            }
            else
            {
                sparse.Skip();
            }
        }
    }

    // TensorProto: external_data 13, entries of key 1 and value 2.
    private static void Tensor(WireReader tensor, SortedSet<string> locations)
    {
        while (tensor.Next(out int field))
        {
            if (field != 13)
            {
                tensor.Skip();
                continue;
            }

            WireReader entry = tensor.Message();
            string key = "";
            string value = "";
            while (entry.Next(out int part))
            {
                switch (part)
                {
                    case 1:
                        key = entry.String();
                        break;
                    case 2:
                        value = entry.String();
                        break;
                    default:
                        entry.Skip();
                        break;
                }
            }

            if (key == "location")
            {
                locations.Add(value);
            }
        }
    }
}
