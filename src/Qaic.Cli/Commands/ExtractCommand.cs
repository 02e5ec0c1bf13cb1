using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Qaic.Cli.Data;
using Qaic.OnnxRuntime;
using Qaic.Options;
using Qaic.Qpc;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic extract</c>: parts of a QPC as files.</summary>
internal static class ExtractCommand
{
    private static readonly JsonSerializerOptions s_descriptor = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter() },
    };

    /// <summary>How the network's descriptor is written.</summary>
    private enum DescriptorForm
    {
        Text,
        Json,
    }

    public static Command Create(ToolConsole console)
    {
        var path = new Argument<string>("qpc") { Description = "A QPC file, or a directory that holds programqpc.bin." };
        var directory = new Option<string>("--output", "-o") { Description = "Directory that receives the files. Default: <qpc>.extracted.", HelpName = "directory" };
        var segments = new Option<string[]>("--segment") { Description = "Only this segment; repeatable.", HelpName = "name", Arity = ArgumentArity.OneOrMore };
        var descriptor = new Option<DescriptorForm?>("--descriptor") { Description = "Print the network's descriptor (networkdesc.bin) to standard output instead, as text or JSON.", HelpName = "text|json" };
        var model = new Option<bool>("--model") { Description = "Write model.onnx instead: the network as the simulated card runs it. Only for QPCs of the embedded compiler." };
        var force = new Option<bool>("--force") { Description = "Replace files that are there." };
        var command = new Command("extract", "Writes the segments of a QPC as files, of any compiler's.") { path, directory, segments, descriptor, model, force };
        command.SetAction((result, token) => Task.Run(
            () =>
            {
                string file = QpcLocation.Find(result.GetRequiredValue(path));
                using QpcFile qpc = QpcLocation.Read(file, QpcFile.Open);
                if (result.GetValue(descriptor) is { } form)
                {
                    Print(console, QpcLocation.Read(file, _ => qpc.ReadNetworkDescriptor()), form);
                    return QaicTool.Success;
                }

                string target = result.GetValue(directory) ?? $"{Path.TrimEndingDirectorySeparator(file)}.extracted";
                (string Name, Action<Stream> Write)[] parts = result.GetValue(model)
                    ? [("model.onnx", stream => QpcLocation.Read(file, _ => { EmbeddedModel.Write(qpc, stream); return true; }))]
                    : [.. Chosen(qpc, result.GetValue(segments) ?? []).Select(s => (OutputFiles.Safe(s.Name), (Action<Stream>)(stream => Copy(s, stream, token))))];
                CheckFree([.. parts.Select(p => Path.Combine(target, p.Name))], result.GetValue(force));
                foreach ((string name, Action<Stream> write) in parts)
                {
                    string written = Path.Combine(target, name);
                    WholeFile.Write(written, write);
                    console.Output.WriteLine($"{written}  {ByteSize.Text(new FileInfo(written).Length)}");
                }

                return QaicTool.Success;
            },
            CancellationToken.None));
        return command;
    }

    private static IEnumerable<QpcSegment> Chosen(QpcFile qpc, string[] names)
    {
        foreach (string name in names)
        {
            if (!qpc.TryGetSegment(name, out _))
            {
                string hint = Spelling.Nearest(name, qpc.Segments.Select(s => s.Name)) is { } nearest ? $" Did you mean '{nearest}'?" : "";
                throw new UsageException($"The QPC has no segment '{name}'.{hint} It has: {string.Join(", ", qpc.Segments.Select(s => s.Name))}.");
            }
        }

        return qpc.Segments.Where(s => names.Length == 0 || names.Contains(s.Name));
    }

    // Before anything is written: half an extraction is worse than none.
    private static void CheckFree(string[] paths, bool isForced)
    {
        if (paths.GroupBy(p => p).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new IOException($"Two segments would be written to '{twice.Key}'. Choose one with --segment.");
        }

        if (!isForced && paths.FirstOrDefault(p => File.Exists(p) || Directory.Exists(p)) is { } taken)
        {
            throw new IOException($"'{taken}' is there already. Choose another directory (--output), or add --force to replace it.");
        }
    }

    private static void Copy(QpcSegment segment, Stream stream, CancellationToken cancellationToken)
    {
        using Stream source = segment.OpenRead();
        source.CopyToAsync(stream, cancellationToken).GetAwaiter().GetResult();
    }

    private static void Print(ToolConsole console, NetworkDescriptor network, DescriptorForm form)
    {
        JsonNode node = JsonSerializer.SerializeToNode(network, s_descriptor)!;
        if (form == DescriptorForm.Json)
        {
            console.WriteJson(node);
            return;
        }

        var text = new StringBuilder();
        Append(text, node, 0);
        console.Output.Write(text);
    }

    // Indented, a line per value; lists of plain values on one line.
    private static void Append(StringBuilder text, JsonNode node, int depth)
    {
        foreach ((string key, JsonNode? value) in node is JsonObject map ? map.Select(p => (p.Key, p.Value)) : ((JsonArray)node).Select((item, i) => ($"- {i}", item)))
        {
            text.Append(' ', depth * 2).Append(key).Append(':');
            if (value is null or JsonValue || value is JsonArray { Count: 0 } || (value is JsonArray list && list.All(i => i is null or JsonValue)))
            {
                string line = value is JsonArray values ? $"[{string.Join(", ", values.Select(v => v?.ToString() ?? "null"))}]" : value?.ToString() ?? "null";
                text.Append(' ').Append(string.Concat(line.Select(c => char.IsControl(c) ? '?' : c))).Append('\n');
            }
            else
            {
                text.Append('\n');
                Append(text, value, depth + 1);
            }
        }
    }
}
