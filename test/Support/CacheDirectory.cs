using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Qaic.TestSupport;

/// <summary>Gives every test process, and what it starts, a compile cache of its own: tests neither find what other runs have compiled nor leave anything with the user.</summary>
internal static class CacheDirectory
{
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "A test assembly is what the test host runs, and no test may come before.")]
    internal static void Redirect()
    {
        string directory = Directory.CreateTempSubdirectory("qaic-test-cache-").FullName;
        Environment.SetEnvironmentVariable("QAIC_CACHE_DIR", directory);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            try
            {
                Directory.Delete(directory, recursive: true);
            }
            catch (IOException)
            {
                // A process that a test has started is still ending; the directory is in the system's directory for such things.
            }
        };
    }
}
