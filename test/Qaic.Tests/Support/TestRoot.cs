namespace Qaic.Tests.Support;

/// <summary>The repository's root: the directory above the test's binaries that holds the solution.</summary>
internal static class TestRoot
{
    public static string Path { get; } = Find();

    private static string Find()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(directory.FullName, "Qaic.ML.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"There is no Qaic.ML.sln above {AppContext.BaseDirectory}.");
    }
}
