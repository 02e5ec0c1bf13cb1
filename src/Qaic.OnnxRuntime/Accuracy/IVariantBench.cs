using Qaic.Compilation;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Accuracy;

/// <summary>A node of the model.</summary>
/// <param name="Name">Its first output, by which a node precision file knows it.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="Inputs">Tensors that it reads.</param>
/// <param name="Group">Nodes of one group are one to a compiler, as Conv, BatchNormalization and Relu are: the name of what comes out of it.</param>
internal sealed record ModelNode(string Name, string OpType, IReadOnlyList<string> Inputs, string Group)
{
    private static readonly HashSet<string> s_movers =
    [
        "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather", "Split", "Identity", "Dropout", "Expand", "Tile", "Pad", "Shape", "Constant", "Cast", "QuantizeLinear", "DequantizeLinear",
    ];

    /// <summary>All tensors that it writes.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [Name];

    /// <summary>Whether it passes numbers on as they are, in whatever precision they come.</summary>
    public bool MovesData => s_movers.Contains(OpType);
}

/// <summary>A constant that a network multiplies with, as it is before it is quantized.</summary>
/// <param name="Name">Its name in the model.</param>
/// <param name="Values">Its elements.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="OpType">The operator that reads it; empty if none does.</param>
/// <param name="ChannelAxis">Its dimension that becomes the operator's output channels.</param>
internal sealed record ModelWeight(string Name, float[] Values, IReadOnlyList<int> Shape, string OpType, int ChannelAxis);

/// <summary>What one way of compiling computed.</summary>
/// <param name="Outputs">All outputs on all rows.</param>
/// <param name="Precision">What the compiler did to every tensor; null if it does not say.</param>
/// <param name="QpcBytes">Size of the compiled network.</param>
internal sealed record VariantRun(IReadOnlyList<OutputRows> Outputs, PrecisionRecord? Precision, long QpcBytes);

/// <summary>Compiles one model in many ways and runs each on rows.</summary>
internal interface IVariantBench
{
    /// <summary>Name of the model for people.</summary>
    string ModelName { get; }

    /// <summary>The nodes of the model, in its order.</summary>
    /// <param name="options">Shapes of the model.</param>
    IReadOnlyList<ModelNode> Nodes(QaicOptions options);

    /// <summary>The float constants with two dimensions or more, read one by one: together they can be as large as the model.</summary>
    /// <param name="options">Shapes of the model.</param>
    IEnumerable<ModelWeight> Weights(QaicOptions options);

    /// <summary>Cuts samples into rows: one row per result, each tensor without the leading dimension. What a network without a batch takes stays whole.</summary>
    /// <param name="samples">Read once, lazily; the results are copies.</param>
    /// <param name="options">Shapes of the model.</param>
    IEnumerable<IReadOnlyDictionary<string, Tensor>> Rows(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options);

    /// <summary>Puts samples together as <see cref="Run"/> takes them, for those that are run on many times.</summary>
    /// <param name="samples">Samples or rows.</param>
    /// <param name="options">Shapes of the model.</param>
    IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Stack(IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options);

    /// <summary>Profiles.</summary>
    QuantizationProfile Profile(IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, QaicOptions options, CancellationToken cancellationToken);

    /// <summary>Compiles and runs.</summary>
    /// <param name="options">Compile-stage options.</param>
    /// <param name="profile">What to quantize with; null if the options say it, or nothing is quantized.</param>
    /// <param name="precision">Nodes that are not quantized; null if the options say it.</param>
    /// <param name="samples">What to run on.</param>
    /// <param name="cancellationToken">Ends the work between batches.</param>
    VariantRun Run(
        QaicOptions options,
        QuantizationProfile? profile,
        NodePrecision? precision,
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples,
        CancellationToken cancellationToken);
}
