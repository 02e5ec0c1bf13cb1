using System.Text;
using Microsoft.Extensions.Logging;

namespace Qaic.Compilation;

/// <summary>What one run of the compiler prints: into the log at once, the end of it kept for an error.</summary>
internal sealed class QaicExecOutput(ILogger logger, string tool, QaicExecDiagnosis diagnosis)
{
    private const int MostLines = 64;
    private const int MostCharacters = 16 << 10;

    private readonly Queue<string> _tail = new();
    private int _characters;
    private bool _logFailed;

    public QaicExecDiagnosis Diagnosis { get; } = diagnosis;

    /// <summary>The last lines of both streams, in the order in which they came.</summary>
    public string Tail => string.Join('\n', _tail);

    /// <summary>The last <paramref name="count"/> lines, on one.</summary>
    public string LastLines(int count) => string.Join(" | ", _tail.TakeLast(count));

    /// <summary>Takes one line. Not thread-safe.</summary>
    public void Add(string line, bool isError)
    {
        Diagnosis.Observe(line);
        _tail.Enqueue(line);
        _characters += line.Length;
        while (_tail.Count > MostLines || (_characters > MostCharacters && _tail.Count > 1))
        {
            _characters -= _tail.Dequeue().Length;
        }

        if (_logFailed)
        {
            return;
        }

        try
        {
            LogLevel level = Level(line);
            if (logger.IsEnabled(level))
            {
                QaicExecLog.Line(logger, level, tool, line);
            }
        }
        catch (Exception)
        {
            // A log that fails is no reason to lose an hour's compilation, and this thread has no caller to tell.
            _logFailed = true;
        }
    }

    // The stream says nothing: both carry progress, warnings and errors.
    private static LogLevel Level(string line) =>
        line.StartsWith("WARNING", StringComparison.OrdinalIgnoreCase) ? LogLevel.Warning
        : line.StartsWith("QAIC_ERROR", StringComparison.Ordinal) || line.StartsWith("Error", StringComparison.OrdinalIgnoreCase) ? LogLevel.Error
        : LogLevel.Information;
}

/// <summary>Log messages of the vendor's compilers.</summary>
internal static partial class QaicExecLog
{
    [LoggerMessage(EventId = 5001, Message = "{Tool}: {Line}")]
    public static partial void Line(ILogger logger, LogLevel level, string tool, string line);

    /// <summary>The command as a shell would take it, for people to repeat it.</summary>
    public static void Starting(ILogger logger, string path, IReadOnlyList<string> arguments)
    {
        if (logger.IsEnabled(LogLevel.Information))
        {
            string command = Quote([path, .. arguments]);
            Starting(logger, command);
        }
    }

    [LoggerMessage(EventId = 5002, Level = LogLevel.Information, Message = "Running {Command}")]
    private static partial void Starting(ILogger logger, string command);

    private static string Quote(IEnumerable<string> words)
    {
        var text = new StringBuilder();
        foreach (string word in words)
        {
            bool isPlain = word.All(c => char.IsAsciiLetterOrDigit(c) || "-_=./,:+@%".Contains(c, StringComparison.Ordinal));
            text.Append(text.Length == 0 ? "" : " ").Append(isPlain ? word : $"'{word.Replace("'", @"'\''", StringComparison.Ordinal)}'");
        }

        return text.ToString();
    }
}
