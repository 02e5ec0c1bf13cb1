namespace Qaic.Quantization;

/// <summary>What was seen of every tensor of a network while data ran through it; the vendor's profile file (<c>-dump-profile</c>, <c>-load-profile</c>).</summary>
/// <remarks>
/// <para>Immutable. It holds no schema, calibration or precision: those are chosen when it is used, and one profile serves all of them.</para>
/// <para>The file is YAML of three documents: the tool's version, the graph's hash, the tensors. Ranges survive it exactly. Counts are written with six significant digits, as the
/// vendor's tools write them (C's <c>%g</c>): what counts above 999 999 is rounded once, by the first writing.</para>
/// </remarks>
public sealed class QuantizationProfile
{
    /// <summary>What this library writes as <c>GlowToolsVersion</c>. It tells files whose hash it can check from those of the vendor's tools, whose hash is not public.</summary>
    public const string OwnToolsVersion = "2026-11-24";

    // What the vendor's tools write for quantization points of their own: their range is the largest there is, whatever was seen.
    private const string PlaceholderPrefix = "CI_QP_";

    private readonly SortedDictionary<string, TensorStatistics> _tensors = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, TensorStatistics> _placeholders = new(StringComparer.Ordinal);

    /// <param name="toolsVersion">A date: <c>2026-11-24</c>.</param>
    /// <param name="graphHash">Hash of the graph before lowering. It depends on the batch size.</param>
    /// <param name="tensors">In any order; names are unique. Entries named <c>CI_QP_…</c> become <see cref="Placeholders"/>.</param>
    /// <exception cref="ArgumentException">A name is there twice.</exception>
    public QuantizationProfile(string toolsVersion, ulong graphHash, IEnumerable<TensorStatistics> tensors)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(toolsVersion);
        ArgumentNullException.ThrowIfNull(tensors);
        (ToolsVersion, GraphHash) = (toolsVersion, graphHash);
        foreach (TensorStatistics tensor in tensors)
        {
            if (!(IsPlaceholder(tensor.Name) ? _placeholders : _tensors).TryAdd(tensor.Name, tensor))
            {
                throw new ArgumentException($"The profile has '{tensor.Name}' twice.", nameof(tensors));
            }
        }
    }

    /// <summary>Date of the tools that made it.</summary>
    public string ToolsVersion { get; }

    /// <summary>Hash of the graph before lowering.</summary>
    public ulong GraphHash { get; }

    /// <summary>The tensors, ordered by name; without <see cref="Placeholders"/>.</summary>
    public IReadOnlyCollection<TensorStatistics> Tensors => _tensors.Values;

    /// <summary>Entries <c>CI_QP_…</c> that the vendor's tools add. Their ranges are no statistics (all of float32); they are kept for the file alone. Ordered by name.</summary>
    public IReadOnlyCollection<TensorStatistics> Placeholders => _placeholders.Values;

    /// <summary>The file that it was read from, for messages; empty if it was not read.</summary>
    public string Source { get; init; } = "";

    /// <summary>Whether <see cref="GraphHash"/> is one that this library computes, so that it can be compared with that of a graph.</summary>
    public bool IsHashComparable => ToolsVersion == OwnToolsVersion;

    /// <summary>All entries as the file has them.</summary>
    internal IEnumerable<TensorStatistics> Entries => _placeholders.Count == 0 ? _tensors.Values : _tensors.Values.Concat(_placeholders.Values).OrderBy(t => t.Name, StringComparer.Ordinal);

    /// <summary>The statistics of a tensor; null if the profile has none. <see cref="Placeholders"/> are none.</summary>
    public TensorStatistics? Find(string name) => _tensors.GetValueOrDefault(name);

    /// <summary>Checks that the profile was made from a graph.</summary>
    /// <param name="expected">The graph's hash, as this library computes it.</param>
    /// <returns>True: it is the same graph. False: nobody knows, because the profile is of the vendor's tools (<see cref="IsHashComparable"/>); the names of its tensors tell.</returns>
    /// <exception cref="ProfileMismatchException">It is another graph; with both hashes and the probable causes.</exception>
    public bool CheckGraph(ulong expected) =>
        IsHashComparable && (GraphHash == expected ? true : throw new ProfileMismatchException(Source, expected, GraphHash));

    /// <summary>Reads a file, as the vendor's tools write it or as other writers of YAML and people have changed it.</summary>
    /// <remarks>Comments, other indentation and line ends, keys in another order and unknown keys are passed over; histograms may have different lengths. Memory is that of the result.</remarks>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="QuantizationFormatException">It is no profile, damaged, or cut off; the message has the line.</exception>
    public static QuantizationProfile Load(string path)
    {
        using FileStream stream = QuantizationFiles.Open(path, "profile");
        return Read(stream, path);
    }

    /// <summary>Reads a stream, which stays open.</summary>
    /// <param name="stream">The text.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <inheritdoc cref="Load" path="/remarks"/>
    /// <exception cref="QuantizationFormatException">It is no profile, damaged, or cut off; the message has the line.</exception>
    public static QuantizationProfile Read(Stream stream, string source)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(source);
        return ProfileReader.Read(stream, source);
    }

    /// <summary>Writes a file, whose directory is made if it is missing. The same profile gives the same bytes; at any time there is either the old file or the whole new one.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => QuantizationFiles.Write(path, "profile", Write);

    /// <summary>Writes to a stream, which stays open.</summary>
    public void Write(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ProfileWriter.Write(this, stream);
    }

    private static bool IsPlaceholder(string name) => name.StartsWith(PlaceholderPrefix, StringComparison.Ordinal);
}
