namespace Qaic.Compilation;

/// <summary>What the compile cache holds of one compilation, as it was when it was asked.</summary>
/// <param name="Key">64 hexadecimal digits: what the network was made from.</param>
/// <param name="QpcPath">Full path of the QPC. Nothing holds it there; see <see cref="CompileCache.GetOrCompile"/>.</param>
public sealed record CachedQpc(string Key, string QpcPath)
{
    /// <summary>Full path of the model when it was compiled; empty if the entry does not tell.</summary>
    public string ModelPath { get; init; } = "";

    /// <summary>Name of the compiler; empty if the entry does not tell.</summary>
    public string Compiler { get; init; } = "";

    /// <summary>Version of the compiler; empty if the entry does not tell.</summary>
    public string CompilerVersion { get; init; } = "";

    /// <summary>Bytes on disk.</summary>
    public long Bytes { get; init; }

    /// <summary>When the compilation ended; the first day of time if the entry does not tell.</summary>
    public DateTimeOffset CompiledAt { get; init; }

    /// <summary>How long the compilation took.</summary>
    public TimeSpan CompileTime { get; init; }

    /// <summary>When it was last found or made. The cache evicts what was used longest ago.</summary>
    public DateTimeOffset LastUsedAt { get; init; }

    /// <summary>Whether a process holds it, so that it is not evicted.</summary>
    public bool IsInUse { get; init; }

    /// <summary>What is wrong with it; null if nothing is known to be. <see cref="CompileCache.Entries"/> reads the manifest only, <see cref="CompileCache.Verify"/> every byte.</summary>
    public string? Problem { get; init; }
}
