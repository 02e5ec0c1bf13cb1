using System.Globalization;
using System.IO.MemoryMappedFiles;
using Qaic.Compilation;

namespace Qaic.OnnxRuntime.Onnx;

/// <summary>Files beside a model that hold its weights. Only files inside the model's folder are opened: a model is data, and data does not choose what is read.</summary>
internal sealed class ExternalData(string model, string? directory) : IDisposable
{
    // Linux gives up after 40 links as well.
    private const int MaxLinks = 40;
    private readonly Dictionary<string, MappedFile> _files = new(StringComparer.Ordinal);

    /// <summary>The bytes of an external tensor, mapped.</summary>
    /// <param name="tensor">The tensor; its location is external.</param>
    /// <param name="expected">Bytes that its type and shape need.</param>
    /// <exception cref="CompilationException">The file is missing, lies outside the model's folder, or is too short.</exception>
    public unsafe (nint Address, long Length) Map(TensorProto tensor, long expected)
    {
        string location = Entry(tensor, "location") ?? "";
        MappedFile file = Open(tensor, location);
        long offset = Number(tensor, "offset") ?? 0;
        long length = Number(tensor, "length") ?? expected;
        if (length != expected)
        {
            throw Fault(tensor, $"it claims {length} bytes of '{location}', but its type and shape need {expected}");
        }

        return offset <= file.Length && length <= file.Length - offset
            ? ((nint)(file.Address + offset), length)
            : throw Fault(tensor, $"it would be {length} bytes at {offset} of '{location}', which has {file.Length}");
    }

    public void Dispose()
    {
        foreach (MappedFile file in _files.Values)
        {
            file.Dispose();
        }

        _files.Clear();
    }

    private MappedFile Open(TensorProto tensor, string location)
    {
        if (_files.TryGetValue(location, out MappedFile? known))
        {
            return known;
        }

        MappedFile file = new(Resolve(tensor, location));
        _files.Add(location, file);
        return file;
    }

    private string Resolve(TensorProto tensor, string location)
    {
        if (directory is null)
        {
            throw Fault(tensor, "its data is in another file, but the model was not read from a file");
        }

        if (location.Length == 0)
        {
            throw Fault(tensor, "its data is in another file, but no location is given");
        }

        // Both separators, and drive letters, on every system: a model is refused for what it says, not for where it is compiled.
        string[] parts = location.Split('/', '\\');
        if (Path.IsPathRooted(location) || location.StartsWith('\\') || (location.Length > 1 && location[1] == ':') || parts.Contains("..") || location.Contains('\0', StringComparison.Ordinal))
        {
            throw Fault(tensor, $"its data is at '{location}', which is not a path inside the model's folder. Put the file beside the model and use its name");
        }

        string path = Path.GetFullPath(Path.Combine(directory, location));
        if (!File.Exists(path))
        {
            throw Fault(tensor, $"its data is in '{location}', which is not in the model's folder '{directory}'. Copy it there");
        }

        string folder = FollowLinks(tensor, directory);
        string target = FollowLinks(tensor, path);
        string prefix = Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar;
        // A pipe or a device has no length either, and opening one could wait for ever.
        if (target.StartsWith(prefix, StringComparison.Ordinal) && new FileInfo(target).Length == 0)
        {
            throw Fault(tensor, $"its data is in '{location}', which is empty or no ordinary file");
        }

        return target.StartsWith(prefix, StringComparison.Ordinal)
            ? target
            : throw Fault(tensor, $"its data is in '{location}', a link that leaves the model's folder '{directory}'. Put the file itself beside the model");
    }

    // The path with every link on the way followed; the file system's own answer to "where is this really".
    private string FollowLinks(TensorProto tensor, string path)
    {
        int links = 0;
        string result = Path.GetPathRoot(path)!;
        var rest = new Stack<string>(path[result.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse());
        while (rest.TryPop(out string? part))
        {
            string next = Path.GetFullPath(Path.Combine(result, part));
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            if (info.LinkTarget is not { } target)
            {
                result = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw Fault(tensor, $"'{path}' is behind more than {MaxLinks} links");
            }

            string full = Path.GetFullPath(Path.Combine(result, target));
            result = Path.GetPathRoot(full)!;
            foreach (string piece in full[result.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse())
            {
                rest.Push(piece);
            }
        }

        return result;
    }

    private long? Number(TensorProto tensor, string key) =>
        Entry(tensor, key) is not { } text ? null
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value
        : throw Fault(tensor, $"its external '{key}' is '{text}', not a number of bytes");

    private static string? Entry(TensorProto tensor, string key) => tensor.ExternalData.LastOrDefault(e => e.Key == key)?.Value;

    private CompilationException Fault(TensorProto tensor, string reason) => new($"Initializer '{tensor.Name}' of '{model}': {reason}.");

    private sealed unsafe class MappedFile : IDisposable
    {
        private readonly MemoryMappedFile? _mapping;
        private readonly MemoryMappedViewAccessor? _view;

        public MappedFile(string path)
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            Length = stream.Length;
            if (Length == 0)
            {
                // An empty file cannot be mapped.
                return;
            }

            _mapping = MemoryMappedFile.CreateFromFile(stream, null, Length, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            _view = _mapping.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
            byte* address = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
            Address = address + _view.PointerOffset;
        }

        public long Length { get; }

        public byte* Address { get; }

        public void Dispose()
        {
            _view?.SafeMemoryMappedViewHandle.ReleasePointer();
            _view?.Dispose();
            _mapping?.Dispose();
        }
    }
}
