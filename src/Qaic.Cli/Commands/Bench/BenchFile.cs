using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Qaic.Cli.Commands.Bench;

/// <summary>A result file of <c>bench --output</c>, as far as a comparison needs it.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Scenario">How requests came, with the rate.</param>
/// <param name="ModelHash">SHA-256 of the model.</param>
/// <param name="Rows">Rows per inference.</param>
/// <param name="Circumstances">What is not the benchmark, but may explain a difference: name and value.</param>
/// <param name="Values">Every metric's values, one per repetition.</param>
/// <param name="IsPartial">Whether it was interrupted or failed, or did not serve all requests.</param>
internal sealed record BenchFile(
    string Path, string Scenario, string ModelHash, int Rows, IReadOnlyDictionary<string, string> Circumstances, IReadOnlyDictionary<string, IReadOnlyList<double>> Values, bool IsPartial)
{
    private const long LargestFile = 16 << 20;

    /// <summary>Reads a file.</summary>
    /// <exception cref="IOException">It cannot be read, or is none; with its name and what is missing.</exception>
    public static BenchFile Load(string path)
    {
        if (new FileInfo(path).Length > LargestFile)
        {
            throw new IOException($"'{path}' is no result of qaic bench: it is larger than {LargestFile >> 20} MB.");
        }

        try
        {
            return Parse(path, JsonNode.Parse(File.ReadAllText(path)) ?? throw new FormatException("it is empty"));
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or ArgumentException)
        {
            throw new IOException($"'{path}' is no result of qaic bench (make one with --output): {e.Message}", e);
        }
    }

    private static BenchFile Parse(string path, JsonNode root)
    {
        int format = Member(root, "format").GetValue<int>();
        if (format != BenchResult.Format)
        {
            throw new FormatException($"its format is {format}, and this tool reads {BenchResult.Format}; use the tool that wrote it");
        }

        JsonNode model = Member(root, "model");
        JsonNode settings = Member(root, "settings");
        JsonNode environment = Member(root, "environment");
        JsonArray repetitions = Member(root, "repetitions").AsArray();
        if (repetitions.Count == 0)
        {
            throw new FormatException("it has no repetitions");
        }

        string scenario = Member(root, "scenario").GetValue<string>();
        if (settings["requestsPerSecond"] is { } rate)
        {
            scenario += string.Create(CultureInfo.InvariantCulture, $" at {rate.GetValue<double>():0.###} requests/s, {settings["arrivals"]}");
        }

        string[] circumstances = ["tool", "platform", "activations", "setSize", "options", "runtime", "system", "architecture", "processors"];
        return new BenchFile(
            path,
            scenario,
            Member(model, "sha256").GetValue<string>(),
            Member(model, "rowsPerInference").GetValue<int>(),
            circumstances.ToDictionary(name => name, name => environment[name] is JsonArray lines ? string.Join(", ", lines) : environment[name]?.ToString() ?? ""),
            BenchMetric.All.ToDictionary(metric => metric.Key, metric => (IReadOnlyList<double>)[.. repetitions.Select(r => Member(r, metric.Key).GetValue<double>())]),
            repetitions.Any(r => r!["interrupted"] is not null || r["failure"] is not null || r["unserved"] is { } unserved && unserved.GetValue<long>() > 0));
    }

    private static JsonNode Member(JsonNode? node, string name) => node is JsonObject o && o[name] is { } member ? member : throw new FormatException($"it has no '{name}'");
}
