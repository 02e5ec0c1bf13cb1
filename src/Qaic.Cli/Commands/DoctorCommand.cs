using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic doctor</c>.</summary>
internal static class DoctorCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("doctor", "Checks library, cards, permissions and compilers, and says what to do.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
