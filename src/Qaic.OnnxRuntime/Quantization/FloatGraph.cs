using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>A tensor that a profile tells of.</summary>
/// <param name="Tensor">Name in the model.</param>
/// <param name="ProfileName">Name in the profile: <c>&lt;node&gt;:&lt;result&gt;</c>.</param>
internal sealed record ProfiledTensor(string Tensor, string ProfileName);

/// <summary>A float model in the form that is profiled and quantized: constants are initializers, BatchNormalization is folded, an activation function belongs to the node before it.</summary>
/// <remarks>Profiling and quantizing prepare the model by the same rules, so that names and hash agree.</remarks>
internal sealed class FloatGraph
{
    private readonly Dictionary<string, TensorProto> _constants;

    private FloatGraph(OnnxModel model)
    {
        Model = model;
        _constants = model.Graph.Initializer.GroupBy(t => t.Name).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
    }

    /// <summary>The model, changed in place.</summary>
    public OnnxModel Model { get; }

    /// <summary>Float tensors that are computed or given: the model's inputs first, then in the order of the nodes. What lies between a node and its activation function is not among them.</summary>
    public IReadOnlyList<ProfiledTensor> Activations { get; private init; } = [];

    /// <summary>Names in the profile of what lies between a node and its activation function. Other tools' profiles may know them.</summary>
    public IReadOnlyList<string> InnerProfileNames { get; private init; } = [];

    /// <summary>Float initializers.</summary>
    public IReadOnlyList<ProfiledTensor> Constants { get; private init; } = [];

    /// <summary>Hash of the graph as it is now: nodes, attributes, names, the shapes of inputs, and the names, shapes and values of constants. Another batch size is another hash.</summary>
    public ulong Hash { get; private init; }

    /// <summary>Per tensor between a node and its activation function (Relu, Clip from 0), the tensor behind that.</summary>
    public Dictionary<string, string> Fused { get; private init; } = [];

    /// <summary>Per output of a node that preparing took away, the tensor in its place.</summary>
    public IReadOnlyDictionary<string, string> StandsFor { get; private init; } = new Dictionary<string, string>();

    /// <summary>The tensor in whose name the values of one of the model's tensors are found now.</summary>
    public string NameNow(string tensor)
    {
        while (StandsFor.TryGetValue(tensor, out string? next) && next != tensor)
        {
            tensor = next;
        }

        return tensor;
    }

    /// <summary>Type and shape of every tensor, constants included.</summary>
    public Dictionary<string, TensorInfo> Tensors { get; private init; } = [];

    /// <summary>Prepares a model whose input shapes are fixed.</summary>
    /// <exception cref="CompilationException">ONNX Runtime refuses the model, or its constants are damaged.</exception>
    public static FloatGraph Prepare(OnnxModel model, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        var standsFor = new Dictionary<string, string>(StringComparer.Ordinal);
        List<string> read = GraphCleanup.Read(model.Graph);
        GraphCleanup.Clean(model, standsFor);
        read.AddRange(GraphCleanup.Read(model.Graph));
        cancellationToken.ThrowIfCancellationRequested();
        BatchNormalizationFolding.Fold(model, standsFor);
        cancellationToken.ThrowIfCancellationRequested();
        GraphCleanup.DropUnread(model.Graph, read);

        Dictionary<string, TensorInfo> tensors = TensorInference.Infer(model, cancellationToken);
        Dictionary<string, string> fused = ActivationFusion.Find(model);
        var names = new ProfileNames();
        List<ProfiledTensor> activations = [];
        foreach (ValueInfoProto input in model.Graph.Input)
        {
            Add(activations, input.Name, ProfileNames.Result(names.Take(input.Name), 0));
        }

        List<ProfiledTensor> constants = [];
        foreach (TensorProto constant in model.Graph.Initializer)
        {
            Add(constants, constant.Name, ProfileNames.Result(names.Take(constant.Name), 0));
        }

        List<string> inner = [];
        foreach (NodeProto node in model.Graph.Node)
        {
            string name = names.Take(node.Name.Length > 0 ? node.Name : node.Key());
            for (int i = 0; i < node.Output.Count; i++)
            {
                if (fused.ContainsKey(node.Output[i]))
                {
                    inner.Add(ProfileNames.Result(name, i));
                }
                else if (node.Output[i].Length > 0)
                {
                    Add(activations, node.Output[i], ProfileNames.Result(name, i));
                }
            }
        }

        return new FloatGraph(model)
        {
            Activations = activations,
            Constants = constants,
            InnerProfileNames = inner,
            Fused = fused,
            StandsFor = standsFor,
            Tensors = tensors,
            Hash = GraphHash.Of(model),
        };

        void Add(List<ProfiledTensor> list, string tensor, string profileName)
        {
            if (tensors.TryGetValue(tensor, out TensorInfo? info) && info.IsFloat)
            {
                list.Add(new ProfiledTensor(tensor, profileName));
            }
        }
    }

    /// <summary>The values of a float initializer (a float16 one, widened), wherever they are.</summary>
    /// <exception cref="ArgumentException">There is no such initializer.</exception>
    /// <exception cref="CompilationException">It is not float, or damaged.</exception>
    public float[] Values(string constant) =>
        _constants.TryGetValue(constant, out TensorProto? tensor)
            ? InitializerData.Singles(Model, tensor)
            : throw new ArgumentException($"'{Model.Source}' has no constant '{constant}'.", nameof(constant));

    /// <summary>Adds an initializer, or replaces the one of its name.</summary>
    public void SetConstant(TensorProto constant)
    {
        if (_constants.TryGetValue(constant.Name, out TensorProto? old))
        {
            Model.Graph.Initializer[GraphCleanup.IndexOf(Model.Graph.Initializer, old)] = constant;
        }
        else
        {
            Model.Graph.Initializer.Add(constant);
        }

        _constants[constant.Name] = constant;
    }
}
