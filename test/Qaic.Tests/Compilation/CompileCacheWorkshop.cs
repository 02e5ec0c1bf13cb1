using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Qaic.Compilation;
using Qaic.Qpc;
using Qaic.Tests.Runtime;

namespace Qaic.Tests.Compilation;

/// <summary>A directory with models, and a compile cache in it.</summary>
internal sealed class CompileCacheWorkshop : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("qaic-test-").FullName;

    public string CachePath => Path.Combine(Root, "cache");

    /// <summary>Directories of the entries.</summary>
    public string[] EntryPaths => Directories("entries");

    /// <summary>Directories in which something is being compiled or deleted.</summary>
    public string[] BuildingPaths => Directories("building");

    /// <summary>A cache whose clock is far ahead, so that every file has rested.</summary>
    public CompileCache Cache(long limitBytes = CompileCache.DefaultLimitBytes) => new(CachePath, limitBytes, new ShiftedClock(TimeSpan.FromHours(1)));

    /// <summary>A file in the workshop.</summary>
    public string File(string name, string content)
    {
        string path = Path.Combine(Root, name);
        System.IO.File.WriteAllText(path, content);
        return path;
    }

    /// <summary>A model whose tensors are in other files.</summary>
    public string Model(string name = "m.onnx", params string[] locations)
    {
        var model = new WireWriter();
        model.UInt32(1, 8);
        model.Message(7, graph =>
        {
            graph.String(2, name);
            foreach (string location in locations)
            {
                graph.Message(5, tensor => OnnxTensor(tensor, location));
            }
        });
        string path = Path.Combine(Root, name);
        System.IO.File.WriteAllBytes(path, model.ToArray());
        return path;
    }

    /// <summary>The fields of a TensorProto whose data is in another file.</summary>
    public static void OnnxTensor(WireWriter tensor, string location)
    {
        tensor.Int32(1, 4);
        tensor.UInt32(2, 1);
        foreach ((string key, string value) in new[] { ("location", location), ("offset", "0"), ("length", "16") })
        {
            tensor.Message(13, entry =>
            {
                entry.String(1, key);
                entry.String(2, value);
            });
        }

        tensor.UInt32(14, 1);
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private string[] Directories(string name) => Directory.Exists(Path.Combine(CachePath, "v1", name)) ? Directory.GetDirectories(Path.Combine(CachePath, "v1", name)) : [];
}

/// <summary>Writes a small QPC, and counts.</summary>
internal sealed class CountingCompiler : ICompiler
{
    private int _compiled;

    public string Name { get; init; } = "counting";

    public string Version { get; init; } = "1";

    /// <summary>Compilations that were begun.</summary>
    public int Compiled => Volatile.Read(ref _compiled);

    /// <summary>Runs when the output directory is there and empty; may throw.</summary>
    public Action<string, ILogger>? OnCompile { get; set; }

    public string Compile(string modelPath, string outputDirectory, QaicOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _compiled);
        Directory.CreateDirectory(outputDirectory);
        OnCompile?.Invoke(outputDirectory, logger);
        File.WriteAllText(Path.Combine(outputDirectory, "notes.txt"), "beside");
        return ScalingEngine.WriteQpc(outputDirectory, rows: options.BatchSize ?? 4);
    }
}

/// <summary>The system's clock, shifted.</summary>
internal sealed class ShiftedClock(TimeSpan ahead) : TimeProvider
{
    public TimeSpan Ahead { get; set; } = ahead;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
}

internal static class CompileCacheCalls
{
    public static CacheEntry Get(this CompileCache cache, ICompiler compiler, string model, QaicOptions? options = null, ILogger? logger = null, CancellationToken cancellationToken = default) =>
        cache.GetOrCompile(compiler, model, options ?? QaicOptions.Default, logger ?? NullLogger.Instance, cancellationToken);
}
