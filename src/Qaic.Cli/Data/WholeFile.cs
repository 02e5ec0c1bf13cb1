namespace Qaic.Cli.Data;

/// <summary>Writes a file that is there complete or not at all, whenever the tool is ended.</summary>
internal sealed class WholeFile : IDisposable
{
    private readonly string _path;
    private readonly string _half;
    private bool _isComplete;

    /// <param name="path">The file; its directory is made if it is missing.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public WholeFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new IOException($"'{path}' is a directory. Give the name of a file.");
        }

        _path = Path.GetFullPath(path);
        string directory = Path.GetDirectoryName(_path)!;
        if (File.Exists(directory))
        {
            throw new IOException($"'{directory}' is a file, and a directory is needed for '{Path.GetFileName(_path)}'. Give another directory.");
        }

        Directory.CreateDirectory(directory);
        _half = $"{_path}.{Guid.NewGuid():n}";
        Stream = new FileStream(_half, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
    }

    /// <summary>Receives the content.</summary>
    public FileStream Stream { get; }

    /// <summary>Puts the content in its place; an existing file is replaced.</summary>
    public void Complete()
    {
        Stream.Dispose();
        File.Move(_half, _path, overwrite: true);
        _isComplete = true;
    }

    public void Dispose()
    {
        try
        {
            Stream.Dispose();
        }
        finally
        {
            // Also when the disk is full, which the last of the buffered bytes may be the first to notice.
            if (!_isComplete)
            {
                File.Delete(_half);
            }
        }
    }

    /// <summary>Writes a file at once.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        using var file = new WholeFile(path);
        write(file.Stream);
        file.Complete();
    }
}
