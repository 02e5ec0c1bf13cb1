using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic run</c>.</summary>
internal static class RunCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("run", "Runs a network over inputs from files.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
