namespace Qaic.ML;

/// <summary>Directories that live as long as a call.</summary>
internal static class TemporaryDirectory
{
    /// <summary>Lends a new directory and deletes it afterwards.</summary>
    /// <remarks>If it cannot be deleted it stays: what the call returned or threw matters more.</remarks>
    public static T Lend<T>(Func<string, T> use)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("qaic-");
        try
        {
            return use(directory.FullName);
        }
        finally
        {
            try
            {
                directory.Delete(recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }
    }
}
