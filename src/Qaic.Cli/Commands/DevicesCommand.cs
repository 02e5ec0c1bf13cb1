using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic devices</c>.</summary>
internal static class DevicesCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("devices", "Lists the cards.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
