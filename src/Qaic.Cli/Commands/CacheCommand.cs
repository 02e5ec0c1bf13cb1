using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Qaic.Compilation;
using Qaic.Qpc;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic cache</c>: the compiled networks that are kept.</summary>
internal static class CacheCommand
{
    private const int ShownKey = 12;

    private static readonly TimeSpan s_oldest = TimeSpan.FromDays(36_500);

    public static Command Create(ToolConsole console)
    {
        var directory = new Option<string>("--cache-dir") { Description = "The cache's directory, instead of QAIC_CACHE_DIR or the user's.", HelpName = "directory", Recursive = true };
        var json = new Option<bool>("--json") { Description = "JSON for machines.", Recursive = true };
        var age = new Option<string>("--older-than") { Description = "Only what was last used longer ago: 30d, 12h, 45m.", HelpName = "age" };
        var command = new Command("cache", "Lists and empties the cache of compiled networks.") { directory, json };
        var list = new Command("list", "Lists what is kept; what 'qaic cache' does as well.");
        var clear = new Command("clear", "Deletes what no process uses. It is compiled again when it is needed.") { age };
        var path = new Command("path", "Prints the cache's directory.");
        command.Subcommands.Add(list);
        command.Subcommands.Add(clear);
        command.Subcommands.Add(path);
        command.SetAction(result => List(console, new CompileCache(result.GetValue(directory)), result.GetValue(json)));
        list.SetAction(result => List(console, new CompileCache(result.GetValue(directory)), result.GetValue(json)));
        clear.SetAction(result => Clear(console, new CompileCache(result.GetValue(directory)), result.GetValue(age), result.GetValue(json)));
        path.SetAction(result =>
        {
            string location = new CompileCache(result.GetValue(directory)).Location;
            if (result.GetValue(json))
            {
                console.WriteJson(new JsonObject { ["directory"] = location });
            }
            else
            {
                console.Output.WriteLine(location);
            }

            return QaicTool.Success;
        });
        return command;
    }

    private static int List(ToolConsole console, CompileCache cache, bool isJson)
    {
        IReadOnlyList<CachedQpc> entries = cache.Entries();
        if (isJson)
        {
            console.WriteJson(new JsonObject
            {
                ["directory"] = cache.Location,
                ["bytes"] = entries.Sum(e => e.Bytes),
                ["limit"] = cache.LimitBytes,
                ["entries"] = new JsonArray([.. entries.Select(e => (JsonNode)new JsonObject
                {
                    ["key"] = e.Key,
                    ["qpc"] = e.QpcPath,
                    ["model"] = e.ModelPath,
                    ["compiler"] = $"{e.Compiler} {e.CompilerVersion}".Trim(),
                    ["bytes"] = e.Bytes,
                    ["compiledAt"] = e.CompiledAt,
                    ["compileSeconds"] = e.CompileTime.TotalSeconds,
                    ["lastUsedAt"] = e.LastUsedAt,
                    ["inUse"] = e.IsInUse,
                    ["problem"] = e.Problem,
                    ["options"] = new JsonObject(Options(e).Select(o => KeyValuePair.Create(o.Key, (JsonNode?)o.Value))),
                })]),
            });
            return QaicTool.Success;
        }

        if (entries.Count > 0)
        {
            var table = new Table { Border = TableBorder.Simple };
            table.AddColumns("key", "model", "size", "last used", "in use", "options").Columns[2].RightAligned();
            foreach (CachedQpc entry in entries)
            {
                string options = string.Join(", ", Options(entry).Select(o => $"{o.Key}={o.Value}"));
                string?[] cells = [entry.Key[..Math.Min(ShownKey, entry.Key.Length)], Path.GetFileName(entry.ModelPath), ByteSize.Text(entry.Bytes), Ago(entry.LastUsedAt), entry.IsInUse ? "yes" : "", entry.Problem is null ? options : $"damaged: {entry.Problem}"];
                table.AddRow([.. cells.Select(c => Markup.Escape(c ?? ""))]);
            }

            console.Terminal.Write(table);
        }

        console.Output.WriteLine($"{entries.Count} networks, {ByteSize.Text(entries.Sum(e => e.Bytes))} of at most {ByteSize.Text(cache.LimitBytes)}, in {cache.Location}");
        return QaicTool.Success;
    }

    private static int Clear(ToolConsole console, CompileCache cache, string? age, bool isJson)
    {
        long freed = age is null ? cache.Clear() : cache.Clear(DateTimeOffset.UtcNow - Age(age));
        IReadOnlyList<CachedQpc> left = cache.Entries();
        if (isJson)
        {
            console.WriteJson(new JsonObject { ["directory"] = cache.Location, ["freedBytes"] = freed, ["left"] = left.Count, ["inUse"] = left.Count(e => e.IsInUse) });
        }
        else
        {
            console.Output.WriteLine($"{ByteSize.Text(freed)} freed, {left.Count} networks left{(left.Any(e => e.IsInUse) ? $", of which {left.Count(e => e.IsInUse)} are in use" : "")}");
        }

        return QaicTool.Success;
    }

    // The embedded compiler records its options in the QPC; others keep them to themselves.
    private static IReadOnlyDictionary<string, string> Options(CachedQpc entry)
    {
        try
        {
            using var qpc = QpcFile.Open(entry.QpcPath);
            return CompilationRecord.Read(qpc)?.Options ?? new Dictionary<string, string>();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or QpcFormatException)
        {
            // Gone meanwhile, or damaged: the entry's own check tells.
            return new Dictionary<string, string>();
        }
    }

    /// <summary>A length of time: a whole number of days, hours or minutes, up to a century.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    private static TimeSpan Age(string text)
    {
        TimeSpan unit = text.Length < 2 ? TimeSpan.Zero : text[^1] switch
        {
            'd' => TimeSpan.FromDays(1),
            'h' => TimeSpan.FromHours(1),
            'm' => TimeSpan.FromMinutes(1),
            _ => TimeSpan.Zero,
        };
        return unit > TimeSpan.Zero && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= s_oldest / unit
            ? count * unit
            : throw new UsageException($"--older-than must be a whole number of days, hours or minutes, such as 30d, 12h or 45m, and at most {s_oldest.TotalDays:0}d, not '{text}'.");
    }

    private static string Ago(DateTimeOffset when)
    {
        TimeSpan ago = DateTimeOffset.UtcNow - when;
        return ago.TotalDays >= 2 ? string.Create(CultureInfo.InvariantCulture, $"{ago.TotalDays:0} days ago")
            : ago.TotalHours >= 2 ? string.Create(CultureInfo.InvariantCulture, $"{ago.TotalHours:0} hours ago")
            : string.Create(CultureInfo.InvariantCulture, $"{Math.Max(ago.TotalMinutes, 0):0} minutes ago");
    }
}
