using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Qaic.Compilation;
using Qaic.Options;
using Qaic.Qpc;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic compile</c>: an ONNX model to a QPC.</summary>
internal static class CompileCommand
{
    public static Command Create(ToolConsole console)
    {
        var model = new Argument<string>("model") { Description = "The .onnx file." };
        var directory = new Option<string>("--output", "-o") { Description = "Directory that receives programqpc.bin. Without it the QPC stays in the cache.", HelpName = "directory" };
        var noCache = new Option<bool>("--no-cache") { Description = "Compile in any case, and keep nothing in the cache; needs --output." };
        var json = new Option<bool>("--json") { Description = "JSON for machines." };
        var command = new Command("compile", "Compiles an ONNX model to a QPC, or finds it in the cache.") { model, directory, noCache, json };
        var session = SessionOptions.AddTo(command);
        var table = TableOptions.AddTo(command, OptionTable.All.Where(o => o.Stage == OptionStage.Compile));
        command.SetAction((result, token) => Task.Run(
            () =>
            {
                ToolLog log = session.Log(result, console);
                QaicOptions options = session.Read(result, table.Read(result));
                options = options with { OutputDirectory = result.GetValue(directory) ?? options.OutputDirectory, UseCache = options.UseCache && !result.GetValue(noCache) };
                if (!options.UseCache && options.OutputDirectory is null)
                {
                    throw new UsageException("Without the cache the QPC needs a place. Add --output <directory>, or leave out --no-cache.");
                }

                string path = result.GetRequiredValue(model);
                Warn(options, log);
                long start = Stopwatch.GetTimestamp();
                (CacheEntry entry, ICompiler compiler) = console.Progress($"Compiling {Path.GetFileName(path)}", _ => SessionOptions.Compile(session.Platform(result), path, options, log, token));
                using (entry)
                {
                    Report(console, entry, compiler, Stopwatch.GetElapsedTime(start), log, result.GetValue(json));
                }

                return QaicTool.Success;
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>Tells of options that are allowed but probably not meant.</summary>
    public static void Warn(QaicOptions options, ToolLog log)
    {
        foreach (string warning in options.GetWarnings())
        {
            log.Log(Microsoft.Extensions.Logging.LogLevel.Warning, 0, warning, null, static (text, _) => text);
        }
    }

    private static void Report(ToolConsole console, CacheEntry entry, ICompiler compiler, TimeSpan elapsed, ToolLog log, bool isJson)
    {
        using QpcFile qpc = QpcLocation.Read(entry.QpcPath, QpcFile.Open);
        QpcReport report = QpcLocation.Read(entry.QpcPath, _ => new QpcReport(qpc));
        if (isJson)
        {
            console.WriteJson(new JsonObject
            {
                ["qpc"] = entry.QpcPath,
                ["bytes"] = qpc.Length,
                ["cached"] = entry.IsHit,
                ["key"] = entry.Key,
                ["compiler"] = $"{compiler.Name} {compiler.Version}",
                ["seconds"] = elapsed.TotalSeconds,
                ["warnings"] = new JsonArray([.. log.Warnings.Select(w => JsonValue.Create(w))]),
                ["network"] = report.ToJson()["network"]!.DeepClone(),
            });
            return;
        }

        report.WriteNetwork(console.Terminal);
        string how = entry.IsHit ? "found in the cache" : string.Create(CultureInfo.InvariantCulture, $"compiled in {elapsed.TotalSeconds:0.0} s");
        console.Output.WriteLine($"{entry.QpcPath}");
        console.Output.WriteLine($"{ByteSize.Text(qpc.Length)}, {how} by {compiler.Name} {compiler.Version}");
    }
}
