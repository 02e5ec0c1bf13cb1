using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic calibrate</c>.</summary>
internal static class CalibrateCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("calibrate", "Profiles a model over inputs, for quantization.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
