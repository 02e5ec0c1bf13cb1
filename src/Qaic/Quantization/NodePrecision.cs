using System.Collections.Immutable;
using System.Text;
using Qaic.Options;

namespace Qaic.Quantization;

/// <summary>Which nodes of a quantized network run in FP16 or FP32; the vendor's node precision file (<c>node_precision_info_file</c>). A node goes by the name of its first output in the model.</summary>
/// <param name="Fp16Nodes">Nodes in FP16.</param>
/// <param name="Fp32Nodes">Nodes in FP32.</param>
/// <param name="EnableFp32Bias">Keep biases in FP32.</param>
public sealed record NodePrecision(ImmutableArray<string> Fp16Nodes, ImmutableArray<string> Fp32Nodes, bool EnableFp32Bias = false)
{
    private const string What = "node precision file";
    private const string Fp16Key = "FP16NodeInstanceNames";
    private const string Fp32Key = "FP32NodeInstanceNames";
    private const string BiasKey = "enableFP32Bias";
    private const int MaxBytes = 16 << 20;

    /// <summary>No exceptions.</summary>
    public static NodePrecision None { get; } = new([], []);

    /// <summary>Keys of the file that are not known here, and have no effect; for a warning. They are not written again.</summary>
    public ImmutableArray<string> UnknownKeys { get; init; } = [];

    /// <summary>Reads a file: YAML, names in brackets or line by line, quoted or not (<c>1421</c> is a name). A name that comes twice in a list counts once.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="QuantizationFormatException">It is not as it should be, has a key that is nearly a known one or only keys that are not known, or a node in both lists; the message has the line.</exception>
    public static NodePrecision Load(string path) => Parse(QuantizationFiles.Decode(QuantizationFiles.ReadAll(path, What, MaxBytes), path), path);

    /// <summary>Reads text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="QuantizationFormatException">It is not as it should be, has a key that is nearly a known one or only keys that are not known, or a node in both lists; the message has the line.</exception>
    public static NodePrecision Parse(string text, string source = What)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(source);
        if (DocumentNode.ParseYaml(text, source) is not MapNode root)
        {
            throw new QuantizationFormatException(source, 1, $"A {What} is made of keys: '{Fp16Key}: [Softmax_660, Transpose_661]'.");
        }

        string[] known = [Fp16Key, Fp32Key, BiasKey];
        var unknown = ImmutableArray.CreateBuilder<string>();
        foreach ((string key, DocumentNode value) in root.Members.Where(m => !known.Contains(m.Key)))
        {
            if (Spelling.Nearest(key, known) is { } meant)
            {
                throw new QuantizationFormatException(source, value.Line, $"The key '{ProfileScanner.Short(key)}' is not known. Did you mean '{meant}'?");
            }

            unknown.Add(key);
        }

        if (unknown.Count > 0 && unknown.Count == root.Members.Count)
        {
            throw new QuantizationFormatException(
                source, root.Members[0].Value.Line, $"No key is known: {string.Join(", ", unknown.Select(k => $"'{ProfileScanner.Short(k)}'"))}. A {What} has {Fp16Key}, {Fp32Key} and {BiasKey}.");
        }

        Dictionary<string, int> fp16 = Names(root, Fp16Key, source);
        Dictionary<string, int> fp32 = Names(root, Fp32Key, source);
        return Common(fp16.Keys, fp32.Keys) is { } both
            ? throw new QuantizationFormatException(source, fp32[both], $"The node '{both}' is in {Fp16Key} (line {fp16[both]}) and in {Fp32Key}. Keep it in one of them.")
            : new NodePrecision([.. fp16.Keys], [.. fp32.Keys], Bias(root.Find(BiasKey), source)) { UnknownKeys = unknown.ToImmutable() };
    }

    /// <summary>The file's text in the vendor's form: names in brackets.</summary>
    /// <exception cref="InvalidOperationException">A node is in both lists, or has no name.</exception>
    public string ToYaml()
    {
        if (Common(Names(Fp16Nodes), Names(Fp32Nodes)) is { } both)
        {
            throw new InvalidOperationException($"The node '{both}' is in Fp16Nodes and in Fp32Nodes. Keep it in one of them.");
        }

        if (Names(Fp16Nodes).Concat(Names(Fp32Nodes)).Any(string.IsNullOrEmpty))
        {
            throw new InvalidOperationException("A node has no name; it goes by the name of its first output in the model.");
        }

        var text = new StringBuilder();
        Line(Fp16Key, Names(Fp16Nodes));
        if (!Fp32Nodes.IsDefaultOrEmpty)
        {
            Line(Fp32Key, Fp32Nodes);
        }

        return EnableFp32Bias ? text.Append(BiasKey).Append(": true\n").ToString() : text.ToString();

        void Line(string key, IEnumerable<string> names) => text.Append(key).Append(": [").AppendJoin(", ", names.Select(YamlText.Plain)).Append("]\n");
    }

    /// <summary>Writes a file in the vendor's form; its directory is made if it is missing. At any time there is either the old file or the whole new one.</summary>
    /// <exception cref="InvalidOperationException">A node is in both lists, or has no name.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path)
    {
        byte[] bytes = QuantizationFiles.Utf8.GetBytes(ToYaml());
        QuantizationFiles.Write(path, What, stream => stream.Write(bytes));
    }

    /// <summary>Whether both name the same nodes in the same order.</summary>
    public bool Equals(NodePrecision? other) =>
        other is not null && EnableFp32Bias == other.EnableFp32Bias && Names(Fp16Nodes).SequenceEqual(Names(other.Fp16Nodes)) && Names(Fp32Nodes).SequenceEqual(Names(other.Fp32Nodes))
        && Names(UnknownKeys).SequenceEqual(Names(other.UnknownKeys));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Names(Fp16Nodes).Length, Names(Fp32Nodes).Length, EnableFp32Bias, Names(Fp16Nodes).FirstOrDefault());

    private static ImmutableArray<string> Names(ImmutableArray<string> names) => names.IsDefault ? [] : names;

    private static string? Common(IEnumerable<string> first, IEnumerable<string> second)
    {
        HashSet<string> names = [.. first];
        return second.FirstOrDefault(names.Contains);
    }

    // With their lines. A dictionary keeps the order as long as nothing is removed.
    private static Dictionary<string, int> Names(MapNode root, string key, string source)
    {
        var names = new Dictionary<string, int>(StringComparer.Ordinal);
        DocumentNode? list = root.Find(key);
        if (list is not (null or ListNode))
        {
            throw new QuantizationFormatException(source, list.Line, $"{key} is {list.Kind}; it must be a list: '{key}: [Softmax_660, Transpose_661]'.");
        }

        foreach (DocumentNode item in (list as ListNode)?.Items ?? [])
        {
            string name = item is ScalarNode { Text.Length: > 0 } scalar
                ? scalar.Text
                : throw new QuantizationFormatException(source, item.Line, $"{key} has {item.Kind} where the name of a node must be.");
            names.TryAdd(name, item.Line);
        }

        return names;
    }

    private static bool Bias(DocumentNode? node, string source) => node switch
    {
        null => false,
        ScalarNode scalar when bool.TryParse(scalar.Text, out bool value) => value,
        _ => throw new QuantizationFormatException(source, node.Line, $"{BiasKey} is {node.Kind}; it must be true or false."),
    };
}
