using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Qaic.Qpc;

namespace Qaic.Compilation;

/// <summary>What an entry of the cache says of itself: what it was made from and which bytes it consists of. Ends with its own SHA-256.</summary>
internal sealed record CompileCacheManifest
{
    /// <summary>Name of the file in an entry.</summary>
    public const string FileName = "manifest.json";

    /// <summary>Name of the file whose lock keeps an entry, and whose time says when it was last used.</summary>
    public const string LeaseName = ".lease";

    private const int MaxLength = 16 << 20;
    private const int CheckLength = 64;

    /// <summary>The entry's key. An entry under another name is not it.</summary>
    public string Key { get; init; } = "";

    /// <summary>Full path of the model when it was compiled.</summary>
    public string Model { get; init; } = "";

    /// <summary><see cref="ICompiler.Name"/>.</summary>
    public string Compiler { get; init; } = "";

    /// <summary><see cref="ICompiler.Version"/>.</summary>
    public string CompilerVersion { get; init; } = "";

    /// <summary>When the compilation ended.</summary>
    public DateTimeOffset Compiled { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Elapsed { get; init; }

    // The serializer gives every member a value, null for one that an older version did not write.

    /// <summary>The compiler's warnings; they are about the result, so whoever finds it is told as well.</summary>
    public IReadOnlyList<string> Remarks { get; init => field = value ?? []; } = [];

    /// <summary>Every file that the compiler wrote.</summary>
    public IReadOnlyList<CachedFile> Files { get; init => field = value ?? []; } = [];

    /// <summary>Bytes of all files.</summary>
    [JsonIgnore]
    public long Bytes => Files.Sum(f => f.Size);

    /// <summary>Reads the manifest of an entry.</summary>
    /// <exception cref="InvalidDataException">It is not what was written.</exception>
    /// <exception cref="IOException">It is missing or cannot be read.</exception>
    public static CompileCacheManifest Read(string entry)
    {
        string path = Path.Combine(entry, FileName);
        long length = new FileInfo(path).Length;
        if (length is <= CheckLength or > MaxLength)
        {
            throw new InvalidDataException($"{FileName} has {length} bytes.");
        }

        byte[] bytes = File.ReadAllBytes(path);
        ReadOnlySpan<byte> json = bytes.AsSpan(0, bytes.Length - CheckLength);
        if (!bytes.AsSpan(json.Length).SequenceEqual(Check(json)))
        {
            throw new InvalidDataException($"{FileName} does not have the checksum at its end.");
        }

        try
        {
            return JsonSerializer.Deserialize(json, CompileCacheJson.Default.CompileCacheManifest) ?? throw new InvalidDataException($"{FileName} is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{FileName} is no manifest: {e.Message}", e);
        }
    }

    /// <summary>Writes the manifest into an entry, down to the disk.</summary>
    public void Write(string entry)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(this, CompileCacheJson.Default.CompileCacheManifest);
        using var file = new FileStream(Path.Combine(entry, FileName), FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        file.Write([.. json, .. Check(json)]);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Compares an entry with what it should be.</summary>
    /// <param name="entry">Directory of the entry.</param>
    /// <param name="key">The key it is looked up by.</param>
    /// <param name="digestOf">Digest of a file, by its path.</param>
    /// <param name="manifest">Its manifest, if that is sound.</param>
    /// <returns>What is wrong with it; null if nothing is.</returns>
    public static string? Problem(string entry, string key, Func<string, string> digestOf, out CompileCacheManifest? manifest)
    {
        manifest = null;
        try
        {
            CompileCacheManifest read = Read(entry);
            if (read.Key != key)
            {
                return $"it is the entry of {read.Key}";
            }

            manifest = read;
            foreach (CachedFile file in read.Files)
            {
                string path = Path.Combine(entry, file.Name);
                var info = new FileInfo(path);
                if (!info.Exists || info.Length != file.Size)
                {
                    return info.Exists ? $"{file.Name} has {info.Length} bytes instead of {file.Size}" : $"{file.Name} is missing";
                }

                if (digestOf(path) != file.Digest)
                {
                    return $"{file.Name} has other content than was written";
                }
            }

            using var qpc = QpcFile.Open(entry);
            qpc.ReadNetworkDescriptor();
            return null;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or QpcFormatException)
        {
            return e.Message.TrimEnd('.');
        }
    }

    private static byte[] Check(ReadOnlySpan<byte> json) => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(json)));
}

/// <summary>A file of an entry.</summary>
/// <param name="Name">Path within the entry.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Digest">SHA-256, in lower-case hexadecimal.</param>
internal sealed record CachedFile(string Name, long Size, string Digest);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(CompileCacheManifest))]
internal sealed partial class CompileCacheJson : JsonSerializerContext;
