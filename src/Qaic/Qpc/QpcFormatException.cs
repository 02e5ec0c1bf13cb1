namespace Qaic.Qpc;

/// <summary>A QPC or something inside it is not what its format says.</summary>
public sealed class QpcFormatException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="reason">What is wrong; the offset is added to it.</param>
    /// <param name="offset">Byte offset in the file, or in the segment that the reason names, at which it was found.</param>
    public QpcFormatException(string reason, long offset)
        : base($"{reason} (at byte {offset}). The file is damaged or not a QPC; compile the model again.")
    {
        Offset = offset;
    }

    /// <summary>Byte offset at which the fault was found.</summary>
    public long Offset { get; }
}
