using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic cache</c>.</summary>
internal static class CacheCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("cache", "Lists and empties the cache of compiled networks.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
