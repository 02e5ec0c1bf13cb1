using System.Text.Json;

namespace Qaic.Cli.Tests;

/// <summary>Runs the tool in this process, as if its output went to a file.</summary>
internal static class Tool
{
    public static (int Code, string Output, string Error) Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = new QaicTool(output, error, isRedirected: true).Run(args);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Runs a command that has to succeed and prints JSON.</summary>
    public static JsonElement Json(params string[] args)
    {
        (int code, string output, string error) = Run(args);
        Assert.AreEqual(QaicTool.Success, code, error);
        using var document = JsonDocument.Parse(output);
        return document.RootElement.Clone();
    }
}
