using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Qaic.Qpc;

namespace Qaic.Tests.Qpc;

/// <summary>Network descriptors as protobuf text in one canonical form: fields by name, one value a line, zero values of single fields left out.</summary>
internal sealed partial class TextFormat
{
    private static readonly string[] s_types = ["FloatTy", "Float16Ty", "Int8QTy", "UInt8QTy", "Int16QTy", "Int32QTy", "Int32ITy", "Int64ITy", "Int8Ty"];

    private static readonly string[] s_kinds =
    [
        "ConvertTransform", "ConvertToD32Transform", "ConvertFromD32Transform", "DequantizeTransform", "TransposeTransform", "QuantizeTransform", "CopyDMABufferTransform",
    ];

    private static readonly string[] s_zeros = ["0", "\"\"", "false", "In", "FlatNXYD", "FloatTy", "ConvertTransform"];

    private readonly List<(string Field, string Value)> _fields = [];

    /// <summary>Text that a person or protoc wrote.</summary>
    public static string Canonical(string text)
    {
        var tokens = new Queue<string>(Tokens().Matches(text).Select(m => m.Value));
        return Parse(tokens).ToString();
    }

    public static string Print(NetworkDescriptor network) => Message(t =>
    {
        t.Add("major_version", network.MajorVersion);
        t.Add("minor_version", network.MinorVersion);
        t.Add("network_name", Quote(network.NetworkName));
        network.Inputs.ForEach(b => t.Add("inputs", Print(b)));
        network.Outputs.ForEach(b => t.Add("outputs", Print(b)));
        network.DmaBuffers.ForEach(b => t.Add("dma_buffers", Message(d =>
        {
            d.Add("size", b.Size);
            d.Add("dir", b.Direction);
        })));
        t.Add("num_cores", network.NumCores);
        t.Add("num_threads", network.NumThreads);
        t.Add("num_hvx_threads", network.NumHvxThreads);
        t.Add("batch_size", network.BatchSize);
    }).ToString();

    public override string ToString()
    {
        var text = new StringBuilder();
        foreach ((string field, string value) in _fields.OrderBy(f => f.Field, StringComparer.Ordinal))
        {
            text.Append(field).Append(value.EndsWith('\n') ? $" {{\n{value}}}\n" : $": {value}\n");
        }

        return text.Length > 0 ? text.ToString() : "\n";
    }

    private static TextFormat Print(NetworkBinding binding) => Message(t =>
    {
        t.Add("name", Quote(binding.Name));
        t.Add("io_initial", Print(binding.Initial));
        t.Add("io_transformed", Print(binding.Transformed));
        binding.Transforms.ForEach(s => t.Add("transformseq", Print(s)));
        t.Add("is_partial_allowed", binding.IsPartialAllowed ? "true" : "false");
        t.Add("align", binding.Align);
    });

    private static TextFormat Print(TensorDescriptor tensor) => Message(t =>
    {
        t.Add("type", s_types[(int)tensor.Type]);
        t.Add("qscale", tensor.Scale);
        t.Add("qoffset", tensor.Offset);
        tensor.Dims.ForEach(d => t.AddRepeated("dims", d));
        t.Add("layout", tensor.Layout);
    });

    private static TextFormat Print(Transform transform) => Message(t =>
    {
        t.Add("kind", s_kinds[(int)transform.Kind]);
        t.Add("type", s_types[(int)transform.Type]);
        t.Add("scale", transform.Scale);
        t.Add("offset", transform.Offset);
        transform.Dims.ForEach(d => t.AddRepeated("dims", d));
        t.Add("layout", transform.Layout);
        transform.Shuffle.ForEach(s => t.AddRepeated("shuffle", s));
        if (transform.CopyDmaBuffer is { } copy)
        {
            t.Add("copy_dma_buffer", Message(c =>
            {
                c.Add("dir", copy.Direction);
                c.Add("offset", copy.Offset);
                c.Add("buffer_num", copy.BufferNumber);
            }));
        }
    });

    private static TextFormat Message(Action<TextFormat> fill)
    {
        var message = new TextFormat();
        fill(message);
        return message;
    }

    private static string Quote(string value) => $"\"{value}\"";

    private void Add(string field, object value)
    {
        string text = Convert.ToString(value, CultureInfo.InvariantCulture)!;
        if (!s_zeros.Contains(text))
        {
            _fields.Add((field, text));
        }
    }

    private void AddRepeated(string field, object value) => _fields.Add((field, Convert.ToString(value, CultureInfo.InvariantCulture)!));

    // "field: value", "field: [value, value]", "field { … }"; dims and shuffle are the repeated numbers.
    private static TextFormat Parse(Queue<string> tokens)
    {
        var message = new TextFormat();
        while (tokens.Count > 0 && tokens.Peek() != "}")
        {
            string field = tokens.Dequeue();
            if (tokens.Peek() == "{")
            {
                tokens.Dequeue();
                message.Add(field, Parse(tokens));
                tokens.Dequeue();
                continue;
            }

            List<string> values = [tokens.Dequeue()];
            if (values[0] == "[")
            {
                values = [.. Enumerable.Range(0, tokens.Count).Select(_ => tokens.Dequeue()).TakeWhile(t => t != "]")];
            }

            values.ForEach(value => (field is "dims" or "shuffle" ? message.AddRepeated : (Action<string, object>)message.Add)(field, value));
        }

        return message;
    }

    // Colons and commas separate; they carry nothing.
    [GeneratedRegex(@"[{}\[\]]|""[^""]*""|[^\s{}\[\],:]+")]
    private static partial Regex Tokens();
}
