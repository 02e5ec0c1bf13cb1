using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic doctor</c>: what is there, what is missing, and what to do about it.</summary>
internal static class DoctorCommand
{
    public static Command Create(ToolConsole console)
    {
        Option<string> backend = BackendOption.Create("What sessions are to ask for.");
        var json = new Option<bool>("--json") { Description = "JSON for machines instead of text." };
        var command = new Command("doctor", "Checks this machine: card, driver, permissions, library, SDK, compiler, simulated card, cache. Exit code 0: networks can run; 2: they cannot.") { backend, json };
        command.SetAction(result =>
        {
            QaicBackend asked = BackendOption.Read(result, backend);
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
