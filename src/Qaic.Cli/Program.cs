namespace Qaic.Cli;

/// <summary>The <c>qaic</c> tool.</summary>
internal static class Program
{
    public static int Main(string[] args) => new QaicTool(Console.Out, Console.Error, Console.IsOutputRedirected, Console.IsErrorRedirected).Run(args);
}
