using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic extract</c>.</summary>
internal static class ExtractCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("extract", "Writes the segments of a QPC as files.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
