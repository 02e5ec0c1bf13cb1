using Qaic.Compilation;
using Qaic.OnnxRuntime.Onnx;
using Qaic.Options;
using Qaic.Quantization;

namespace Qaic.OnnxRuntime.Quantization;

/// <summary>How an activation becomes integers.</summary>
/// <param name="Parameters">Scale and offset.</param>
/// <param name="Minimum">Smallest value seen, or that can be said.</param>
/// <param name="Maximum">Largest value seen, or that can be said.</param>
/// <param name="Clipped">Part of the values seen that lie outside of what can be said, 0 to 1.</param>
internal sealed record ActivationRange(QuantizationParameters Parameters, float Minimum, float Maximum, double Clipped = 0);

/// <summary>Where the parameters of activations come from: a profile and a calibration, or encodings chosen elsewhere.</summary>
internal abstract class ActivationRanges
{
    private readonly Dictionary<string, ActivationRange?> _known = new(StringComparer.Ordinal);

    /// <summary>The parameters of a tensor and of all that carry its values on; null if the source says nothing of them.</summary>
    /// <param name="tensor">The tensor that is computed or given.</param>
    /// <param name="carriers">Tensors with the same values in another form.</param>
    public ActivationRange? Of(string tensor, IEnumerable<string> carriers)
    {
        if (!_known.TryGetValue(tensor, out ActivationRange? range))
        {
            _known[tensor] = range = Choose(tensor, carriers);
        }

        return range;
    }

    /// <summary>From a profile.</summary>
    /// <exception cref="CompilationException">The profile knows no activation of the model.</exception>
    public static ActivationRanges From(FloatGraph graph, Dataflow flow, QuantizationProfile profile, CalibrationMethod method, CancellationToken cancellationToken)
    {
        if (graph.Activations.Count > 0 && !graph.Activations.Any(a => profile.Find(a.ProfileName) is not null))
        {
            throw new CompilationException(
                $"The profile has no activation of '{graph.Model.Source}': it knows {Sample(profile.Tensors.Select(t => t.Name))}, the model has {Sample(graph.Activations.Select(a => a.ProfileName))}. "
                + "It was made from another model. Profile this one: dump_profile, or convert_to_quantize.");
        }

        return new Profiled(graph, flow, profile, method, cancellationToken);
    }

    /// <summary>From encodings.</summary>
    /// <exception cref="CompilationException">The encodings name no tensor of the model, or have another width than 8 bits.</exception>
    public static ActivationRanges From(FloatGraph graph, ModelEncodings encodings)
    {
        HashSet<string> tensors = [.. graph.Activations.Select(a => a.Tensor)];
        if (graph.Activations.Count > 0 && !encodings.Activations.Keys.Any(tensors.Contains))
        {
            string? nearest = encodings.Activations.Keys.Select(k => Spelling.Nearest(k, tensors)).FirstOrDefault(n => n is not null);
            throw new CompilationException(
                $"The encodings (ExternalQuantizationFile, external_quantization_file) have no activation of '{graph.Model.Source}': they know {Sample(encodings.Activations.Keys)}, the model has {Sample(graph.Activations.Select(a => a.Tensor))}. "
                + (nearest is null ? "They were made for another model." : $"Was '{nearest}' meant?"));
        }

        return new Encoded(encodings);
    }

    /// <summary>A few names, for messages.</summary>
    public static string Sample(IEnumerable<string> names)
    {
        const int Shown = 3;
        string[] all = [.. names];
        return all.Length == 0 ? "none" : string.Join(", ", all.Take(Shown).Select(n => $"'{n}'")) + (all.Length > Shown ? $" and {all.Length - Shown} more" : "");
    }

    protected abstract ActivationRange? Choose(string tensor, IEnumerable<string> carriers);

    private sealed class Profiled : ActivationRanges
    {
        private readonly FloatGraph _graph;
        private readonly Dataflow _flow;
        private readonly QuantizationProfile _profile;
        private readonly CalibrationMethod _method;
        private readonly CancellationToken _cancellationToken;
        private readonly Dictionary<string, string> _names;

        public Profiled(FloatGraph graph, Dataflow flow, QuantizationProfile profile, CalibrationMethod method, CancellationToken cancellationToken)
        {
            (_graph, _flow, _profile, _method, _cancellationToken) = (graph, flow, profile, method, cancellationToken);
            _names = graph.Activations.ToDictionary(a => a.Tensor, a => a.ProfileName, StringComparer.Ordinal);
        }

        protected override ActivationRange? Choose(string tensor, IEnumerable<string> carriers)
        {
            // What carries the values on has seen the same, or a part of it.
            TensorStatistics? seen = carriers.Prepend(tensor).Select(t => _names.TryGetValue(t, out string? name) ? _profile.Find(name) : null).FirstOrDefault(s => s is not null);
            NodeProto? producer = _flow.Producer(tensor);
            (float Minimum, float Maximum)? known = producer is null ? null
                : producer.Is("Sigmoid") || producer.Is("Softmax") ? (0f, 1f)
                : producer.Is("Tanh") ? (-1f, 1f)
                : null;
            if (known is var (minimum, maximum))
            {
                return new ActivationRange(Calibrator.Choose(minimum, maximum, _method.Schema), seen?.Minimum ?? minimum, seen?.Maximum ?? maximum);
            }

            if (seen is null)
            {
                return null;
            }

            // Float noise below 0 would cost a bit, and the activation function an operation of its own.
            TensorStatistics used = seen.Minimum < 0 && producer is not null && ActivationFusion.IsNotNegative(_graph.Model, _flow, producer)
                ? WithoutNegative(seen)
                : seen;

            // A single number has no tails to cut off; its histogram is of many inferences and does not tell.
            bool isSingle = _graph.Tensors.TryGetValue(tensor, out TensorInfo? info) && info.Shape.Length > 0 && info.Shape.All(dim => dim == 1);
            QuantizationParameters parameters = Calibrator.Choose(used, isSingle ? _method with { Calibration = QuantizationCalibration.None } : _method, _cancellationToken);
            return new ActivationRange(parameters, seen.Minimum, seen.Maximum, QuantizationNoise.Estimate(used, parameters).ClippedFraction);
        }
    }

    /// <summary>The statistics of a tensor after its negative values have become 0, in as many bins.</summary>
    /// <remarks>What a bin counts is spread over the new bins that it covers in whole numbers, of which none is lost.</remarks>
    internal static TensorStatistics WithoutNegative(TensorStatistics seen)
    {
        double minimum = seen.Minimum, maximum = Math.Max(seen.Maximum, 0), width = (seen.Maximum - minimum) / seen.Counts.Length, narrow = maximum / seen.Counts.Length;
        double[] counts = new double[seen.Counts.Length];
        for (int i = 0; i < counts.Length; i++)
        {
            (double begin, double end, double left) = (minimum + (i * width), minimum + ((i + 1) * width), seen.Counts[i]);
            if (left == 0)
            {
                continue;
            }

            // Whole bins below 0, or a range of nothing but 0.
            if (end <= 0 || narrow == 0)
            {
                counts[0] += left;
                continue;
            }

            int last = Bin(end);
            for (int bin = Bin(Math.Max(begin, 0)); bin < last && left > 0; bin++)
            {
                double covered = ((bin + 1) * narrow) - (bin == 0 ? begin : Math.Max(begin, bin * narrow));
                double count = Math.Min(left, Math.Round(seen.Counts[i] * Math.Clamp(covered / width, 0, 1), MidpointRounding.AwayFromZero));
                counts[bin] += count;
                left -= count;
            }

            counts[last] += left;
        }

        return new TensorStatistics(seen.Name, 0, (float)maximum, counts);

        int Bin(double value) => (int)Math.Min(value / narrow, counts.Length - 1);
    }

    private sealed class Encoded(ModelEncodings encodings) : ActivationRanges
    {
        protected override ActivationRange? Choose(string tensor, IEnumerable<string> carriers)
        {
            TensorEncoding? encoding = carriers.Prepend(tensor).Select(t => encodings.Activations.GetValueOrDefault(t)).FirstOrDefault(e => e is not null);
            if (encoding is null or { IsQuantized: false })
            {
                return null;
            }

            if (encoding.Bitwidth != 8 || encoding.Parameters.Length != 1)
            {
                throw new CompilationException(
                    $"The encoding of the activation '{encoding.Tensor}' has {encoding.Bitwidth} bits and {encoding.Parameters.Length} pairs of scale and offset; the simulated card has activations of 8 bits with one pair. Encode it in 8 bits, or in 32 for none.");
            }

            QuantizationParameters parameters = encoding.Parameters[0];
            return new ActivationRange(parameters, parameters.Minimum, parameters.Maximum);
        }
    }
}
