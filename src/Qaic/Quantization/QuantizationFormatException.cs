namespace Qaic.Quantization;

/// <summary>A file about quantization (profile, encodings, node precision, list of inputs) is not what its format says.</summary>
public sealed class QuantizationFormatException : FormatException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="path">The file; it opens the message.</param>
    /// <param name="line">Line from 1, which follows the file in the message; 0 if the fault has no place.</param>
    /// <param name="reason">What is wrong, what was expected, and what to do.</param>
    /// <param name="innerException">The cause, if it was an exception.</param>
    public QuantizationFormatException(string path, int line, string reason, Exception? innerException = null)
        : base(line > 0 ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{path}({line}): {reason}") : $"{path}: {reason}", innerException)
    {
        Path = path;
        Line = line;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Line from 1 at which the fault was found; 0 if it has no place.</summary>
    public int Line { get; }
}
