using Qaic.Qpc;

namespace Qaic.Cli;

/// <summary>Opens the QPC that a user named, with errors that name the file.</summary>
internal static class QpcLocation
{
    /// <summary>The container's file: the path itself, or programqpc.bin in the directory that it names.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public static string Find(string path) =>
        Directory.Exists(path) ? Path.Combine(path, QpcFile.FileName)
        : File.Exists(path) ? path
        : throw new FileNotFoundException($"There is no QPC at '{Path.GetFullPath(path)}'. Give a QPC file, or a directory that holds {QpcFile.FileName}.", path);

    /// <summary>Reads a container; the format's errors know the byte, not the file, so it is added.</summary>
    /// <exception cref="IOException">It is damaged.</exception>
    public static T Read<T>(string path, Func<string, T> read)
    {
        try
        {
            return read(path);
        }
        catch (QpcFormatException e)
        {
            throw new IOException($"'{path}': {e.Message}", e);
        }
    }
}
