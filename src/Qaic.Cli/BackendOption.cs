using System.CommandLine;
using Qaic.Options;

namespace Qaic.Cli;

/// <summary><c>--backend</c> of commands that open no session: the option of the table, with a default.</summary>
internal static class BackendOption
{
    private static readonly OptionInfo s_backend = OptionTable.Find("backend")!;

    /// <summary>The option.</summary>
    /// <param name="description">What the backend means to the command.</param>
    public static Option<string> Create(string description) =>
        new("--backend") { Description = description, HelpName = string.Join('|', s_backend.Choices), DefaultValueFactory = static _ => s_backend.Default };

    /// <summary>What was given.</summary>
    /// <exception cref="UsageException">It is no backend.</exception>
    public static QaicBackend Read(ParseResult result, Option<string> option) =>
        UsageException.Checked(() => QaicOptions.FromKeywords([new(s_backend.Keyword, result.GetRequiredValue(option))])).Backend;
}
