namespace Qaic.TestSupport;

/// <summary>Places in the repository, found by walking up from the test assembly.</summary>
internal static class Repository
{
    private static readonly Lazy<string> s_root = new(Find);

    /// <summary>The directory of <c>Qaic.ML.sln</c>.</summary>
    public static string Root => s_root.Value;

    /// <summary>A file or folder of the test data: <c>Data("models", "digits_cnn.onnx")</c>.</summary>
    public static string Data(params ReadOnlySpan<string> parts) => Path.Combine([Root, "test", "data", .. parts]);

    /// <summary>One of the trained models.</summary>
    public static string Model(string name) => Data("models", name + ".onnx");

    private static string Find()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Qaic.ML.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"No directory above '{AppContext.BaseDirectory}' holds Qaic.ML.sln; the tests read their data from the repository.");
    }
}
