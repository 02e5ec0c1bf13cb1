using Microsoft.Extensions.Logging;

namespace Qaic.Cli.Tests;

/// <summary>What goes to standard error while something goes on.</summary>
[TestClass]
public sealed class ToolConsoleTests
{
    [TestMethod]
    [DataRow(false), DataRow(true)]
    public void A_warning_while_something_goes_on_is_a_line_of_its_own(bool isRedirected)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var console = new ToolConsole(output, error, isRedirected: true, isRedirected);
        using var log = new ToolLog(console, isVerbose: false);
        int result = console.Progress("Working", tell =>
        {
            log.Log(LogLevel.Warning, 0, "[first]", null, static (text, _) => text);
            tell("half");
            log.Log(LogLevel.Warning, 0, "[first]", null, static (text, _) => text);
            log.Log(LogLevel.Error, 0, "second", null, static (text, _) => text);
            return 7;
        });
        Assert.AreEqual((7, ""), (result, output.ToString()));
        string[] lines = error.ToString().Split('\n', StringSplitOptions.TrimEntries);
        CollectionAssert.AreEqual(new[] { "warning: [first]", "error: second" }, lines.Where(line => line.Contains(": ", StringComparison.Ordinal)).ToArray(), error.ToString());
    }
}
