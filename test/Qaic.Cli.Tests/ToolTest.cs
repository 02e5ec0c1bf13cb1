using Microsoft.VisualStudio.TestTools.UnitTesting;
using Qaic.TestSupport;

namespace Qaic.Cli.Tests;

/// <summary>Runs the tool in this process, with a directory of its own for each test.</summary>
public abstract class ToolTest
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("qaic-tool-");

    public TestContext TestContext { get; set; } = null!;

    protected static string Cnn => Repository.Model("digits_cnn");

    protected static string DigitRows => Repository.Data("data", "digits", "test_x.npy");

    protected string At(params ReadOnlySpan<string> parts) => Path.Combine([_directory.FullName, .. parts]);

    /// <summary>Writes a file into the test's directory.</summary>
    protected string Written(string name, string text)
    {
        File.WriteAllText(At(name), text);
        return At(name);
    }

    protected string Written(string name, byte[] bytes)
    {
        File.WriteAllBytes(At(name), bytes);
        return At(name);
    }

    protected static (int Code, string Output, string Error) Run(params string[] args)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int code = new QaicTool(output, error, isRedirected: true).Run(args);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Runs what must work, on the simulated card, and yields its output.</summary>
    protected static string Ok(params string[] args)
    {
        (int code, string output, string error) = Run(args);
        Assert.AreEqual((QaicTool.Success, ""), (code, error), $"{string.Join(' ', args)}\n{output}");
        return output;
    }

    [TestCleanup]
    public void DeleteDirectory() => _directory.Delete(recursive: true);
}
