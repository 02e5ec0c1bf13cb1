using System.CommandLine;

namespace Qaic.Cli.Commands;

/// <summary><c>qaic exec</c>: the vendor compiler's own command line.</summary>
internal static class ExecCommand
{
    /// <summary>For the list of commands and its help only; <see cref="Run"/> gets the arguments as they are.</summary>
    public static Command Create(ToolConsole console) => new("exec", "Compiles with the vendor compiler's own command line: qaic exec -m=model.onnx -aic-hw -convert-to-fp16 …");

    /// <summary>Does what the vendor's compiler does with these arguments.</summary>
    public static int Run(ToolConsole console, string[] args) => throw new NotImplementedException();
}
