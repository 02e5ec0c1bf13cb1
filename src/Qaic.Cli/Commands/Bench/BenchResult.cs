using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Qaic.Cli.Commands.Bench;

/// <summary>A benchmark: what was measured, how often, of what and where.</summary>
/// <param name="Settings">How requests came.</param>
/// <param name="Repetitions">What was measured; at least one.</param>
internal sealed record BenchResult(LoadSettings Settings, IReadOnlyList<Measurement> Repetitions)
{
    /// <summary>Number of the file's format; a reader refuses others.</summary>
    public const int Format = 1;

    // Histograms of files are for drawing, so a tenth of a decade is enough.
    private const int BarsInFile = 60;

    /// <summary>The model or QPC that the user named.</summary>
    public required string ModelPath { get; init; }

    /// <summary>Of its content.</summary>
    public required string ModelHash { get; init; }

    /// <summary>The session's options.</summary>
    public required QaicOptions Options { get; init; }

    /// <summary>Where it ran.</summary>
    public required string Platform { get; init; }

    /// <summary>Whether that is a simulated card.</summary>
    public required bool IsSimulated { get; init; }

    /// <summary>The devices, as they were before.</summary>
    public required IReadOnlyList<QaicDevice> Devices { get; init; }

    /// <summary>Name, type and shape of the inputs.</summary>
    public required string Inputs { get; init; }

    /// <summary>The latency that 99 % of the requests are to have at most, in seconds; null for none.</summary>
    public double? TargetLatency { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>All repetitions' latencies together.</summary>
    public LatencyHistogram Latency
    {
        get
        {
            var sum = new LatencyHistogram();
            foreach (Measurement repetition in Repetitions)
            {
                sum.Add(repetition.Latency);
            }

            return sum;
        }
    }

    /// <summary>Whether the 99th percentile, in the median over the repetitions, is within the target and every request was served, and there was one; null without a target.</summary>
    public bool? MeetsTarget => TargetLatency is { } target
        ? Spread.Of(Repetitions.Select(r => r.Latency.Percentile(990) / 1e9)).Median <= target && Repetitions.All(r => r is { Completed: > 0, Unserved: 0, Failure: null })
        : null;

    /// <summary>SHA-256 of a file, or of the QPC in a directory, in lower case.</summary>
    public static string HashOf(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    /// <summary>For machines, and for <c>bench compare</c>.</summary>
    public JsonObject ToJson() => new()
    {
        ["format"] = Format,
        ["at"] = At.UtcDateTime.ToString("o", CultureInfo.InvariantCulture),
        ["scenario"] = LoadSettings.NameOf(Settings.Scenario),
        ["model"] = new JsonObject { ["path"] = ModelPath, ["sha256"] = ModelHash, ["inputs"] = Inputs, ["rowsPerInference"] = Repetitions[0].RowsPerInference },
        ["settings"] = SettingsToJson(),
        ["environment"] = EnvironmentToJson(),
        ["summary"] = SummaryToJson(),
        ["repetitions"] = new JsonArray([.. Repetitions.Select(ToJson)]),
        ["histogram"] = new JsonArray([.. Latency.Bars(BarsInFile).Select(bar => new JsonObject { ["fromMilliseconds"] = bar.From / 1e6, ["toMilliseconds"] = bar.To / 1e6, ["count"] = bar.Count })]),
    };

    private JsonObject SettingsToJson()
    {
        var json = new JsonObject
        {
            ["durationSeconds"] = Settings.Duration == TimeSpan.MaxValue ? null : Settings.Duration.TotalSeconds,
            ["count"] = Settings.Count,
        };
        if (Settings.Scenario == LoadScenario.Server)
        {
            json["requestsPerSecond"] = Settings.Rate;
            json["arrivals"] = Settings.PoissonSeed is { } seed ? $"poisson, seed {seed}" : "equal distances";
        }

        if (TargetLatency is { } target)
        {
            json["targetMilliseconds"] = target * 1e3;
            json["meetsTarget"] = MeetsTarget;
        }

        return json;
    }

    private JsonObject EnvironmentToJson() => new()
    {
        ["tool"] = typeof(BenchResult).Assembly.GetName().Version?.ToString(3),
        ["platform"] = Platform,
        ["simulated"] = IsSimulated,
        ["devices"] = new JsonArray([.. Devices.Select(DeviceReport.ToJson)]),
        ["activations"] = Options.NumActivations,
        ["setSize"] = Options.SetSize,
        ["options"] = new JsonArray([.. Options.ToYaml().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => (JsonNode)line)]),
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["system"] = RuntimeInformation.OSDescription,
        ["architecture"] = RuntimeInformation.ProcessArchitecture.ToString(),
        ["processors"] = Environment.ProcessorCount,
    };

    private JsonObject SummaryToJson() => new([.. BenchMetric.All.Select(metric =>
    {
        Spread spread = Spread.Of(Repetitions.Select(metric.Of));
        return KeyValuePair.Create<string, JsonNode?>(metric.Key, new JsonObject { ["median"] = spread.Median, ["smallest"] = spread.Smallest, ["largest"] = spread.Largest });
    })]);

    private JsonObject ToJson(Measurement repetition)
    {
        var json = new JsonObject { ["inferences"] = repetition.Completed, ["seconds"] = repetition.Seconds };
        foreach (BenchMetric metric in BenchMetric.All)
        {
            json[metric.Key] = metric.Of(repetition);
        }

        if (repetition.Service is { } service)
        {
            json["serviceP50Milliseconds"] = service.Percentile(500) / 1e6;
            json["serviceP99Milliseconds"] = service.Percentile(990) / 1e6;
            json["unserved"] = repetition.Unserved;
        }

        if (repetition.Pacing is { } pacing)
        {
            json["timerLateP99Milliseconds"] = pacing.Percentile(990) / 1e6;
        }

        if (repetition.IsInterrupted)
        {
            json["interrupted"] = true;
        }

        if (repetition.Failure is { } failure)
        {
            json["failure"] = failure.Message;
        }

        return json;
    }
}
