using System.Text.Json.Nodes;
using Spectre.Console;

namespace Qaic.Cli.Commands;

/// <summary>A diagnosis, for people and for machines.</summary>
/// <param name="diagnosis">What was found.</param>
/// <param name="backend">What sessions are to ask for.</param>
internal sealed class DoctorReport(HostDiagnosis diagnosis, QaicBackend backend)
{
    /// <summary>Whether sessions can run.</summary>
    public bool CanRun => diagnosis.CanRun(backend);

    /// <summary>Where sessions run, in one line.</summary>
    public string Conclusion => backend switch
    {
        QaicBackend.Simulated when diagnosis.HasSimulatedCard => "Networks run on the simulated card (backend Simulated).",
        QaicBackend.Simulated => "Networks cannot run: there is no simulated card (backend Simulated).",
        _ when diagnosis.HasCard => $"Networks run on a card (backend {backend}).",
        _ when diagnosis.SimulatedLibrary is { } path => $"Networks run on the simulated card behind {path}, not on a real one (backend {backend}).",
        QaicBackend.Aic => "Networks cannot run: no card is ready (backend Aic).",
        _ when diagnosis.HasSimulatedCard => "Networks run on the simulated card, because no card is ready (backend Auto).",
        _ => "Networks cannot run: there is neither a card that is ready nor a simulated one (backend Auto).",
    };

    public void Write(IAnsiConsole console)
    {
        foreach (HostCheck check in diagnosis.Checks)
        {
            (string mark, string color) = Mark(check.Status);
            console.MarkupLine($"[{color}]{mark,-8}[/] {Markup.Escape($"{check.Name}: {OneLine(check.Found)}")}");
            if (check.Remedy is { } remedy)
            {
                console.MarkupLine($"         → {Markup.Escape(OneLine(remedy))}");
            }
        }

        console.WriteLine();
        console.WriteLine(Conclusion);
    }

    public JsonObject ToJson() => new()
    {
        ["backend"] = backend.ToString(),
        ["canRun"] = CanRun,
        ["card"] = diagnosis.HasCard,
        ["simulatedLibrary"] = diagnosis.SimulatedLibrary,
        ["simulatedCard"] = diagnosis.HasSimulatedCard,
        ["conclusion"] = Conclusion,
        ["checks"] = new JsonArray([.. diagnosis.Checks.Select(check => new JsonObject
        {
            ["name"] = check.Name,
            ["status"] = Mark(check.Status).Text,
            ["found"] = check.Found,
            ["remedy"] = check.Remedy,
        })]),
        ["devices"] = new JsonArray([.. diagnosis.Devices.Select(DeviceReport.ToJson)]),
    };

    private static (string Text, string Color) Mark(HostCheckStatus status) => status switch
    {
        HostCheckStatus.Ok => ("ok", "green"),
        HostCheckStatus.Warning => ("warning", "yellow"),
        HostCheckStatus.Problem => ("problem", "red"),
        _ => ("n/a", "grey"),
    };

    private static string OneLine(string text) => string.Join(' ', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
