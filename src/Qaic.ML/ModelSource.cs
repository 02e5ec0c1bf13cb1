using Microsoft.ML.Runtime;
using Qaic.Qpc;

namespace Qaic.ML;

/// <summary>The model that an estimator was given: a file, or a copy of a stream.</summary>
internal sealed class ModelSource
{
    // The model is compiled later, when the current directory may be another: a full path.
    private readonly string? _path;

    private ModelSource(string? path, TemporaryFile? content)
    {
        (_path, Content) = (path, content);
        IsQpc = content is null ? !Path.GetExtension(path!).Equals(".onnx", StringComparison.OrdinalIgnoreCase) : BeginsLikeQpc(content);
    }

    /// <summary>Whether it is compiled already.</summary>
    public bool IsQpc { get; }

    /// <summary>For people.</summary>
    public string Name => _path ?? "the stream";

    /// <summary>The copy of a stream; null for a file, and after <see cref="Release"/>.</summary>
    public TemporaryFile? Content { get; private set; }

    /// <param name="host">Marks exceptions as ML.NET does.</param>
    /// <param name="path">A file or a directory; null if there is a stream.</param>
    /// <param name="model">Read to its end; null if there is a path.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ArgumentException">Both are given, or neither is.</exception>
    public static ModelSource Of(IHost host, string? path, Stream? model)
    {
        // The same names in the options of all estimators.
        const string PathOption = nameof(QaicModelOptions.ModelPath);
        const string StreamOption = nameof(QaicModelOptions.Model);
        if (path is not null && model is not null)
        {
            throw Wrong($"Both {PathOption} and {StreamOption} are given; give one.");
        }

        if (model is not null)
        {
            return new ModelSource(null, TemporaryFile.CopyOf(model));
        }

        if (string.IsNullOrWhiteSpace(path))
        {
            throw Wrong($"Neither {PathOption} nor {StreamOption} is given; give one.");
        }

        return File.Exists(path) || Directory.Exists(path)
            ? new ModelSource(Path.GetFullPath(path), null)
            : throw host.Process(new FileNotFoundException($"Model file {Path.GetFullPath(path)} does not exist.", path));
    }

    /// <summary>Lends a path of the model that says what it is. Compilers take files, and tell an ONNX model by its name.</summary>
    public T Lend<T>(Func<string, T> use)
    {
        if (Content is null || IsQpc)
        {
            return use(Content?.Path ?? _path!);
        }

        return TemporaryDirectory.Lend(directory =>
        {
            string path = Path.Combine(directory, "model.onnx");
            using (FileStream source = Content.OpenRead())
            using (FileStream target = File.Create(path))
            {
                source.CopyTo(target);
            }

            return use(path);
        });
    }

    /// <summary>Deletes the copy of a stream: the model has been compiled for good.</summary>
    public void Release()
    {
        Content?.Dispose();
        Content = null;
    }

    // The parameter of the estimators that is at fault.
    private static ArgumentException Wrong(string message, string parameter = "options") => new(message, parameter);

    private static bool BeginsLikeQpc(TemporaryFile content)
    {
        using FileStream file = content.OpenRead();
        Span<byte> start = stackalloc byte[sizeof(uint)];
        return QpcFile.BeginsLikeQpc(start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]);
    }
}
