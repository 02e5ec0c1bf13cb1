using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Globalization;
using Qaic.Cli.Commands;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Quantization;

namespace Qaic.Cli;

/// <summary>The commands.</summary>
/// <param name="output">Receives results.</param>
/// <param name="error">Receives what went wrong.</param>
/// <param name="isRedirected">Whether the output is no terminal.</param>
/// <param name="isErrorRedirected">Whether <paramref name="error"/> is no terminal.</param>
internal sealed class QaicTool(TextWriter output, TextWriter error, bool isRedirected, bool isErrorRedirected = true)
{
    /// <summary>Exit code of a command that did what it was asked.</summary>
    public const int Success = 0;

    /// <summary>Exit code of a command line that cannot be understood.</summary>
    public const int WrongUsage = 1;

    /// <summary>Exit code of a command that could not do what it was asked; the reason is on standard error.</summary>
    public const int Failure = 2;

    /// <summary>Exit code of a command that was interrupted (Ctrl-C), as shells have it.</summary>
    public const int Interrupted = 130;

    // What is being done when Ctrl-C comes has this long to end: a compilation between two looks at its token, an inference on a card.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ToolConsole _console = new(output, error, isRedirected, isErrorRedirected);

    public int Run(string[] args)
    {
        // Numbers are written with a point on the command line as in files, whatever the user's culture.
        CultureInfo culture = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            return Invoke(args);
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    private int Invoke(string[] args)
    {
        try
        {
            // The vendor's syntax, not ours: nothing of it is parsed here.
            return args is ["exec", .. var rest] ? ExecCommand.Run(_console, rest) : Invoke(Root().Parse(args));
        }
        catch (OperationCanceledException)
        {
            error.WriteLine("error: interrupted");
            return Interrupted;
        }
        catch (UsageException e)
        {
            error.WriteLine($"error: {e.Message}");
            return WrongUsage;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CompilationException or QaicException or QpcFormatException or QuantizationFormatException or NotSupportedException)
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

    private int Invoke(ParseResult parsed)
    {
        // Help is for who asks for it, and for who gives nothing at all.
        if (parsed.Errors.Count > 0 && parsed.Tokens.Count > 0)
        {
            foreach (ParseError wrong in parsed.Errors)
            {
                error.WriteLine($"error: {wrong.Message}");
            }

            string command = string.Join(' ', parsed.CommandResult.Command.Parents.OfType<Command>().Select(c => c.Name).Reverse().Append(parsed.CommandResult.Command.Name));
            error.WriteLine($"'{command} --help' lists commands and options.");
            return WrongUsage;
        }

        return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = s_patience });
    }

    // Not a RootCommand, which calls itself by the name of the assembly.
    private Command Root() => new(
        "qaic",
        "Networks for Qualcomm Cloud AI 100 cards. Results go to standard output, everything else to standard error. "
        + "Exit codes: 0 done, 1 the command line or an option is wrong, 2 it could not be done, 130 interrupted.")
    {
        new HelpOption { Recursive = true },
        new VersionOption(),
        CompileCommand.Create(_console),
        ExecCommand.Create(_console),
        InspectCommand.Create(_console),
        ExtractCommand.Create(_console),
        RunCommand.Create(_console),
        BenchCommand.Create(_console),
        CalibrateCommand.Create(_console),
        DevicesCommand.Create(_console),
        DoctorCommand.Create(_console),
        CacheCommand.Create(_console),
        OptionsCommand.Create(_console),
    };
}
