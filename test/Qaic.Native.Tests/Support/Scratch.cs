namespace Qaic.Native.Tests.Support;

/// <summary>A directory for the run's files. It lies in the run's compile cache, which is deleted at the end.</summary>
internal static class Scratch
{
    /// <summary>The directory.</summary>
    public static string Directory { get; } = System.IO.Directory.CreateDirectory(Path.Combine(Environment.GetEnvironmentVariable("QAIC_CACHE_DIR")!, "scratch")).FullName;
}
