using System.CommandLine;
using Microsoft.Extensions.Logging;
using Qaic.Compilation;

namespace Qaic.Cli;

/// <summary>How every command that compiles or runs is told where, and with which options: <c>--backend</c>, <c>--library</c>, <c>--set</c>, <c>--options</c>, <c>--verbose</c>.</summary>
internal sealed class SessionOptions
{
    private readonly Option<string> _backend = new("--backend") { Description = "Where: a card if one is ready, else the simulated card (auto, the default); a card or not at all (aic); the simulated card (sim).", HelpName = "auto|aic|sim" };
    private readonly Option<string> _library = new("--library") { Description = "The library of the card, instead of QAIC_LIB or where the SDK puts it.", HelpName = "libQAic.so" };
    private readonly Option<string[]> _set = new("--set") { Description = "An option by its python keyword, 'qaic options' lists them: --set aic_num_cores=4. Repeatable; wins over the file.", HelpName = "key=value", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string> _file = new("--options") { Description = "YAML file with options, as python's options_path.", HelpName = "file.yaml" };
    private readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Show the log, not only its warnings." };

    private SessionOptions()
    {
    }

    /// <summary>Gives the command these options.</summary>
    public static SessionOptions AddTo(Command command)
    {
        var options = new SessionOptions();
        command.Options.Add(options._backend);
        command.Options.Add(options._library);
        command.Options.Add(options._set);
        command.Options.Add(options._file);
        command.Options.Add(options._verbose);
        return options;
    }

    /// <summary>The options in force: of the file, then of <c>--set</c> and <paramref name="named"/>, which must not name the same one twice.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="named">Further options, by name and text, that the command has of its own.</param>
    /// <exception cref="UsageException">An option is unknown or there twice, has a value that is none of its own, or does not go with another; a pair has no equals sign; or the library is of no use to the backend.</exception>
    public QaicOptions Read(ParseResult result, IEnumerable<(string Name, string Text)>? named = null)
    {
        var words = new List<(string, string)>();
        foreach (string pair in result.GetValue(_set) ?? [])
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            words.Add(equals > 0 ? (pair[..equals], pair[(equals + 1)..]) : throw new UsageException($"'--set {pair}' has no value. Write --set key=value, for example --set aic_num_cores=4."));
        }

        if (result.GetValue(_backend) is { } backend)
        {
            words.Add(("backend", backend));
        }

        QaicOptions options = UsageException.Checked(() => QaicOptions.FromKeywords(OptionWords.ToKeywords(words.Concat(named ?? [])), result.GetValue(_file) is { } file ? QaicOptions.FromYaml(file) : null));
        if (result.GetValue(_library) is not null && options.Backend == QaicBackend.Simulated)
        {
            throw new UsageException("--library names the library of a card, and the backend is the simulated card, which needs none. Leave one of them out.");
        }

        return options;
    }

    /// <summary>The log of the command.</summary>
    public ToolLog Log(ParseResult result, ToolConsole console) => new(console, result.GetValue(_verbose));

    /// <summary>The platform that <c>--library</c> asks for; null for the choice of a session.</summary>
    /// <exception cref="QaicException">The library cannot be loaded.</exception>
    public Platform? Platform(ParseResult result) => result.GetValue(_library) is { } library ? Qaic.Platform.Native(library) : null;

    /// <summary>Compiles as a session would: where the choice is automatic and a card has no compiler, for the simulated card.</summary>
    /// <param name="platform">The platform of <c>--library</c>; null for none.</param>
    /// <param name="model">Path of the model.</param>
    /// <param name="options">The options.</param>
    /// <param name="logger">Receives remarks.</param>
    /// <param name="cancellationToken">Ends the compilation.</param>
    /// <returns>The compiled network, and the compiler that made it.</returns>
    /// <exception cref="CompilationException">It cannot be compiled.</exception>
    public static (CacheEntry Entry, ICompiler Compiler) Compile(Platform? platform, string model, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        ICompiler compiler = (platform ?? Qaic.Platform.Select(options.Backend, logger)).CompilerFor(options);
        try
        {
            return (CompileCache.Compile(compiler, model, options, logger, cancellationToken), compiler);
        }
        catch (CompilationException e) when (e.Error == CompilationError.CompilerUnavailable && platform is null && options is { Backend: QaicBackend.Auto, CompilerPath: null })
        {
            logger.Log(LogLevel.Warning, 0, e.Message, null, static (reason, _) => $"Compiled for the simulated card, because a card's compiler is missing: {reason}");
            compiler = Qaic.Platform.Select(QaicBackend.Simulated, logger).CompilerFor(options);
            return (CompileCache.Compile(compiler, model, options, logger, cancellationToken), compiler);
        }
    }
}
