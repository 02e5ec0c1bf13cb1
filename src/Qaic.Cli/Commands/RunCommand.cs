using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Qaic.Cli.Data;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic run</c>: inferences on files.</summary>
internal static class RunCommand
{
    private const int TopValues = 5;

    public static Command Create(ToolConsole console)
    {
        var network = new Argument<string>("network") { Description = "A QPC, a directory that holds programqpc.bin, or an .onnx file, which is compiled first." };
        var inputs = new Option<string[]>("--input", "-i")
        {
            Description = "Data of an input: .npy, .csv (a line of names, then a line per row), or raw elements. Any number of rows: they are split into batches, the last one is padded. Repeatable.",
            HelpName = "name=file",
            Arity = ArgumentArity.OneOrMore,
        };
        var list = new Option<string>("--input-list") { Description = "The vendor's list: per line one inference, the files of its inputs in the model's order, separated by commas.", HelpName = "file" };
        var directory = new Option<string>("--output", "-o") { Description = "Directory that receives the outputs; without it they are only shown.", HelpName = "directory" };
        var format = new Option<OutputFormat>("--output-format") { Description = "raw: a file <output>-activation-0-inf-<n>.bin per inference, as the vendor's runner; npy, csv: one file per output with all rows.", HelpName = "raw|npy|csv" };
        var json = new Option<bool>("--json") { Description = "JSON for machines." };
        var command = new Command("run", "Runs a network on files and writes its outputs.") { network, inputs, list, directory, format, json };
        var session = SessionOptions.AddTo(command);
        command.SetAction((result, token) => Task.Run(
            async () =>
            {
                ToolLog log = session.Log(result, console);
                QaicOptions options = session.Read(result);
                string[] files = result.GetValue(inputs) ?? [];
                string? listed = result.GetValue(list);
                if (files.Length > 0 == listed is not null)
                {
                    throw new UsageException(listed is null ? "There is no data to run on. Add --input name=file for each input, or --input-list file." : "--input and --input-list exclude each other: both are the data. Leave one out.");
                }

                using Session opened = await Session.CreateAsync(result.GetRequiredValue(network), options, session.Platform(result), log, token).ConfigureAwait(false);
                var reader = InputFiles.Of(opened);
                IEnumerable<IReadOnlyDictionary<string, Tensor>> samples = listed is null ? Batches(reader.Load(files), opened) : reader.LoadList(listed);
                RunSummary summary = await Run(opened, samples, result.GetValue(directory), result.GetValue(format), token).ConfigureAwait(false);
                if (result.GetValue(json))
                {
                    console.WriteJson(summary.ToJson(opened, log));
                }
                else
                {
                    Show(console, opened, summary);
                }

                return QaicTool.Success;
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>Runs inferences in order, as many in flight as there are slots, and writes their outputs.</summary>
    /// <param name="session">The network.</param>
    /// <param name="samples">Its data, read as it goes on.</param>
    /// <param name="directory">Receives the outputs; null for none.</param>
    /// <param name="format">How they are written.</param>
    /// <param name="cancellationToken">Ends the run; files with all rows are then not written.</param>
    private static async Task<RunSummary> Run(
        Session session, IEnumerable<IReadOnlyDictionary<string, Tensor>> samples, string? directory, OutputFormat format, CancellationToken cancellationToken)
    {
        using OutputFiles? files = directory is null ? null : new OutputFiles(directory, format, session.Outputs);
        bool hasBatch = InputFiles.HasBatch(session);
        (long inferences, long rows) = (0, 0);
        IReadOnlyDictionary<string, Tensor>? first = null;
        session.Setup();
        long start = Stopwatch.GetTimestamp();
        await foreach (StreamResult result in session.RunStreamAsync(samples, cancellationToken: cancellationToken).ConfigureAwait(false))
        {
            first ??= result.Outputs;
            files?.Add(inferences++, result.Outputs);
            inferences += files is null ? 1 : 0;
            rows += hasBatch ? result.Outputs[session.Outputs[0].Name].Shape[0] : 1;
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        files?.Complete();
        return new RunSummary(inferences, rows, elapsed, first!, [.. files?.Written ?? []]);
    }

    // Whole batches, the last one perhaps shorter: the session pads it.
    private static IEnumerable<IReadOnlyDictionary<string, Tensor>> Batches(IReadOnlyDictionary<string, Tensor> all, Session session)
    {
        if (!InputFiles.HasBatch(session))
        {
            yield return all;
            yield break;
        }

        int rows = all.Values.First().Shape[0];
        for (int at = 0; at < rows; at += session.BatchSize)
        {
            yield return InputFiles.Rows(all, at, Math.Min(session.BatchSize, rows - at));
        }
    }

    private static void Show(ToolConsole console, Session session, RunSummary summary)
    {
        var table = new Table { Title = new TableTitle($"First inference on {Markup.Escape(session.Platform.Name)}"), Border = TableBorder.Simple };
        table.AddColumns("output", "type", "shape", "largest values of the first row, with their index");
        foreach (TensorSpec output in session.Outputs)
        {
            Tensor tensor = summary.First[output.Name];
            table.AddRow(
                Markup.Escape(output.Name),
                tensor.ElementType.ToString(),
                Markup.Escape($"[{string.Join(", ", tensor.Shape)}]"),
                string.Join("  ", RunSummary.Top(tensor, output, TopValues).Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Index}: {t.Value:g6}"))));
        }

        console.Terminal.Write(table);
        double seconds = summary.Elapsed.TotalSeconds;
        console.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{summary.Inferences} inferences, {summary.Rows} rows in {seconds:0.000} s: {summary.Rows / seconds:0.0} rows/s"));
        if (summary.Files.Length > 0)
        {
            console.Output.WriteLine(summary.Files.Length == 1 ? $"1 file written: {summary.Files[0]}" : $"{summary.Files.Length} files written, the first is {summary.Files[0]}");
        }
    }

    private sealed record RunSummary(long Inferences, long Rows, TimeSpan Elapsed, IReadOnlyDictionary<string, Tensor> First, ImmutableArray<string> Files)
    {
        // Of the first row; of all elements where there are no rows.
        public static IEnumerable<(int Index, double Value)> Top(Tensor tensor, TensorSpec spec, int count)
        {
            int width = tensor.Shape.Length > 1 && tensor.Shape[0] > 0 ? tensor.Length / tensor.Shape[0] : tensor.Length;
            return Enumerable.Range(0, width).Select(i => (Index: i, Value: Elements.Value(tensor, i, spec))).OrderByDescending(v => v.Value).ThenBy(v => v.Index).Take(count);
        }

        public JsonObject ToJson(Session session, ToolLog log) => new()
        {
            ["platform"] = session.Platform.Name,
            ["qpc"] = session.QpcPath,
            ["inferences"] = Inferences,
            ["rows"] = Rows,
            ["seconds"] = Elapsed.TotalSeconds,
            ["outputs"] = new JsonArray([.. session.Outputs.Select(o => new JsonObject
            {
                ["name"] = o.Name,
                ["type"] = First[o.Name].ElementType.ToString(),
                ["shape"] = new JsonArray([.. First[o.Name].Shape.Select(d => (JsonNode)d)]),
                ["top"] = new JsonArray([.. Top(First[o.Name], o, TopValues).Select(t => new JsonObject { ["index"] = t.Index, ["value"] = double.IsFinite(t.Value) ? t.Value : t.Value.ToString(CultureInfo.InvariantCulture) })]),
            })]),
            ["files"] = new JsonArray([.. Files.Select(f => (JsonNode)f)]),
            ["warnings"] = new JsonArray([.. log.Warnings.Select(w => (JsonNode)w)]),
        };
    }
}
