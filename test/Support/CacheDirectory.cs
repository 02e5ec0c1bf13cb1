using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Qaic.TestSupport;

/// <summary>Gives every test process, and what it starts, a compile cache of its own: tests neither find what other runs have compiled nor leave anything with the user.</summary>
[TestClass]
public static class CacheDirectory
{
    private static string? s_directory;

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "A test assembly is what the test host runs, and no test may come before.")]
    internal static void Redirect()
    {
        s_directory = Directory.CreateTempSubdirectory("qaic-test-cache-").FullName;
        Environment.SetEnvironmentVariable("QAIC_CACHE_DIR", s_directory);
    }

    // Not at the end of the process: the test platform ends it a moment after the last test, in the middle of so many files.
    [AssemblyCleanup]
    public static void Delete()
    {
        if (s_directory is not null)
        {
            Directory.Delete(s_directory, recursive: true);
        }
    }
}
