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
    private FloatGraph(OnnxModel model) => Model = model;

    /// <summary>The model, changed in place.</summary>
    public OnnxModel Model { get; }

    /// <summary>Float tensors that are computed or given: the model's inputs first, then in the order of the nodes. What lies between a node and its activation function is not among them.</summary>
    public IReadOnlyList<ProfiledTensor> Activations { get; private init; } = [];

    /// <summary>Float initializers.</summary>
    public IReadOnlyList<ProfiledTensor> Constants { get; private init; } = [];

    /// <summary>Hash of the graph as it is now: nodes, attributes, names, the shapes of inputs and constants. Another batch size is another hash.</summary>
    public ulong Hash { get; private init; }

    /// <summary>Prepares a model whose input shapes are fixed.</summary>
    public static FloatGraph Prepare(OnnxModel model) => throw new NotImplementedException(new FloatGraph(model).ToString());

    /// <summary>The values of a float initializer, wherever they are.</summary>
    public float[] Values(string constant) => throw new NotImplementedException(constant + Model);
}
