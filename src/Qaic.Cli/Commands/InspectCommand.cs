using System.CommandLine;
using Qaic.Qpc;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic inspect</c>: what a QPC holds.</summary>
internal static class InspectCommand
{
    public static Command Create(ToolConsole console)
    {
        var path = new Argument<string>("qpc") { Description = "A QPC file, or a directory that holds programqpc.bin." };
        var json = new Option<bool>("--json") { Description = "JSON for machines instead of tables." };
        var command = new Command("inspect", "Shows what a QPC holds: container, network, inputs and outputs, options, precision and scales. Any QPC, of any compiler.") { path, json };
        command.SetAction(result =>
        {
            string file = QpcLocation.Find(result.GetRequiredValue(path));
            using QpcFile qpc = QpcLocation.Read(file, QpcFile.Open);
            QpcReport report = QpcLocation.Read(file, _ => new QpcReport(qpc));
            if (result.GetValue(json))
            {
                console.WriteJson(report.ToJson());
            }
            else
            {
                report.Write(console.Terminal);
            }

            return QaicTool.Success;
        });
        return command;
    }
}
