using System.Collections.Concurrent;
using System.Diagnostics;
using Qaic.TestSupport;

namespace Qaic.Native.Tests.Support;

/// <summary>A C program that is linked to the library, compiled with every warning as an error. Tests that need one are inconclusive where there is no C compiler.</summary>
internal sealed class CProgram
{
    // Far above what any of them takes: only a hang reaches it.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    private static readonly ConcurrentDictionary<string, Lazy<CProgram>> s_programs = new();

    private CProgram(string path) => Path = path;

    /// <summary>What a process left.</summary>
    public sealed record Result(int ExitCode, string Output, string Errors)
    {
        /// <summary>Demands success.</summary>
        public Result Succeeded()
        {
            Assert.AreEqual(0, ExitCode, $"{Output}{Errors}");
            return this;
        }
    }

    /// <summary>The program's file.</summary>
    public string Path { get; }

    /// <summary>An example of samples/NativeClient.</summary>
    public static CProgram Sample(string name) => Of(System.IO.Path.Combine(Repository.Root, "samples", "NativeClient", name + ".c"), ["-pedantic"]);

    /// <summary>The scenarios of Native/scenarios.c.</summary>
    public static CProgram Scenarios() => Of(System.IO.Path.Combine(Repository.Root, "test", "Qaic.Native.Tests", "Native", "scenarios.c"), ["-g"]);

    /// <summary>Native/loader.c, which opens the library itself.</summary>
    public static CProgram Loader() => Of(System.IO.Path.Combine(Repository.Root, "test", "Qaic.Native.Tests", "Native", "loader.c"), ["-g"], isLinked: false);

    /// <summary>Finds a program in PATH; inconclusive if it is not there.</summary>
    public static string Tool(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            foreach (string directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator))
            {
                if (File.Exists(System.IO.Path.Combine(directory, name)))
                {
                    return System.IO.Path.Combine(directory, name);
                }
            }
        }

        Assert.Inconclusive($"{string.Join(", ", names.ToArray())}: not in PATH.");
        return "";
    }

    /// <summary>Runs a program to its end.</summary>
    public static Result Run(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        using Process process = Start(program, arguments, environment);
        return Finish(process);
    }

    /// <summary>Runs it to its end.</summary>
    public Result Run(IEnumerable<string> arguments, params (string Name, string Value)[] environment) => Run(Path, arguments, environment);

    /// <summary>Starts a program.</summary>
    public static Process Start(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = System.IO.Path.GetTempPath() };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Waits for a program's end.</summary>
    public static Result Finish(Process process)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{process.StartInfo.FileName} did not end within {s_limit}. {output.Result}{errors.Result}");
        }

        process.WaitForExit();
        return new Result(process.ExitCode, output.Result, errors.Result);
    }

    /// <summary>Compiles a file and keeps nothing.</summary>
    public static void Check(string source, string compiler, params IEnumerable<string> arguments) =>
        Run(compiler, ["-Wall", "-Wextra", "-Werror", "-pedantic", .. arguments, "-I", DropInLibrary.Directory, "-fsyntax-only", source]).Succeeded();

    private static CProgram Of(string source, string[] switches, bool isLinked = true) => s_programs.GetOrAdd(source, _ => new(() => Compile(source, switches, isLinked))).Value;

    private static CProgram Compile(string source, string[] switches, bool isLinked)
    {
        string library = DropInLibrary.Directory;
        string[] link = isLinked ? ["-L", library, "-lQAic", $"-Wl,-rpath,{library}"] : [];
        string path = System.IO.Path.Combine(Scratch.Directory, System.IO.Path.GetFileNameWithoutExtension(source));
        Run(
            Tool("cc", "gcc", "clang"),
            [
                "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", .. switches, "-I", library, "-I", System.IO.Path.Combine(Repository.Root, "samples", "NativeClient"), source,
                "-o", path, .. link, "-pthread", "-ldl",
            ]).Succeeded();
        return new CProgram(path);
    }
}
