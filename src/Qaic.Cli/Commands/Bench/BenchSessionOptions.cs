using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace Qaic.Cli.Commands.Bench;

/// <summary>Where a benchmark runs, and with which options: <c>--backend</c>, <c>--library</c>, <c>--set</c>, <c>--options</c>.</summary>
internal sealed class BenchSessionOptions
{
    private readonly Option<string> _backend = new("--backend") { Description = "auto (a card if one is ready, else the simulated one), aic or sim.", HelpName = "auto|aic|sim" };
    private readonly Option<string> _library = new("--library") { Description = "The card's library, instead of QAIC_LIB or where the SDK puts it.", HelpName = "libQAic.so" };
    private readonly Option<string[]> _set = new("--set") { Description = "An option by its python keyword: --set aic_num_cores=4. Repeatable; wins over the file.", HelpName = "key=value", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string> _file = new("--options") { Description = "YAML file with options, as python's options_path.", HelpName = "file.yaml" };

    /// <summary>Gives the command these options.</summary>
    public static BenchSessionOptions AddTo(Command command)
    {
        var options = new BenchSessionOptions();
        command.Options.Add(options._backend);
        command.Options.Add(options._library);
        command.Options.Add(options._set);
        command.Options.Add(options._file);
        return options;
    }

    /// <summary>The options in force.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="named">Further options, by keyword, that the command has of its own.</param>
    /// <exception cref="ArgumentException">A key is unknown or there twice, or a value is none of its values.</exception>
    public QaicOptions Read(ParseResult result, IEnumerable<KeyValuePair<string, object?>> named)
    {
        var keywords = new List<KeyValuePair<string, object?>>(named);
        foreach (string pair in result.GetValue(_set) ?? [])
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            keywords.Add(equals > 0 ? new(pair[..equals], pair[(equals + 1)..]) : throw new ArgumentException($"--set '{pair}' must be key=value, for example aic_num_cores=4."));
        }

        if (result.GetValue(_backend) is { } backend)
        {
            keywords.Add(new("backend", backend));
        }

        return QaicOptions.FromKeywords(keywords, result.GetValue(_file) is { } file ? QaicOptions.FromYaml(file) : null);
    }

    /// <summary>The platform of <c>--library</c>; null for the session's choice.</summary>
    /// <exception cref="QaicException">The library cannot be loaded.</exception>
    public Platform? Platform(ParseResult result) => result.GetValue(_library) is { } library ? Qaic.Platform.Native(library) : null;

    /// <summary>Warnings of sessions go here.</summary>
    public static ILoggerFactory Log(ToolConsole console) => new Warnings(console.Error);

    private sealed class Warnings(TextWriter error) : ILoggerFactory, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                string line = $"warning: {formatter(state, exception)}";
                lock (error)
                {
                    error.WriteLine(line);
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
