using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;

namespace Qaic.Compilation;

/// <summary>What one executable says about itself.</summary>
/// <param name="Version">What it prints for <c>-version</c>, on one line; empty if that is nothing or an error.</param>
/// <param name="Flags">The flags in its help, without dashes; null if its help could not be read.</param>
/// <param name="NamesHardware">Whether its help has the newer names of hardware: <c>ai100</c> instead of <c>2.0</c>.</param>
internal sealed partial record QaicExecCapabilities(string Version, IReadOnlySet<string>? Flags, bool NamesHardware)
{
    // Loading the compiler's library takes seconds on a busy machine; a tool that needs a minute to say its version does not work.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private const int LongestText = 1 << 20;
    private const int LongestVersion = 160;

    // A help that lacks this flag is no help: every generation has it, and no compilation does without.
    private const string Landmark = "aic-binary-dir";

    private static readonly QaicExecCapabilities s_unknown = new("", null, false);
    private static readonly ConcurrentDictionary<(string Path, long Length, DateTime Written), Entry> s_known = new();

    /// <summary>Asks the executable; once, as long as the file does not change.</summary>
    /// <exception cref="CompilationException">It cannot be started.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before it had answered.</exception>
    public static QaicExecCapabilities Of(string path, TimeProvider clock, CancellationToken cancellationToken)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
        {
            throw new CompilationException($"The compiler '{path}' is gone. Install it again, or set CompilerPath (compiler_path).") { Error = CompilationError.CompilerUnavailable };
        }

        Entry entry = s_known.GetOrAdd((file.FullName, file.Length, file.LastWriteTimeUtc), static _ => new Entry());
        entry.Gate.Wait(cancellationToken);
        try
        {
            // An answer that did not come in time is not kept: the next one may.
            return (entry.Answer ??= Ask(file.FullName, clock, cancellationToken)) ?? s_unknown;
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    /// <summary>The flags that a help text names.</summary>
    /// <returns>Null if the text is not the help of such a tool.</returns>
    internal static IReadOnlySet<string>? ParseHelp(string text)
    {
        // The form of the text is not documented, so every word that looks like a flag counts, also in a remark on another one: one too many is harmless,
        // one too few would refuse an option that works.
        HashSet<string> flags = new(Flag().Matches(text).Select(m => m.Groups["flag"].Value), StringComparer.OrdinalIgnoreCase);
        return flags.Contains(Landmark) ? flags : null;
    }

    private static QaicExecCapabilities? Ask(string path, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(s_patience, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            (int exitCode, string version) = Run(path, "-version", stop.Token);
            string help = Run(path, "-h", stop.Token).Text + "\n" + Run(path, "-u", stop.Token).Text;
            return new QaicExecCapabilities(exitCode == 0 ? OneLine(version) : "", ParseHelp(help), help.Contains("ai100", StringComparison.OrdinalIgnoreCase));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private static (int ExitCode, string Text) Run(string path, string argument, CancellationToken stop)
    {
        var text = new StringBuilder();
        int exitCode = QaicExecProcess.Run(
            path,
            [argument],
            (line, _) =>
            {
                if (text.Length + line.Length < LongestText)
                {
                    text.Append(line).Append('\n');
                }
            },
            stop);
        return (exitCode, text.ToString());
    }

    private static string OneLine(string text)
    {
        string line = string.Join(", ", text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        return line.Length <= LongestVersion ? line : line[..LongestVersion];
    }

    [GeneratedRegex("""(?<=^|[\s,;:\[({|/'"`])--?(?<flag>[A-Za-z][\w-]*)""")]
    private static partial Regex Flag();

    private sealed class Entry
    {
        public SemaphoreSlim Gate { get; } = new(1);

        public QaicExecCapabilities? Answer { get; set; }
    }
}
