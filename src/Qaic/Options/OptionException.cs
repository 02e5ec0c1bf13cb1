namespace Qaic.Options;

/// <summary>A keyword or a YAML file does not say what options are. The message names the key as it was typed, where it stands, what was expected, and the nearest known key.</summary>
public sealed class OptionException : ArgumentException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was wrong, where, what was expected, and what to do.</param>
    /// <param name="innerException">The cause, if it was an exception.</param>
    public OptionException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>The key as it was typed; null when the error is not about one.</summary>
    public string? Key { get; init; }

    /// <summary>Name of the YAML file; null for keywords.</summary>
    public string? SourceName { get; private init; }

    /// <summary>Line of the error in the YAML text, from 1; null for keywords.</summary>
    public int? Line { get; private init; }

    /// <summary>Column of the error in the YAML text, from 1; null for keywords.</summary>
    public int? Column { get; private init; }

    internal static OptionException At(OptionPlace place, string message, string? key = null, Exception? inner = null) => place.Source is null
        ? new OptionException(message, inner) { Key = key }
        : new OptionException($"{place.Source}({place.Line},{place.Column}): {message}", inner) { Key = key, SourceName = place.Source, Line = place.Line, Column = place.Column };
}

/// <summary>Where a key or value stands: line and column, from 1, of a YAML text; the default for keywords.</summary>
internal readonly record struct OptionPlace(string? Source, int Line, int Column);
