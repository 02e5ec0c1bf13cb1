using System.Globalization;

namespace Qaic.ML;

/// <summary>A private copy of a stream on disk, of any size, that is gone when its owner is: disposed, finalized, or killed.</summary>
internal sealed class TemporaryFile : IDisposable
{
    private readonly FileStream _stream;

    private TemporaryFile(FileStream stream, string path)
    {
        _stream = stream;
        Path = path;
    }

    /// <summary>A path that this process can open while the file lives.</summary>
    public string Path { get; }

    /// <summary>Copies what is left of <paramref name="content"/>.</summary>
    public static TemporaryFile CopyOf(Stream content)
    {
        string path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"qaic-{System.IO.Path.GetRandomFileName()}");
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
            Options = FileOptions.DeleteOnClose,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var stream = new FileStream(path, options);
        try
        {
            // On Linux the name goes at once and the open file remains, reachable through /proc. Windows closes and deletes with the process; elsewhere the
            // file outlives a process that is killed.
            string open = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{stream.SafeFileHandle.DangerousGetHandle()}");
            if (OperatingSystem.IsLinux() && File.Exists(open))
            {
                File.Delete(path);
                path = open;
            }

            content.CopyTo(stream);
            return new TemporaryFile(stream, path);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Opens the copy for reading from its start.</summary>
    public FileStream OpenRead() => new(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    public void Dispose() => _stream.Dispose();
}
