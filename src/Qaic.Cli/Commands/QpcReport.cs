using System.Globalization;
using System.Text.Json.Nodes;
using Qaic.Compilation;
using Qaic.Qpc;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary>What a QPC holds, for people and for machines.</summary>
internal sealed class QpcReport
{
    private readonly QpcFile _qpc;
    private readonly NetworkDescriptor _network;
    private readonly CompilationRecord? _record;
    private readonly List<IoBinding> _bindings;

    /// <exception cref="QpcFormatException">The QPC's descriptor or record is damaged.</exception>
    public QpcReport(QpcFile qpc)
    {
        _qpc = qpc;
        _network = qpc.ReadNetworkDescriptor();
        _record = CompilationRecord.Read(qpc);
        _bindings = IoDescriptor.FromNetwork(_network).SelectedSet.Bindings;
    }

    private PrecisionRecord? Precision => _record?.Precision;

    public JsonObject ToJson() => new()
    {
        ["length"] = _qpc.Length,
        ["segments"] = List(_qpc.Segments, s => new JsonObject { ["name"] = s.Name, ["offset"] = s.FileOffset, ["length"] = s.Length, ["staticLength"] = s.StaticLength }),
        ["network"] = new JsonObject
        {
            ["name"] = _network.NetworkName,
            ["descriptor"] = $"{_network.MajorVersion}.{_network.MinorVersion}",
            ["cores"] = _network.NumCores,
            ["batchSize"] = _network.BatchSize,
            ["tensors"] = List(_bindings, b => new JsonObject
            {
                ["name"] = b.Name,
                ["direction"] = Direction(b),
                ["type"] = b.Type.ToString(),
                ["shape"] = Numbers(b.Dims),
                ["bytes"] = b.Size,
                ["scale"] = Real(b.QuantScale),
                ["offset"] = b.QuantOffset,
            }),
            ["shapeSets"] = List(_network.AllowedShapes, set => List(set.Shapes, s => Numbers(s.Dims))),
        },
        ["compilation"] = _record is null ? null : JsonNode.Parse(_record.ToBytes()),
    };

    public void Write(IAnsiConsole console)
    {
        var container = new Table { Title = new TableTitle("Container"), Border = TableBorder.Simple };
        container.AddColumns("segment", "offset", "bytes", "static").Columns[1].RightAligned();
        container.Columns[2].RightAligned();
        container.Columns[3].RightAligned();
        foreach (QpcSegment segment in _qpc.Segments)
        {
            container.AddRow(Cells(segment.Name, Number(segment.FileOffset), Number(segment.Length), segment.StaticLength > 0 ? Number(segment.StaticLength) : ""));
        }

        console.Write(container);
        WriteNetwork(console);
        if (_record is null)
        {
            console.MarkupLine("No compilation record: another compiler made it, and keeps options and precision to itself.");
            return;
        }

        var options = new Table { Title = new TableTitle($"Compiled by {Markup.Escape(_record.Compiler)} {Markup.Escape(_record.CompilerVersion)}"), Border = TableBorder.Simple };
        options.AddColumns("option", "value");
        foreach ((string keyword, string value) in _record.Options)
        {
            options.AddRow(Cells(keyword, value));
        }

        console.Write(options);
        WritePrecision(console);
    }

    /// <summary>The network's inputs, outputs and sets of shapes only.</summary>
    public void WriteNetwork(IAnsiConsole console)
    {
        var network = new Table { Title = new TableTitle($"Network {Markup.Escape(_network.NetworkName)}: {_network.NumCores} cores, {_network.BatchSize} rows per inference"), Border = TableBorder.Simple };
        network.AddColumns("", "tensor", "type", "shape", "bytes", "scale", "offset").Columns[4].RightAligned();
        foreach (IoBinding binding in _bindings)
        {
            bool isScaled = binding.QuantScale is not 0 and not 1;
            network.AddRow(Cells(
                Direction(binding), binding.Name, binding.Type.ToString(), Shape(binding.Dims), Number(binding.Size), isScaled ? Number(binding.QuantScale) : "", isScaled ? Number(binding.QuantOffset) : ""));
        }

        console.Write(network);
        WriteShapeSets(console);
    }

    private void WriteShapeSets(IAnsiConsole console)
    {
        if (_network.AllowedShapes.Count == 0)
        {
            return;
        }

        var sets = new Table { Title = new TableTitle($"{_network.AllowedShapes.Count} sets of shapes"), Border = TableBorder.Simple };
        int columns = Math.Max(_bindings.Count, _network.AllowedShapes.Max(s => s.Shapes.Count));
        sets.AddColumns([.. Enumerable.Range(0, columns).Select(i => i < _bindings.Count ? Markup.Escape(_bindings[i].Name) : "(no tensor)")]);
        foreach (ShapeSet set in _network.AllowedShapes)
        {
            sets.AddRow(Cells([.. set.Shapes.Select(s => Shape(s.Dims))]));
        }

        console.Write(sets);
    }

    private void WritePrecision(IAnsiConsole console)
    {
        if (Precision is not { } precision)
        {
            console.MarkupLine("The record is of an older version and does not tell the precision.");
            return;
        }

        string summary = Summary(precision);
        console.MarkupLine($"Precision [bold]{Markup.Escape(precision.Precision)}[/]{(summary.Length > 0 ? ": " : "")}{Markup.Escape(summary)}");
        if (precision.Tensors.Count == 0)
        {
            return;
        }

        var tensors = new Table { Title = new TableTitle("Quantized tensors: real = scale × (q − offset)"), Border = TableBorder.Simple };
        tensors.AddColumns("tensor", "kind", "smallest", "largest", "scale", "offset").Columns[2].RightAligned();
        tensors.Columns[3].RightAligned();
        foreach (QuantizedTensor tensor in precision.Tensors)
        {
            tensors.AddRow(Cells(
                tensor.Name,
                tensor.Kind,
                Number(tensor.Minimum),
                Number(tensor.Maximum),
                Range(tensor.Scales, Number),
                Range(tensor.Offsets, v => Number(v))));
        }

        console.Write(tensors);
    }

    private static string Summary(PrecisionRecord precision)
    {
        IEnumerable<string?> parts =
        [
            precision.Schema is { } schema ? $"schema {schema} (constants: {precision.SchemaConstants})" : null,
            precision.Calibration is { } calibration ? $"calibration {calibration}{(precision.Percentile is { } p ? string.Create(CultureInfo.InvariantCulture, $" {p}") : "")}" : null,
            precision.CalibrationReason,
            precision.BiasPrecision is { } bias ? $"bias {bias}" : null,
            precision.IsChannelwise ? "per channel" : null,
            precision.IsRowwise ? "per row" : null,
            precision.ProfileHash is { } hash ? $"profile {hash}" : null,
            Count(precision.QuantizedNodes, "in integers"),
            Count(precision.RoundedNodes, "in float on rounded numbers"),
            Count(precision.Fp16Nodes, "in FP16"),
            Count(precision.Fp32Nodes, "in FP32"),
        ];
        return string.Join(", ", parts.OfType<string>());

        static string? Count(IReadOnlyList<string> nodes, string what) => nodes.Count switch
        {
            0 => null,
            1 => $"1 node {what} ({nodes[0]})",
            < 6 => $"{nodes.Count} nodes {what} ({string.Join(", ", nodes)})",
            _ => $"{nodes.Count} nodes {what}",
        };
    }

    // One value, or how many there are and between what.
    private static string Range<T>(IReadOnlyList<T> values, Func<T, string> text) where T : IComparable<T> => values.Count switch
    {
        0 => "",
        1 => text(values[0]),
        _ when values.Min()!.CompareTo(values.Max()!) == 0 => $"{values.Count} × {text(values[0])}",
        _ => $"{values.Count}: {text(values.Min()!)} … {text(values.Max()!)}",
    };

    private static string Direction(IoBinding binding) => binding.Direction == DmaDirection.In ? "input" : "output";

    private static string Shape(IEnumerable<int> dims) => $"[{string.Join(", ", dims)}]";

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Number(float value) => value.ToString("g6", CultureInfo.InvariantCulture);

    private static string[] Cells(params string[] cells) => [.. cells.Select(Markup.Escape)];

    // JSON has no number for NaN and infinity, which a damaged container may hold.
    private static JsonValue Real(float value) => float.IsFinite(value) ? JsonValue.Create(value) : JsonValue.Create(value.ToString(CultureInfo.InvariantCulture));

    private static JsonArray Numbers(IEnumerable<int> values) => new([.. values.Select(v => (JsonNode)v)]);

    private static JsonArray List<T>(IEnumerable<T> items, Func<T, JsonNode> node) => new([.. items.Select(node)]);
}
