using System.Globalization;

namespace Qaic.Quantization;

/// <summary>A profile was made from another graph than the one that it is to quantize.</summary>
public sealed class ProfileMismatchException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="source">Where the profile comes from; empty if it was not read.</param>
    /// <param name="expected">Hash of the graph.</param>
    /// <param name="found">Hash in the profile.</param>
    public ProfileMismatchException(string source, ulong expected, ulong found)
        : base(string.Create(
            CultureInfo.InvariantCulture,
            $"Graph hash mismatch! The graph has 0x{expected:X}, the profile{(source.Length > 0 ? $" '{source}'" : "")} has 0x{found:X}. Probable causes: it was made by another version of the tool, "
            + $"from another model, with another batch size or other symbols, or with another node precision file. Make it again from this model with the same options (DumpProfile, dump_profile)."))
    {
        ExpectedHash = expected;
        FoundHash = found;
    }

    /// <summary>Hash of the graph.</summary>
    public ulong ExpectedHash { get; }

    /// <summary>Hash in the profile.</summary>
    public ulong FoundHash { get; }
}
