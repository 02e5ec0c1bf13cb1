using Google.Protobuf;
using Qaic.Compilation;

namespace Qaic.OnnxRuntime.Onnx;

/// <summary>An ONNX model in memory. Weights in other files stay there; see <see cref="ExternalData"/>.</summary>
/// <remarks>Mutable, not thread-safe. What the project does not know of the format survives reading and writing.</remarks>
internal sealed class OnnxModel
{
    private OnnxModel(ModelProto proto, string source, ExternalData externalData)
    {
        Proto = proto;
        Source = source;
        ExternalData = externalData;
        HashSet<string> constants = [.. Graph.Initializer.Select(t => t.Name), .. Graph.SparseInitializer.Select(t => t.Values?.Name ?? "")];
        Inputs = [.. Graph.Input.Where(i => !constants.Contains(i.Name)).Select(i => new OnnxTensor(i))];
        Outputs = [.. Graph.Output.Select(o => new OnnxTensor(o))];
    }

    public ModelProto Proto { get; }

    public GraphProto Graph => Proto.Graph;

    /// <summary>Path or name of the model, for messages.</summary>
    public string Source { get; }

    /// <summary>The files beside the model.</summary>
    public ExternalData ExternalData { get; }

    /// <summary>What the caller must provide: the graph's inputs without those that have an initializer.</summary>
    public IReadOnlyList<OnnxTensor> Inputs { get; }

    public IReadOnlyList<OnnxTensor> Outputs { get; }

    /// <summary>Version of the standard operators; 0 if the model uses none.</summary>
    public long Opset => Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? 0;

    /// <summary>Reads a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="CompilationException">The file is no ONNX model, or a damaged one.</exception>
    public static OnnxModel Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"There is no ONNX model at '{Path.GetFullPath(path)}'.", path);
        }

        // A pipe or a device has no length either, and opening one could wait for ever.
        if (new FileInfo(path).Length == 0)
        {
            throw new CompilationException($"'{path}' is not an ONNX model: it is empty or no ordinary file.");
        }

        using FileStream stream = File.OpenRead(path);
        if (stream.Length > int.MaxValue)
        {
            throw new CompilationException(
                $"'{path}' has {stream.Length} bytes; protobuf ends at 2 GiB. Save the model with its weights in a file beside it (external data).");
        }

        // Only the size is raised: the nesting limit, 100, is the one that ONNX Runtime's parser has as well.
        using var input = CodedInputStream.CreateWithLimits(stream, int.MaxValue, recursionLimit: 100);
        return Read(input, path, Path.GetDirectoryName(Path.GetFullPath(path)));
    }

    /// <summary>Reads a model from memory. It cannot have weights in other files.</summary>
    /// <exception cref="CompilationException">The bytes are no ONNX model, or a damaged one.</exception>
    public static OnnxModel Parse(ReadOnlyMemory<byte> bytes, string source)
    {
        using var input = new CodedInputStream(bytes.ToArray());
        return Read(input, source, null);
    }

    /// <summary>Writes the model. The same model gives the same bytes.</summary>
    /// <exception cref="CompilationException">The model without its external weights is larger than 2 GiB.</exception>
    public byte[] ToBytes() => HasSize
        ? Proto.ToByteArray()
        : throw new CompilationException($"'{Source}' does not fit into 2 GiB without its initializers. Turn large Constant nodes and subgraph weights into initializers of the main graph.");

    /// <summary>Checks that the model with all that is in it can be a file.</summary>
    /// <exception cref="CompilationException">It is larger than 2 GiB.</exception>
    public void CheckSize()
    {
        if (!HasSize)
        {
            throw new CompilationException($"'{Source}' with its weights does not fit into 2 GiB, where protobuf ends, so it cannot be written as one file (DumpQuantizedModel, dump_quantized_model). Leave that out.");
        }
    }

    /// <summary>An independent copy, which shares the bytes of raw data and the files beside the model: <see cref="ExternalData"/> is the original's and goes with it.</summary>
    public OnnxModel Clone() => new(Proto.Clone(), Source, ExternalData);

    /// <summary>Every tensor in the model: initializers, and attributes of nodes, in subgraphs and functions too.</summary>
    public IEnumerable<TensorProto> AllTensors() => TensorsOf(Graph).Concat(Proto.Functions.SelectMany(f => f.Node).SelectMany(TensorsOf));

    /// <summary>Forgets what the model declares of the types and shapes inside it. They may be of another batch size than the inputs get, and ONNX Runtime works them out.</summary>
    public void ForgetInnerShapes()
    {
        Forget(Graph);

        static void Forget(GraphProto graph)
        {
            graph.ValueInfo.Clear();
            foreach (GraphProto inner in graph.Node.SelectMany(n => n.Subgraphs()))
            {
                Forget(inner);
            }
        }
    }

    // Protobuf counts in 32 bits.
    private bool HasSize => Proto.CalculateSize() is >= 0 and <= 0x7fff_ffc7;

    private static OnnxModel Read(CodedInputStream input, string source, string? directory)
    {
        ModelProto proto;
        try
        {
            proto = ModelProto.Parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new CompilationException($"'{source}' is not an ONNX model, or a damaged one: {e.Message}", e);
        }

        // Many files that are no models parse as messages of unknown fields.
        return proto.Graph is { } graph && (graph.Output.Count > 0 || graph.Node.Count > 0)
            ? new OnnxModel(proto, source, new ExternalData(source, directory))
            : throw new CompilationException($"'{source}' is not an ONNX model: there is no graph in it.");
    }

    private static IEnumerable<TensorProto> TensorsOf(GraphProto graph) =>
        graph.Initializer.Concat(graph.SparseInitializer.SelectMany(TensorsOf)).Concat(graph.Node.SelectMany(TensorsOf));

    private static IEnumerable<TensorProto> TensorsOf(SparseTensorProto sparse) => new[] { sparse.Values, sparse.Indices }.OfType<TensorProto>();

    private static IEnumerable<TensorProto> TensorsOf(NodeProto node)
    {
        foreach (AttributeProto attribute in node.Attribute)
        {
            IEnumerable<TensorProto> tensors = attribute.Tensors
                .Concat(attribute.SparseTensors.SelectMany(TensorsOf))
                .Concat(attribute.Graphs.SelectMany(TensorsOf))
                .Concat(attribute.T is { } tensor ? [tensor] : [])
                .Concat(attribute.SparseTensor is { } sparse ? TensorsOf(sparse) : [])
                .Concat(attribute.G is { } graph ? TensorsOf(graph) : []);
            foreach (TensorProto found in tensors)
            {
                yield return found;
            }
        }
    }
}
