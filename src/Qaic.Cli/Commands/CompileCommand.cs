using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic compile</c>.</summary>
internal static class CompileCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command("compile", "Compiles an ONNX model to a QPC.");
        command.SetAction((Func<ParseResult, int>)(_ => throw new NotImplementedException($"{console.IsRedirected}")));
        return command;
    }
}
