using System.Collections.Immutable;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>Encodings by the names that tensors have in a prepared model: what was encoded under the name of a tensor that preparing took away belongs to the one in its place.</summary>
internal sealed class ModelEncodings
{
    private readonly Dictionary<string, TensorEncoding> _activations, _parameters;

    /// <param name="graph">The prepared model.</param>
    /// <param name="encodings">The encodings, by the names of the model in its file.</param>
    public ModelEncodings(FloatGraph graph, QuantizationEncodings encodings)
    {
        _activations = Resolved(graph, encodings.Activations);
        _parameters = Resolved(graph, encodings.Parameters);
    }

    /// <summary>Encodings of activations.</summary>
    public IReadOnlyDictionary<string, TensorEncoding> Activations => _activations;

    /// <summary>The encoding of a weight or bias; null if there is none.</summary>
    public TensorEncoding? Of(string parameter) => _parameters.GetValueOrDefault(parameter);

    private static Dictionary<string, TensorEncoding> Resolved(FloatGraph graph, ImmutableSortedDictionary<string, TensorEncoding> encodings)
    {
        var resolved = new Dictionary<string, TensorEncoding>(StringComparer.Ordinal);
        foreach ((string name, TensorEncoding encoding) in encodings)
        {
            // A tensor's own name counts more than that of another that became the same.
            string tensor = graph.NameNow(name);
            if (tensor == name || !encodings.ContainsKey(tensor))
            {
                resolved.TryAdd(tensor, encoding);
            }
        }

        return resolved;
    }
}
