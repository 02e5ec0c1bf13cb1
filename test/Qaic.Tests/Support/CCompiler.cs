using System.Diagnostics;
using Qaic.TestSupport;

namespace Qaic.Tests.Support;

/// <summary>The machine's C compiler. Tests that need one are inconclusive where there is none.</summary>
internal static class CCompiler
{
    private static readonly string[] s_strict = ["-std=c11", "-Wall", "-Wextra", "-Werror"];
    private static readonly Lazy<string?> s_path = new(Find);

    /// <summary>Compiles a source of test/Qaic.Tests/Native with warnings as errors.</summary>
    /// <returns>The output's path.</returns>
    public static string Compile(string source, string output, params IEnumerable<string> arguments)
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("The library's binary interface is that of Linux.");
        }

        if (s_path.Value is not { } compiler)
        {
            Assert.Inconclusive("There is no C compiler (cc, gcc or clang) in PATH, so nothing can stand in for the vendor's library.");
            return "";
        }

        Run(compiler, [.. s_strict, .. arguments, "-o", output, Path.Combine(Repository.Root, "test", "Qaic.Tests", "Native", source)]);
        return output;
    }

    /// <summary>Runs a program that has to succeed.</summary>
    /// <returns>What it wrote to its standard output.</returns>
    public static string Run(string program, IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode, $"{program} failed: {errors.Result}");
        return output;
    }

    private static string? Find() =>
        (from name in new[] { "cc", "gcc", "clang" }
         from directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
         let path = Path.Combine(directory, name)
         where File.Exists(path)
         select path).FirstOrDefault();
}
