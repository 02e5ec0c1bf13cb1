using System.Globalization;
using System.Text.Json;

namespace Qaic.Quantization;

/// <summary>Writes encodings in AIMET's form 0.6.1.</summary>
internal static class EncodingsWriter
{
    private const string Version = "0.6.1";

    public static void WriteJson(QuantizationEncodings encodings, Stream stream)
    {
        // One entry per line: as a whole on one line nobody could look at it, and indented it would be three times as large.
        using var text = new StreamWriter(stream, QuantizationFiles.Utf8, bufferSize: 1 << 14, leaveOpen: true) { NewLine = "\n" };
        text.Write($"{{\n\"version\": \"{Version}\",\n");
        Section("activation_encodings", encodings.Activations.Values, ",");
        Section("param_encodings", encodings.Parameters.Values, "");
        text.Write("}\n");

        void Section(string name, IEnumerable<TensorEncoding> tensors, string end)
        {
            text.Write($"\"{name}\": {{");
            string before = "\n";
            foreach (TensorEncoding tensor in tensors)
            {
                text.Write($"{before}\"{JsonEncodedText.Encode(tensor.Tensor)}\": [");
                string separator = "\n";
                foreach (IEnumerable<(string Key, string Value, bool IsText)> entry in Entries(tensor))
                {
                    text.Write($"{separator}{{{string.Join(", ", entry.Select(field => $"\"{field.Key}\": {(field.IsText ? $"\"{field.Value}\"" : field.Value)}"))}}}");
                    separator = ",\n";
                }

                text.Write("]");
                before = ",\n";
            }

            text.Write($"}}{end}\n");
        }
    }

    public static void WriteYaml(QuantizationEncodings encodings, Stream stream)
    {
        using var yaml = new StreamWriter(stream, QuantizationFiles.Utf8, bufferSize: 1 << 14, leaveOpen: true) { NewLine = "\n" };
        yaml.Write($"version: '{Version}'\n");
        Section("activation_encodings", encodings.Activations.Values);
        Section("param_encodings", encodings.Parameters.Values);

        void Section(string name, IEnumerable<TensorEncoding> tensors)
        {
            if (!tensors.Any())
            {
                yaml.Write($"{name}: {{}}\n");
                return;
            }

            yaml.Write($"{name}:\n");
            foreach (TensorEncoding tensor in tensors)
            {
                // A key of more than 1024 characters needs a question mark before it.
                string key = YamlText.Quoted(tensor.Tensor);
                yaml.Write(key.Length <= 1000 ? $"  {key}:\n" : $"  ? {key}\n  :\n");
                foreach (IEnumerable<(string Key, string Value, bool IsText)> entry in Entries(tensor))
                {
                    string mark = "-";
                    foreach ((string field, string value, bool isText) in entry)
                    {
                        yaml.Write($"  {mark} {field}: {(isText ? $"'{value}'" : value)}\n");
                        mark = " ";
                    }
                }
            }
        }
    }

    private static IEnumerable<IEnumerable<(string Key, string Value, bool IsText)>> Entries(TensorEncoding tensor)
    {
        if (!tensor.IsQuantized)
        {
            return [[("bitwidth", Text(tensor.Bitwidth), false), ("dtype", tensor.IsFloat ? "float" : "int", true), ("is_symmetric", tensor.IsSymmetric ? "True" : "False", true)]];
        }

        int half = 1 << (tensor.Bitwidth - 1);
        return tensor.Parameters.Select(p => Entry(-half - p.Offset, p.Scale));

        IEnumerable<(string, string, bool)> Entry(int offset, float scale) =>
        [
            ("bitwidth", Text(tensor.Bitwidth), false),
            ("dtype", "int", true),
            ("is_symmetric", tensor.IsSymmetric ? "True" : "False", true),
            ("max", Text((double)scale * (offset + (2 * half) - 1)), false),
            ("min", Text((double)scale * offset), false),
            ("offset", Text(offset), false),
            ("scale", Text(scale), false),
        ];
    }

    private static string Text<T>(T number) where T : IFormattable
    {
        string text = number.ToString(number is int ? "D" : "R", CultureInfo.InvariantCulture);

        // Minus zero is no other number than zero, and some readers of YAML take '1E-05' for a text.
        return text == "-0" ? "0" : text.Contains('E', StringComparison.Ordinal) && !text.Contains('.', StringComparison.Ordinal) ? text.Replace("E", ".0E", StringComparison.Ordinal) : text;
    }
}
