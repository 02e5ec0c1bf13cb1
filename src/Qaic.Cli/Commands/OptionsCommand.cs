using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic options</c>.</summary>
internal static class OptionsCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("options", "Lists the options of compiling and running.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
