using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Qaic.Cli;

/// <summary>Where commands write.</summary>
/// <param name="output">Receives results.</param>
/// <param name="error">Receives what went wrong, warnings and progress, so that results can be piped.</param>
/// <param name="isRedirected">Whether the output is no terminal: then there are no colours, and lines are not broken.</param>
/// <param name="isErrorRedirected">The same of <paramref name="error"/>: then no progress is shown.</param>
internal sealed class ToolConsole(TextWriter output, TextWriter error, bool isRedirected, bool isErrorRedirected = true)
{
    // Wider than any table: nothing breaks the lines of a file, whatever names a network has.
    private const int RedirectedWidth = 1_000_000;

    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly IAnsiConsole _errorTerminal = Create(error, isErrorRedirected);

    public TextWriter Output => output;

    public TextWriter Error => error;

    public bool IsRedirected => isRedirected;

    /// <summary>For tables and colours.</summary>
    public IAnsiConsole Terminal { get; } = Create(output, isRedirected);

    /// <summary>Does work, and shows on the terminal of the errors that it goes on; where there is none, nothing is shown.</summary>
    /// <param name="title">What is being done.</param>
    /// <param name="work">The work; it may say how far it has come, from any thread.</param>
    public T Progress<T>(string title, Func<Action<string>, T> work) =>
        isErrorRedirected ? work(static _ => { }) : _errorTerminal.Status().Start(
            Markup.Escape(title), context => work(text => context.Status = Markup.Escape($"{title} {text}")));

    /// <summary>Writes a line on standard error, also while <see cref="Progress"/> shows something there: it comes above it. From any thread.</summary>
    public void Remark(string line)
    {
        if (isErrorRedirected)
        {
            error.WriteLine(line);
        }
        else
        {
            _errorTerminal.WriteLine(line);
        }
    }

    /// <summary>Writes a result for machines.</summary>
    public void WriteJson(JsonNode node) => output.WriteLine(node.ToJsonString(s_json));

    private static IAnsiConsole Create(TextWriter output, bool isRedirected)
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
