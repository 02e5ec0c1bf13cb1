using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic bench</c>.</summary>
internal static class BenchCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("bench", "Measures throughput and latency.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
