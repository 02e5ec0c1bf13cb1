namespace Qaic.Quantization;

/// <summary>What was seen of every tensor of a network while data ran through it; the vendor's profile file (<c>-dump-profile</c>, <c>-load-profile</c>).</summary>
/// <remarks>Immutable. It holds no schema, calibration or precision: those are chosen when it is used, and one profile serves all of them.</remarks>
public sealed class QuantizationProfile
{
    /// <summary>What this library writes as <c>GlowToolsVersion</c>. It tells files whose hash it can check from those of the vendor's tools, whose hash is not public.</summary>
    public const string OwnToolsVersion = "2026-11-24";

    private readonly SortedDictionary<string, TensorStatistics> _tensors = new(StringComparer.Ordinal);

    /// <param name="toolsVersion">A date: <c>2026-11-24</c>.</param>
    /// <param name="graphHash">Hash of the graph before lowering. It depends on the batch size.</param>
    /// <param name="tensors">In any order; names are unique.</param>
    /// <exception cref="ArgumentException">A name is there twice.</exception>
    public QuantizationProfile(string toolsVersion, ulong graphHash, IEnumerable<TensorStatistics> tensors)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(toolsVersion);
        ArgumentNullException.ThrowIfNull(tensors);
        (ToolsVersion, GraphHash) = (toolsVersion, graphHash);
        foreach (TensorStatistics tensor in tensors)
        {
            if (!_tensors.TryAdd(tensor.Name, tensor))
            {
                throw new ArgumentException($"The profile has '{tensor.Name}' twice.", nameof(tensors));
            }
        }
    }

    /// <summary>Date of the tools that made it.</summary>
    public string ToolsVersion { get; }

    /// <summary>Hash of the graph before lowering.</summary>
    public ulong GraphHash { get; }

    /// <summary>The tensors, ordered by name.</summary>
    public IReadOnlyCollection<TensorStatistics> Tensors => _tensors.Values;

    /// <summary>The statistics of a tensor; null if the profile has none.</summary>
    public TensorStatistics? Find(string name) => _tensors.GetValueOrDefault(name);

    /// <summary>Reads a file.</summary>
    public static QuantizationProfile Load(string path) => throw new NotImplementedException(path);

    /// <summary>Reads a stream, which stays open.</summary>
    public static QuantizationProfile Read(Stream stream, string source) => throw new NotImplementedException(stream + source);

    /// <summary>Writes a file. The same profile gives the same bytes.</summary>
    public void Save(string path) => throw new NotImplementedException(path);

    /// <summary>Writes to a stream, which stays open.</summary>
    public void Write(Stream stream) => throw new NotImplementedException(stream.ToString());
}
