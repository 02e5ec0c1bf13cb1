namespace Qaic.Quantization;

/// <summary>How a <see cref="RunningHistogram"/> goes through its values. The result is the same.</summary>
internal enum CountingLoop
{
    /// <summary>Without vectors: what the others are tested against.</summary>
    OneByOne,

    /// <summary>With the machine's vectors, in two passes.</summary>
    Vectors,

    /// <summary>With AVX-512, in one pass.</summary>
    Wide,
}
