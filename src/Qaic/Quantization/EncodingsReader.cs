using System.Collections.Immutable;
using System.Globalization;

namespace Qaic.Quantization;

/// <summary>Makes encodings of what a file holds.</summary>
/// <param name="path">The file, for messages.</param>
internal sealed class EncodingsReader(string path)
{
    private const string ActivationsKey = "activation_encodings";
    private const string ParametersKey = "param_encodings";

    public static QuantizationEncodings Read(DocumentNode root, string path)
    {
        var reader = new EncodingsReader(path);
        MapNode map = root as MapNode ?? throw reader.Error(root, $"Here is {root.Kind}; an encodings file has the keys '{ActivationsKey}' and '{ParametersKey}'.");
        reader.CheckVersion(map.Find("version"));
        if (map.Find(ActivationsKey) is null && map.Find(ParametersKey) is null)
        {
            string keys = map.Members.Count == 0 ? "nothing" : string.Join(", ", map.Members.Take(8).Select(m => $"'{ProfileScanner.Short(m.Key)}'"));
            throw reader.Error(root, $"The file has neither '{ActivationsKey}' nor '{ParametersKey}', but {keys}. Is it AIMET's encodings file?");
        }

        return new QuantizationEncodings(reader.Section(map, ActivationsKey), reader.Section(map, ParametersKey));
    }

    // Forms are told apart by what they look like; the version only says whether somebody means something else by them.
    private void CheckVersion(DocumentNode? node)
    {
        if (node is null)
        {
            return;
        }

        string version = node is ScalarNode scalar ? scalar.Text : throw Error(node, $"version is {node.Kind}; it must be a text, such as 0.6.1.");
        bool isKnown = version is "1" or "1.0" or "1.0.0" || ((version == "0" || version.StartsWith("0.", StringComparison.Ordinal)) && version.Split('.').All(p => p.Length > 0 && p.All(char.IsAsciiDigit)));
        if (!isKnown)
        {
            throw Error(node, $"The file has version '{ProfileScanner.Short(version)}'; 0.4 to 0.6.1 and 1.0.0 can be read. Export the encodings in one of those.");
        }
    }

    private List<TensorEncoding> Section(MapNode root, string key)
    {
        var encodings = new List<TensorEncoding>();
        switch (root.Find(key))
        {
            case null:
                break;
            case MapNode byTensor:
                foreach ((string tensor, DocumentNode entries) in byTensor.Members)
                {
                    encodings.Add(OfEntries(tensor, entries, key));
                }

                break;
            case ListNode list:
                var lines = new Dictionary<string, int>(StringComparer.Ordinal);
                foreach (DocumentNode item in list.Items)
                {
                    TensorEncoding encoding = OfItem(item, key);
                    encodings.Add(
                        lines.TryAdd(encoding.Tensor, item.Line) ? encoding : throw Error(item, $"'{encoding.Tensor}' is there twice in {key}; line {lines[encoding.Tensor]} has it too. Remove one."));
                }

                break;
            case var other:
                throw Error(other, $"{key} is {other.Kind}; it must be a mapping from tensors to their encodings.");
        }

        return encodings;
    }

    // Versions 0.x: a list, one entry per channel.
    private TensorEncoding OfEntries(string tensor, DocumentNode node, string section)
    {
        if (tensor.Length == 0)
        {
            throw Error(node, $"A tensor in {section} has no name.");
        }

        if (node is MapNode layer && layer.Find("bitwidth") is null)
        {
            throw Error(node, $"'{ProfileScanner.Short(tensor)}' in {section} has {string.Join(", ", layer.Members.Take(4).Select(m => $"'{m.Key}'"))} instead of a list of entries. "
                + "AIMET writes encodings by layer for PyTorch and by tensor for ONNX; use the file for ONNX.");
        }

        IReadOnlyList<DocumentNode> entries = node switch
        {
            MapNode single => [single],
            ListNode { Items.Count: > 0 } list => list.Items,
            _ => throw Error(node, $"The encoding of '{ProfileScanner.Short(tensor)}' in {section} is {(node is ListNode ? "an empty list" : node.Kind)}; it must be a list of entries, one or one per channel."),
        };
        TensorEncoding? first = null;
        var parameters = ImmutableArray.CreateBuilder<QuantizationParameters>(entries.Count);
        foreach (DocumentNode item in entries)
        {
            MapNode entry = item as MapNode ?? throw Error(item, $"The encoding of '{ProfileScanner.Short(tensor)}' has {item.Kind} where an entry with bitwidth, scale and offset must be.");
            var field = new Fields(this, tensor, entry);
            TensorEncoding head = Head(field, "bitwidth", "is_symmetric");
            first ??= head;
            if (first != head)
            {
                throw Error(item, $"The channels of '{ProfileScanner.Short(tensor)}' differ in bitwidth, dtype or is_symmetric; they must agree.");
            }

            if (head.IsQuantized)
            {
                parameters.Add(OfEntry(field, head.Bitwidth));
            }
        }

        return Checked(first! with { Parameters = parameters.ToImmutable() }, node);
    }

    private static QuantizationParameters OfEntry(Fields field, int bits)
    {
        double steps = (1 << bits) - 1;
        double? scale = field.Number("scale");
        double? offset = field.Number("offset");
        double? minimum = field.Number("min");
        double? maximum = field.Number("max");
        if (scale is null || offset is null)
        {
            if (minimum is not { } low || maximum is not { } high)
            {
                throw field.Error($"has no {(scale is null ? "scale" : "offset")}. An entry needs scale and offset, or min and max");
            }

            if (low > high)
            {
                throw field.Error(string.Create(CultureInfo.InvariantCulture, $"has min {low:R} and max {high:R}; min cannot be above max"));
            }

            // The range must hold 0, which padding and ReLU make.
            (low, high) = (Math.Min(low, 0), Math.Max(high, 0));
            if (low == high && scale is null)
            {
                throw field.Error("has min 0 and max 0, a range without width, and no scale. Give the scale, any number above 0, or leave the tensor out");
            }

            scale ??= (high - low) / steps;
            offset ??= Math.Round(low / scale.Value, MidpointRounding.AwayFromZero);
        }

        return Parameters(field, scale.Value, offset.Value, bits);
    }

    // Version 1.0.0: a tensor with lists of scales and offsets.
    private TensorEncoding OfItem(DocumentNode item, string section)
    {
        MapNode entry = item as MapNode ?? throw Error(item, $"{section} has {item.Kind} where an encoding with name, bw, scale and offset must be.");
        string tensor = entry.Find("name") is ScalarNode { Text.Length: > 0 } name ? name.Text : throw Error(item, $"An encoding in {section} has no name.");
        var field = new Fields(this, tensor, entry);
        TensorEncoding head = Head(field, "bw", "is_sym");
        string type = field.Text("enc_type")?.ToUpperInvariant() ?? "PER_TENSOR";
        if (type is not ("PER_TENSOR" or "PER_CHANNEL") && head.IsQuantized)
        {
            throw field.Error($"has enc_type {type}; PER_TENSOR and PER_CHANNEL can be used. Export it without blocks");
        }

        if (!head.IsQuantized)
        {
            return head;
        }

        double[] scales = field.Numbers("scale") ?? throw field.Error("has no scale");
        double[] offsets = field.Numbers("offset") ?? throw field.Error("has no offset");
        return scales.Length == offsets.Length && scales.Length > 0
            ? Checked(head with { Parameters = [.. scales.Select((s, i) => Parameters(field, s, offsets[i], head.Bitwidth))] }, item)
            : throw field.Error($"has {scales.Length} scales and {offsets.Length} offsets; there must be as many, one or more");
    }

    private static TensorEncoding Head(Fields field, string bitsKey, string symmetryKey)
    {
        double bits = field.Number(bitsKey) ?? throw field.Error($"has no {bitsKey}");
        string type = field.Text("dtype") ?? "int";
        bool isFloat = type.Equals("float", StringComparison.OrdinalIgnoreCase);
        if (!isFloat && !type.Equals("int", StringComparison.OrdinalIgnoreCase))
        {
            throw field.Error($"has dtype '{ProfileScanner.Short(type)}'; it must be int or float");
        }

        if (bits != Math.Floor(bits) || (bits is < 1 or > 16 && bits != 32))
        {
            throw field.Error(string.Create(CultureInfo.InvariantCulture, $"has {bitsKey} {bits:R}; it must be 1 to 16, or 32 for not quantized"));
        }

        return new TensorEncoding(field.Tensor, (int)bits, field.Truth(symmetryKey) ?? false, []) { IsFloat = isFloat };
    }

    private static QuantizationParameters Parameters(Fields field, double scale, double offset, int bits)
    {
        int steps = (1 << bits) - 1;
        float step = (float)scale;
        return !(step > 0) || !float.IsFinite(step)
            ? throw field.Error(string.Create(CultureInfo.InvariantCulture, $"has scale {scale:R}; it must be above 0 and finite, as a 32 bit float"))
            : offset != Math.Floor(offset) || offset > 0 || offset < -steps
            ? throw field.Error(string.Create(CultureInfo.InvariantCulture, $"has offset {offset:R}; a number is scale × (q + offset) with q from 0 to {steps}, so it must be a whole number, -{steps} to 0"))
            : new QuantizationParameters(step, -(1 << (bits - 1)) - (int)offset);
    }

    private TensorEncoding Checked(TensorEncoding encoding, DocumentNode node) =>
        QuantizationEncodings.Objection(encoding) is { } objection ? throw Error(node, $"'{ProfileScanner.Short(encoding.Tensor)}': {objection}.") : encoding;

    private QuantizationFormatException Error(DocumentNode at, string reason) => new(path, at.Line, reason);

    // What an entry says, by field.
    private readonly struct Fields(EncodingsReader reader, string tensor, MapNode entry)
    {
        public string Tensor => tensor;

        public QuantizationFormatException Error(string reason) => reader.Error(entry, $"The encoding of '{ProfileScanner.Short(tensor)}' {reason}.");

        public string? Text(string field) => entry.Find(field) switch
        {
            null => null,
            ScalarNode scalar => scalar.Text,
            var other => throw Wrong(field, other, "a text"),
        };

        public bool? Truth(string field) => entry.Find(field) switch
        {
            null => null,
            ScalarNode scalar when bool.TryParse(scalar.Text, out bool value) => value,
            var other => throw Wrong(field, other, "true or false"),
        };

        public double? Number(string field) => entry.Find(field) is { } node ? Number(field, node) : null;

        public double[]? Numbers(string field)
        {
            switch (entry.Find(field))
            {
                case null:
                    return null;
                case ListNode list:
                    double[] numbers = new double[list.Items.Count];
                    for (int i = 0; i < numbers.Length; i++)
                    {
                        numbers[i] = Number(field, list.Items[i]);
                    }

                    return numbers;
                case var single:
                    return [Number(field, single)];
            }
        }

        private double Number(string field, DocumentNode node) =>
            node is ScalarNode scalar && double.TryParse(scalar.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
                ? value
                : throw Wrong(field, node, "a finite number");

        private QuantizationFormatException Wrong(string field, DocumentNode found, string expected) =>
            reader.Error(found, $"The encoding of '{ProfileScanner.Short(tensor)}' has {field} {found.Kind}; it must be {expected}.");
    }
}
