using System.CommandLine;
using Qaic.Qpc;
using Spectre.Console;

namespace Qaic.Cli;

/// <summary>The commands, with their output.</summary>
/// <param name="output">Receives results.</param>
/// <param name="error">Receives what went wrong.</param>
/// <param name="isRedirected">Whether the output is no terminal: then there are no colours and lines are not broken.</param>
internal sealed class QaicTool(TextWriter output, TextWriter error, bool isRedirected)
{
    /// <summary>Exit code of a command that did what it was asked.</summary>
    public const int Success = 0;

    /// <summary>Exit code of a command line that cannot be understood.</summary>
    public const int WrongUsage = 1;

    /// <summary>Exit code of a command that could not do what it was asked; the reason is on standard error.</summary>
    public const int Failure = 2;

    // Wider than any table: nothing breaks the lines of a file, whatever names a network has.
    private const int RedirectedWidth = 1_000_000;

    public int Run(string[] args)
    {
        var root = new RootCommand("Networks for Qualcomm Cloud AI 100 cards.") { Inspect() };
        var configuration = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false };
        try
        {
            return root.Parse(args).Invoke(configuration);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error.WriteLine($"error: {e.Message}");
            return Failure;
        }
        catch (Exception e)
        {
            // Nobody expected it, so its kind says more than its message; where in the code it happened says nothing to a user.
            error.WriteLine($"error: {e.GetType().Name}: {e.Message}");
            return Failure;
        }
    }

    private Command Inspect()
    {
        var path = new Argument<string>("qpc") { Description = "A QPC file, or a directory that holds programqpc.bin." };
        var json = new Option<bool>("--json") { Description = "JSON for machines instead of tables." };
        var command = new Command("inspect", "Shows what a QPC holds: container, network, inputs and outputs, options, precision and scales. Any QPC, of any compiler.") { path, json };
        command.SetAction(result =>
        {
            string file = Located(result.GetRequiredValue(path));
            using QpcFile qpc = Open(file, QpcFile.Open);
            QpcReport report = Open(file, _ => new QpcReport(qpc));
            if (result.GetValue(json))
            {
                output.WriteLine(report.ToJson());
            }
            else
            {
                report.Write(Terminal());
            }

            return Success;
        });
        return command;
    }

    private static string Located(string path) =>
        Directory.Exists(path) ? Path.Combine(path, QpcFile.FileName)
        : File.Exists(path) ? path
        : throw new FileNotFoundException($"There is no QPC at '{Path.GetFullPath(path)}'. Give a QPC file, or a directory that holds {QpcFile.FileName}.", path);

    // The format's errors know the byte, not the file.
    private static T Open<T>(string path, Func<string, T> read)
    {
        try
        {
            return read(path);
        }
        catch (QpcFormatException e)
        {
            throw new IOException($"'{path}': {e.Message}", e);
        }
    }

    private IAnsiConsole Terminal()
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            ColorSystem = isRedirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Ansi = isRedirected ? AnsiSupport.No : AnsiSupport.Detect,
        });
        if (isRedirected)
        {
            console.Profile.Width = RedirectedWidth;
        }

        return console;
    }
}
