using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic doctor</c>: what is there, what is missing, and what to do about it.</summary>
internal static class DoctorCommand
{
    public static Command Create(ToolConsole console)
    {
        var backend = new Option<string>("--backend") { Description = "What sessions are to ask for: auto, aic or sim.", DefaultValueFactory = _ => "auto" };
        backend.AcceptOnlyFromAmong("auto", "aic", "sim");
        var json = new Option<bool>("--json") { Description = "JSON for machines instead of text." };
        var command = new Command("doctor", "Checks this machine: card, driver, permissions, library, SDK, compiler, simulated card, cache. Exit code 0: networks can run; 2: they cannot.") { backend, json };
        command.SetAction(result =>
        {
            QaicBackend asked = result.GetRequiredValue(backend) switch
            {
                "aic" => QaicBackend.Aic,
                "sim" => QaicBackend.Simulated,
                _ => QaicBackend.Auto,
            };
            var report = new DoctorReport(HostDiagnosis.Run(), asked);
            if (result.GetValue(json))
            {
                console.WriteJson(report.ToJson());
            }
            else
            {
                report.Write(console.Terminal);
            }

            return report.CanRun ? QaicTool.Success : QaicTool.Failure;
        });
        return command;
    }
}
